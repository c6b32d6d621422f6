#!/usr/bin/env bash
# A tiny model from random weights learns 200 simulated epochs by heart: first to see with linear heads, then to answer.
# Then it stages the very night and gives the very answers, word by word. Pictures are halved to save time.
set -euo pipefail
if grep -q 'SV_SANITIZE:STRING=.' "$(dirname "$SLEEPVLM")/CMakeCache.txt"; then
  echo "-- skip: 650 updates take an hour under a sanitizer"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
night=(--seed 77 --hours 1.6834 --rate 100) # 202 epochs: the first and the last lack a neighbour
"$SLEEPVLM" simulate -o nights --nights 1 "${night[@]}" -q
"$SLEEPVLM" dataset sft nights -o records --split 1 --track coarse --stage-first -q
"$SLEEPVLM" bench --make-model tiny -o tiny --dtype f32 --seed 0 >/dev/null 2>&1
sed -i 's/"max_pixels": [0-9]*/"max_pixels": 25088/; s/"min_pixels": [0-9]*/"min_pixels": 784/' tiny/preprocessor_config.json
printf '{"answer_order": "stage_first"}' >tiny/sleepvlm.json

cat >run.yaml <<'END'
full: true
simulate_nights: 1
simulate_seed: 77
simulate_hours: 1.6834
simulate_vary: false
simulate_coarse: true
per_device_train_batch_size: 20
learning_rate: 2.0e-3
warmup_steps: 10
weight_decay: 0.01
adam_beta2: 0.97
save_steps: 0
END
SECONDS=0
"$SLEEPVLM" train wpt run.yaml -q --model-path tiny --output-dir see --max-steps 250 --simulate-run 1 --answer-weight 0 \
  --heads columns.bands,columns.events,picture.stage,picture.rules
"$SLEEPVLM" train sft run.yaml -q --model-path see/final --output-dir say --max-steps 400 --simulate-run 4 \
  --share-prefix true --stage-weight 6 --rules-weight 3 --learn-end true
echo "-- trained in $SECONDS s; loss $(head -1 say/log.jsonl | grep -o '"loss":[0-9.]*') at first, $(tail -1 say/log.jsonl | grep -o '"loss":[0-9.]*') at last"
"$SLEEPVLM" stage nights/night-0001/night-0001.edf -m say/final -o staged -q --no-audit
python3 - <<'P'
import json, sys
wanted = {}
for line in open("records/sft_train.jsonl"):
    r = json.loads(line)
    content = r["messages"][-1]["content"]
    wanted[int(r["id"].split("#")[1].split("_")[0])] = content if isinstance(content, str) else content[0]["text"]
rows = {r["epoch"]: r for r in map(json.loads, open("staged/epochs.jsonl"))}
stage = lambda text: json.loads(text.strip("`").removeprefix("json"))["sleep_stage"]
n_stage = sum(rows[e]["pred_stage"] == stage(text) for e, text in wanted.items())
n_all = sum(rows[e]["output"] == text for e, text in wanted.items())
print(f"-- of {len(wanted)} answers {n_stage} stages and {n_all} whole answers are given again; {len(set(wanted.values()))} differ")
if len(wanted) != 200 or n_stage < 190 or n_all < 170:
    sys.exit("FAILED: expected 190 stages and 170 whole answers of 200")
P
