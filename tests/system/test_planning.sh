#!/usr/bin/env bash
# test_planning.sh SIMCLR [BUILD] -- plan on real sets: what it says, as text and as JSON, what it refuses, and that it leaves nothing;
# photos.yaml on a folder of photos.
source "$(dirname "$0")/check.sh"
small="--data synthetic --synthetic-images 256 --width 1/8 --image-size 16 --batch 32 --threads 1 --knn-images 64 --epochs 3"
seconds=$([ "${SIMCLR_TEST_SHORT:-}" = 1 ] && echo 3 || echo 0.2) # of slow builds more, for three steps: fewer have no interval

check 0 '^network +ResNet-18' '' "$simclr" plan $small --seconds $seconds
has '^memory +activations and their gradients'
has '^ +peak +[0-9.]+ MiB of [0-9.]+ MiB$'
has '^batch +32; the largest that fits is 256 \(of 256 images\)$'
has '^views +[0-9]+ views/s made'
has '^training +[0-9]+ views/s, .* s a step \[.*\], [0-9]+ % of it waiting'
has '^time +3 epochs of 8 steps: '
has '^disk +[0-9]+ MiB$'
true_that "plan leaves nothing" [ "$(ls)" = "err
out" ]
check 0 '' '' "$simclr" plan $small --seconds $seconds --out run --json
cp out plan.json
true_that "plan makes no folder" [ ! -e run ]
python plan.json <<'PY'
import json, sys
plan = json.load(open(sys.argv[1]))
assert plan["images"] == 256 and plan["batch"] == 32 and plan["largest_batch"] == 256 and plan["image_size"] == 16
assert plan["steps_per_epoch"] == 8 and plan["steps"] == 24 and plan["epochs"] == 3
memory = dict(plan["memory"])
peak, limit = memory.pop("peak"), memory.pop("limit")
assert sum(memory.values()) == peak <= limit
assert plan["step_seconds"] > 0 and plan["loader_views_per_second"] > plan["views_per_second"] > 0
assert abs(plan["views_per_second"] * plan["step_seconds"] - 64) < 1e-6
assert plan["seconds"] > 24 * plan["step_seconds"] and plan["seconds_low"] <= plan["seconds"] <= plan["seconds_high"]
assert plan["disk_bytes"] < plan["disk_bytes_peak"] < plan["disk_bytes_free"]
assert plan["step_flops"] == 6 * 32 * plan["flops"]
PY
check 0 '' '' "$simclr" info --memory --json --data synthetic --synthetic-images 256 --width 1/8 --image-size 16 --batch 32 --threads 1 --knn-images 64
python plan.json out <<'PY'
import json, sys
plan, info = (json.load(open(name)) for name in sys.argv[1:])
assert plan["parameters"] == info["parameters"] and plan["flops"] == info["flops"]
for part in ("activations", "optimizer", "parameters", "views", "evaluation", "images", "loss", "messages"): # by the same code
    assert abs(plan["memory"][part] - info["memory"][part]) <= 65536, (part, plan["memory"][part], info["memory"][part])
PY
check 0 '' '' "$simclr" info --memory --json --data synthetic --synthetic-images 256 --width 1/8 --image-size 16 --batch 32 --threads 1 --knn-every 0
python plan.json out <<'PY'
import json, sys
plan, info = (json.load(open(name)) for name in sys.argv[1:])
assert plan["memory"]["evaluation"] > info["memory"]["evaluation"] # no kNN
PY
if grep -qa '__asan_init' "$simclr"; then
    skip "memory of the test images" "mallinfo2 does not know what the sanitizer's allocator hands out"
else
    python plan.json out <<'PY'
import json, sys
plan, info = (json.load(open(name)) for name in sys.argv[1:])
assert plan["memory"]["images"] > info["memory"]["images"] # no test images
PY
fi

# ---- several ranks: memory of one, messages, seconds ----
net="--width 1/8 --image-size 16 --batch 32 --threads 1 --knn-images 64"
check 0 '^4 ranks on machines like this one, up to 8 of 32 images each; 1 Gbit/s and 50 us between them$' '' \
    "$simclr" info $net --ranks 4 --network 1gbit,50us
has '^  gradients of the weights +[0-9]+ +[0-9.]+ +[0-9.]+$'
has '^one rank takes .* s for the same batch: 4 ranks are .* times as fast, an efficiency of [0-9.]+ %$'
for ranks in 1 4; do
    check 0 '' '' "$simclr" info $net --ranks $ranks --json --data synthetic --synthetic-images 256
    cp out info.$ranks.json
    check 0 '' '' "$simclr" plan $small --ranks $ranks --json --seconds 0.2
    cp out plan.$ranks.json
done
python info.1.json info.4.json plan.1.json plan.4.json <<'PY'
import json, sys
info1, info4, plan1, plan4 = (json.load(open(name)) for name in sys.argv[1:])
assert "ranks" not in info1 and "ranks" not in plan1
for one, four in ((info1, info4), (plan1, plan4)):
    said = four["ranks"]
    assert said["ranks"] == 4 and said["images"] == 8
    # 20 batch norms of ResNet-18 and two of its head: gathered, since they are small
    assert said["parts"]["norms_forward"]["messages"] == said["parts"]["norms_backward"]["messages"] == 22
    assert said["parts"]["unit_rows"]["bytes"] == 2 * 24 * 128 * 4 # two views of the others' 24 images
    padded = said["parts"]["gradients"]["bytes"] / 6 - four["parameters"] # 2 (W - 1) / W of float32
    assert 0 <= padded < 0.02 * four["parameters"], padded
    assert said["all"]["bytes"] == sum(part["bytes"] for part in said["parts"].values())
    assert said["all"]["messages"] == sum(part["messages"] for part in said["parts"].values())
    # the gather and the exchange of gradients are above 64 KB: a block and an answer for each of the three others
    seconds = (said["all"]["messages"] + 2 * 5) * 60e-6 + said["all"]["bytes"] / 1.25e9
    assert abs(said["all"]["seconds"] / seconds - 1) < 1e-6
    step = said["passes_seconds"] + said["loss_seconds"] + said["update_seconds"] + said["all"]["seconds"] - said["overlapped_seconds"]
    assert said["overlapped_seconds"] == 0 # the gradients are one stretch, complete at the end of the way back
    assert abs(said["step_seconds"] / step - 1) < 1e-6 and abs(said["views_per_second"] * step / 64 - 1) < 1e-6
    assert abs(said["efficiency"] * 4 * step / said["one_rank_seconds"] - 1) < 1e-6
    assert four["memory"]["activations"] < one["memory"]["activations"] and four["memory"]["messages"] == 17 << 20 # 1 MB for a stretch of gradients
    assert one["memory"]["messages"] == 0 and one["memory"]["parameters"] == four["memory"]["parameters"]
assert info4["ranks"]["parts"]["gradients"]["bytes"] == plan4["ranks"]["parts"]["gradients"]["bytes"]
assert abs(plan4["step_seconds"] / plan4["ranks"]["step_seconds"] - 1) < 1e-6
assert plan4["steps"] == plan1["steps"] == 24 and plan4["batch"] == 32
PY
check 0 '"ranks": 4, "images": 1,' 'a rank has one image of the batch: steps of two images are timed' \
    "$simclr" plan ${small/--batch 32/--batch 4} --ranks 4 --network 1gbit,50us --seconds 0.2 --json
cp out plan.single.json
check 0 '' '' "$simclr" plan ${small/--batch 32/--batch 4} --batch-norm-images 4 --ranks 4 --seconds 0.2
python plan.single.json <<'PY'
import json, sys
plan = json.load(open(sys.argv[1]))
said = plan["ranks"]
alone = said["passes_seconds"] * 4 + said["loss_seconds"] / 1.5 * 4 + said["update_seconds"] # of all four images
assert abs(said["one_rank_seconds"] / alone - 1) < 1e-6, (said["one_rank_seconds"], alone)
assert plan["steps"] == 3 * 64 and plan["batch"] == 4
PY
check 2 '^$' '^simclr: --network 10GB,60us: the rate is a number above 0 with bit, kbit' "$simclr" info $net --ranks 2 --network 10GB,60us
check 2 '^$' '^simclr: --network 10gbit,60: the delay behind the comma' "$simclr" info $net --ranks 2 --network 10gbit,60
check 2 '^$' '^simclr: --network 10gbit: a rate and a delay are needed' "$simclr" plan $small --ranks 2 --network 10gbit
check 2 '^$' '^simclr: --network is what connects several ranks: give --ranks N too' "$simclr" info $net --network 10gbit,60us
check 2 '^$' '^simclr: --batch is 32, fewer than the 33 ranks: give --batch 33 or more' "$simclr" info $net --ranks 33
check 2 '^$' '^simclr: 2 statistics groups do not divide among 3 ranks: start 1 to 2, 2 or 4 ranks' "$simclr" info $net --ranks 3 --batch-norm-images 16
check 2 '^$' '^simclr: --ranks predicts the training of a network by its options: leave --checkpoint out' "$simclr" info --checkpoint x --ranks 2
check 2 '^$' '^simclr: --time and --batch auto measure one machine: give --epochs and --batch with --ranks 2' \
    "$simclr" plan ${small/--epochs 3/} --time 2m --ranks 2
check 2 '' 'batch is 512, but there are only 256 images' "$simclr" plan ${small/--batch 32/--batch 512} --ranks 4 --seconds 0.1
check 2 '' '--ranks is not an option of pretrain' "$simclr" pretrain $small --ranks 2 --out x

# ---- --batch auto takes what the help says ----
for images in 63:8 64:16 127:16 128:32; do
    check 0 '' "^batch: ${images#*:}, of ${images%:*} images" "$simclr" plan --data synthetic --synthetic-images ${images%:*} --image-size 16 --width 1/8 --depth 18 \
        --batch auto --epochs 1 --seconds 0.1
done
check 0 '' '' "$simclr" pretrain --help
true_that "the help says four steps" grep -q 'leaves four steps an epoch' <<<"$(tr -s ' \n' ' ' <out)"

# ---- the disk that is planned is the disk that is taken ----
check 0 '' '' "$simclr" pretrain $small --out run
python plan.json "$(cat run/checkpoints/* run/exported/* run/metrics.jsonl run/events* | wc -c)" <<'PY'
import json, sys
planned, taken = json.load(open(sys.argv[1]))["disk_bytes"], int(sys.argv[2])
assert 0.9 < planned / taken < 1.1, (planned, taken)
PY
check 0 '' 'run holds a run already' "$simclr" plan $small --seconds 0.1 --out run

# ---- with --time it says how many epochs that allows, and pretrain takes about as many ----
check 0 '^time +[0-9.]+ epochs of 8 steps: ' '' "$simclr" plan ${small/--epochs 3/} --seconds 0.2 --time 2m
check 2 '' 'allows [0-9]+ steps, and a run has at least 20' "$simclr" plan ${small/--epochs 3/} --seconds 0.1 --time 0.01s
check 2 '^$' '^simclr: --time chooses the epochs, and --epochs gives them' "$simclr" plan $small --time 2m
check 2 '^$' '^simclr: --time chooses the epochs, and --steps gives them' "$simclr" pretrain ${small/--epochs 3/--steps 9} --time 2m --out x

# ---- what cannot work is refused, with the reason ----
check 2 '^$' '^simclr: --warmup-epochs 1 is above the 0.5 epochs of --steps 4: give less .auto: a tenth of them., or more steps' \
    "$simclr" plan ${small/--epochs 3/--steps 4} --warmup-epochs 1 --seconds 0.1
check 2 '^$' '^simclr: --steps 800001 begins 100001 epochs of 8 steps, and a run has at most 100000: give --steps 800000 or fewer' \
    "$simclr" plan ${small/--epochs 3/--steps 800001} --seconds 0.1
check 2 '^$' '^simclr: --steps 9 is 1.125 epochs of 8 steps, and --epochs says 3: leave one of them out' "$simclr" plan $small --steps 9 --seconds 0.1
check 2 '' 'batch.*256|256.*batch' "$simclr" plan ${small/--batch 32/--batch 512} --seconds 0.1
check 0 '"batch": 64, "largest_batch": 240,' '' \
    "$simclr" plan ${small/--batch 32/--batch 64 --batch-norm-images 16} --synthetic-images 250 --seconds 0.1 --json
check 3 '^$' 'nowhere' "$simclr" plan --data nowhere
touch file
check 1 '^$' 'file: is a file' "$simclr" plan $small --out file
python3 - <<'PY'
import os, struct, zlib
os.makedirs("tiny")
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for i in range(512):
    rows = b"".join(b"\0" + bytes([i % 256, 7 * i % 256, 13 * i % 256]) * 16 for _ in range(16))
    open(f"tiny/{i:03}.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)) +
                                         chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PY
check 1 '^memory' '^simclr: a step of 512 images takes [0-9]+ MiB, and this machine has [0-9]+ MiB for it: at most --batch [0-9]+ fits' \
    "$simclr" plan --data tiny --image-size 512 --depth 50 --batch 512 --recompute off --precision float32 --seconds 0.2
largest=$(sed -n 's/.*at most --batch \([0-9]*\) fits.*/\1/p' err)
true_that "the largest batch is between one and the one refused" [ "$largest" -ge 2 -a "$largest" -lt 512 ]

check 1 '' '^simclr: even with two images a step the run takes more than the [0-9]+ MiB' \
    "$simclr" plan --data tiny --image-size 1024 --depth 50 --batch 2 --precision float32 --seconds 0.2

# ---- photos.yaml: batch, size and epochs are chosen, said, kept, and not chosen again ----
python3 - <<'PY'
import os, struct, zlib
os.makedirs("photos")
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for i in range(40):
    rows = b"".join(b"\0" + b"".join(bytes([(x * i + y) % 256, (y + 5 * i) % 256, (x ^ y) % 256]) for x in range(160)) for y in range(120))
    open(f"photos/{i:03}.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 160, 120, 8, 2, 0, 0, 0)) +
                                           chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))
PY
for seconds in 3 20 60 180; do # as this machine needs
    "$simclr" pretrain --recipe "$root/recipes/photos.yaml" --data photos --time ${seconds}s --width 1/8 --out chosen >out 2>err </dev/null
    code=$?
    [ $code -eq 2 ] && grep -q 'too short' err || break
done
true_that "photos.yaml runs on a folder of photos" [ $code -eq 0 ]
holds err "views of "
holds err "batch: 8, of 40 images"
holds err "time: "
grep -qE '^image-size: (64|96|120)$' chosen/config.yaml || fail "no size in config.yaml: $(grep image-size chosen/config.yaml)"
holds chosen/config.yaml "batch: 8"
holds chosen/config.yaml "time: 0"
cp chosen/config.yaml before.yaml
check 0 '' 'keeps what was chosen for it: batch 8, [0-9]+ epochs' \
    "$simclr" pretrain --recipe "$root/recipes/photos.yaml" --data photos --time 9h --width 1/8 --out chosen
same before.yaml chosen/config.yaml
finish
