#!/usr/bin/env bash
# A memory budget changes how many epochs are asked at a time, never what they give.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sv() { "$SLEEPVLM" "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
"$SOURCE/tests/support/demo-night" --hours 0.2 --seed 9 "$work/night.edf" >/dev/null

sv stage -q "$work/night.edf" -o "$work/free" -t 2

echo "-- too small a budget is refused, and the message says what is needed"
code=0; sv stage -q "$work/night.edf" -o "$work/tight" -t 2 --memory 1M 2>"$work/err" || code=$?
((code == 3)) || fail "exit status $code"
needed=$(sed -n 's/.* \([0-9]*\) MB are needed.*/\1/p' "$work/err")
[[ $needed -gt 1 ]] || fail "no number in: $(cat "$work/err")"

echo "-- exactly that much is enough, and gives the same bytes"
sv stage -q "$work/night.edf" -o "$work/tight" -t 2 --memory "${needed}M"
for file in epochs.jsonl hypnogram.csv hypnogram.edf summary.json report.html; do
  cmp "$work/free/$file" "$work/tight/$file" || fail "$file depends on the budget"
done

echo "-- sizes that are none"
for size in -1 0 5X G ''; do
  code=0; sv stage "$work/night.edf" -o "$work/no" --memory "$size" 2>"$work/err" || code=$?
  ((code == 2)) && grep -q -- --memory "$work/err" || fail "--memory '$size': $code"
done

echo "-- SV_ISA chooses the instruction set, and nothing that is not there"
code=0; SV_ISA=none sv --version 2>"$work/err" || code=$?
((code == 2)) && grep -q 'this machine has ref' "$work/err" || fail "SV_ISA=none: $code"
SV_ISA=ref sv stage -q "$work/night.edf" -o "$work/ref" -t 2
code=0; SV_ISA=ref sv stage -q "$work/night.edf" -o "$work/free" 2>"$work/err" || code=$?
((code == 1)) && grep -q -- --force "$work/err" || fail "a result of other arithmetic was taken for this one: $code"
cut -d, -f1-3 "$work/free/hypnogram.csv" >"$work/a"
cut -d, -f1-3 "$work/ref/hypnogram.csv" | cmp - "$work/a" || fail "the stages of the reference kernels differ"

echo "-- the small model leaves nothing in the cache"
mkdir "$work/cache"
sv stage -q "$work/night.edf" -o "$work/cached" --cache "$work/cache"
[[ -z $(ls -A "$work/cache") ]] || fail "something was kept"
