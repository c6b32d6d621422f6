#!/usr/bin/env bash
# `sleepvlm report`: a run's folder, a log alone, what is refused; the page in a browser where there is one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "FAIL: $*" >&2; exit 1; }
expect() { # status, text in stderr, arguments
  local status=$1 text=$2 got=0
  shift 2
  "$SLEEPVLM" report "$@" >out 2>err || got=$?
  [[ $got == "$status" ]] || fail "expected status $status, found $got: $* ($(cat err))"
  [[ -z $text ]] || grep -qF -- "$text" err || fail "expected '$text' of $*: $(cat err)"
}

echo "-- a run of the program itself"
"$SLEEPVLM" bench --make-model tiny -o tiny --dtype f32 >/dev/null 2>&1
"$SLEEPVLM" train sft -q --model-path tiny --simulate-nights 1 --simulate-hours 0.1 --per-device-train-batch-size 1 \
  --lora-r 2 --max-steps 3 --save-steps 0 --output-dir run
expect 0 "run/report.html: 3 updates, loss " run/ --json
grep -q '"report":"run/report.html","updates":3,"last_step":2' out || fail "the summary: $(cat out)"
grep -q '<h1>run</h1>' run/report.html || fail "the name"
grep -q 'an adapter for tiny, on 1 simulated nights' run/report.html || fail "what the run was told"
expect 0 "" run -q -o again.html
cmp run/report.html again.html || fail "the same log gives other bytes"
expect 0 "report.html: 3 updates" run/log.jsonl
[[ -s report.html ]] || fail "the report of a log alone"
if command -v chromium >/dev/null; then
  chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --enable-logging=stderr --dump-dom \
    "file://$work/run/report.html" >dom 2>console
  ! grep ':CONSOLE' console || fail "the page complains"
  [[ $(grep -o '<svg ' dom | wc -l) == 3 ]] || fail "three plots"
else
  echo "skip: chromium is not installed"
fi

echo "-- refused"
mkdir empty
expect 1 "there is no log.jsonl in it" empty
expect 1 "nowhere" nowhere
expect 2 "name one RUN" run empty
expect 2 "option" run --outptu x
expect 3 "" run -o empty
echo '{"step":0,"loss":' >empty/log.jsonl
expect 1 "line 1" empty
echo "all good"
