#!/usr/bin/env bash
# AlexNet as a supervised control: trained, stopped, gone on with to the byte, judged, written and read like any other
# encoder; and what it does not take.
. tests/system/check.sh

data=(--data synthetic --synthetic-images 60)
train=(supervised "${data[@]}" --encoder alexnet --width 1/8 --batch 30 --epochs 2 --threads 2 --precision float32)
check 0 'supervised' 'AlexNet, width 0.125, 64 pixels, 10 classes' "$simclr" "${train[@]}" --out whole
check 0 '' '' "$simclr" data pack synthetic --synthetic-images 60 --out packed --format raw # 32 pixels
check 0 '' 'image size: 64 \(the network.s least; the images are up to 32 x 32' \
    "$simclr" supervised --data packed --encoder alexnet --width 1/8 --batch 30 --epochs 1 --threads 2 --out enlarged
"$simclr" "${train[@]}" --out killed >/dev/null 2>&1 </dev/null &
while kill -0 $! 2>/dev/null && ! ls killed/checkpoints/step-*.safetensors >/dev/null 2>&1; do sleep 0.01; done
kill -9 $! 2>/dev/null
wait $! 2>/dev/null
check 0 '' '' "$simclr" "${train[@]}" --out killed
same whole/exported/encoder.safetensors killed/exported/encoder.safetensors
check 0 '' '' "$simclr" "${train[@]}" --out one --threads 1
check 0 '' '' "$simclr" "${train[@]}" --out again --threads 1
same one/exported/encoder.safetensors again/exported/encoder.safetensors

# ---- an encoder like any other ----
check 0 '"trained"' '' "$simclr" knn --checkpoint whole "${data[@]}" --json
check 0 'trained' 'encoder: AlexNet, width 0.125' "$simclr" linear --checkpoint whole/exported "${data[@]}" --no-controls
check 0 '60 rows of 512' '' "$simclr" embed --checkpoint whole "${data[@]}" --out run.npy --precision float32
check 0 '60 rows of 512' '' "$simclr" embed --checkpoint whole/exported "${data[@]}" --out export.npy --precision float32
same run.npy export.npy
check 0 'alexnet|AlexNet' '' "$simclr" info --checkpoint whole
check 0 '' '' "$simclr" finetune --checkpoint whole "${data[@]}" --labels 50% --epochs 1 --batch 16 --out tuned
check 0 'knn' '' "$simclr" evaluate whole "${data[@]}" --protocols knn,supervised --label-epochs 1 --out judged
python whole/exported/config.json <<'PY'
import json, sys
config = json.load(open(sys.argv[1]))
assert config["architecture"] == "alexnet" and config["num_features"] == 512, config
assert config["pretrained_cfg"]["first_conv"] == "features.0" and config["pretrained_cfg"]["classifier"] == "classifier.6"
assert "stem" not in config and config["pretrained_cfg"]["input_size"] == [3, 64, 64]
PY

# ---- what it does not take ----
for option in "--depth 18" "--stem cifar"; do
    check 2 '^$' "encoder alexnet has no ${option% *}" "$simclr" "${train[@]}" --out refused $option
done
check 2 '^$' 'AlexNet needs images of 63 pixels or more, not 32' "$simclr" "${train[@]}" --out refused --image-size 32
check 2 '^$' 'AlexNet needs images of 63 pixels or more, not 32' "$simclr" embed --checkpoint whole "${data[@]}" --image-size 32
check 2 '^$' 'encoder' "$simclr" pretrain "${data[@]}" --out refused --encoder alexnet
check 2 '^$' 'encoder takes one of resnet, alexnet|encoder takes' "$simclr" "${train[@]}" --out refused --encoder vgg
check 2 '^$' 'network of another kind \(AlexNet' "$simclr" pretrain "${data[@]}" --out refused --image-size 64 --batch 16 --init whole
# A run's own recipe has every option, those of ResNets too, with their defaults.
check 0 '' '' "$simclr" supervised --recipe whole/config.yaml --out whole
finish
