#!/usr/bin/env bash
# Trains through the program: the golden runs repeated by the command line, a run killed and gone on with, what it leaves.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sv() { "$SLEEPVLM" "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# losses of a log, one a line
losses() { sed -n 's/.*"loss":\([0-9.e+-]*\).*/\1/p' "$1"; }

# the losses of a log are these, to a tolerance
check_losses() { # LOG TOLERANCE LOSS...
  local log=$1 tolerance=$2
  shift 2
  paste -d' ' <(losses "$log") <(printf '%s\n' "$@") | LC_ALL=C awk -v t="$tolerance" \
    '{ d = $1 - $2; if (NF != 2 || d > t || -d > t) { print "loss " $1 ", expected " $2; bad = 1 } n++ } END { exit bad || n == 0 }' ||
    fail "$log"
}

golden=$SHARED/golden
if [[ -d $golden/training ]]; then
  echo "-- the golden runs, by the command line"
  pictures=$golden/qwen25vl-tiny/pictures
  image() { printf '{"type":"image","image":"%s/%s.png"}' "$pictures" "$1"; }
  text() { printf '{"type":"text","text":"%s"}' "$1"; }
  answer='```json\n{\n  \"applicable_rules\": [\"N2.1\"],\n  \"sleep_stage\": \"N2\"\n}\n```'
  {
    printf '{"id":"a#1_N2","messages":[{"role":"system","content":"Score."},{"role":"user","content":[%s,%s,%s,%s,%s,%s]},{"role":"assistant","content":"%s"}]}\n' \
      "$(text 'Preceding epoch N‑1: ')" "$(image p0)" "$(text '**Target epoch N**: ')" "$(image p1)" \
      "$(text 'Subsequent epoch N+1: ')" "$(image p2)" "$answer"
    printf '{"id":"a#2_W","messages":[{"role":"system","content":"Score."},{"role":"user","content":[%s,%s]},{"role":"assistant","content":"\\n {\\"sleep_stage\\": \\"W\\"}"}]}\n' \
      "$(image ragged_308x196)" "$(text 'stage?')"
  } >"$work/batch.jsonl"
  common=(--model-path "$golden/qwen25vl-tiny/model-b" --train-file "$work/batch.jsonl" --per-device-train-batch-size 2
    --max-steps 10 --warmup-steps 2 --learning-rate 1e-4 --shuffle false --save-steps 0)
  sv train sft -q "${common[@]}" --full true --output-dir "$work/full"
  check_losses "$work/full/log.jsonl" 1e-4 11.860224723815918 11.860224723815918 10.873858451843262 \
    10.524324417114258 9.96479320526123 9.448485374450684 9.196815490722656 9.02751636505127 8.862568855285645 8.734285354614258
  sv train sft -q "${common[@]}" --adapter-path "$golden/training/lora-phase2/adapter" --lora-dropout 0 --output-dir "$work/lora"
  check_losses "$work/lora/log.jsonl" 1e-4 11.897159576416016 11.897159576416016 11.86282730102539 \
    11.79432201385498 11.734596252441406 11.683597564697266 11.641244888305664 11.607471466064453 11.58220100402832 11.565381050109863

  echo "-- what was trained goes on where it ended: adapter, merged model and full model are read by the engine"
  sv merge "$golden/qwen25vl-tiny/model-b" "$work/lora/final" -o "$work/merged" --dtype f32 -q
  sv info "$work/full/final" >/dev/null
  sv train sft -q "${common[@]}" --max-steps 1 --full true --model-path "$work/merged" --output-dir "$work/on"
  check_losses "$work/on/log.jsonl" 1e-4 11.55698013305664
  sv train sft -q "${common[@]}" --max-steps 1 --full true --model-path "$work/full/final" --output-dir "$work/on2"
  check_losses "$work/on2/log.jsonl" 1e-4 8.664410591125488
else
  echo "-- skip: $golden/training is not there"
fi

echo "-- a run on simulated nights, and the same at another number of threads and with recomputation"
sv bench --make-model tiny -o "$work/tiny" --dtype f32 --seed 3 >/dev/null 2>&1
printf '{"answer_order": "stage_first"}' >"$work/tiny/sleepvlm.json"
cat >"$work/run.yaml" <<END
# the published keys and ours
model_path: $work/tiny
simulate_nights: 2
simulate_hours: 0.2
simulate_run: 4
per_device_train_batch_size: 2
gradient_accumulation_steps: 2
max_steps: 12
learning_rate: 1.0e-3
lora_r: 4
lora_alpha: 8
lora_dropout: 0.1
lora_targets: [q_proj, v_proj, qkv]
heads: [columns.events, picture.stage=0.5, prompt.rules]
stage_weight: 6
rules_weight: 3
save_steps: 3
END
sv train sft -q "$work/run.yaml" --output-dir "$work/whole" -t 2
[[ $(wc -l <"$work/whole/log.jsonl") == 12 ]] || fail "the log has not 12 lines"
for file in run.json final/adapter_config.json final/adapter_model.safetensors checkpoint-9/state.json checkpoint-12/state.safetensors; do
  [[ -s $work/whole/$file ]] || fail "$file is missing"
done
[[ ! -e $work/whole/checkpoint-6 ]] || fail "old checkpoints are kept"
grep -q '"picture.stage":{"loss":[0-9.]*,"accuracy"' "$work/whole/log.jsonl" || fail "no losses of the heads"
! grep -q 'heads\.' "$work/whole/final/adapter_model.safetensors" || fail "the adapter holds the heads"
sv train sft -q "$work/run.yaml" --output-dir "$work/alone" -t 1 --recompute true
cmp "$work/whole/log.jsonl" "$work/alone/log.jsonl" || fail "the losses depend on threads or recomputation"
cmp "$work/whole/final/adapter_model.safetensors" "$work/alone/final/adapter_model.safetensors" || fail "so does the adapter"

echo "-- killed at any moment and gone on with: the same losses, to the last bit"
for moment in 1 2 3; do
  "$SLEEPVLM" train sft -q "$work/run.yaml" --output-dir "$work/cut" &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    [[ -f $work/cut/log.jsonl ]] && (($(wc -l <"$work/cut/log.jsonl") >= 3 * moment)) && break
    sleep 0.02
  done
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
done
sv train sft "$work/run.yaml" --output-dir "$work/cut" 2>"$work/err"
grep -q 'by an earlier run\|already done' "$work/err" || fail "nothing was taken over"
cmp "$work/whole/log.jsonl" "$work/cut/log.jsonl" || fail "the losses of the resumed run differ"
cmp "$work/whole/final/adapter_model.safetensors" "$work/cut/final/adapter_model.safetensors" || fail "its adapter differs"

echo "-- Ctrl-C leaves a checkpoint"
"$SLEEPVLM" train sft -q "$work/run.yaml" --output-dir "$work/int" --save-steps 0 2>"$work/err" &
pid=$!
while kill -0 $pid 2>/dev/null; do
  [[ -f $work/int/log.jsonl ]] && (($(wc -l <"$work/int/log.jsonl") >= 2)) && break
  sleep 0.02
done
kill -TERM $pid
code=0; wait $pid || code=$?
((code == 130)) || fail "interrupted run ended with $code"
ls -d "$work"/int/checkpoint-* >/dev/null || fail "no checkpoint"
sv train sft -q "$work/run.yaml" --output-dir "$work/int" --save-steps 0
cmp "$work/whole/log.jsonl" "$work/int/log.jsonl" || fail "the losses after Ctrl-C differ"

echo "-- evaluation on a night, and done is done"
"$SOURCE/tests/support/demo-night" --hours 0.1 --seed 7 "$work/night.edf" >/dev/null
"$SOURCE/tests/support/demo-night" --hours 0.1 --seed 8 "$work/night2.edf" >/dev/null
nights=(--eval-nights "$work/night.edf,$work/night2.edf")
sv train sft -q "$work/run.yaml" --output-dir "$work/eval" --max-steps 2 "${nights[@]}" --json >"$work/json"
grep -q '"kappa":.*"accuracy":.*"kappa_pooled":.*"f1_pooled":{"W":.*"n_epochs":24}' "$work/eval/log.jsonl" ||
  fail "no kappa of both nights in the log: $(tail -n 1 "$work/eval/log.jsonl")"
grep -q '"updates":2' "$work/json" || fail "the summary: $(cat "$work/json")"
sv train sft "$work/run.yaml" --output-dir "$work/eval" --max-steps 2 "${nights[@]}" 2>"$work/err"
grep -q 'already done' "$work/err" || fail "a finished run was done again"

echo "-- nights are staged with the records' prompt, not the base's; the adapter brings it along, and so does what is merged"
said() { grep -A 6 '"prompt": {' "$1/summary.json" | grep -q "\"sha256\": \"$(sha256sum <"$2" | cut -d' ' -f1)\""; }
printf 'Stage the target epoch.' >"$work/records-prompt"
cmp -s "$work/records-prompt" "$work/tiny/prompt.txt" && fail "the base has the records' prompt: nothing would be tested"
said "$work/eval/evaluation/night" "$work/records-prompt" || fail "evaluation: $(cat "$work/eval/evaluation/night/summary.json")"
cmp "$work/records-prompt" "$work/eval/final/prompt.txt" || fail "the adapter has another prompt"
sv stage -q -m "$work/tiny" --adapter "$work/eval/final" -o "$work/staged" "$work/night.edf" 2>/dev/null
said "$work/staged" "$work/records-prompt" || fail "stage with the adapter"
sv stage -q -m "$work/tiny" -o "$work/staged-base" "$work/night.edf" 2>/dev/null
said "$work/staged-base" "$work/tiny/prompt.txt" || fail "stage without it"
sv merge "$work/tiny" "$work/eval/final" -o "$work/merged-tiny" -q
cmp "$work/records-prompt" "$work/merged-tiny/prompt.txt" || fail "the merged model has another prompt"
sv simulate -o "$work/nights" --nights 3 --seed 20 --hours 0.1 --rate 100 -q
printf 'Of these records.' >"$work/own-prompt"
sv dataset sft "$work/nights" -o "$work/sft" --split 1 --track coarse --stage-first --prompt-coarse "$work/own-prompt" -q
own=(--model-path "$work/tiny" --train-file "$work/sft/sft_train.jsonl" --full true --max-steps 1 --per-device-train-batch-size 2)
sv train sft -q "${own[@]}" --output-dir "$work/own" --eval-nights "$work/night.edf" 2>"$work/err"
[[ ! -s $work/err ]] || fail "a warning without need: $(cat "$work/err")"
cmp "$work/own-prompt" "$work/own/final/prompt.txt" || fail "the full model has another prompt"
said "$work/own/evaluation/night" "$work/own-prompt" || fail "evaluation of the full model"
sed -i '2s/Of these records\./Of another kind./' "$work/sft/sft_train.jsonl"
sv train sft -q "${own[@]}" --output-dir "$work/mixed" 2>"$work/err"
grep -q "sft_train.jsonl: its records do not have one and the same system prompt.*tiny/prompt.txt" "$work/err" || fail "mixed: $(cat "$work/err")"
cmp "$work/tiny/prompt.txt" "$work/mixed/final/prompt.txt" || fail "records of several prompts change the model's own"

echo "-- an order of answers that the model's card does not know is said"
order=("$work/run.yaml" --max-steps 1 --heads prompt.stage)
cp -r "$work/tiny" "$work/tiny-other" && printf '{"answer_order": "rationale_first"}' >"$work/tiny-other/sleepvlm.json"
sv train sft "${order[@]}" --model-path "$work/tiny-other" --output-dir "$work/order" 2>"$work/err"
grep -q 'the stage before the rules.*{"answer_order": "stage_first"}' "$work/err" || fail "no warning: $(cat "$work/err")"
sv dataset sft "$work/nights" -o "$work/fine" --split 1 -q
sv train sft "${order[@]}" --simulate-nights 0 --train-file "$work/fine/sft_train.jsonl" --output-dir "$work/order2" 2>"$work/err"
grep -q 'the stage behind the rules' "$work/err" || fail "no warning of records from a file: $(cat "$work/err")"

echo "-- first phase"
sv train wpt -q "$work/run.yaml" --output-dir "$work/wpt" --max-steps 2
[[ -s $work/wpt/final/adapter_model.safetensors ]] || fail "wpt leaves no adapter"

echo "-- products in bf16: other losses, the same on one thread and on two"
for n in 1 2; do sv train sft -q "$work/run.yaml" --precision bf16 --max-steps 3 --output-dir "$work/bf16-$n" -t $n; done
cmp "$work/bf16-1/log.jsonl" "$work/bf16-2/log.jsonl" || fail "the losses in bf16 depend on threads"
! cmp -s <(losses "$work/bf16-1/log.jsonl") <(losses "$work/whole/log.jsonl" | head -3) || fail "bf16 changed nothing"

echo "-- heads alone leave the text tower as it was"
sv train wpt -q --model-path "$work/tiny" --full true --simulate-nights 1 --simulate-hours 0.1 --answer-weight 0 \
  --heads columns.bands,columns.events,picture.stage --max-steps 2 --output-dir "$work/seen"
sv generate -m "$work/seen/final" --messages - --max-tokens 3 <<<'[{"role": "user", "content": "wake"}]' >"$work/after"
sv generate -m "$work/tiny" --messages - --max-tokens 3 <<<'[{"role": "user", "content": "wake"}]' >"$work/before"
cmp "$work/before" "$work/after" || fail "the text tower was changed"

echo "-- a run by epochs writes down how many updates that are; records that changed are noticed"
sv dataset wpt "$work/nights" -o "$work/data" -q
by_epochs=("$work/run.yaml" --simulate-nights 0 --train-file "$work/data/wpt_train.jsonl" --output-dir "$work/epochs" --max-steps 0
  --epochs 0.5 --warmup-ratio 0.4 --heads columns.bands,columns.mav)
n=$(wc -l <"$work/data/wpt_train.jsonl")
sv train wpt -q "${by_epochs[@]}"
grep -A 2 '"plan"' "$work/epochs/run.json" | tr -d ' \n' | grep -q "\"updates\":$(((n + 7) / 8)),\"warm_up\":[1-9]" ||
  fail "the plan of $n records: $(cat "$work/epochs/run.json")"
[[ $(wc -l <"$work/epochs/log.jsonl") == $(((n + 7) / 8)) ]] || fail "not as many updates as planned"
sv train wpt "${by_epochs[@]}" 2>&1 | grep -q 'already done' || fail "the run by epochs does not know itself"
for k in 1 2 3 4 5 6 7 8; do head -n 1 "$work/data/wpt_train.jsonl"; done >"$work/more"
cat "$work/more" >>"$work/data/wpt_train.jsonl"
code=0; sv train wpt -q "${by_epochs[@]}" 2>"$work/err" || code=$?
((code == 1)) && grep -q 'have they changed' "$work/err" || fail "more records were not noticed ($code)"

echo "-- a folder is a run's once the run has begun: a mistake before that blocks nothing"
slip=(sv train sft -q "${own[@]}" --output-dir "$work/slip" --learning-rate 0.000123456789012345)
code=0; "${slip[@]}" --image-root "$work/nowhere" 2>/dev/null || code=$?
((code == 1)) && [[ -s $work/slip/run.json ]] || fail "pictures that are not there ended with $code, run.json or not"
"${slip[@]}"
"${slip[@]}" # a rate of more digits than run.json has is the same rate
python3 - "$work/slip/run.json" <<'P'
import json, sys
told = json.load(open(sys.argv[1]))
del told["learn_end"] # as a version that did not know it would have written
json.dump(told, open(sys.argv[1], "w"))
P
"${slip[@]}"
code=0; "${slip[@]}" --learn-end true 2>"$work/err" || code=$?
((code == 1)) && grep -q "another 'learn_end'" "$work/err" || fail "a key that was its default ($code): $(cat "$work/err")"

echo "-- records: of other contents than before, with weights"
sv train sft -q "${own[@]}" --output-dir "$work/own2"
sed -i 's/"N2/"N1/' "$work/sft/sft_train.jsonl"
code=0; sv train sft -q "${own[@]}" --output-dir "$work/own2" 2>"$work/err" || code=$?
((code == 1)) && grep -q 'on other records.*have they changed' "$work/err" || fail "other contents ($code): $(cat "$work/err")"
sed 's/^{/{"weight": 0, /' "$work/sft/sft_train.jsonl" >"$work/sft/nothing.jsonl"
nothing=("${own[@]}" --max-steps 2 --train-file "$work/sft/nothing.jsonl" --heads prompt.stage,columns.mav)
sv train sft -q "${nothing[@]}" --output-dir "$work/rests" 2>"$work/err"
(($(grep -c 'the first update' "$work/err") == 3)) || fail "nothing to learn: $(cat "$work/err")"
python3 - "$work/tiny/model.safetensors" "$work/rests/final/model.safetensors" <<'P' || fail "weights changed with nothing to learn"
import json, sys
def tensors(path):
    data = open(path, "rb").read()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    return {name: data[begin + t["data_offsets"][0]:begin + t["data_offsets"][1]] for name, t in header.items() if name != "__metadata__"}
before, after = map(tensors, sys.argv[1:])
sys.exit(not before or before != after)
P
sed '1s/^{/{"weight": "1", /' "$work/sft/sft_train.jsonl" >"$work/sft/text.jsonl"
code=0; sv train sft -q "${own[@]}" --shuffle false --train-file "$work/sft/text.jsonl" --output-dir "$work/x" 2>"$work/err" || code=$?
((code == 1)) && grep -q "text.jsonl: line 1: expected a number from 0 to 1e+06 as 'weight'" "$work/err" || fail "a text as weight ($code): $(cat "$work/err")"

echo "-- what is wrong is said, and where"
expect() { # PATTERN ARGUMENT...
  local pattern=$1 code=0
  shift
  sv train sft -q "$@" 2>"$work/err" || code=$?
  ((code == 1 || code == 2)) && grep -q -- "$pattern" "$work/err" || fail "'$pattern' ($code): $(cat "$work/err")"
}
expect "another 'learning_rate'" "$work/run.yaml" --output-dir "$work/whole" --learning-rate 2e-3
expect "output_dir" "$work/run.yaml"
expect "both" "$work/run.yaml" --output-dir "$work/x" --train-file "$work/none.jsonl"
expect "no option" "$work/run.yaml" --output-dir "$work/x" --learning-rat 1
expect "whole number" "$work/run.yaml" --output-dir "$work/x" --max-steps many
printf 'model_path: a\nlerning_rate: 1\n' >"$work/bad.yaml"
expect "line 2: there is no key 'lerning_rate'" "$work/bad.yaml"
printf 'model_path: [a\n' >"$work/bad.yaml"
expect "bad.yaml: line" "$work/bad.yaml"
expect "there is no head 'picture.sleep'" "$work/run.yaml" --output-dir "$work/none" --heads picture.sleep
expect "'precision' must be f32 or bf16, found 'f16'" "$work/run.yaml" --output-dir "$work/none" --precision f16
expect "'per_device_train_batch_size' must be from 1 to 1000000" "$work/run.yaml" --output-dir "$work/none" --per-device-train-batch-size 9e14
expect "'gradient_accumulation_steps' must be" "$work/run.yaml" --output-dir "$work/none" --gradient-accumulation-steps 0
expect "'epochs' is too many" "$work/run.yaml" --output-dir "$work/none" --max-steps 0 --epochs 1e300
expect "'stage_weight' must be from 0 to 1e+06" "$work/run.yaml" --output-dir "$work/none" --stage-weight 1e7
expect "ends in the name 'lm_head'" "$work/run.yaml" --output-dir "$work/none" --lora-targets q_proj,lm_head
expect "nothing would be learnt" --model-path "$work/tiny" --simulate-nights 1 --answer-weight 0 --output-dir "$work/none"
head -c 3000 "$work/whole/checkpoint-12/state.safetensors" >"$work/short" && cp -r "$work/whole" "$work/torn"
cp "$work/short" "$work/torn/checkpoint-12/state.safetensors"
sv train sft -q "$work/run.yaml" --output-dir "$work/torn" 2>"$work/err"
grep -q 'warning: going on from checkpoint-9' "$work/err" || fail "a torn checkpoint: $(cat "$work/err")"
cmp "$work/whole/log.jsonl" "$work/torn/log.jsonl" || fail "the losses after the torn checkpoint differ"
for n in 9 12; do printf x | dd of="$work/torn/checkpoint-$n/state.safetensors" bs=1 seek=9000 conv=notrunc status=none; done
expect "remove them all to begin anew" "$work/run.yaml" --output-dir "$work/torn"
echo "all good"
