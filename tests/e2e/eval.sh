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

if [[ -d $SHARED/data/hypnograms ]]; then
    hypnogram=$SHARED/data/hypnograms/sleep-edf-sc/SC4001EC-Hypnogram.edf
    run 0 "$hypnogram" --truth "$hypnogram"
    out '^SC4001EC-Hypnogram.e +[0-9]+ +[0-9]+ +0  \| +1\.000 +1\.000 +1\.000'
fi
