#!/usr/bin/env bash
# Random models of every type: made, described, and answering; what is wrong with a folder is said; nothing half-made stays.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
has() { grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "'$2' is not in $1"; }; }
status() { # EXPECTED ARGUMENT...
    local expected=$1 code=0
    shift
    "$SLEEPVLM" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [[ $code == "$expected" ]] || { cat "$work/out" "$work/err" >&2; fail "exit status $code instead of $expected: $*"; }
}

echo "-- every type"
printf '[{"role": "user", "content": "Which stage is this?"}]' >"$work/chat.json"
for shape in tiny nano; do
    for dtype in bf16 f16 f32 w4a16; do
        model=$work/$shape-$dtype
        status 0 bench --make-model $shape --dtype $dtype -o "$model/"
        has "$work/out" "shape $shape in $dtype"
        status 0 info --no-probe "$model"
        has "$work/out" 'the answers mean nothing'
        has "$work/out" 'together'
        if [[ $dtype == w4a16 ]]; then
            has "$work/out" 'I32 (4 bits)'
            has "$work/out" 'quantised by auto-round'
        else
            has "$work/out" "${dtype^^}"
        fi
        if grep -q '^Problems' "$work/out"; then fail "$model has problems"; fi
        if [[ $shape == tiny ]]; then
            status 0 info -t 1 "$model"
            has "$work/out" 'layers of these sizes on 1 thread:'
        fi
        status 0 generate -m "$model" -i "$work/chat.json" --max-tokens 3 --ignore-eos --json
        has "$work/out" '"completion_tokens": 3'
    done
done
cmp "$work/tiny-bf16/config.json" "$work/tiny-f32/config.json" >/dev/null && fail 'config.json must name the type'
status 0 bench --make-model tiny -o "$work/again" --threads 3
cmp "$work/tiny-bf16/model.safetensors" "$work/again/model.safetensors" || fail 'same seed, other weights'
status 0 bench --make-model tiny -o "$work/other" --seed 2
cmp -s "$work/tiny-bf16/model.safetensors" "$work/other/model.safetensors" && fail 'other seed, same weights'

echo "-- what info says"
status 0 info --json --no-probe "$work/nano-bf16" "$work/tiny-w4a16"
[[ $(wc -l <"$work/out") == 2 ]] || fail 'one line of JSON a model'
if command -v python3 >/dev/null && python3 -c "import json" 2>/dev/null; then
    python3 - "$work/out" <<'EOF'
import json, sys
nano, tiny = (json.loads(line) for line in open(sys.argv[1], encoding="utf-8"))
assert nano["parameters"] == 4686848 == nano["text"]["parameters"] + nano["vision"]["parameters"], nano
assert nano["weights"]["types"]["BF16"]["bytes"] == 2 * 4686848 == nano["weights"]["bytes"], nano["weights"]
assert nano["question"]["tokens"] == 600 == nano["question"]["shared_tokens"] + nano["question"]["rest_tokens"], nano
assert nano["question"]["picture_tokens"] == 32 and tiny["question"]["picture_tokens"] == 128
assert nano["cost"]["memory_bytes"]["kv_per_token"] == 4 * 2 * 64 * 4, nano["cost"]
assert "estimated_seconds" not in nano["cost"] and nano["problems"] == [] and nano["tokenizer"]["special"] == 14
assert tiny["weights"]["quantisation"] == {"method": "auto-round", "bits": 4, "group": 128}, tiny["weights"]
assert tiny["generation"]["repetition_penalty"] == 1.05
EOF
fi
status 0 info nano
has "$work/out" '4,686,848'
has "$work/out" 'An estimate from layers of these sizes'
has "$work/out" 'the answer begins with the stage'
printf 'Another prompt, which is longer than that of the model.' >"$work/prompt.txt"
status 0 info --no-probe -p "$work/prompt.txt" nano
has "$work/out" '55 bytes'
rm "$work/tiny-f16/prompt.txt"
status 0 info "$work/tiny-f16"
has "$work/out" 'there is no prompt.txt'
has "$work/out" '2,714'

echo "-- damage"
rm "$work/tiny-f16/tokenizer.json"
truncate -s -1 "$work/tiny-f16/model.safetensors"
status 1 info "$work/tiny-f16"
has "$work/out" 'Problems'
has "$work/out" 'expected tokenizer.json'
has "$work/out" 'cut short'
has "$work/err" 'cannot be used'
status 1 info --json "$work/tiny-f16"
has "$work/out" '"problems":["'
echo '{' >"$work/tiny-f16/config.json"
status 1 info "$work/tiny-f16"
has "$work/err" 'config.json: not valid JSON'
mkdir "$work/empty"
status 1 info "$work/empty"
has "$work/err" 'config.json'
status 1 info "$work/none"
status 2 info -t 0 nano

adapter=$SHARED/golden/training/lora-phase1/adapter
if [[ -e $adapter ]]; then
    status 0 info "$adapter"
    has "$work/out" 'rank      4, alpha 8'
    has "$work/out" '28 matrices of the decoder, 16 of the vision tower'
    status 0 info --json "$adapter"
    has "$work/out" '"kind":"adapter"'
    has "$work/out" '"parameters":22384'
    mkdir "$work/adapter"
    cp "$adapter/adapter_config.json" "$work/adapter"
    status 1 info "$work/adapter"
    has "$work/err" 'adapter_model.safetensors'
else
    echo "skip: $adapter is not there"
fi

echo "-- making models"
status 2 bench --make-model 13b -o "$work/x"
has "$work/err" 'known are tiny, nano, 3b, 7b'
status 2 bench --make-model tiny -o "$work/x" --dtype int8
status 2 bench --make-model tiny
status 2 bench --make-model tiny -o "$work/x" night.edf
status 2 bench --make-model tiny -o "$work/x" --seed -1
status 2 bench --dtype f16
status 3 bench --make-model tiny -o "$work/again"
has "$work/err" 'is there already'
status 3 bench --make-model tiny -o "$work/chat.json/x"
status 1 bench --make-model tiny -o "$work/x" --tokenizer "$work/empty"
status 1 bench --make-model tiny -o "$work/x" --tokenizer "$SOURCE/models/nano"
has "$work/err" '655 ids'
status 0 bench --make-model nano -o "$work/empty" --tokenizer "$SOURCE/models/nano"
cmp "$work/empty/tokenizer.json" "$SOURCE/models/nano/tokenizer.json"
mkdir "$work/disk"
if mount -t tmpfs -o size=4m none "$work/disk" 2>/dev/null; then
    trap 'umount "$work/disk"; rm -rf "$work"' EXIT
    status 3 bench --make-model nano -o "$work/disk/x"
    has "$work/err" 'the disk has room for'
    [[ -z $(ls "$work/disk") ]] || fail 'something was left on the full disk'
fi
"$SLEEPVLM" bench --make-model 3b -o "$work/large" >"$work/out" 2>"$work/err" & pid=$!
sleep 1
kill -INT $pid
code=0
wait $pid || code=$?
if [[ $code != 3 ]]; then # 3: no room for 7.5 GB
    [[ $code == 130 ]] || { cat "$work/err" >&2; fail "interrupted: exit status $code"; }
fi
[[ -z $(find "$work" -name '*.part' -o -name large) ]] || fail 'an interrupted model was left'
echo ok
