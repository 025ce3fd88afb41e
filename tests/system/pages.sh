# pages.sh -- what the tests of `simclr report` share. Sourced behind check.sh.
configured=()
# made argument of made_run.py...: the folder of a run that nobody trained, of pretrain with the options in `configured`.
made() { "$simclr" pretrain --data set/ --out run --epochs 20 --batch 256 --temperature 0.5 --learning-rate 1 --image-size 32 --width 1/4 --warmup-epochs 2 "${configured[@]}" --print-config 2>/dev/null |
             python3 "$tests/made_run.py" "$@"; }
says() { holds "$1" "$2"; }
says_not() { checks=$((checks + 1)); ! grep -qF -- "$2" "$1" || fail "$1 has: $2"; }
# report PAGE argument...: the page, which must be a valid one.
report() {
    local page=$1
    shift
    check 0 '' '' "$simclr" report "$@" --out "$page"
    true_that "$page is a page" python3 "$tests/check_page.py" "$page" >page.out
}
