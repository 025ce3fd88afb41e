#!/usr/bin/env bash
# The page of `simclr report` about runs of every kind: what they are called, how far they came, and what is said of those
# that have no images, no training or no accuracy.
source "$(dirname "$0")/check.sh"

made() { "$simclr" pretrain --data set/ --out run --epochs 20 --batch 256 --temperature 0.5 --learning-rate 1 --image-size 32 --width 1/4 --warmup-epochs 2 "${configured[@]}" --print-config 2>/dev/null |
             python3 "$tests/made_run.py" "$@"; }
configured=()
says() { holds "$1" "$2"; }
says_not() { checks=$((checks + 1)); ! grep -qF -- "$2" "$1" || fail "$1 has: $2"; }
# report PAGE argument...: the page, which must be a valid one.
report() {
    local page=$1
    shift
    check 0 '' '' "$simclr" report "$@" --out "$page"
    true_that "$page is a page" python3 "$tests/check_page.py" "$page" >err
}
made run

# ---- a name that begins with a dot, and folders without a name
for name in .hid ..hid ...; do
    cp -r run $name
    report hidden.html $name
    says hidden.html "<h1>SimCLR: $name</h1>"
    cd $name && report ../inside.html . && cd .. || exit 1
    says inside.html "<h1>SimCLR: $name</h1>"
    rm -r $name
done
report above.html run/evaluation/..
says above.html '<h1>SimCLR: run</h1>'
report above.html run/evaluation/.././/
says above.html '<h1>SimCLR: run</h1>'

# ---- runs whose folders have the same name
mkdir -p a/b c/b
cp run/evaluation/evaluation.json a/b/
for folder in a a/b c/b; do cp -r run $folder/; done
report alike.html a/run c/b/run run a/b/run/ run/
says alike.html '<h1>SimCLR: a/run, c/b/run, run, a/b/run, run (2)</h1>'
for name in a/run c/b/run run a/b/run 'run (2)'; do
    says alike.html "<strong>$name: </strong>"             # the headline
    says alike.html ">$name: SimCLR"                   # a column of the table
    says alike.html ">$name</text>"                        # a curve
done
says_not alike.html "$work"
cd a/run && report ../../alike.html . ../../c/b/run && cd ../.. || exit 1
says alike.html '<h1>SimCLR: a/run, b/run</h1>'
report apart.html a/run a/b
says apart.html '<h1>SimCLR: run, b</h1>'

# ---- an evaluation alone
mkdir alone && cp run/evaluation/evaluation.json alone/
report alone.html alone
says alone.html '74.4 % [72.5, 76.4]'
says alone.html '<p class="muted">Linear, top-1</p>'
says_not alone.html '<p class="muted">Epochs</p>'
says_not alone.html '<dt>Time</dt>'
finish
