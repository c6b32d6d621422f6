#!/usr/bin/env bash
# `sleepvlm bench train`: the numbers of --json are there and are numbers, whatever the machine's speed; wrong use says so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }
expect() { # status, text in stderr, arguments
  local status=$1 text=$2 got=0
  shift 2
  "$SLEEPVLM" "$@" >"$work/out" 2>"$work/err" || got=$?
  [[ $got == "$status" ]] || fail "expected status $status, found $got: $* ($(cat "$work/err"))"
  grep -qF -- "$text" "$work/err" || fail "expected '$text' in: $(cat "$work/err")"
}

echo "-- help"
"$SLEEPVLM" help bench train >"$work/help"
grep -q '^Usage: sleepvlm bench train' "$work/help" || fail "help bench train is of another command"
"$SLEEPVLM" bench train --help | cmp - "$work/help" || fail "--help and help differ"
"$SLEEPVLM" help bench >"$work/help"
grep -q '^  train ' "$work/help" || fail "help bench does not list its part"

echo "-- wrong use"
expect 2 "--mode: there is no 'half'" bench train --mode half
expect 2 '--samples must be 1 to' bench train --samples 0
expect 2 '--repeats must be 1 to' bench train --repeats 1x
expect 2 '--threads must be' bench train -t 0
expect 2 'not known or lacks its value' bench train --no-such-option
expect 2 "found 'more'" bench train more
expect 1 'no model' bench train -m "$work/none"
expect 2 "no command 'bench none'" help bench none

echo "-- numbers"
"$SLEEPVLM" bench --make-model tiny -o "$work/tiny" >/dev/null
"$SLEEPVLM" bench train -m "$work/tiny" --samples 1 --repeats 1 -t 1 --json >"$work/result.json"
python3 - "$work/result.json" <<'END'
import json, math, sys
r = json.load(open(sys.argv[1]))
def positive(where, names):
    for name in names:
        value = where[name]
        assert isinstance(value, (int, float)) and math.isfinite(value) and value > 0, (name, value)
positive(r, ["threads", "samples", "tokens_per_sample", "pictures_per_sample", "peak_gflops"])
assert r["threads"] == 1 and r["samples"] == 1 and r["isa"], r
assert [m["mode"] for m in r["modes"]] == ["full", "full-recompute", "lora", "lora-dropout"], r["modes"]
for mode in r["modes"]:
    positive(mode, ["step_ms", "cpu_ms", "tokens_per_s", "samples_per_s", "pictures_per_s", "gflops", "share_of_peak"])
    # the rates are of one time
    assert math.isclose(mode["samples_per_s"] * mode["step_ms"], 1e3, rel_tol=1e-6), mode
    assert math.isclose(mode["pictures_per_s"], mode["samples_per_s"] * r["pictures_per_sample"], rel_tol=1e-6), mode
END
"$SLEEPVLM" bench train -m "$work/tiny" --samples 1 --repeats 1 -t 1 --mode lora >"$work/out"
[[ $(grep -cE '^(full|lora)' "$work/out") == 1 ]] || fail "--mode lora measures other modes too"
