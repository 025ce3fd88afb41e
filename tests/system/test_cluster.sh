#!/usr/bin/env bash
# test_cluster.sh SIMCLR BUILD -- two simulated machines (tools/cluster.py): bytes on their cables are within 10 % of what is predicted; an interface
# that is taken down ends every rank, and the same command goes on.
build=$(realpath "$2")
source tests/system/check.sh
if [ ! -e "$build/libsimclr-openmpi.so" ] || grep -q '^SIMCLR_SANITIZE:.*=.' "$build/CMakeCache.txt"; then
    skip "a simulated cluster" "this build has no libsimclr-openmpi.so, or is a sanitizer's"
    finish
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # in containers there is nobody else
cluster() {
    timeout 200 bash -c 'echo $$ >pid; exec "$@"' one python3 "$root/tools/cluster.py" "$simclr" --hosts 2 --images 16 "$@" -- \
        --width 1/8 --image-size 16 >out 2>err
    code=$?
}
no_networks() { true_that "its networks are gone" bash -c '! ip netns list | grep -q "^simclr$(cat pid)-"'; }
cluster --rates full --steps 4
if [ $code -eq 77 ]; then
    skip "a simulated cluster" "$(sed 's/^skipped: the simulated cluster: //' out)"
    finish
fi
true_that "the cluster's bytes are those predicted" [ $code -eq 0 ]
has '^\| 2 \| full \| .* Gbit/s; .* us \|'
has '^marks missed: [01] of time \(25 %\), 0 of bytes'
no_networks
cluster --cut
true_that "an interface taken down: $(grep '^NO ' out err)" [ $code -eq 0 ]
has '^0 of the above do not hold'
no_networks
finish
