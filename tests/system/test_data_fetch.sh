#!/usr/bin/env bash
# test_data_fetch.sh SIMCLR BUILD -- simclr data fetch against a server of our own that drops, cuts, damages and refuses.
source "$(dirname "$0")/check.sh"
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
name=cifar-10-binary.tar.gz
whole() { checks=$((checks + 1)); cmp -s original "$1/$name" || fail "$1: not the original"; [ -e "$1/$name.part" ] && fail "$1: .part is still there"; }
absent() { checks=$((checks + 1)); [ -e "$1/$name" ] && fail "$1/$name is there"; }

head -c 300000 /dev/urandom >original
sha=$(sha256sum original | cut -d' ' -f1)
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

# ---- without a network: --from, and names ----
check 0 '^CIFAR-10 .*' '' "$simclr" data fetch cifar10 --from original --sha256 "$sha" --out from
whole from
check 0 'is there already' '' "$simclr" data fetch cifar10 --sha256 "$sha" --out from --url http://127.0.0.1:9/
check 1 '' 'has 300000 bytes, but cifar10 has 170052171' "$simclr" data fetch cifar10 --from original --out other
absent other
check 1 '' "its SHA-256 is $sha, not 0{64}" "$simclr" data fetch cifar10 --from original --sha256 "$(printf '0%.0s' $(seq 64))" --out other
absent other
check 1 '' 'nothing-here: cannot open' "$simclr" data fetch stl10 --from nothing-here --out other
# a pipe can be read once only: its digest is that of what was copied
check 0 'SHA-256 right' '' bash -c "cat original | '$simclr' data fetch cifar10 --from /dev/stdin --sha256 $sha --out piped"
whole piped
check 1 '' 'its SHA-256 is .*, not' bash -c "head -c 1000 original | '$simclr' data fetch cifar10 --from /dev/stdin --sha256 $sha --out cut-pipe"
absent cut-pipe
mkfifo idle
check 124 '' 'idle: stopped by request' timeout --foreground -s TERM 1 "$simclr" data fetch cifar10 --from idle --sha256 "$sha" --out waiting
absent waiting
check 1 '' 'is a device, but a file is needed' "$simclr" data fetch cifar10 --from /dev/zero --out other
check 1 '' 'idle: is a pipe, but a file is needed: write what comes out of it to a file first' "$simclr" data info idle
check 2 '' 'data fetch needs the name of a set' "$simclr" data fetch
check 2 '' '--set takes cifar10, cifar100' "$simclr" data fetch mnist
check 2 '' '--sha256 takes 64 hexadecimal digits' "$simclr" data fetch cifar10 --sha256 abc

if ! "$simclr" data fetch cifar10 --url "file://$work/original" --sha256 "$sha" --out file >out 2>err; then
    if grep -q 'built without libcurl' err; then
        skip downloading "built without libcurl"
        finish
    fi
    fail "file://: $(cat err)"
fi
whole file

# ---- the server ----
python3 "$tests/fetch_server.py" original port log &
server=$!
for _ in $(seq 200); do [ -s port ] && break; sleep 0.05; done
[ -s port ] || { echo "FAILED: the server does not start"; exit 1; }
base=http://127.0.0.1:$(cat port)
get() { local how=$1; shift; echo "$simclr" data fetch cifar10 --url "$base/$how/file" --sha256 "$sha" --out "$how" "$@"; }

check 0 'bytes, SHA-256 right' '' $(get good)
whole good
check 0 '' '' $(get moved)
whole moved
check 0 '' 'trying again from byte [1-9]' $(get flaky)
whole flaky
[ "$(grep -c '/flaky' log)" -ge 4 ] || fail "flaky: $(grep /flaky log)"
grep -q '/flaky/file bytes=100000-' log || fail "flaky: not gone on from where it stood: $(grep /flaky log)"
check 0 '' 'trying again' $(get noparts)
whole noparts
check 0 '' '503; trying again' $(get busy)
whole busy
check 1 '' 'cannot be downloaded .*404' $(get gone)
absent gone
[ "$(grep -c '/gone' log)" -eq 1 ] || fail "404 was asked for again"
check 1 '' 'cannot be downloaded' $(get short --retries 1)
absent short
check 1 '' 'its SHA-256 is .*, not ' $(get wrong)
absent wrong
[ -e "wrong/$name.part" ] && fail "wrong: .part is kept"
check 1 '' 'its SHA-256 is' $(get long)
absent long
"$simclr" data fetch cifar10 --url "$base/good/file" --out size --retries 1 >out 2>err
grep -q 'has 300000 bytes, but cifar10 has 170052171\|cannot be downloaded' err || fail "another size: $(cat err)"
absent size
check 1 '' 'cannot be downloaded' "$simclr" data fetch cifar10 --url http://127.0.0.1:1/x --sha256 "$sha" --out refused --retries 1
check 1 '' '' "$simclr" data fetch cifar10 --url "ftp://127.0.0.1/x" --sha256 "$sha" --out refused --retries 0

# ---- a part of an earlier command: the right one is gone on with, another one is fetched anew ----
mkdir right stale
head -c 123456 original >right/$name.part
check 0 '' 'going on after 123456 bytes' $(get good) --out right
whole right
grep -q '/good/file bytes=123456-' log || fail "an earlier part was not gone on with"
head -c 50000 /dev/zero >stale/$name.part
check 0 '' 'once more from the start' $(get good) --out stale
whole stale

# ---- SIGTERM: 75, what came stays, and the same command goes on; kill -9 too ----
for signal in TERM KILL; do
    $(get slow) --out $signal >out 2>err &
    pid=$!
    for _ in $(seq 200); do [ "$(stat -c %s $signal/$name.part 2>/dev/null || echo 0)" -gt 20000 ] && break; sleep 0.02; done
    kill -$signal $pid
    wait $pid 2>/dev/null
    code=$?
    checks=$((checks + 1))
    [ $signal = KILL ] || [ $code -eq 75 ] || fail "SIGTERM: exit $code: $(cat err)"
    absent $signal
    check 0 '' 'going on after [1-9]' $(get good) --out $signal
    whole $signal
done
finish
