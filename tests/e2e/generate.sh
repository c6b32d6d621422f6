#!/usr/bin/env bash
# The program answers a conversation with three pictures as the reference does, however it is given; and says what is wrong.
set -euo pipefail
golden=$SHARED/golden/nano
[[ -e $golden/cases.json ]] || { echo "skip: $golden is not there"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$SOURCE/models/nano
fail() { echo "generate.sh: $*" >&2; exit 1; }

cp "$golden"/0_012345_{2,3,4}.png "$work"
dash=$'\u2011'
turn() { # of three pictures, each as a JSON part
    printf '[{"role": "system", "content": "Stage the target epoch."}, {"role": "user", "content": [
{"type": "text", "text": "Preceding epoch N%s1: "}, %s,
{"type": "text", "text": "**Target epoch N**: "}, %s,
{"type": "text", "text": "Subsequent epoch N+1: "}, %s]}]' "$dash" "$1" "$2" "$3"
}
path() { printf '{"type": "image", "image": "%s"}' "$1"; }
turn "$(path 0_012345_2.png)" "$(path 0_012345_3.png)" "$(path "$work/0_012345_4.png")" >"$work/paths.json"
url=$(printf 'data:image/png;base64,%s' "$(base64 -w0 "$work/0_012345_2.png")")
{ printf '{"messages": '
  turn "{\"type\": \"image_url\", \"image_url\": {\"url\": \"$url\"}}" \
       "{\"type\": \"image_url\", \"image_url\": \"file://$work/0_012345_3.png\"}" "$(path 0_012345_4.png)"
  printf '}'; } >"$work/record.json"

# relative paths beside the file; a record with URLs; standard input with paths against the current folder
"$SLEEPVLM" generate -m "$model" -i "$work/paths.json" --threads 1 >"$work/1.txt"
grep -qF '"sleep_stage": "R"' "$work/1.txt" || fail "the answer is not that of the reference: $(cat "$work/1.txt")"
grep -qF '"applicable_rules": ["R.2"]' "$work/1.txt" || fail "other rules than the reference"
"$SLEEPVLM" generate -m "$model" -i "$work/record.json" --threads 2 >"$work/2.txt"
(cd "$work" && "$SLEEPVLM" generate -m "$model" -i - <paths.json) >"$work/3.txt"
cmp "$work/1.txt" "$work/2.txt" || fail "URLs give another answer than paths"
cmp "$work/1.txt" "$work/3.txt" || fail "standard input gives another answer than a file"

"$SLEEPVLM" generate -m "$model" -i "$work/paths.json" --json --logprobs 2 --max-tokens 3 >"$work/answer.json"
for part in '"prompt_tokens": 140' '"completion_tokens": 3' '"total_tokens": 143' '"finish_reason": "length"' '"logprobs"'; do
    grep -qF "$part" "$work/answer.json" || fail "--json lacks $part"
done

answer() { "$SLEEPVLM" generate -m "$model" -i "$work/paths.json" "$@"; }

# draws: the same seed gives the same answer on any number of threads, another seed another one; almost no temperature is none
answer --temperature 2 --seed 7 --max-tokens 60 >"$work/a.txt"
answer --temperature 2 --seed 7 --max-tokens 60 --threads 1 >"$work/b.txt"
answer --temperature 2 --seed 8 --max-tokens 60 >"$work/c.txt"
cmp "$work/a.txt" "$work/b.txt" || fail "the same seed gives another answer"
cmp -s "$work/a.txt" "$work/c.txt" && fail "two seeds give the same answer of 60 tokens"
for same in "--temperature 1e-6 --top-p 0.8" "--temperature 3 --top-k 1" "--temperature 3 --top-p 0.000001" "--seed 5"; do
    # shellcheck disable=SC2086
    answer $same | cmp - "$work/1.txt" || fail "$same: not the most probable tokens"
done

# stop texts: the answer up to the first, streamed and as JSON
answer --stop '"reasoning' --stop tone >"$work/stopped.txt"
grep -q applicable_rules "$work/stopped.txt" || fail "--stop: the beginning is not there"
grep -q reasoning "$work/stopped.txt" && fail "--stop: the text went on"
answer --stop '"reasoning' --json >"$work/stopped.json"
grep -qF '"stop_string": "\"reasoning"' "$work/stopped.json" || fail "--stop: not named"
grep -qF '"finish_reason": "stop"' "$work/stopped.json" || fail "--stop: no reason to end"

# forms: what has the form anyway is not changed, for any of the six windows; what would not have it does
for window in 0_012345_3 1_012345_33 2_012345_43 3_012345_56 4_012345_211 5_1_211; do
    n=${window##*_} night=${window%_*}
    turn "$(path "$golden/${night}_$((n - 1)).png")" "$(path "$golden/$window.png")" \
         "$(path "$golden/${night}_$((n + 1)).png")" >"$work/window.json"
    "$SLEEPVLM" generate -m "$model" -i "$work/window.json" >"$work/free.txt"
    "$SLEEPVLM" generate -m "$model" -i "$work/window.json" --constrain stage-first | cmp - "$work/free.txt" ||
        fail "$window: the form changes an answer that has it"
done
for seed in 1 2 3 4 5 6; do # drawn almost evenly from the vocabulary, cut short
    answer --constrain fine --temperature 20 --seed $seed --max-tokens $((22 + 6 * seed)) >"$work/fine.txt"
    tr -d '\n' <"$work/fine.txt" | grep -Eq \
        '^(```json)?\s*\{\s*"reasoning_text"\s*:\s*".*"\s*,\s*"applicable_rules"\s*:\s*\[.*\]\s*,\s*"sleep_stage"\s*:\s*"(W|N1|N2|N3|R)"\s*\}(```)?$' ||
        fail "seed $seed is not of the form: $(cat "$work/fine.txt")"
done
answer --constrain coarse | tr -d '\n ' | grep -qF '```json{"applicable_rules":["R.2"],"sleep_stage":"R"}```' ||
    fail "the coarse form"

# scores: those of the tokens that were generated; the sum; special tokens
answer --json --logprobs 0 --max-tokens 4 >"$work/four.json"
ids=$(sed -n '/"tokens"/,/\]/p' "$work/four.json" | tr -dc '0-9,')
printf '[[%s], "W", "N2<|im_end|>", []]' "${ids%,}" >"$work/texts.json"
answer --score "$work/texts.json" --json >"$work/scores.json"
answer --score "$work/texts.json" --threads 1 >"$work/scores.txt"
[[ $(grep -c '"sum"' "$work/scores.json") == 4 ]] || fail "--score: not four sums"
paste -d' ' <(grep '"logprob"' "$work/four.json") <(grep '"logprob"' "$work/scores.json" | head -4) | tr -d ',' |
    awk '{ d = $2 - $4; if (d < 0) d = -d; if (d > 1e-4) bad = 1; n++ } END { exit bad || n != 4 }' ||
    fail "--score: other log-probabilities than while generating"
[[ $(grep -c "sum of" "$work/scores.txt") == 4 ]] || fail "--score: not four lines of sums"
grep -q '"<|im_end|>"' "$work/scores.txt" || fail "--score: the end token is text"

expect() { # status, what stderr says, arguments
    local wanted=$1 text=$2 status=0
    shift 2
    "$SLEEPVLM" generate "$@" >"$work/out" 2>"$work/err" || status=$?
    ((status == wanted)) || fail "$*: exit status $status, expected $wanted"
    grep -qF -- "$text" "$work/err" || fail "$*: '$(cat "$work/err")' does not say '$text'"
}
expect 2 "--model and --messages" -m "$model"
expect 2 "--max-tokens" -m "$model" -i "$work/paths.json" --max-tokens 0
expect 2 "--logprobs needs --json" -m "$model" -i "$work/paths.json" --logprobs 1
expect 1 "config.json" -m "$work" -i "$work/paths.json"
expect 2 "--seed" -m "$model" -i "$work/paths.json" --seed -1
expect 2 "--seed" -m "$model" -i "$work/paths.json" --seed 18446744073709551616
expect 2 "--temperature" -m "$model" -i "$work/paths.json" --temperature nan
expect 2 "--top-p" -m "$model" -i "$work/paths.json" --top-p 1.5
expect 2 "--top-k" -m "$model" -i "$work/paths.json" --top-k 2.5
expect 2 "--repetition-penalty" -m "$model" -i "$work/paths.json" --repetition-penalty 0
expect 2 "--stop" -m "$model" -i "$work/paths.json" --stop ""
expect 2 "fine, coarse or stage-first" -m "$model" -i "$work/paths.json" --constrain json
expect 2 "--ignore-eos" -m "$model" -i "$work/paths.json" --constrain fine --ignore-eos
expect 2 "--score" -m "$model" -i "$work/paths.json" --score x --stop y
expect 2 "needs 22 tokens" -m "$model" -i "$work/paths.json" --constrain fine --max-tokens 21
expect 1 "list of continuations" -m "$model" -i "$work/paths.json" --score "$work/record.json"
echo '["W", 5]' >"$work/mixed.json"
expect 1 "continuation 2" -m "$model" -i "$work/paths.json" --score "$work/mixed.json"
echo '[[5, 100000]]' >"$work/far.json"
expect 1 "continuation 1" -m "$model" -i "$work/paths.json" --score "$work/far.json"
turn "$(path 0_012345_2.png)" "$(path gone.png)" "$(path 0_012345_4.png)" >"$work/gone.json"
expect 1 "picture 2" -m "$model" -i "$work/gone.json"
echo 'not JSON' >"$work/bad.json"
expect 1 "bad.json" -m "$model" -i "$work/bad.json"
echo "generate: answers and errors as expected"
