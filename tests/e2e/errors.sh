#!/usr/bin/env bash
# What goes wrong must say so, with the right exit status, and leave nothing half-written.
set -euo pipefail
work=$(mktemp -d)
mounted=
trap '[[ -z $mounted ]] || umount "$mounted"; rm -rf "$work"' EXIT
demo=$SOURCE/tests/support/demo-night
fail() { echo "FAILED: $*" >&2; cat "$work/err" >&2; exit 1; }

expect() { # STATUS TEXT ARGUMENT...
  local status=$1 text=$2 code=0
  shift 2
  "$SLEEPVLM" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
  [[ $code == "$status" ]] || fail "exit status $code instead of $status: $*"
  grep -qi -- "$text" "$work/err" || fail "'$text' is not in the message of: $*"
}

"$demo" --hours 0.1 --seed 3 "$work/night.edf" >/dev/null
nano=$SOURCE/models/nano
night=$work/night.edf

echo "-- command line"
expect 2 'no command' frobnicate
expect 2 'name at least one recording' stage
expect 2 '--help\|help' stage --no-such-option
expect 2 'mains' stage "$night" -o "$work/x" --mains 55
expect 2 'lights-off' stage "$night" -o "$work/x" --lights-off soon
expect 2 'threads' stage "$night" -o "$work/x" -t 0
expect 2 'threads' bench -t 2x
expect 2 'one recording' bench "$night" "$night"
if [[ -w /dev/full ]]; then
  for arguments in --version help 'help stage' 'stage --help'; do
    code=0
    "$SLEEPVLM" $arguments >/dev/full 2>"$work/err" || code=$?
    ((code == 3)) || fail "exit status $code instead of 3 when nothing can be written: $arguments"
  done
fi
expect 1 'no model' stage "$night" -o "$work/x" --model "$work/none"

echo "-- recordings"
head -c 100 "$night" >"$work/short.edf"
: >"$work/empty.edf"
seq 1 10000 >"$work/text.edf"
expect 1 'short.edf' stage "$work/short.edf" -o "$work/x"
expect 1 'empty' stage "$work/empty.edf" -o "$work/x"
expect 1 'text.edf' stage "$work/text.edf" -o "$work/x"
expect 1 'none.edf.*No such file' stage "$work/none.edf" -o "$work/x"
expect 1 'channel\|label\|none' stage "$night" -o "$work/x" -c C4=NoSuchLead
for file in "$SHARED"/data/edf-cases/*; do
  [[ -f $file ]] || { echo "   skip: $SHARED/data/edf-cases is not there"; break; }
  code=0
  "$SLEEPVLM" stage "$file" -o "$work/case" --force -q >"$work/out" 2>"$work/err" || code=$?
  ((code == 0 || code == 1)) || fail "exit status $code: $file"
  ((code == 0)) || [[ -s $work/err ]] || fail "no message: $file"
  code=0
  "$SLEEPVLM" info "$file" >"$work/out" 2>"$work/err" || code=$?
  ((code == 0 || code == 1)) || fail "info: exit status $code: $file"
done

echo "-- models and prompts"
damaged() { rm -rf "$work/model"; cp -r "$nano" "$work/model"; chmod -R u+w "$work/model"; }
damaged; truncate -s 4000000 "$work/model/model.safetensors"
expect 1 'model.safetensors' stage "$night" -o "$work/x" --model "$work/model"
damaged; sed -i 's/"intermediate_size": 512/"intermediate_size": 768/' "$work/model/config.json"
expect 1 'shape\|expected' stage "$night" -o "$work/x" --model "$work/model"
damaged; rm "$work/model/config.json"
expect 1 'config.json' stage "$night" -o "$work/x" --model "$work/model"
damaged; echo '{' >"$work/model/tokenizer.json"
expect 1 'tokenizer.json' stage "$night" -o "$work/x" --model "$work/model"
damaged; rm "$work/model/prompt.txt"
expect 1 '--prompt' stage "$night" -o "$work/x" --model "$work/model"
printf 'Stage \xff this' >"$work/prompt"
expect 1 'UTF-8' stage "$night" -o "$work/x" --prompt "$work/prompt"
printf 'Look: <|image_pad|>' >"$work/prompt"
expect 1 'picture' stage "$night" -o "$work/x" --prompt "$work/prompt"
[[ ! -e $work/x/epochs.jsonl && ! -e $work/x/summary.json ]] || fail "a failed run left results"

echo "-- output"
: >"$work/file"
expect 3 'file' stage "$night" -o "$work/file"
expect 3 'file' stage "$night" -o "$work/file/below"
if ((EUID != 0)); then
  mkdir -m 555 "$work/closed"
  expect 3 'ermission' stage "$night" -o "$work/closed/x"
fi
mkdir "$work/small"
if mount -t tmpfs -o size=24k none "$work/small" 2>/dev/null; then
  mounted=$work/small
  "$demo" --hours 0.5 --seed 3 "$work/longer.edf" >/dev/null
  expect 3 'space' stage "$work/longer.edf" -o "$work/small/out" -q
  [[ ! -e $work/small/out/summary.json ]] || fail "a run on a full disk claims to be complete"
  mount -o remount,size=64m "$work/small"
  "$SLEEPVLM" stage "$work/longer.edf" -o "$work/small/out" 2>"$work/err"
  grep -q 'taken over' "$work/err" || fail "the rows before the disk was full are lost"
  [[ $(wc -l <"$work/small/out/epochs.jsonl") == 60 ]] || fail "rows are missing"
else
  echo "   skip: no tmpfs can be mounted here"
fi
echo "all good"
