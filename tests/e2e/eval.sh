#!/usr/bin/env bash
# `sleepvlm eval` on committed rows: tables, JSON, scorer against scorer, and clear refusals.
set -euo pipefail
data=$SOURCE/tests/data/eval
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*"; cat "$work/out" "$work/err"; exit 1; }

# run EXPECTED_STATUS ARGUMENT...: leaves stdout and stderr in $work
run() {
    local expected=$1 status=0
    shift
    "$SLEEPVLM" eval "$@" >"$work/out" 2>"$work/err" || status=$?
    [[ $status == "$expected" ]] || fail "eval $*: exit status $status, expected $expected"
}
out() { grep -qE -- "$1" "$work/out" || fail "no '$1' on stdout"; }
err() { grep -qF -- "$1" "$work/err" || fail "no '$1' on stderr"; }

run 0 "$data/original.jsonl" "$data/night-c"
out '^01-03-0001 +40 +0 +5  \| +0\.575 +0\.507 +0\.455 +0\.175  \| +0\.657 +0\.537 +0\.532 +0\.200$'
out '^All +93 +2 +8  \| +0\.634 +0\.643 +0\.543 +0\.258  \| +0\.694 +0\.680 +0\.607 +0\.282$'
out 'Probabilities of 28 epochs: .*ECE.* 0\.235, log loss 0\.839, Brier score 0\.455'
out '^[0-9]+ scored epochs have no probabilities'
[[ ! -s $work/err ]] || fail "unexpected warnings"
[[ $(wc -L <"$work/out") -le 120 ]] || fail "a line is wider than 120 columns"

run 0 --json "$data/original.json" "$data/night-c/"
out '"n_rows": 95'
out '"recordings": \{'
! grep -q '|' "$work/out" || fail "a table among the JSON"

run 0 "$data/scorer-b.txt" --truth "$data/scorer-a.csv"
out '^scorer-b.txt +30 +0 +8  \| +0\.733'
err 'has 28 epochs'
run 0 "$data/scorer-a.csv" -t "$data/scorer-a.csv"
out '^scorer-a.csv +30 +0 +0  \| +1\.000 +1\.000 +1\.000 +-  \|'

run 0 "$data/night-c" --truth "$data/scorer-a.csv"
out '^night-c +30 +0 +2  \|'
head -n 20 "$data/night-c/epochs.jsonl" >"$work/part.jsonl"
run 0 "$work/part.jsonl" --truth "$data/scorer-a.csv"
err '10 of the 30 scored epochs have no row'
run 0 "$work/part.jsonl" "$data/night-c"
err "'night-c' is in an earlier RESULT too"

head -c 3000 "$data/original.jsonl" >"$work/cut.jsonl"
run 1 "$work/cut.jsonl"
err "cut.jsonl:$(($(wc -l <"$work/cut.jsonl") + 1)): not valid JSON"
run 1 "$work/nothing-here"
err 'No such file'
run 1 "$work"
err 'epochs.jsonl'
printf 'W\nN9\n' >"$work/bad.txt"
run 1 "$data/scorer-b.txt" --truth "$work/bad.txt"
err "bad.txt:2: 'N9' is not a stage"
run 2 "$data/scorer-b.txt"
err 'give --truth'
run 2 "$data/original.jsonl" --truth "$data/scorer-a.csv"
err 'several recordings'
run 2 "$data/night-c" "$data/original.jsonl" --truth "$data/scorer-a.csv"
run 2
run 2 --no-such-option
run 0 --help
out '^Usage: sleepvlm eval'

# rows NAME FIELDS: twenty rows that say W, which every fifth is not
rows() {
    for i in {0..19}; do
        printf '{"custom_id":"%s#%d","sub_id":"%s","epoch":%d,"pred":0,"label":%d%s}\n' "$1" "$i" "$1" "$i" \
            $((i % 5 == 0)) "$2" >>"$work/$1.jsonl"
    done
}
fit() { run "$1" "${@:2}" --fit-temperature "$work/t.json"; }
rows night1 ',"probability_source":"forced","probabilities":[0.9,0.025,0.025,0.025,0.025]'
rows night2 ',"probability_source":"forced","probabilities":[0.96,0.01,0.01,0.01,0.01]'
rows undone ',"probability_source":"forced","probabilities":[0.75,0.0625,0.0625,0.0625,0.0625],"temperature":2'
rows text ',"probability_source":"text","probabilities":[0.9,0.025,0.025,0.025,0.025]'
rows off ',"probability_source":null,"probabilities":null'
rows zero ',"probability_source":"forced","probabilities":[0.9,0,0.1,0,0]'
rows certain ',"probability_source":"forced","probabilities":[1,0,0,0,0]'
sed -i 's/"label":1/"label":0/' "$work/certain.jsonl"
# right 16 times of 20: ln(0.9 / 0.025) / T = ln(0.8 / 0.05)
fit 0 "$work/night1.jsonl"
out '^Temperature 1\.292, fitted on 20 epochs of 1 recordings'
out 'Name two or more recordings'
err 'its figures on them are no test'
grep -q '"temperature": 1.2924' "$work/t.json" || fail "$(cat "$work/t.json")"
for key in probability_source model_sha256 prompt_sha256 n_epochs n_recordings nll_before nll_after ece_before ece_after; do
    grep -q "\"$key\"" "$work/t.json" || fail "no $key in $(cat "$work/t.json")"
done
fit 0 "$work/night1.jsonl" "$work/night2.jsonl" "$work/off.jsonl"
out 'each recording by the others'
out '^20 scored epochs have no probabilities'
fit 0 --json "$work/night1.jsonl" "$work/night2.jsonl" "$work/off.jsonl"
out '"least_temperature": 1\.292'
out '"n_without_probabilities": 20'
out '"n_recordings": 2'
fit 0 "$work/undone.jsonl" # squared again: ln(0.75 / 0.0625) * 2 / T = ln 16
out '^Temperature 1\.792,'
rm "$work/t.json"
fit 1 "$work/night1.jsonl" "$work/text.jsonl"
err "two kinds ('forced', 'text')"
fit 1 "$work/off.jsonl"
err 'no epoch has both a truth and probabilities'
fit 1 "$work/certain.jsonl"
err 'only zeros and equal numbers'
[[ ! -e $work/t.json ]] || fail "a file was written"
run 0 "$work/off.jsonl" # without probabilities: agreement as ever, no figures made of nothing
out '^off +20 +0 +0  \| +0\.800'
! grep -q ECE "$work/out" || fail "a calibration error of nothing"
run 0 --json "$work/off.jsonl"
out '"calibration": null'
# without night1 the others determine nothing: that is said, and no bound takes the place of a test
fit 0 "$work/night1.jsonl" "$work/certain.jsonl"
err "without the recording 'night1' the others determine no temperature"
! grep -q 'each recording by the others' "$work/out" || fail "a test by a bound"
fit 0 "$work/night1.jsonl" "$work/zero.jsonl"
err "4 epochs have probability 0 for the scorer's stage"
run 3 "$work/night1.jsonl" --fit-temperature "$work/no/such/folder/t.json"

if [[ -d $SHARED/data/hypnograms ]]; then
    hypnogram=$SHARED/data/hypnograms/sleep-edf-sc/SC4001EC-Hypnogram.edf
    run 0 "$hypnogram" --truth "$hypnogram"
    out '^SC4001EC-Hypnogram.e +[0-9]+ +[0-9]+ +0  \| +1\.000 +1\.000 +1\.000'
fi
