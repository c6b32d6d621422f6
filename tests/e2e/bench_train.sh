#!/usr/bin/env bash
# `bench train` on a tiny model: every mode with its numbers; what is wrong is said. No speed is expected.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

"$SLEEPVLM" bench --make-model tiny -o "$work/tiny" --dtype f32 >/dev/null 2>&1
"$SLEEPVLM" bench train -m "$work/tiny" --samples 1 --repeats 1 -t 2 --json >"$work/all.json"
python3 - "$work/all.json" <<'P'
import json, math, sys
bench = json.load(open(sys.argv[1]))
modes = [row["mode"] for row in bench["modes"]]
assert modes == ["full", "full-recompute", "lora", "lora-dropout", "full-bf16", "lora-bf16"], modes
numbers = [bench["peak_gflops"], bench["peak_bf16_gflops"]] + [v for row in bench["modes"] for v in row.values() if v != row["mode"]]
assert len(numbers) == 2 + 7 * 6 and all(math.isfinite(x) and x > 0 for x in numbers), numbers
assert bench["threads"] == 2 and bench["samples"] == 1
P
"$SLEEPVLM" bench train -m "$work/tiny" --samples 2 --repeats 2 --mode lora-bf16 >"$work/one"
(($(grep -c '%' "$work/one") == 1)) && grep -q '^lora-bf16 ' "$work/one" || fail "one mode: $(cat "$work/one")"

expect() { # STATUS PATTERN ARGUMENT...
  local status=$1 pattern=$2 code=0
  shift 2
  "$SLEEPVLM" "$@" >"$work/out" 2>"$work/err" || code=$?
  ((code == status)) || fail "$*: status $code, expected $status"
  grep -q -- "$pattern" "$work/out" "$work/err" || fail "$*: no '$pattern' in $(cat "$work/err")"
}
expect 0 "Usage: sleepvlm bench train" bench train --help
expect 0 "Usage: sleepvlm bench train" help bench train
expect 0 "how fast a model learns" bench --help
expect 2 "there is no 'slow'" bench train --mode slow
expect 2 "--samples must be 1 to" bench train --samples 0
expect 2 "found 'night.edf'" bench train night.edf
expect 1 "no-such-model" bench train -m "$work/no-such-model"
echo "all good"
