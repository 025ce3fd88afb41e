#!/usr/bin/env bash
# What the page of `simclr report` says of evaluations: of which encoder they are, on which test set, and what to do next.
source "$(dirname "$0")/check.sh"
source "$(dirname "$0")/pages.sh"

train() { check 0 '' '' "$simclr" pretrain --data photos --out "$@" --width 1/8 --image-size 16 --batch 8 --diagnostics-images 0 --knn-every 1 --quiet; }
judge() { check 0 '' '' "$simclr" evaluate "$1" --data photos --protocols knn --out "$2" --quiet; }
python3 "$tests/pictures.py" photos/train red:200,40,40:12 blue:40,40,200:12
python3 "$tests/pictures.py" photos/test red:200,40,40:6 blue:40,40,200:6

# ---- an evaluation is of one state of an encoder
train 'a run' --epochs 1
judge 'a run' 'a run/evaluation'
report own.html 'a run'
says own.html 'Nearest neighbours of the frozen features have'
says_not own.html 'of another encoder'
says_not err warning
stale() { # stale PAGE argument...: the evaluation is left out, on the page and in the log
    report "$@"
    says "$1" 'is of another encoder (hash '
    says "$1" 'Judge this one by simclr evaluate &#39;a run&#39; --data photos --out &#39;a run/evaluation&#39;.'
    says "$1" 'It was not judged as it is now.'
    says_not "$1" 'of the frozen features'
    says_not "$1" '<h3>Surest mistakes'
    matches err 'the evaluation in .* is of another encoder .*; judge this one by simclr evaluate' "report of another's evaluation"
}
cp -r 'a run' before
train 'a run' --epochs 2
rm 'a run/checkpoints/best.safetensors' # it may be the one that was judged
stale further.html 'a run'
rm -r 'a run' && cp -r before 'a run' # its evaluation is of its encoder again, under another name of the folder
train 'a run' --epochs 1 --seed 7 --overwrite
stale over.html 'a run'
train other --epochs 1 --seed 3
judge other others
stale others.html 'a run' --evaluation others
report both.html other 'a run' --evaluation others --evaluation others
says both.html 'a run: The evaluation in others is of another encoder'
says_not both.html 'other: The evaluation in others'
# a newer one in the present folder is taken
judge 'a run' evaluation
report newer.html 'a run'
says newer.html 'Nearest neighbours of the frozen features have'
says_not newer.html 'of another encoder'
rm -r evaluation

# ---- of another checkpoint of the run
cp before/checkpoints/step-*.safetensors before/kept.safetensors
judge before/kept.safetensors before/evaluation
report newest.html before
says_not newest.html 'not of the newest'
train before --epochs 2
report kept.html before
says kept.html 'That is of before/kept.safetensors, not of the newest encoder.'
says kept.html 'The evaluation is of before/kept.safetensors, not of the newest encoder of the run.'
says_not kept.html 'of another encoder'
mv before/kept.safetensors before/checkpoints/best.safetensors
report best.html before
says best.html 'That is of before/checkpoints/best.safetensors, not of the newest encoder.'

# ---- several runs, judged on one set of test images or on several
made() { "$simclr" pretrain --data set/ --out run --epochs 20 --print-config 2>/dev/null | python3 "$tests/made_run.py" "$@"; }
for name in one same fewer classes elsewhere named renamed unnamed; do made $name; done
change() { python "$1/evaluation/evaluation.json" "$2" <<'PY'
import json, sys
made = json.load(open(sys.argv[1])) | eval(sys.argv[2])
json.dump(made, open(sys.argv[1], "w"))
PY
}
change fewer '{"test_images": 60}'
change classes '{"classes": 5}'
change elsewhere '{"data": "else/<where>"}'
change named '{"test_digest": "aaaabbbbccccdddd"}'
change renamed '{"test_digest": "aaaabbbbccccdddd", "data": "moved/"}'
change unnamed '{"test_digest": "aaaabbbbccccdddf"}'
together() { # together PAGE SETS RUN...: runs that were judged on so many sets
    report "$1" "${@:3}"
    python "$@" <<'PY'
import re, sys
page, sets = open(sys.argv[1]).read(), int(sys.argv[2])
parts = {m[1]: m[2] for m in re.finditer(r'<section id="(\w+)">(.*?)</section>', page, re.S)}
said = "The runs were judged on different test sets. Their figures do not compare." in parts["worth"]
assert said == (sets > 1) == (f"judged on {sets} different test sets, so these figures" in page), (said, sets)
assert parts["worth"].count(">Right answers by protocol</title>") == sets
assert parts["worth"].count("Figures with 95 % intervals over the test images.") == sets
assert parts["labels"].count(">Accuracy against the number of labels</title>") == sets
for table in re.findall(r"<table.*?</table>", parts["worth"], re.S):
    columns = {c.split(":")[0] for c in re.findall(r'<th scope="col">([^<]*: SimCLR)<', table)}
    assert sets == 1 or len(columns & set(sys.argv[3:])) <= len(sys.argv[3:]) - sets + 1, (columns, sets)
PY
    [ "$2" -eq 1 ] && says_not err 'test sets' || matches err "the evaluations are of $2 different test sets and are not compared \(one: set/, 2,000 test images in 3 classes; " "$1"
}
together same.html 1 one same
together named.html 1 named renamed one # what one does not say is not held against it
for other in fewer classes elsewhere; do together other.html 2 one $other same; done
says other.html '<h3>On else/&lt;where&gt;, 2,000 test images in 3 classes</h3>'
says other.html '<h3>On set/, 2,000 test images in 3 classes</h3>'
together many.html 3 one fewer classes
report digest.html named unnamed
says digest.html 'They were judged on 2 different test sets'

# ---- nothing to compare with
rm -r other/checkpoints other/exported
report gone.html other --evaluation others
says gone.html 'Nearest neighbours of the frozen features have'
report alone.html others
says alone.html 'Nearest neighbours of the frozen features have'

# ---- an evaluation alone advises what works: the checkpoint that it names, where that is there
commands() { python3 - "$1" >commands <<'PY'
import html, re, sys
print("\n".join(html.unescape(c) for c in re.findall(r"<pre><code>(.*?)</code>", open(sys.argv[1]).read())))
PY
}
mkdir 'it is' && judge 'a run' 'it is/judged'
report alone.html 'it is/judged'
commands alone.html
says commands "simclr evaluate 'a run' --data LABELLED --protocols all"
says commands "simclr evaluate 'a run' --data LABELLED --protocols linear"
says commands "simclr audit 'a run' --data PHOTOS --out 'it is/judged'/audit"
says commands "simclr report 'a run' --data PHOTOS --evaluation 'it is/judged'"
says_not commands "simclr report 'it is"
sed 's/PHOTOS/photos/; s/^simclr/"$simclr"/; s/$/ --out advised.html/' commands | grep ' report ' | sort -u >advised
check 0 '' '' source advised
says advised.html 'Drawn at random'
says advised.html 'Nearest neighbours of the frozen features have'
report alone.html 'it is/judged' --data photos
matches err 'warning: it is/judged: has no encoder that can be read; the page goes without views, neighbours, map and spectrum' 'a report without an encoder'
commands alone.html
says commands "simclr report 'a run' --data photos --evaluation 'it is/judged'"
cp 'a run/exported/encoder.safetensors' 'a run/exported/config.json' .
judge encoder.safetensors 'it is/file'
report file.html 'it is/file'
commands file.html
says commands 'simclr evaluate encoder.safetensors --data LABELLED --protocols all'
says_not commands 'simclr report'
rm encoder.safetensors
report file.html 'it is/file'
commands file.html
says_not commands 'simclr evaluate'
says_not commands 'simclr audit'
says file.html 'A linear classifier is what is looked at here. simclr evaluate makes one. It takes an encoder, and there is none here.'
finish
