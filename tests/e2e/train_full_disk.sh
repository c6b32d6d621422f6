#!/usr/bin/env bash
# The disk is full during a training run: the run ends with a clear error and status 3 (ours to write, not the user's
# input), whatever was being written, and goes on as if nothing had been when there is room.
set -euo pipefail
work=$(mktemp -d)
trap 'umount "$work/disk" 2>/dev/null || true; rm -rf "$work"' EXIT
sv() { "$SLEEPVLM" "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

mkdir "$work/disk"
if ! mount -t tmpfs -o size=4k none "$work/disk" 2>/dev/null; then
  echo "   skip: no tmpfs can be mounted here"
  exit 0
fi
sv bench --make-model tiny -o "$work/tiny" --dtype f32 --seed 3 >/dev/null 2>&1
printf '{"answer_order": "stage_first"}' >"$work/tiny/sleepvlm.json" # as the simulated answers are, or it warns
cat >"$work/run.yaml" <<END
model_path: $work/tiny
simulate_nights: 2
simulate_hours: 0.1
per_device_train_batch_size: 1
max_steps: 6
learning_rate: 1.0e-3
lora_r: 4
lora_targets: [q_proj, v_proj, qkv]
save_steps: 2
keep_checkpoints: 0
END
sv train sft -q "$work/run.yaml" --output-dir "$work/whole"
page=$(getconf PAGE_SIZE)
# what its files take on a tmpfs: whole pages
one=$(find "$work/whole/checkpoint-2" -type f -printf '%s\n' | awk -v p="$page" '{ n += int(($1 + p - 1) / p) } END { print n * p }')
echo "-- a disk that grows from too small to large enough; a checkpoint has $one bytes"

# on a disk that grows: no room for the prompt; for the log; for the first checkpoint, the second, the third; the adapter
try() { # SIZE PATTERN
  mount -o remount,size="$1" "$work/disk"
  local code=0
  sv train sft -q "$work/run.yaml" --output-dir "$work/disk/run" 2>"$work/err" || code=$?
  ((code == 3)) || fail "status $code on a disk of $1: $(cat "$work/err")"
  grep -q "$2" "$work/err" || fail "a disk of $1: expected '$2', found: $(cat "$work/err")"
  [[ $(wc -l <"$work/err") == 1 ]] || fail "more than one line about it: $(cat "$work/err")"
  [[ ! -e $work/disk/run/final ]] || fail "final is there"
  [[ -z $(find "$work/disk" -name '*.part' -o -name '*.tmp*') ]] || fail "left behind: $(find "$work/disk")"
}
n_checkpoints() { find "$work/disk/run" -maxdepth 1 -name 'checkpoint-*' | wc -l; }
try "$page" 'disk/run/prompt.txt.*No space'
try $((2 * page)) 'disk/run/log.jsonl.*No space'
try $((3 * page)) 'disk/run.*\(needs\|No space\)'
[[ $(n_checkpoints) == 0 ]] || fail "a checkpoint without room for one"
try $((one + 5 * page)) 'disk/run.*\(needs\|No space\)'
[[ $(n_checkpoints) == 1 ]] || fail "expected one checkpoint, found $(ls "$work/disk/run")"
try $((2 * one + 6 * page)) 'disk/run.*\(needs\|No space\)'
[[ $(n_checkpoints) == 2 ]] || fail "expected two checkpoints, found $(ls "$work/disk/run")"
try $((3 * one + 5 * page)) 'disk/run.*\(needs\|No space\)'

echo "-- there is room again: the same command goes on, to the same numbers"
mount -o remount,size=64m "$work/disk"
sv train sft "$work/run.yaml" --output-dir "$work/disk/run" 2>"$work/err"
grep -q 'by an earlier run' "$work/err" || fail "nothing was taken over: $(cat "$work/err")"
cmp "$work/whole/log.jsonl" "$work/disk/run/log.jsonl" || fail "the log differs"
cmp "$work/whole/final/adapter_model.safetensors" "$work/disk/run/final/adapter_model.safetensors" || fail "the adapter differs"
echo "all good"
