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
turn "$(path 0_012345_2.png)" "$(path gone.png)" "$(path 0_012345_4.png)" >"$work/gone.json"
expect 1 "picture 2" -m "$model" -i "$work/gone.json"
echo 'not JSON' >"$work/bad.json"
expect 1 "bad.json" -m "$model" -i "$work/bad.json"
echo "generate: answers and errors as expected"
