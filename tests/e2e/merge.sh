#!/usr/bin/env bash
# merge: the folder that it leaves, what it refuses, and that nothing half-made stays. --adapter and --reference-rounding.
set -euo pipefail
work=$(mktemp -d)
mounted=
trap '[[ -z $mounted ]] || umount "$mounted"; rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
has() { grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "'$2' is not in $1"; }; }
status() { # EXPECTED ARGUMENT...
    local expected=$1 code=0
    shift
    "$SLEEPVLM" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [[ $code == "$expected" ]] || { cat "$work/out" "$work/err" >&2; fail "exit status $code instead of $expected: $*"; }
}
nothing_left() { [[ -z $(find "$1" -maxdepth 1 \( -name '*.part' -o -name '*.old' \)) ]] || fail "left: $(ls "$1")"; }

# An adapter by hand: every number is 0.5 (0x3f000000), rank 1, on the down projections named "NAME IN OUT".
make_adapter() { # FOLDER ALPHA "MODULE IN OUT"...
    local folder=$1 alpha=$2 header= offset=0 module n_in n_out end n
    shift 2
    mkdir -p "$folder"
    printf '{"peft_type": "LORA", "r": 1, "lora_alpha": %s}' "$alpha" >"$folder/adapter_config.json"
    while (($#)); do
        read -r module n_in n_out <<<"$1"
        end=$((offset + 4 * n_in))
        header+=",\"base_model.model.$module.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[1,$n_in],\"data_offsets\":[$offset,$end]}"
        offset=$end end=$((end + 4 * n_out))
        header+=",\"base_model.model.$module.lora_B.weight\":{\"dtype\":\"F32\",\"shape\":[$n_out,1],\"data_offsets\":[$offset,$end]}"
        offset=$end
        shift
    done
    header="{${header:1}}"
    {
        n=${#header}
        printf "\\x$(printf %02x $((n & 255)))\\x$(printf %02x $((n >> 8)))\0\0\0\0\0\0%s" "$header"
        head -c $((offset / 4)) /dev/zero | sed 's/\x0/\x00\x00\x00\x3f/g'
    } >"$folder/adapter_model.safetensors"
}

status 0 bench --make-model tiny --dtype w4a16 -o "$work/packed"
status 0 bench --make-model tiny -o "$work/base"
hidden=128 ffn=256 # of the shape tiny
layer="model.language_model.layers.0.mlp.down_proj $ffn $hidden"
make_adapter "$work/adapter" 0.01 "$layer"
printf '[{"role": "user", "content": "Which stage is this?"}]' >"$work/chat.json"

echo "-- a merged folder is a model of its own"
mkdir "$work/base/notes"
mkfifo "$work/base/pipe"
ln -s "$work/base/prompt.txt" "$work/base/linked.txt" # as in a hub cache
touch "$work/base/README.md" "$work/base/pytorch_model.bin" "$work/base/.hidden" "$work/base/LICENSE"
for base in base packed; do
    status 0 merge "$work/$base" "$work/adapter" -o "$work/new/$base/" --json
    has "$work/out" '"adapted": 1'
    for file in tokenizer.json generation_config.json preprocessor_config.json prompt.txt sleepvlm.json; do
        cmp "$work/$base/$file" "$work/new/$base/$file"
    done
    has "$work/new/$base/config.json" '"torch_dtype": "bfloat16"'
    [[ $(find "$work/new/$base" -name '*quant*') == '' ]] || fail 'a description of the quantisation was kept'
    if grep -q quantization "$work/new/$base/config.json"; then fail 'config.json still names a quantisation'; fi
    status 0 info --no-probe "$work/new/$base"
    if grep -q '^Problems' "$work/out"; then cat "$work/out"; fail "the merged $base has problems"; fi
    status 0 generate -m "$work/new/$base" -i "$work/chat.json" --max-tokens 3 --ignore-eos --json
    has "$work/out" '"completion_tokens": 3'
done
[[ -e $work/new/base/LICENSE ]] || fail 'LICENSE was not brought over'
[[ -f $work/new/base/linked.txt && ! -L $work/new/base/linked.txt ]] || fail 'a link was not brought over as a file'
for file in README.md pytorch_model.bin .hidden notes pipe; do
    if [[ -e $work/new/base/$file ]]; then fail "$file was brought over"; fi
done
rm -r "$work/base/notes" "$work/base/pipe" "$work/base/linked.txt" "$work/base/README.md" "$work/base/pytorch_model.bin" "$work/base/.hidden"

echo "-- the same bytes with any number of threads; shards and their index"
status 0 merge "$work/packed" "$work/adapter" -o "$work/t1" -t 1 --quiet
[[ ! -s $work/err ]] || fail '--quiet is not'
status 0 merge "$work/packed" "$work/adapter" -o "$work/t5" -t 5
cmp "$work/t1/model.safetensors" "$work/t5/model.safetensors"
SV_ISA=ref status 0 merge "$work/packed" "$work/adapter" -o "$work/t5" --force
cmp "$work/t1/model.safetensors" "$work/t5/model.safetensors"
status 0 merge "$work/packed" "$work/adapter" -o "$work/shards" --max-shard-size 600KB
[[ -e $work/shards/model.safetensors.index.json && $(find "$work/shards" -name 'model-*' | wc -l) -gt 2 ]] || fail 'no shards'
for model in t1 shards; do
    status 0 generate -m "$work/$model" -i "$work/chat.json" --max-tokens 5 --ignore-eos --json --logprobs 3
    mv "$work/out" "$work/$model.json"
done
cmp "$work/t1.json" "$work/shards.json"

echo "-- unmerged, and with the rounding of the reference"
status 0 merge "$work/base" "$work/adapter" -o "$work/f32" --dtype f32
for options in "-m $work/f32" "-m $work/base --adapter $work/adapter" "-m $work/base" \
    "-m $work/f32 --reference-rounding bf16" "-m $work/f32 --reference-rounding f16"; do
    printf '["one", "two"]' >"$work/score.json"
    # shellcheck disable=SC2086
    status 0 generate $options -i "$work/chat.json" --score "$work/score.json" --json
    sed -n 's/.*"logprob": \(-[0-9.]*\).*/\1/p; s/.*"sum": \(-[0-9.]*\).*/\1/p' "$work/out" | tr '\n' ' '
    echo
done >"$work/scores"
LC_ALL=C awk 'function d(a, b, i, m, x) { m = 0; for (i in a) { x = a[i] - b[i]; if (x < 0) x = -x; if (x > m) m = x } return m }
    { n[NR] = split($0, v, " "); for (i = 1; i <= n[NR]; i++) s[NR, i] = v[i] }
    END { for (k = 2; k <= 5; k++) { w[k] = 0; for (i = 1; i <= n[1]; i++) { x = s[1, i] - s[k, i]; if (x < 0) x = -x; if (x > w[k]) w[k] = x } }
          if (n[1] < 2 || w[2] > 1e-3 || w[3] < 1e-3 || w[4] == 0 || w[5] == 0 || w[5] > w[4] || w[4] > 0.5) {
              for (k = 2; k <= 5; k++) print k, w[k]; exit 1 } }' "$work/scores" || { cat "$work/scores"; fail 'scores'; }
status 2 generate -m "$work/f32" -i "$work/chat.json" --reference-rounding int8
status 1 generate -m "$work/base" -i "$work/chat.json" --adapter "$work/base"
has "$work/err" 'adapter_config.json'

echo "-- a staged night names its adapter"
"$SOURCE/tests/support/demo-night" --hours 0.1 --seed 3 "$work/night.edf" >/dev/null
make_adapter "$work/nano1" 0.001 "visual.blocks.0.mlp.down_proj 512 192"
cp -r "$work/nano1" "$work/nano2"
sed -i 's/0.001/0.002/' "$work/nano2/adapter_config.json"
status 0 stage -q "$work/night.edf" -o "$work/night"
has "$work/night/summary.json" '"adapter": null'
status 1 stage -q "$work/night.edf" -o "$work/night" --adapter "$work/nano1"
has "$work/err" '--force'
status 0 stage -q "$work/night.edf" -o "$work/night1" --adapter "$work/nano1"
has "$work/night1/summary.json" "$(sha256sum <"$work/nano1/adapter_model.safetensors" | cut -d' ' -f1)"
has "$work/night1/report.html" 'nano and the adapter nano1'
status 0 stage -q "$work/night.edf" -o "$work/night1" --adapter "$work/nano1"
status 1 stage -q "$work/night.edf" -o "$work/night1" --adapter "$work/nano2"
status 1 stage -q "$work/night.edf" -o "$work/night1" --adapter "$work/nano1" --reference-rounding bf16
status 2 stage -q "$work/night.edf" -o "$work/night2" --reference-rounding f8

echo "-- what does not fit is named"
make_adapter "$work/strange" 1 "model.layers.77.mlp.down_proj 8 8" "$layer" "visual.nothing 8 8"
status 1 merge "$work/base" "$work/strange" -o "$work/x"
has "$work/err" "2 modules that the base lacks: 'model.layers.77.mlp.down_proj', 'visual.nothing'"
make_adapter "$work/strange" 1 "model.layers.0.mlp.down_proj 8 $hidden"
status 1 merge "$work/packed" "$work/strange" -o "$work/x"
has "$work/err" "'model.layers.0.mlp.down_proj' with 8 inputs"
make_adapter "$work/strange" 1 "model.embed_tokens $hidden 8"
status 1 merge "$work/base" "$work/strange" -o "$work/x"
has "$work/err" 'embedding'
make_adapter "$work/strange" 1e9 "$layer"
status 1 merge "$work/base" "$work/strange" -o "$work/x" --dtype f16
has "$work/err" "too large for F16"
nothing_left "$work"
cp -r "$work/base" "$work/cut"
truncate -s -100 "$work/cut/model.safetensors"
status 1 merge "$work/cut" "$work/adapter" -o "$work/x"
status 1 merge "$work/adapter" "$work/adapter" -o "$work/x"
status 1 merge "$work/base" "$work/nowhere" -o "$work/x"
status 1 merge "$work/nowhere" "$work/adapter" -o "$work/x"
status 2 merge "$work/base" "$work/adapter"
status 2 merge "$work/base" -o "$work/x"
status 2 merge "$work/base" "$work/adapter" -o ''
status 2 merge "$work/base" "$work/adapter" -o "$work/x" --dtype w4a16
status 2 merge "$work/base" "$work/adapter" -o "$work/x" --max-shard-size 5TX
status 2 merge "$work/base" "$work/adapter" -o "$work/x" --frobnicate
[[ ! -e $work/x ]] || fail 'a refused merge left a folder'

echo "-- folders that are there"
status 3 merge "$work/base" "$work/adapter" -o "$work/t1"
has "$work/err" 'is there already'
touch "$work/t1/stale"
status 0 merge "$work/base" "$work/adapter" -o "$work/t1" --force
[[ ! -e $work/t1/stale ]] || fail '--force kept an old file'
mkdir "$work/t1/deep"
status 3 merge "$work/base" "$work/adapter" -o "$work/t1" --force
has "$work/err" 'holds folders'
[[ -e $work/t1/deep && -e $work/t1/model.safetensors ]] || fail 'a refused --force removed something'
for place in base adapter; do
    status 3 merge "$work/base" "$work/adapter" -o "$work/$place/../$place" --force
    has "$work/err" 'is what is merged'
done
status 3 merge "$work/base" "$work/adapter" -o "$work/chat.json" --force
status 3 merge "$work/base" "$work/adapter" -o "$work/chat.json/x"
mkdir "$work/empty"
status 0 merge "$work/base" "$work/adapter" -o "$work/empty"
nothing_left "$work"

echo "-- a full disk, and a limit on the size of files"
mkdir "$work/disk"
if mount -t tmpfs -o size=200k tmpfs "$work/disk" 2>/dev/null; then
    mounted=$work/disk
    status 3 merge "$work/base" "$work/adapter" -o "$work/disk/x"
    has "$work/err" 'the disk has room for'
    [[ -z $(ls -A "$work/disk") ]] || fail 'something is left on the full disk'
    umount "$mounted"
    mounted=
else
    echo "   (no tmpfs here: skipped)"
fi
code=0
(trap '' XFSZ; ulimit -f 100; exec "$SLEEPVLM" merge "$work/base" "$work/adapter" -o "$work/x") >"$work/out" 2>"$work/err" || code=$?
[[ $code == 3 ]] || { cat "$work/err"; fail "exit status $code with a limit on files"; }
has "$work/err" 'cannot write'
[[ ! -e $work/x ]] || fail 'a folder that could not be written is there'
nothing_left "$work"

echo "-- interrupted"
status 0 bench --make-model nano --dtype f32 -o "$work/large"
make_adapter "$work/large-adapter" 1 "visual.blocks.0.mlp.down_proj 512 192"
for _ in 1 2 3 4 5; do # stopped when the folder appears, so that the signal comes while the weights are written
    "$SLEEPVLM" merge "$work/large" "$work/large-adapter" -o "$work/x" 2>"$work/err" & pid=$!
    until [[ -n $(find "$work" -maxdepth 1 -name 'x.*.part') || -e $work/x ]] || ! kill -0 $pid 2>/dev/null; do :; done
    kill -STOP $pid 2>/dev/null || true
    kill -INT $pid 2>/dev/null || true
    kill -CONT $pid 2>/dev/null || true
    code=0
    wait $pid || code=$?
    nothing_left "$work"
    [[ $code == 0 ]] || break
    rm -r "$work/x"
done
[[ $code == 130 && ! -e $work/x ]] || { cat "$work/err"; fail "exit status $code after an interrupt"; }
has "$work/err" 'interrupted'
echo "merge: all passed"
