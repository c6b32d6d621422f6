#!/usr/bin/env bash
# Simulated nights by the command: same bytes whatever the threads, resumed, refused, replaced; then measured by `evidence`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }
expect() { # status, text in stderr, command
  local status=$1 text=$2 got=0
  shift 2
  "$@" >"$work/out" 2>"$work/err" || got=$?
  [[ $got == "$status" ]] || fail "expected status $status, found $got: $* ($(cat "$work/err"))"
  grep -qF -- "$text" "$work/err" || fail "expected '$text' in: $(cat "$work/err")"
}

cd "$work"
"$SLEEPVLM" simulate -o a --nights 3 --seed 40 --hours 0.3 --rate 128 -t 1 -q
"$SLEEPVLM" simulate -o b --nights 3 --seed 40 --hours 0.3 --rate 128 -t 3 -q
diff -r a b || fail "threads change the bytes"
"$SLEEPVLM" simulate -o c --seed 42 --hours 0.3 --rate 128 -q
cmp a/night-0003/night-0003.edf c/night-0001/night-0001.edf || fail "a night depends on its place in the run"

# resumed: what is there stays, what is missing is made
before=$(stat -c %Y.%i a/night-0001/truth.json)
rm -r a/night-0002
expect 0 "1 night made, 2 there already" "$SLEEPVLM" simulate -o a --nights 3 --seed 40 --hours 0.3 --rate 128
[[ $before == "$(stat -c %Y.%i a/night-0001/truth.json)" ]] || fail "a night that was there was made again"
diff -r a b || fail "a resumed run differs"
expect 3 "made with other options" "$SLEEPVLM" simulate -o a --seed 41 --hours 0.3 --rate 128
expect 0 "1 night made" "$SLEEPVLM" simulate -o a --seed 41 --hours 0.3 --rate 128 --force
cmp a/night-0001/night-0001.edf b/night-0002/night-0002.edf || fail "--force did not replace"
ls -A a | grep -q part && fail "a temporary folder was left behind"

# a profile, the other montages
echo '{"alpha_generator": 0, "noise": {"times": 2}}' >quiet.json
"$SLEEPVLM" simulate -o p --hours 0.2 --montage raw --profile quiet.json -q
"$SLEEPVLM" info p/night-0001/night-0001.edf | grep -q "F4-M1" || fail "the raw montage is not derived"
! grep -q '"kind":"alpha"' p/night-0001/truth.json || fail "alpha in a sleeper without"
"$SLEEPVLM" simulate -o m --hours 0.2 --montage mirrored -q
"$SLEEPVLM" info m/night-0001/night-0001.edf | grep -q "C3-M2" || fail "the mirrored montage is not used"

# errors say what to do
echo '{"agee": 1}' >bad.json
expect 1 "no field 'agee'" "$SLEEPVLM" simulate -o x --profile bad.json
expect 2 "-o DIR" "$SLEEPVLM" simulate
expect 2 "--hours" "$SLEEPVLM" simulate -o x --hours 0
expect 2 "--rate" "$SLEEPVLM" simulate -o x --rate 50
expect 2 "--montage" "$SLEEPVLM" simulate -o x --montage none
expect 2 "--seed" "$SLEEPVLM" simulate -o x --seed -1
expect 2 "nothing is expected" "$SLEEPVLM" simulate -o x extra
[[ ! -e x ]] || fail "a refused command left a folder"
touch file
expect 3 "" "$SLEEPVLM" simulate -o file --hours 0.1

# what the detectors find of it
expect 0 "against truth" "$SLEEPVLM" evidence b/night-0001/night-0001.edf --truth b/night-0001/truth.json -o found \
  --hypnogram b/night-0001/night-0001.edf
[[ $(wc -l <found/epochs.csv) == 37 ]] || fail "epochs.csv has not 36 epochs and a head"
head -1 found/events.csv | grep -q "^kind,channels,onset_s,duration_s" || fail "events.csv has another head"
"$SLEEPVLM" evidence b/night-0001/night-0001.edf --json -q | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["n_epochs"] == 36 == len(d["epochs"]) and not d["not_measured"], d["not_measured"]
assert any(e["kind"] == "alpha" for e in d["events"])' || fail "evidence --json"
"$SLEEPVLM" evidence b/night-0001/night-0001.edf -c LOC= -c ROC= -c Chin= --json -q | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert "rem_count" in d["not_measured"] and "chin_level" in d["not_measured"]
assert d["epochs"][0]["measurements"]["rem_count"] is None
assert not any(e["kind"] in ("rem", "blink", "sem") for e in d["events"])' || fail "evidence without eyes"
head -c 30000 b/night-0001/night-0001.edf >cut.edf
expect 1 "" "$SLEEPVLM" evidence cut.edf
expect 1 "quiet.json" "$SLEEPVLM" evidence b/night-0001/night-0001.edf --truth quiet.json
echo "simulate and evidence: fine"
