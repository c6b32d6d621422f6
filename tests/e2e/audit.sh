#!/usr/bin/env bash
# `sleepvlm audit`: true rationales of a simulated night, injected lies, rows of the published system, damaged files.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }
expect() { # status, text in stderr, arguments
  local status=$1 text=$2 got=0
  shift 2
  "$SLEEPVLM" audit "$@" >"$work/out" 2>"$work/err" || got=$?
  [[ $got == "$status" ]] || fail "expected status $status, found $got: $* ($(cat "$work/err"))"
  grep -qF -- "$text" "$work/err" || fail "expected '$text' in: $(cat "$work/err")"
}

cd "$work"
"$SLEEPVLM" simulate -o nights --seed 8 --hours 1.5 --rate 128 -q
night=nights/night-0001/night-0001.edf
python3 - <<'P'
import json
d = json.load(open("nights/night-0001/truth.json"))
rows = [{"epoch": e, "pred_stage": s, "applicable_rules": r, "reasoning_text": t}
        for e, (s, r, t) in enumerate(zip(d["stages"], d["rules"], d["rationales"]))]
json_lines = lambda rows: "".join(json.dumps(r) + "\n" for r in rows)
open("true.jsonl", "w").write(json_lines(rows))
# the published system's form: no fields but the id and the raw answer
open("raw.jsonl", "w").write(json_lines(
    {"custom_id": f"night#{r['epoch']}", "output": "```json\n" + json.dumps(
        {"reasoning_text": r["reasoning_text"], "applicable_rules": r["applicable_rules"], "sleep_stage": r["pred_stage"]}) + "\n```"}
    for r in rows))
lies = [dict(r, reasoning_text="Alpha covers more than 50 % of the epoch." if r["pred_stage"] in ("N2", "N3")
             else "High-amplitude slow waves of 150 uV cover 60 % of the epoch.") for r in rows]
open("lies.jsonl", "w").write(json_lines(lies))
P

expect 0 "by the book" true.jsonl "$night" -o audited.jsonl
expect 0 "" raw.jsonl "$night" -o raw-audited.jsonl
cmp audited.jsonl raw-audited.jsonl || fail "the same answers in another form are judged otherwise"
"$SLEEPVLM" audit true.jsonl "$night" --json -q -t 1 | cmp - audited.jsonl || fail "--json differs from the file, or threads matter"
"$SLEEPVLM" audit lies.jsonl "$night" --json -q >lies.audit
"$SLEEPVLM" audit true.jsonl "$night" -c LOC= -c ROC= -c Chin= --json -q >blind.audit
python3 - <<'P'
import json
def claims(path):
    return [c for line in open(path) for c in json.loads(line)["claims"]]
def share(path, verdict):
    all_claims = claims(path)
    return sum(c["verdict"] == verdict for c in all_claims) / len(all_claims)
rows = [json.loads(line) for line in open("audited.jsonl")]
assert len(rows) == 180 and [r["epoch"] for r in rows] == list(range(180))
assert set(rows[0]) == {"epoch", "claims", "rules", "stage", "score"}
assert set(rows[0]["claims"][0]) == {"text", "begin", "end", "feature", "verdict", "measured", "unit", "expected", "channels",
                                     "onset_s", "duration_s", "reason"}
texts = [json.loads(line)["reasoning_text"].encode() for line in open("true.jsonl")]
for row, text in zip(rows, texts):
    for c in row["claims"]:
        assert text[c["begin"]:c["end"]].decode() == c["text"], c
assert share("audited.jsonl", "supported") > 0.7 and share("audited.jsonl", "contradicted") < 0.12, share("audited.jsonl", "contradicted")
assert share("lies.audit", "contradicted") > 0.9, share("lies.audit", "contradicted")
for c in claims("blind.audit"):
    if c["feature"] in ("rem", "blink", "sem", "chin_tone", "eye_movement") and not c["expected"].startswith("absent"):
        assert c["verdict"] == "contradicted" and "recorded" in c["reason"], c
P

# what is wrong is said, with the line
head -c 700 true.jsonl >cut.jsonl
expect 1 "line" cut.jsonl "$night"
echo '{"reasoning_text": "x"}' >noid.jsonl
expect 1 "custom_id" noid.jsonl "$night"
echo '{"epoch": 5000, "reasoning_text": "x", "pred_stage": "W"}' >far.jsonl
expect 1 "epochs 0 to 179" far.jsonl "$night"
: >empty.jsonl
expect 1 "no rows" empty.jsonl "$night"
expect 1 "" none.jsonl "$night"
expect 1 "" true.jsonl none.edf
expect 2 "expected a result and its recording" true.jsonl
expect 2 "help audit" true.jsonl "$night" --what
expect 3 "" true.jsonl "$night" -o no/such/folder/x.jsonl
echo "audit: fine"
