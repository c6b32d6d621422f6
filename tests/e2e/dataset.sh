#!/usr/bin/env bash
# `sleepvlm dataset`: both phases from simulated nights and from MASS's file names, against Python's json, round and random;
# damaged input; resume; refusals.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }
expect() { # status, text in stderr, command
  local status=$1 text=$2 got=0
  shift 2
  "$SLEEPVLM" dataset "$@" >"$work/out" 2>"$work/err" || got=$?
  [[ $got == "$status" ]] || fail "expected status $status, found $got: $* ($(cat "$work/err"))"
  [[ -z $text ]] || grep -qF -- "$text" "$work/err" || fail "expected '$text' of $*: $(cat "$work/err")"
}
check() { python3 "$SOURCE/tests/python/check_dataset.py" "$1" || fail "$1 is not as Python writes it"; }
cd "$work"
"$SLEEPVLM" simulate -o nights --nights 6 --seed 7 --hours 0.1 --rate 100 -q

echo "-- wpt"
expect 0 "training: 48 records of 4 subjects; validation: 24 of 2" wpt nights -o wpt --json -t 1
grep -q '^{"phase":"wpt","complete_before":false,"subjects":{"train":4,"val":2}' out || fail "the summary: $(cat out)"
check wpt
[[ $(ls wpt/images | wc -l) == 6 && ! -e wpt/job.json ]] || fail "the folder of wpt"
night=nights/night-0002/night-0002.edf
"$SLEEPVLM" render "$night" --hypnogram "$night" -o pictures -q
diff -r pictures/night-0002 wpt/images/night-0002 || fail "other pictures than render's"
"$SLEEPVLM" features "$night" --hypnogram "$night" -o targets.json 2>/dev/null
cmp targets.json wpt/band_power/night-0002.json || fail "other targets than features'"
expect 0 "" wpt nights/night-0003 nights/night-000[12456] -o again -t 2 -q
diff -r wpt again || fail "the order of the arguments or the threads change the bytes"
expect 0 "complete already" wpt nights -o wpt
printf 'Say "it".\r\nNow.' >prompt.txt
expect 0 "" wpt nights -o other --seed 1 --split 0.5 --question '' --prompt prompt.txt -q
check other
grep -q '"content": "Say \\"it\\".\\nNow."}, {"role": "user", "content": \[{"type": "image"' other/wpt_train.jsonl ||
  fail "the prompt and no question"
expect 0 "epochs with fewer than 4 channels" wpt nights/night-0001 -o few --split 1 -c LOC= -c ROC= -c Chin= --json
grep -q '"few_channels":12' out && [[ ! -s few/wpt_train.jsonl ]] || fail "an epoch of three channels was taken"

echo "-- resume, refuse, replace"
expect 3 "--force" wpt nights -o wpt --seed 43
mkdir used && echo precious >used/file
expect 3 "no data set" wpt nights -o used
[[ $(ls used) == file ]] || fail "a refused command left files"
expect 0 "" wpt nights -o wpt --seed 43 --force -q
check wpt
"$SLEEPVLM" simulate -o long --nights 3 --seed 20 --hours 0.6 --rate 100 -q
"$SLEEPVLM" dataset wpt long -o stopped -t 1 2>err & pid=$!
while kill -0 $pid 2>/dev/null; do [[ -e stopped/images/night-0001/3_W.png || -n $(find stopped -name '9_*.png' 2>/dev/null) ]] && break; sleep 0.05; done
kill -INT $pid
code=0; wait $pid || code=$?
[[ $code == 130 ]] || fail "status $code when interrupted: $(cat err)"
grep -q "goes on" err || fail "no word about going on: $(cat err)"
[[ -e stopped/job.json && ! -e stopped/dataset.json && ! -e stopped/wpt_train.jsonl ]] || fail "a half-made data set looks whole"
[[ -z $(find stopped -name '*part*' -o -name '*tmp*') ]] || fail "temporary files were left: $(find stopped)"
expect 0 "there already" wpt long -o stopped
"$SLEEPVLM" dataset wpt long -o unbroken -q
diff -r stopped unbroken || fail "a resumed data set differs"

echo "-- sft of simulated nights"
expect 0 "12 first or last epochs" sft nights -o sft
check sft
head -1 sft/sft_train.jsonl | grep -qF '"content": "```json\n{\n  \"reasoning_text\": \"' || fail "the fine track"
expect 0 "" sft nights -o coarse --track coarse --stage-first -q
check coarse
head -1 coarse/sft_train.jsonl | grep -qF '"content": "```json\n{\n  \"sleep_stage\": \"' || fail "the coarse track, stage first"
[[ $(wc -l <coarse/sft_train.jsonl) == $(wc -l <sft/sft_train.jsonl) ]] || fail "the tracks have other epochs"

echo "-- sft of MASS's names and MASS-EX's tables"
mkdir mass csv
for n in 1 2 3; do
  cp nights/night-000$n/night-000$n.edf "mass/01-03-000$n PSG.edf"
  cp nights/night-000$n/night-000$n.edf "mass/01-03-000$n Base.edf"
done
python3 - <<'P'
import csv, json
for n in (1, 2, 3):
    truth = json.load(open(f"nights/night-000{n}/truth.json"))
    s = f"01-03-000{n}"
    with open(f"csv/{s}.csv", "w", newline="", encoding="utf-8-sig") as f:
        out = csv.writer(f)
        fine = n < 3
        out.writerow(["custom_id", "Subject", "N", "Stage"] + (["reasoning_text"] if fine else []) + ["applicable_rules"])
        for e, (stage, rules, why) in enumerate(zip(truth["stages"], truth["rules"], truth["rationales"])):
            if n == 1 and e == 2: why = 'He said "N2",\nthen\\went\ton.'
            if n == 1 and e == 4: why = " "
            if n == 3 and e == 3: rules = []
            row = [f"{s}#{e}_{stage}", s, e, stage] + ([why] if fine else []) + [", ".join(rules)]
            out.writerow(row)
P
expect 0 "1 epochs without rules" sft mass --annotations csv -o mex --split 1 --json
grep -q '"records":{"train":28,"val":0}' out || fail "28 of 36 epochs: $(cat out)"
grep -q '"skipped":{"no_neighbour":6,"no_rules":1,"no_rationale":1}' out || fail "skips: $(cat out)"
check mex
grep -qF 'He said \\\"N2\\\", then\\\\went on.' mex/sft_train.jsonl || fail "quotes and line ends in a rationale"
echo '{"fine_train_subjects": ["01-03-0002", "absent"], "coarse_train_subjects": ["01-03-0003"], "val_subjects": []}' >split.json
expect 0 "1 recordings that the split file gives to neither" sft mass --annotations csv -o given --split-file split.json
check given
[[ $(python3 -c 'import json; print(json.load(open("given/split.json"))["fine_train_subjects"])') == "['01-03-0002']" ]] ||
  fail "the split that was given"

golden=$SHARED/golden/dsp/edf
if [[ -d $golden ]]; then
  echo "-- the published system's two recordings"
  expect 0 "2 epochs with fewer than 4 channels" wpt "$golden" -o golden --split 1
  check golden
  [[ $(cut -d, -f1 golden/wpt_train.jsonl | tr '\n' ' ') == \
    '{"id": "SS3_01-03-0001#0" {"id": "SS3_01-03-0001#1" {"id": "SS3_01-03-0001#2" ' ]] || fail "ids"
  expect 0 "" wpt "$golden" -o plain --split 1 --unlabelled -q
  [[ $(ls plain/images/01-03-0001 | head -1) == 0.png ]] || fail "--unlabelled"
else
  echo "skip: $golden is not there"
fi

echo "-- damaged input"
head -c 3000 nights/night-0001/night-0001.edf >mass/cut.edf
rm "mass/01-03-0002 Base.edf"
cp csv/01-03-0001.csv bad.csv
python3 - <<'P'
text = open("bad.csv", encoding="utf-8-sig", newline="").read().split("\r\n")
text[7] = text[7].replace("#6_", "#600_").replace(",6,", ",600,")            # an epoch that is not there
text[9] = text[9].replace("_", "_X", 1)                                      # another custom_id
text[10] = text[10].rsplit(",", 1)[0] + ",N9.9"                              # a rule that is none
open("bad.csv", "w", newline="").write("\r\n".join(text))
P
expect 1 "01-03-0002 Base.edf" sft mass --annotations bad.csv -o damaged --split 1 --json
grep -q "cut.edf" err || fail "the recording that cannot be read is not named: $(cat err)"
for reason in '"unknown_epoch":1' '"bad_id":1' '"unreadable":1' '"no_annotations":2'; do
  grep -q "$reason" out || fail "no $reason in $(cat out)"
done
check damaged
printf 'custom_id,Subject\n"a,b\n' >open.csv
expect 1 "open.csv: line 2: a quoted field" sft mass --annotations open.csv -o x
printf 'a,b\n1,2\n' >no.csv
expect 1 "no.csv: expected the columns" sft mass --annotations no.csv -o y
expect 1 "cut.edf" wpt mass/cut.edf -o z2
printf '{"n_epochs": 3}' >nights/night-0006/truth.json
expect 1 "truth.json" wpt nights -o z3
grep -q "left out: 1 recordings that could not be read" err || fail "a broken truth.json is not counted"
check z3

echo "-- command line"
expect 2 "wpt or sft" nights -o x
expect 2 "-o DIR" wpt nights
expect 2 "at least one recording" sft -o x
expect 2 "--split" wpt nights -o x --split 2
expect 2 "--seed" wpt nights -o x --seed -1
expect 2 "--track" sft nights -o x --track other
expect 2 "help dataset" wpt nights -o x --annotations csv
expect 1 "No such file" wpt none.edf -o x1
expect 1 "no recording" wpt csv -o x2
expect 1 "two recordings of one subject" wpt nights nights -o x3
expect 1 "name the recording" wpt "mass/01-03-0001 Base.edf" -o x4
expect 1 "prompt" wpt nights -o x5 --prompt no-prompt.txt
"$SLEEPVLM" help dataset | grep -q "split-file" || fail "help"
echo "dataset: fine"
