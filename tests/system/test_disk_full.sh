#!/usr/bin/env bash
# test_disk_full.sh SIMCLR [BUILD] -- a disk that fills up: one sentence, exit 1, no file that pretends to be whole, and with room again the
# same command ends in the bytes of a run that never met the end of the disk.
set -uo pipefail
simclr=$(realpath "$1")
if [ "${2:-}" != inside ]; then # a name space of our own: nobody else sees the mount, and it goes away with us
    if unshare --mount true 2>/dev/null; then exec unshare --mount "$0" "$simclr" inside; fi
    if unshare --user --map-root-user --mount true 2>/dev/null; then exec unshare --user --map-root-user --mount "$0" "$simclr" inside; fi
    printf "skipped: every check: no file system may be mounted here\n1 checks, 0 failed, 1 skipped: no file system may be mounted here\n"
    exit 77
fi
work=$(mktemp -d)
trap 'cd /; umount "$work/disk" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/disk" "$work/room"
mount -t tmpfs -o size=64m none "$work/disk" || { printf "skipped: every check: no tmpfs may be mounted here\n1 checks, 0 failed, 1 skipped: no tmpfs may be mounted here\n"; exit 77; }
checks=0 failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
tiny=(--data synthetic --synthetic-images 32 --depth 18 --width 1/8 --image-size 16 --batch 16 --epochs 3 --threads 2 --keep 1
      --knn-every 0 --diagnostics-images 0 --out run)

(cd "$work/room" && "$simclr" pretrain "${tiny[@]}") >"$work/room.out" 2>&1 || { cat "$work/room.out"; exit 1; }
whole=$(du -sk "$work/room/run" | cut -f 1)
checkpoint=$(du -k "$work/room/run/checkpoints/"*.safetensors | sort -n | tail -n 1 | cut -f 1)
echo "a run takes $whole KiB, a checkpoint $checkpoint KiB"

# full at once, within the first checkpoint, after it, and within the exported files
for room in 0 $((checkpoint / 2)) $((checkpoint + checkpoint / 2)) $((whole - 8)); do
    rm -rf "$work/disk/"*
    mount -o "remount,size=64m" "$work/disk"
    dd if=/dev/zero of="$work/disk/ballast" bs=1024 count=$((64 * 1024 - room - 4)) 2>/dev/null
    code=0 checks=$((checks + 1))
    (cd "$work/disk" && "$simclr" pretrain "${tiny[@]}") >"$work/out" 2>"$work/err" || code=$?
    [ $code -eq 1 ] || fail "room for $room KiB: exit $code, not 1"
    [ "$(grep -c '^simclr: .*No space left' "$work/err")" -eq 1 ] || { fail "room for $room KiB: not one sentence"; cat "$work/err"; }
    rm "$work/disk/ballast"
    for file in "$work/disk/run/checkpoints/"*.safetensors "$work/disk/run/exported/"*.safetensors; do
        [ -e "$file" ] || continue
        "$simclr" info --checkpoint "$file" >/dev/null 2>"$work/err" || { fail "room for $room KiB: $file is not whole"; cat "$work/err"; }
    done
    (cd "$work/disk" && "$simclr" pretrain "${tiny[@]}") >"$work/out" 2>&1 || { fail "room for $room KiB: does not go on"; cat "$work/out"; }
    for file in checkpoints/step-00000006.safetensors exported/encoder.safetensors; do
        cmp "$work/room/run/$file" "$work/disk/run/$file" || fail "room for $room KiB: another $file"
    done
    [ -z "$(find "$work/disk/run" -name '*.tmp*')" ] || fail "room for $room KiB: half-written files stayed"
done

# an evaluation that cannot be written leaves the one before it whole
judge=("$simclr" evaluate "$work/room/run" --data synthetic --synthetic-images 32 --protocols knn,linear --no-controls --threads 2)
rm -rf "$work/disk/"*
(cd "$work/disk" && "${judge[@]}" --out judged) >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
cp -r "$work/disk/judged" "$work/room/judged"
size=$(du -k "$work/disk/judged/predictions.npz" | cut -f 1)
for room in 0 $((size + 4)) $((size + 12)); do
    dd if=/dev/zero of="$work/disk/ballast" bs=1024 count=$((64 * 1024)) 2>/dev/null
    truncate -s "-${room}K" "$work/disk/ballast"
    code=0 checks=$((checks + 1))
    (cd "$work/disk" && "${judge[@]}" --l2 0.5 --seed 2 --out judged) >"$work/out" 2>"$work/err" || code=$?
    [ $code -eq 1 ] || fail "evaluation, room for $room KiB: exit $code, not 1"
    grep -q '^simclr: .*No space left' "$work/err" || { fail "evaluation, room for $room KiB: no sentence"; cat "$work/err"; }
    diff -r "$work/room/judged" "$work/disk/judged" || fail "evaluation, room for $room KiB: two are mixed"
    rm "$work/disk/ballast"
done
checks=$((checks + 1)) code=0
dd if=/dev/zero of="$work/disk/ballast" bs=1024 count=$((64 * 1024)) 2>/dev/null
(cd "$work/disk" && "$simclr" views synthetic --out views.png) >"$work/out" 2>"$work/err" || code=$?
{ [ $code -eq 1 ] && grep -q 'No space left' "$work/err"; } || { fail "views: exit $code, or another reason"; cat "$work/err"; }
echo "$checks checks, $failures failed, 0 skipped"
[ $failures -eq 0 ]
