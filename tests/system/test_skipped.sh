#!/usr/bin/env bash
# test_skipped.sh SIMCLR -- a step that is not finite is skipped, named and counted: in the log, in metrics.jsonl, in the checkpoint.
# The learning rate goes on, and so does a run that is resumed. So it is with batch-norm statistics over groups.
# Of sixteen pictures one is black and white; fifteen are nearly black. Once the first convolution's weights are multiplied by 2e20, the
# variance behind it overflows in the batch with that picture, and in no other.
source tests/system/check.sh

cat >pictures.py <<'PY'
import os, random, struct, zlib
rng = random.Random(1)
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
os.mkdir("pictures")
for i in range(16):
    rows = b"".join(b"\0" + bytes(rng.choice((0, 1) if i else (0, 255)) for _ in range(16 * 3)) for _ in range(16))
    with open(f"pictures/{i:02}.png", "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PY
# Multiplies a tensor of a checkpoint, whose checksum is right again afterwards.
cat >multiply.py <<'PY'
import json, re, struct, sys
def crc32c(data):
    table = []
    for i in range(256):
        for _ in range(8): i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    crc = 0xFFFFFFFF
    for byte in data: crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF
path, name, factor = sys.argv[1], sys.argv[2], float(sys.argv[3])
data = bytearray(open(path, "rb").read())
start = 8 + struct.unpack("<Q", data[:8])[0]
begin, end = json.loads(data[8:start])[name]["data_offsets"]
values = struct.unpack_from(f"<{(end - begin) // 4}f", data, start + begin)
struct.pack_into(f"<{len(values)}f", data, start + begin, *(factor * value for value in values))
at = re.search(rb'"file_crc32c": *"', data).end()
data[at:at + 8] = b"00000000"
data[at:at + 8] = b"%08x" % crc32c(data)
open(path, "wb").write(data)
PY

# Three epochs of four steps. The seed is one where the skipped steps end no epoch: a checkpoint is only made after a good step.
train() {
    check 0 "" "$1" "$simclr" pretrain --data pictures --depth 18 --width 1/8 --image-size 16 --batch 4 --epochs 3 --seed 6 --threads 2 \
        --optimizer sgd --learning-rate 0.1 --warmup-epochs 0 --crop-area-min 0.9 --blur-probability 0 --jitter-probability 0 \
        --gray-probability 0 --diagnostics-images 0 --knn-every 0 --log-every 1 --save-every 1 --keep 3 --out run "${groups[@]}"
}
# back_to STEP: the checkpoints after it are gone.
back_to() { for path in run/checkpoints/step-*; do [[ $path < run/checkpoints/step-$(printf %08d $(($1 + 1))) ]] || rm "$path"; done; }

# told: what the log on `err` and metrics.jsonl say together.
told() {
    python err "$1" <<'PY'
import json, math, re, sys
lines = open(sys.argv[1]).read()
named = [(int(step), int(count), images) for step, count, images in
         re.findall(r"step (\d+): .*batch norm's statistics are not finite: the step is skipped \((\d+) so far\); images: (.*)", lines)]
rows = [json.loads(line) for line in open("run/metrics.jsonl")]
steps = {row["step"]: row for row in rows if "train/skipped_steps" in row}
assert sorted(steps) == list(range(1, 13)), sorted(steps)
counts = [steps[step]["train/skipped_steps"] for step in range(1, 13)]
skipped = [step for step in range(2, 13) if counts[step - 1] != counts[step - 2]]
# Each picture is met once in an epoch, and the first epoch was before the weights grew.
assert len(skipped) == 2 and 5 <= skipped[0] < 8 and 9 <= skipped[1] < 12, counts
assert counts == [sum(step <= now for step in skipped) for now in range(1, 13)], counts
expected = list(zip(skipped, (1, 2)))[2 - len(named):]
assert [(step, count) for step, count, _ in named] == expected, (named, expected)
assert len(named) == int(sys.argv[2]) and all("pictures/00.png" in images for _, _, images in named), named
for step in range(1, 13):  # cosine decay of 0.1 x 4 / 256, of which a skipped step uses its share
    rate = 0.1 * 4 / 256 * 0.5 * (1 + math.cos(math.pi * (step - 1) / 12))
    assert abs(steps[step]["train/learning_rate"] - rate) < 1e-12, (step, steps[step]["train/learning_rate"], rate)
means = {row["step"]: row["epoch/steps"] for row in rows if "epoch/steps" in row}
assert means == {4: 4, 8: 3, 12: 3}, means  # a skipped step's loss is in no mean
seconds = {row["step"] // 4: row["epoch/seconds"] for row in rows if "epoch/seconds" in row}
speeds = re.findall(r"epoch (\d)/3: .*, (\d+) views/s", lines)
assert len(speeds) == 1 + (len(named) == 2), speeds  # of the epochs that this start has ended
for epoch, speed in speeds:  # its time counts, and so do its views: all four steps of four images
    assert abs(int(speed) - 4 * 8 / seconds[int(epoch)]) <= 1, (epoch, speed, seconds)
PY
}
# updates N: the exported encoder's statistics say so, and are no longer those of the beginning (means 0, variances 1).
updates() {
    python "$1" <<'PY'
import json, struct, sys
data = open("run/exported/encoder.safetensors", "rb").read()
start = 8 + struct.unpack("<Q", data[:8])[0]
def tensor(name, kind, size):
    begin, end = json.loads(data[8:start])[name]["data_offsets"]
    return struct.unpack(f"<{(end - begin) // size}{kind}", data[start + begin:start + end])
assert tensor("bn1.num_batches_tracked", "q", 8) == (int(sys.argv[1]),)
assert 0 not in tensor("bn1.running_mean", "f", 4) and 1 not in tensor("bn1.running_var", "f", 4), "as in the beginning"
PY
}

true_that "pictures are drawn" python3 pictures.py
for option in "" "--batch-norm-images 2"; do # the picture spoils one group of two; the whole step is skipped
    read -ra groups <<<"$option"
    rm -rf run
    train "finished: 12 steps, 0 of them skipped"
    updates 12
    back_to 4
    true_that "the checkpoint of step 4 is changed" python3 multiply.py run/checkpoints/step-00000004.safetensors encoder.conv1.weight 2e20
    train "finished: 12 steps, 2 of them skipped"
    true_that "it went on from step 4" grep -q "resuming at step 4 of 12" err
    told 2
    updates 10
    cp run/checkpoints/step-00000012.safetensors whole.safetensors

    back_to 8
    train "finished: 12 steps, 2 of them skipped"
    true_that "it went on from step 8" grep -q "resuming at step 8 of 12" err
    told 1
    same run/checkpoints/step-00000012.safetensors whole.safetensors
done
finish
