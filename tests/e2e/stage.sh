#!/usr/bin/env bash
# Stages recordings through the program: a made-up night always, the real ones when ../shared is there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sv() { "$SLEEPVLM" "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
demo=$SOURCE/tests/support/demo-night

# all files of a result folder, with one row for each of N epochs
check_folder() { # DIR N
  local file
  for file in epochs.jsonl hypnogram.csv hypnogram.edf summary.json report.html; do
    [[ -s $1/$file ]] || fail "$1/$file is missing or empty"
  done
  [[ $(wc -l <"$1/epochs.jsonl") == "$2" ]] || fail "$1: expected $2 rows, found $(wc -l <"$1/epochs.jsonl")"
  [[ $(wc -l <"$1/hypnogram.csv") == $(($2 + 1)) ]] || fail "$1: hypnogram.csv"
  [[ $(grep -c '"probability_source":"forced"' "$1/epochs.jsonl") == "$2" ]] || fail "$1: an epoch lacks probabilities"
  [[ $(grep -o '<script type="text/plain" id="p[0-9]*">' "$1/report.html" | wc -l) == "$2" ]] || fail "$1: pictures"
  ! ls "$1" | grep -q part || fail "$1: an unfinished file is left"
}

"$demo" --hours 0.25 --seed 7 "$work/night.edf" >/dev/null

echo "-- a made-up night, with its truth"
sv stage -q "$work/night.edf" --hypnogram "$work/night.edf" -o "$work/a" -t 2 --json >"$work/a.json"
check_folder "$work/a" 30
grep -q '"agreement":{' "$work/a.json" || fail "no agreement"
sv eval "$work/a" >/dev/null
accuracy=$(sed -n 's/.*"unparsed_is_error":{[^}]*"accuracy":\([0-9.]*\).*/\1/p' "$work/a.json")
sv stage "$work/night.edf" --hypnogram "$work/night.edf" -o "$work/a" 2>"$work/err"
grep -q "against the scorer: accuracy $(LC_ALL=C awk "BEGIN { printf \"%.3f\", $accuracy }"), kappa [0-9]" "$work/err" || fail "agreement: $accuracy"

echo "-- every row says what was measured, and what the signal says to its words"
for field in evidence audit; do
  [[ $(grep -c "\"$field\":{" "$work/a/epochs.jsonl") == 30 ]] || fail "rows without $field"
done
grep -q '"triage":\[' "$work/a.json" || fail "no triage in the summary"
grep -q 'claims of the rationales: [1-9]' "$work/err" || fail "the audit is not said"
contradicted=$(grep -c '"flags":\[[^]]*"contradicted"' "$work/a/epochs.jsonl" || true)
grep -q "\"contradicted\":$contradicted,\"second_opinion\"" "$work/a.json" || fail "the counts are not those of the rows"
sv audit -q "$work/a/epochs.jsonl" "$work/night.edf" -o "$work/a.audit"
for epoch in 3 17; do
  claims=$(grep "^{\"epoch\":$epoch," "$work/a.audit" | sed 's/.*"claims":\(\[.*\]\),"rules".*/\1/')
  [[ $claims ]] && grep "\"epoch\":$epoch," "$work/a/epochs.jsonl" | grep -qF "\"claims\":$claims" || fail "audit and stage differ in epoch $epoch"
done
sv stage -q "$work/night.edf" -o "$work/plain" --no-audit --no-signals
! grep -q '"audit"\|"evidence"' "$work/plain/epochs.jsonl" || fail "--no-audit leaves an audit"
check_folder "$work/plain" 30
(($(stat -c %s "$work/plain/report.html") < $(stat -c %s "$work/a/report.html"))) || fail "--no-signals saves nothing"
for row in 1 15 30; do
  with=$(sed -n "${row}p" "$work/a/epochs.jsonl" | grep -o '"output":"[^}]*')
  [[ $with == "$(sed -n "${row}p" "$work/plain/epochs.jsonl" | grep -o '"output":"[^}]*')" ]] || fail "the audit changes an answer"
done

echo "-- the same bytes at any number of threads"
sv stage -q "$work/night.edf" --hypnogram "$work/night.edf" -o "$work/b" -t 1
for file in epochs.jsonl hypnogram.csv hypnogram.edf summary.json report.html; do
  cmp "$work/a/$file" "$work/b/$file" || fail "$file depends on the number of threads"
done

echo "-- done is done; other options do not replace it unasked"
sv stage -q "$work/night.edf" --hypnogram "$work/night.edf" -o "$work/a"
code=0; sv stage -q "$work/night.edf" -o "$work/a" 2>"$work/err" || code=$?
((code == 1)) && grep -q -- --force "$work/err" || fail "a result was replaced: $code"
sv stage -q "$work/night.edf" -o "$work/a" --force
check_folder "$work/a" 30

echo "-- a file of a finished result that is gone is made again from the rows"
cp "$work/a/report.html" "$work/report"
rm "$work/a/report.html" "$work/a/hypnogram.csv"
sv stage "$work/night.edf" -o "$work/a" 2>"$work/err"
grep -q '30 taken over' "$work/err" || fail "the rows were asked again"
cmp "$work/report" "$work/a/report.html" || fail "the report made again differs"
check_folder "$work/a" 30

echo "-- killed and resumed"
# long enough to be killed in the middle; sanitizers make it slow enough by themselves
hours=1 n_long=120
if grep -q 'SV_SANITIZE:STRING=.' "$(dirname "$SLEEPVLM")/CMakeCache.txt"; then hours=0.25 n_long=30; fi
"$demo" --hours $hours --seed 8 "$work/long.edf" >/dev/null
sv stage -q "$work/long.edf" -o "$work/whole" -t 2
"$SLEEPVLM" stage -q "$work/long.edf" -o "$work/cut" -t 2 &
pid=$!
while kill -0 $pid 2>/dev/null; do
  [[ -f $work/cut/epochs.jsonl.part ]] && (($(wc -l <"$work/cut/epochs.jsonl.part") > 20)) && break
  sleep 0.05
done
kill -9 $pid
wait $pid 2>/dev/null || true
if [[ -f $work/cut/summary.json ]]; then
  echo "   (it was done before it could be killed)"
else
  sv stage "$work/long.edf" -o "$work/cut" -t 2 2>"$work/err"
  grep -q 'taken over' "$work/err" || fail "nothing was taken over from the killed run"
fi
cmp "$work/whole/epochs.jsonl" "$work/cut/epochs.jsonl" || fail "the resumed run differs"

echo "-- Ctrl-C stops in order"
"$SLEEPVLM" stage -q "$work/long.edf" -o "$work/int" -t 2 2>"$work/err" &
pid=$!
while kill -0 $pid 2>/dev/null; do
  [[ -f $work/int/epochs.jsonl.part ]] && (($(wc -l <"$work/int/epochs.jsonl.part") > 5)) && break
  sleep 0.05
done
kill -TERM $pid
code=0; wait $pid || code=$?
((code == 130)) || fail "interrupted run ended with $code"
sv stage -q "$work/long.edf" -o "$work/int" -t 2
cmp "$work/whole/epochs.jsonl" "$work/int/epochs.jsonl" || fail "the run after Ctrl-C differs"

echo "-- several recordings, coarse track, lights"
sv stage -q "$work/night.edf" "$work/long.edf" -o "$work/many" --track coarse --lights-off +60 --lights-on +600
check_folder "$work/many/night" 30
check_folder "$work/many/long" $n_long
grep -q '"TIB": 9.0' "$work/many/night/summary.json" || fail "lights are not used"
! grep -q '"reasoning_text":"[^"]' "$work/many/night/epochs.jsonl" || fail "coarse answers have a rationale"

echo "-- the model's folder may be given with a slash: same model, same warning"
sv stage -q "$work/night.edf" --hypnogram "$work/night.edf" -o "$work/slash" -m "$SOURCE/models/nano/"
grep -q '"name": "nano"' "$work/slash/summary.json" || fail "the model has no name"
grep -q 'do not use it on people' "$work/slash/report.html" || fail "the report does not say what nano is"

echo "-- one channel only"
sv stage -q "$work/night.edf" -o "$work/one" -c F4= -c O2= -c LOC= -c ROC= -c Chin=
check_folder "$work/one" 30

echo "-- file names that are not UTF-8: two recordings are not taken for one"
"$demo" --hours 0.25 --seed 1 "$work/$(printf 'n\xe4cht.edf')" >/dev/null
"$demo" --hours 0.25 --seed 2 "$work/$(printf 'n\xe5cht.edf')" >/dev/null
sv stage -q "$work/$(printf 'n\xe4cht.edf')" -o "$work/latin"
grep -q '"sha256"' <(grep -A2 '"recording"' "$work/latin/summary.json") || fail "the recording is not in the provenance"
grep -q '"subject": "n' "$work/latin/summary.json" || fail "the subject has no name"
code=0; sv stage -q "$work/$(printf 'n\xe5cht.edf')" -o "$work/latin" 2>"$work/err" || code=$?
((code == 1)) || fail "another recording passed for the one that was done: $code"

echo "-- what cannot be read leaves no folder, and does not keep the others from being staged"
head -c 1000 "$work/night.edf" >"$work/bad.edf"
code=0; sv stage -q "$work/bad.edf" "$work/missing.edf" "$work/night.edf" -o "$work/some" 2>"$work/err" || code=$?
((code == 1)) || fail "bad recordings: exit status $code"
check_folder "$work/some/night" 30
[[ ! -e $work/some/bad && ! -e $work/some/missing ]] || fail "an empty folder is left"

echo "-- a replacement that fails takes the old summary with it"
cp -r "$work/a" "$work/torn"
rm "$work/torn/report.html" && mkdir "$work/torn/report.html"
code=0; sv stage -q "$work/night.edf" -o "$work/torn" --track coarse --force 2>"$work/err" || code=$?
((code == 3)) || fail "an output that cannot be written: exit status $code"
[[ ! -e $work/torn/summary.json ]] || fail "the summary of the old result stands beside new rows"
rmdir "$work/torn/report.html"
sv stage "$work/night.edf" -o "$work/torn" --track coarse 2>"$work/err"
grep -q '30 taken over' "$work/err" || fail "the rows of the failed run are lost"
check_folder "$work/torn" 30

echo "-- no EEG: every row says so"
sv stage "$work/night.edf" -o "$work/chin" -c F4= -c C4= -c O2= -c LOC= -c ROC= 2>"$work/err"
grep -q 'No EEG' "$work/err" || fail "nothing is said of the missing EEG"
[[ $(grep -c '"no_eeg"' "$work/chin/epochs.jsonl") == 30 ]] || fail "rows without EEG are not flagged"

echo "-- the scorer's file is another night's"
seq 100 | sed 's/.*/W/' >"$work/long.txt"
seq 10 | sed 's/.*/W/' >"$work/few.txt"
sv stage "$work/night.edf" -o "$work/t1" --hypnogram "$work/long.txt" 2>"$work/err"
grep -q 'go on for 2100 s' "$work/err" || fail "a longer hypnogram is not told"
sv stage "$work/night.edf" -o "$work/t2" --hypnogram "$work/few.txt" 2>"$work/err"
grep -q 'no stage to 20 of the 30' "$work/err" || fail "a shorter hypnogram is not told"

recordings=$SHARED/data/recordings
if [[ -d $recordings ]]; then
  echo "-- real recordings"
  sv stage -q "$recordings/nox/nox-a1-120s.edf" -o "$work/nox"
  check_folder "$work/nox" 4
  sv stage "$recordings/sleep-edf/SC4001E0-first-300s.edf" -o "$work/sc" \
    --hypnogram "$recordings/sleep-edf/SC4001EC-Hypnogram.edf" 2>"$work/err"
  check_folder "$work/sc" 10
  grep -Eq 'against the scorer: accuracy 0\.[0-9]{3}, kappa' "$work/err" || fail "the agreement is not said"
  grep -q substitute "$work/err" || fail "substitutes are not said"
  [[ $(grep -c '"stage":"W"' "$work/sc/epochs.jsonl") == 10 ]] || fail "the scorer's stages are not beside the rows"
else
  echo "-- skip: $recordings is not there"
fi
echo "all good"
