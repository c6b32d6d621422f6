#!/usr/bin/env bash
# Where probabilities come from, what a temperature does to them, and how everything behind copes when there are none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sv() { "$SLEEPVLM" "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
refused() { # STATUS TEXT COMMAND...
  local wanted=$1 text=$2 code=0; shift 2
  sv "$@" >"$work/out" 2>"$work/err" || code=$?
  ((code == wanted)) || fail "$*: status $code instead of $wanted: $(cat "$work/err")"
  grep -q -- "$text" "$work/err" || fail "$*: no '$text' in: $(cat "$work/err")"
}
hours=0.2 n=24 # sanitizers are slow
if grep -q 'SV_SANITIZE:STRING=.' "$(dirname "$SLEEPVLM")/CMakeCache.txt"; then hours=0.1 n=12; fi
"$SOURCE/tests/support/demo-night" --hours $hours --seed 11 "$work/night.edf" >/dev/null
stage() { sv stage -q "$work/night.edf" --hypnogram "$work/night.edf" -t 2 "$@"; }

echo "-- forced, behind the text, none"
stage -o "$work/forced"
stage -o "$work/text" --probabilities text
stage -o "$work/off" --probabilities off
for source in forced text off; do
  [[ $(grep -c "\"probability_source\":\"$source\"" "$work/$source/epochs.jsonl") == "$n" ]] || fail "rows of $source"
  grep -q "\"probabilities\": \"$source\"" "$work/$source/summary.json" || fail "provenance of $source"
done
[[ $(grep -c '"probabilities":null' "$work/off/epochs.jsonl") == "$n" ]] || fail "probabilities although off"
! grep -q '"uncertain"' "$work/off/epochs.jsonl" || fail "uncertain without probabilities"
sv eval "$work/off" >/dev/null
sv eval "$work/off" "$work/text" --json >/dev/null

echo "-- a finished night is not taken for another one"
refused 1 --force stage -q "$work/night.edf" --hypnogram "$work/night.edf" -o "$work/off"
refused 2 'forced, coarse, text or off' stage "$work/night.edf" -o "$work/x" --probabilities maybe
refused 2 'use that' stage "$work/night.edf" -o "$work/x" --probabilities coarse
refused 2 'coarse' stage "$work/night.edf" -o "$work/x" --coarse-prompt "$SOURCE/models/nano/prompt.txt"
refused 1 'No such file' stage "$work/night.edf" -o "$work/x" --temperature "$work/none.json"

echo "-- a coarse pass: the same model, called rationale-first"
cp -r "$SOURCE/models/nano" "$work/model"
echo '{"answer_order": "rationale_first"}' >"$work/model/sleepvlm.json"
refused 1 'coarse_prompt.txt' stage -m "$work/model" "$work/night.edf" -o "$work/x" --probabilities coarse
cp "$SOURCE/models/nano/prompt.txt" "$work/model/coarse_prompt.txt"
stage -m "$work/model" -o "$work/coarse" --probabilities coarse
stage -m "$work/model" -o "$work/first" --probabilities forced
probabilities() { grep -o '"probabilities":{[^}]*}' "$1/epochs.jsonl"; }
cmp <(probabilities "$work/coarse") <(probabilities "$work/first") || fail "coarse and forced differ for nano"

echo "-- a temperature"
echo '{"temperature": 2.5, "probability_source": "forced"}' >"$work/t.json"
stage -o "$work/warm" --temperature "$work/t.json"
[[ $(grep -c '"temperature":2.5' "$work/warm/epochs.jsonl") == "$n" ]] || fail "rows do not say the temperature"
raw() { grep -o '"raw_probabilities":{[^}]*}' "$1/epochs.jsonl" | sed s/raw_//; }
cmp <(raw "$work/warm") <(probabilities "$work/forced") || fail "the raw probabilities are others"
! cmp -s <(probabilities "$work/warm") <(probabilities "$work/forced") || fail "nothing was changed"
cp "$work/t.json" "$work/model/temperature.json"
stage -m "$work/model" -o "$work/own"
cmp <(raw "$work/own") <(probabilities "$work/first") || fail "the model's own temperature"
stage -m "$work/model" -o "$work/without" --temperature off
cmp <(probabilities "$work/without") <(probabilities "$work/first") || fail "--temperature off"
refused 1 'another kind of probabilities' stage "$work/night.edf" -o "$work/x" --probabilities text --temperature "$work/t.json"
for wrong in '{}' '{"temperature": 0}' '{"temperature": "2"}' '{"temperature": 1e9}' '[]' 'x'; do
  echo "$wrong" >"$work/bad.json"
  refused 1 bad.json stage "$work/night.edf" -o "$work/x" --temperature "$work/bad.json"
done
echo "{\"temperature\": 2, \"model_sha256\": \"$(printf 'a%.0s' {1..64})\"}" >"$work/other.json"
refused 1 'another model' stage "$work/night.edf" -o "$work/x" --temperature "$work/other.json"

echo "-- a temperature is fitted, and serves the model and prompt it was fitted for"
"$SOURCE/tests/support/demo-night" --hours $hours --seed 12 "$work/second.edf" >/dev/null
# every third stage another than the answer: neither always right nor by chance, so that there is something to fit
for night in night second; do
  sv stage -q -m "$work/model" --temperature off "$work/$night.edf" -o "$work/plain/$night" -t 2
  sed 1d "$work/plain/$night/hypnogram.csv" | cut -d, -f5 | sed '1~3s/.*/N1/;2~9s/.*/W/' >"$work/$night.txt"
done
sv stage -q -m "$work/model" --temperature off "$work/second.edf" --hypnogram "$work/second.txt" -o "$work/second" -t 2
sv stage -q -m "$work/model" --temperature off "$work/night.edf" --hypnogram "$work/night.txt" -o "$work/other" -t 2
rm "$work/model/temperature.json"
sv eval "$work/second" "$work/other" --fit-temperature "$work/fitted.json" >"$work/out"
grep -q 'each recording by the others' "$work/out" || fail "no honest line in: $(cat "$work/out")"
grep -q '"n_recordings": 2' "$work/fitted.json" || fail "$(cat "$work/fitted.json")"
sv eval "$work/second" "$work/other" --fit-temperature "$work/fitted.json" --json >"$work/out"
grep -q '"left_out"' "$work/out" || fail "not in the JSON"
cp "$work/fitted.json" "$work/model/temperature.json"
stage -m "$work/model" -o "$work/fit"
grep -q '"raw_probabilities"' "$work/fit/epochs.jsonl" || fail "the fitted temperature was not applied"
first=$(grep '"temperature"' "$work/fitted.json")
sv eval "$work/fit" >/dev/null
# what was calibrated is fitted as the network gave it
sv stage -q -m "$work/model" "$work/second.edf" --hypnogram "$work/second.txt" -o "$work/second" -t 2 --force
sv stage -q -m "$work/model" "$work/night.edf" --hypnogram "$work/night.txt" -o "$work/other" -t 2 --force
sv eval "$work/second" "$work/other" --fit-temperature "$work/again.json" >/dev/null
[[ $(grep '"temperature"' "$work/again.json") == "$first" ]] || fail "fitted again: $(cat "$work/again.json")"
refused 1 'another model' stage "$work/night.edf" -o "$work/x" --temperature "$work/fitted.json"
refused 1 'two kinds' eval "$work/forced" "$work/text" --fit-temperature "$work/x.json"
refused 1 'another model' eval "$work/forced" "$work/other" --fit-temperature "$work/x.json"
sed 1d "$work/forced/hypnogram.csv" | cut -d, -f5 >"$work/right.txt" # a scorer who always agrees
sv stage -q "$work/night.edf" --hypnogram "$work/right.txt" -o "$work/right" -t 2
refused 1 'determine no temperature' eval "$work/right" --fit-temperature "$work/x.json"
refused 1 'known or unknown model' eval "$work/other" "$work/forced/epochs.jsonl" --fit-temperature "$work/x.json"
refused 1 'no epoch' eval "$work/off" --fit-temperature "$work/x.json"
[[ ! -e $work/x.json ]] || fail "a file was written"

echo "-- with a coarse pass it belongs to the coarse prompt"
coarse() { stage -m "$work/rational" --probabilities coarse "$@"; }
cp -r "$work/model" "$work/rational"
rm "$work/rational/temperature.json"
key=$(sha256sum <"$work/rational/coarse_prompt.txt" | cut -c-64)
echo "{\"temperature\": 2, \"probability_source\": \"coarse\", \"prompt_sha256\": \"$key\"}" >"$work/t2.json"
echo again | cat "$work/rational/coarse_prompt.txt" - >"$work/coarse2.txt"
(cat "$SOURCE/models/nano/prompt.txt"; echo again) >"$work/main2.txt"
coarse -o "$work/coarse2" --temperature "$work/t2.json" --prompt "$work/main2.txt" # the main prompt does not matter
grep -q '"temperature":2' "$work/coarse2/epochs.jsonl" || fail "the coarse temperature was not applied"
refused 1 'another prompt' stage -m "$work/rational" "$work/night.edf" -o "$work/x" --probabilities coarse \
  --coarse-prompt "$work/coarse2.txt" --temperature "$work/t2.json"
refused 2 'without probabilities' stage "$work/night.edf" -o "$work/x" --probabilities off --temperature "$work/t.json"

echo "-- answers of the trained form"
stage -o "$work/formed" --constrain
! grep -q '"parse_error":"' "$work/formed/epochs.jsonl" || fail "an answer of the form cannot be read"
grep -q '"constrained": true' "$work/formed/summary.json" || fail "the provenance does not say it"
