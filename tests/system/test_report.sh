#!/usr/bin/env bash
# The page of `simclr report`: its numbers are the files' numbers; it is valid, and safe whatever names are made of; a
# running, a killed, an unlabelled, a broken run and one of 1,000 classes have a page that says so; two runs stand beside
# each other.
source "$(dirname "$0")/check.sh"
source "$(dirname "$0")/pages.sh"

page() { true_that "$1 is a page" python3 "$tests/check_page.py" "$1" >err; [ ! -s err ] || cat err; }

# ---- the numbers
made run
check 0 '^report +a.html  .0\.[0-9]+ MB' '' "$simclr" report run --out a.html
page a.html
says a.html 'has 74.4 % [72.5, 76.4] of 2,000 test images right: 33.2 points above the untrained network, 26.3 points above raw pixels, 9.4 points above supervised training.'
says a.html 'Trained for 20 of 20 epochs in about 25 min 0 s (finished).'
says a.html '61.43 [59.30, 63.56]' # knn of the trained encoder, as the file has it
says a.html '48.12 [45.93, 50.31]' # linear of pixels
says a.html 'for 62.44 %, the highest accuracy that both reach, supervised training needs at least 7.25 times the labels'
says a.html 'Of each run, for the accuracy of that run: at least 7.25, 7.50, not known.'
says a.html '1.23 [0.12, 2.34]'
says a.html '0.0321'
says a.html '91.1250' # RankMe
says a.html '7 test images are training images too (equal pixels).'
says a.html 'The features use 77.2 of 128 dimensions'
says a.html 'One temperature, 1.38, is kept'
says a.html 'The log warned: 0 photos of a folder are blank'
says a.html 'Said 3 times'
says a.html '2 fits of classifiers ended at --iterations, short of the optimum; the first: linear on pixels.'
says a.html '1 figure of the evaluation is not known here.'
says a.html '12,345'
says_not a.html 'nan'
says_not a.html "$work" # no path but those that were given

# ---- two runs: differences first
configured=(--temperature 0.2 --seed 7)
made other --seed 2
configured=()
check 0 '' '' "$simclr" report run other/ --out two.html
page two.html
python two.html <<'PY'
import re, sys
page = open(sys.argv[1]).read()
table = re.search(r"What differs between the runs</span></caption>(.*?)</table>", page, re.S)[1]
names = re.findall(r'<th scope="row">([^<]*)</th>', table)
assert names == ["temperature", "seed"], names
assert page.index("What differs") < page.index("The whole configuration")
assert "run: SimCLR" in page and "other: SimCLR" in page
assert page.count(">74.44 [") == 1 and page.count(">74.54 [") == 1
PY
check 0 '' '' "$simclr" report run --runs other/ --out two-b.html
same <(sed 's/Made by.*//; s/two-b/two/' two-b.html) <(sed 's/Made by.*//' two.html)

# ---- label factors that have a mean
cp -r run factors
python <<'PY'
import json, pathlib
path = pathlib.Path("factors/evaluation/evaluation.json")
made = json.loads(path.read_text())
made["label_factor"] = {"value": 2, "accuracy": 0.6, "runs": [{"value": 2, "accuracy": 0.6}, {"value": 8, "accuracy": 0.6}],
                        "geometric_mean": 4, "low95": 3.5, "high95": 4.5, "method": "Student's t of logarithms"}
path.write_text(json.dumps(made))
PY
check 0 '' '' "$simclr" report factors --out factors.html
page factors.html
says factors.html 'Over runs, the geometric mean: 4.00 [3.50, 4.50].'
says_not factors.html 'Of each run'

# ---- running, killed, unlabelled, without metrics
made live --epochs 7
check 0 '' '' "$simclr" report live --out killed.html
page killed.html
says killed.html 'It stopped at epoch 7 of 20: it was interrupted or killed. No process uses its folder.'
if command -v flock >/dev/null; then
    touch live/.lock
    check 0 '' '' flock live/.lock "$simclr" report live --out live.html
    page live.html
    says live.html 'It is running: epoch 7 of 20'
else
    skip "a running run" "there is no flock"
fi
head -c 20000 live/metrics.jsonl >cut && mv cut live/metrics.jsonl # in the middle of a line
check 0 '' '' "$simclr" report live --out cut.html
page cut.html
made unlabelled --no-labels --no-evaluation
check 0 '' '' "$simclr" report unlabelled --out unlabelled.html
page unlabelled.html
says unlabelled.html 'The loss came to 5.000, the mean of the last epoch that ended, where chance is 6.236.'
says unlabelled.html '<p class="big">5.000</p>'
says unlabelled.html '<p class="muted">the mean of the last epoch that ended; chance is 6.236</p>'
says unlabelled.html 'The loss is 5.000, the mean of the last epoch that ended, below chance (6.236)'
says_not unlabelled.html '5.010'
sed -i '/epoch.loss/d' unlabelled/metrics.jsonl
check 0 '' '' "$simclr" report unlabelled --out steps.html
page steps.html
says steps.html 'The loss came to 5.010, that of the last logged step, where chance is 6.236.'
says steps.html '<p class="big">5.010</p>'
says steps.html '<p class="muted">that of the last logged step; chance is 6.236</p>'
says unlabelled.html 'simclr evaluate unlabelled --data LABELLED --out unlabelled/evaluation'
says_not unlabelled.html 'kNN between epochs'
rm unlabelled/metrics.jsonl
check 0 '' '' "$simclr" report unlabelled --out early.html
page early.html
says early.html 'How far it came is not known'

# ---- a thousand classes; names of any kind
made many --classes 1000
check 0 '' '' "$simclr" report many --out many.html
page many.html
says many.html 'class 999'
made evil --hostile
check 0 '' '' "$simclr" report evil --out evil.html
page evil.html
says evil.html '&lt;script&gt;alert(1)&lt;/script&gt;,&quot;&#39;\t\n\xff\\&amp;amp;\xe2\x80\xae0'
mkdir 'a <b> & "c"'
cp -r run/. 'a <b> & "c"'
check 0 '' '' "$simclr" report 'a <b> & "c"' --out names.html
page names.html
says names.html '<h1>SimCLR: a &lt;b&gt; &amp; &quot;c&quot;</h1>'

# ---- broken: each file by itself
for file in config.yaml metrics.jsonl environment.json evaluation/evaluation.json; do
    rm -rf broken && cp -r run broken
    printf '{"a": [1, 2\x00\xff\n\t- x: {' >broken/$file
    check 0 '' '' "$simclr" report broken --out broken.html
    page broken.html
    says broken.html 'What this file holds is missing on this page.'
done
rm -rf broken && cp -r run broken
sed -i 's/"version": 1/"version": 2/' broken/evaluation/evaluation.json
check 0 '' '' "$simclr" report broken --out broken.html
says broken.html 'is of version 2, and this program knows 1'
python <<'PY'
import json, pathlib
path = pathlib.Path("broken/evaluation/evaluation.json")
made = json.loads(pathlib.Path("run/evaluation/evaluation.json").read_text())
made["figures"] += [{"protocol": 3}, 7, None, {"protocol": "knn", "metric": "top1", "source": "trained", "value": None},
                    {"protocol": "x" * 5000, "setting": ["a"], "metric": "top1", "source": "pixels", "value": 1e300}]
made["linear_classifier"]["confusion"] += [[-1, 0, 5], [0, 10 ** 12, 5], "x", [0, 1], [0, 1, -5]]
made["linear_classifier"]["classes"][0] = {"name": 5, "images": "many"}
made["label_factor"]["value"] = "high"
made["comparisons"] = [[], {"metric": 3}, {"metric": "top1", "p": None}]
path.write_text(json.dumps(made))
PY
check 0 '' '' "$simclr" report broken --out broken.html
page broken.html
rm -r broken/config.yaml broken/metrics.jsonl broken/environment.json broken/train.log
check 0 '' '' "$simclr" report broken --out judged.html # an evaluation alone
page judged.html
mkdir alone && cp run/evaluation/evaluation.json alone/
check 0 '' '' "$simclr" report alone --out alone.html
page alone.html
says alone.html '74.4 % [72.5, 76.4]'

# ---- where the evaluation lies
mkdir none && cp run/*.* none/
check 0 '' '' "$simclr" report none --evaluation run/evaluation --out where.html
says where.html '74.4 % [72.5, 76.4]'
cp -r run/evaluation evaluation && sed -i 's/"checkpoint": "run"/"checkpoint": "none"/' evaluation/evaluation.json
check 0 '' '' "$simclr" report none --out where.html
says where.html '74.4 % [72.5, 76.4]'
check 0 '' '' "$simclr" report unlabelled --out where.html # it is not of this run
says where.html 'It was not judged yet.'
check 1 '' 'nothing: has no evaluation.json' "$simclr" report none --evaluation nothing --out where.html

# ---- with images: everything that is drawn from the encoder, of labelled and of unlabelled ones
python3 "$tests/pictures.py" photos/train 're<d:200,40,40:24' blue:40,40,200:24 gray:90,90,90:24
python3 "$tests/pictures.py" photos/test 're<d:200,40,40:12' blue:40,40,200:12 gray:90,90,90:12
python3 "$tests/pictures.py" flat .:90,90,90:20 .:200,40,40:20
small=(--width 1/8 --image-size 16 --batch 16 --epochs 1 --diagnostics-images 16 --knn-every 0 --quiet)
check 0 '' '' "$simclr" pretrain --data photos --out seen "${small[@]}"
check 0 '' '' "$simclr" evaluate seen --data photos --protocols linear --out seen/evaluation --quiet
check 0 '' '' "$simclr" report seen --data photos --out seen.html
page seen.html
python seen.html seen/evaluation <<'PY'
import json, re, sys
page = open(sys.argv[1]).read()
parts = {m[1]: m[2] for m in re.finditer(r'<section id="(\w+)">(.*?)</section>', page, re.S)}
pictures = {name: text.count("<img ") for name, text in parts.items()}
assert pictures["views"] == 3 * 9, pictures
assert pictures["neighbours"] % 9 == 0 and pictures["neighbours"] >= 9 * 8, pictures
assert pictures["map"] == 1, pictures # the atlas
dots = re.findall(r"M[0-9.-]+ [0-9.-]+h0", parts["map"])
assert len(dots) == 2 * 36, len(dots) # map and principal plane, of the test part
assert ">re&lt;d</text>" in parts["map"]
made = json.load(open(sys.argv[2] + "/evaluation.json"))
wrong = sum(n for label, said, n in made["linear_classifier"]["confusion"] if label != said)
assert pictures["mistakes"] == min(12, wrong), (pictures, wrong)
lines = re.findall(r'<path class="series h[01]" d="M', parts["spectrum"])
assert len(lines) >= 2, lines # h and z
PY
# two encoders on the same images are compared image by image, from their predictions
check 0 '' '' "$simclr" pretrain --data photos --out again "${small[@]}" --seed 5
check 0 '' '' "$simclr" evaluate again --data photos --protocols linear --out again/evaluation --quiet
check 0 '' '' "$simclr" report seen again --out pair.html
page pair.html
python pair.html <<'PY'
import json, math, re, sys
page = open(sys.argv[1]).read()
said = re.search(r"image by image: (\d+) test images are right for the first only, (\d+) for the second only; p is ([0-9.e-]+)", page)
b, c = int(said[1]), int(said[2])
p = min(1, 2 * sum(math.comb(b + c, i) for i in range(min(b, c) + 1)) / 2 ** (b + c))
assert abs(p - float(said[3])) < 1e-2 * p, (p, said[3])
values = []
for run in ("seen", "again"):
    figures = json.load(open(f"{run}/evaluation/evaluation.json"))["figures"]
    values += [f["value"] * f["images"] for f in figures
               if (f["protocol"], f["metric"], f["source"]) == ("linear", "top1", "trained") and "setting" not in f]
assert round(values[0] - values[1]) == b - c, (values, b, c)
PY
# whose audit it is
check 0 '' '' "$simclr" audit seen --data photos --only outliers --out seen-audit --quiet
for run in seen again; do
    check 0 '' '' "$simclr" report "$run" --audit seen-audit --out audited.html
    page audited.html
    says audited.html 'What simclr audit found'
    note=$([ "$run" = seen ] && echo says_not || echo says)
    "$note" audited.html "The audit was made with another encoder"
done
cp out first && check 0 '' '' "$simclr" report seen --data photos --out seen-2.html
same <(sed 's/Made by.*//' seen.html) <(sed 's/Made by.*//' seen-2.html) # nothing is drawn at random twice
check 0 '' '' "$simclr" pretrain --data flat --out flat-run "${small[@]}"
check 0 '' '' "$simclr" report flat-run --data flat --out flat.html
page flat.html
python flat.html <<'PY'
import re, sys
page = open(sys.argv[1]).read()
near = re.search(r'<section id="neighbours">(.*?)</section>', page, re.S)[1]
assert near.count("<img ") == 12 * 9 and 'class="right"' not in near and 'class="wrong"' not in near
PY
cp seen/evaluation/predictions.npz kept
for bytes in 100 1000; do
    head -c $bytes kept >seen/evaluation/predictions.npz
    check 0 '' '' "$simclr" report seen --data photos --out seen-2.html
    page seen-2.html
    says_not seen-2.html 'Surest mistakes'
done
cp evaluation/evaluation.json seen/evaluation/predictions.npz
check 0 '' '' "$simclr" report seen --data photos --out seen-2.html
page seen-2.html
rm -r seen/checkpoints seen/exported
check 0 '' '' "$simclr" report seen --data photos --out seen-2.html
page seen-2.html
says seen-2.html 'seen has no encoder that can be read'
check 3 '' 'missing' "$simclr" report flat-run --data missing --out seen-2.html

# ---- what audit found
mkdir -p run/audit
cat >run/audit/audit.json <<'JSON'
{"data": "photos", "images": 100, "groups": 4, "groups_across_parts": 2, "removed": 5,
 "lists": {"near-duplicates": {"images": 9, "rule": "likeness of 0.6 <or> more", "worst": ["a.png", "<script>"]}, "odd": 7}}
JSON
check 0 '' '' "$simclr" report run --out audit.html
page audit.html
says audit.html 'likeness of 0.6 &lt;or&gt; more'
says audit.html 'a.png, &lt;script&gt;'
echo '{"lists"' >run/audit/audit.json
check 0 '' '' "$simclr" report run --out audit.html
page audit.html
says audit.html 'run/audit/audit.json: is no JSON: audit again'

# ---- what is refused
check 2 '' 'report needs --runs RUN' "$simclr" report
check 1 '' 'missing: is no folder of a run: there is nothing there' "$simclr" report missing
check 1 '' 'a.html: is no folder of a run: give the folder that the file lies in' "$simclr" report a.html
mkdir empty
check 1 '' 'empty: is neither the folder of a run' "$simclr" report empty
check 1 '' 'nowhere is no folder' "$simclr" report run --out nowhere/a.html
check 2 '' 'which is no page' "$simclr" report run --out run/metrics.jsonl
check 2 '' 'more --evaluation than runs' "$simclr" report run --evaluation a --evaluation b
finish
