#!/usr/bin/env bash
# `sleepvlm train tokenizer`: texts and chats in, a folder that `tokenize` reads out; nothing is left behind on errors.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }
expect() { # status, text in stderr, command
  local status=$1 text=$2 got=0
  shift 2
  "$@" >"$work/out" 2>"$work/err" || got=$?
  [[ $got == "$status" ]] || fail "expected status $status, found $got: $* ($(cat "$work/err"))"
  grep -qF -- "$text" "$work/err" || fail "expected '$text' in: $(cat "$work/err")"
}
equal() { [[ $1 == "$2" ]] || fail "'$1' instead of '$2'"; }
train() { "$SLEEPVLM" train tokenizer "$@"; }

cd "$work"
for i in 1 2 3 4 5 6 7 8; do
  printf 'Stage N2: two K\xe2\x80\x91complexes and %d spindles in C4-M1.\n' $i
  printf 'Stage W: alpha rhythm for %d s, eye blinks in LOC and ROC.\n' $i
done >text.txt
cat >chats.jsonl <<'END'
{"messages": [{"role": "user", "content": [{"type": "text", "text": "stage?"}, {"type": "image", "image": "a.png"}]}, {"role": "assistant", "content": "zzzz zzzz"}]}
{"messages": [{"role": "user", "content": "stage?"}, {"role": "assistant", "content": "zzzz"}]}
END

# the folder encodes what it was made of, and anything else
expect 0 "320 tokens and 22 added ones" train text.txt chats.jsonl -o made --vocab-size 320
equal "$(ls made | tr '\n' ' ')" 'tokenizer.json tokenizer_config.json '
printf 'K\xe2\x80\x91complex<|im_end|> \xf0\x9f\x98\xb4\r\n' >odd.txt
"$SLEEPVLM" tokenize -m made odd.txt >ids
"$SLEEPVLM" tokenize -m made --decode ids >back
cmp odd.txt back || fail "a text does not come back"
equal "$(printf '<|endoftext|><|im_end|><|image_pad|>' | "$SLEEPVLM" tokenize -m made)" '[320,322,332]'
equal "$(printf '! ' | "$SLEEPVLM" tokenize -m made)" '[0,220]'

# the same text gives the same bytes, by whatever way it comes
train text.txt chats.jsonl -o again --vocab-size 320 -q
diff -r made again || fail "a second run differs"
train text.txt -o whole --vocab-size 300 -q
train - <text.txt -o piped --vocab-size 300 -q
diff -r whole piped || fail "standard input differs from the file"

# what was made, as JSON
train --lines text.txt -o counted --vocab-size 300 --json -q >json
SLEEPVLM=$SLEEPVLM python3 - <<'END' || fail "--json"
import json, os, subprocess
d = json.load(open("json"))
text = open("text.txt", encoding="utf-8").read()
lines = text.splitlines()
assert (d["vocab_size"], d["n_ids"], d["documents"]) == (300, 322, 16), d
assert d["characters"] == sum(map(len, lines)) and d["bytes"] == len("".join(lines).encode()), d
out = subprocess.run([os.environ["SLEEPVLM"], "tokenize", "-m", "counted", "--jsonl"], check=True, text=True,
                     input="".join(json.dumps(line) + "\n" for line in lines), stdout=subprocess.PIPE).stdout
assert d["tokens"] == sum(len(json.loads(line)) for line in out.splitlines()), d
assert abs(d["characters_per_token"] - d["characters"] / d["tokens"]) < 1e-9
END
# zz 10 times (overlapping ones count), zzzz 3 times, " zzzz" once
expect 0 "the last merge stands in it 3 times" train --assistant-only chats.jsonl -o assistant --vocab-size 258
grep -q '"zz zz"' assistant/tokenizer.json || fail "the merges of the assistant's text"
expect 1 "gives 258 tokens" train --assistant-only chats.jsonl -o x --vocab-size 259
train --assistant-only chats.jsonl -o rare --vocab-size 259 --min-frequency 1 -q

# errors say what to do and leave nothing
expect 1 "out of reach" train text.txt -o x --vocab-size 5000
expect 1 "there is no text" train --lines /dev/null -o x --vocab-size 300
printf 'ok\nbad \xff\n' >bad.txt
expect 1 "bad.txt: line 2: the text is not UTF-8: byte ff at offset 4" train --lines bad.txt -o x --vocab-size 300
expect 1 "bad.txt: the text is not UTF-8" train bad.txt -o x --vocab-size 300
echo '{"text": "a"}' >other.jsonl
expect 1 "other.jsonl: line 1: expected an object with \"messages\"" train other.jsonl -o x --vocab-size 300
expect 1 "none.txt: cannot open" train none.txt -o x --vocab-size 300
expect 1 "cannot read" train . -o x --vocab-size 300
expect 3 "is there already" train text.txt -o made --vocab-size 300
expect 2 "--vocab-size takes a whole number from 256 to 400000" train text.txt -o x --vocab-size 255
expect 2 "--min-frequency" train text.txt -o x --vocab-size 300 --min-frequency 0
expect 2 "expected --vocab-size N" train text.txt -o x
expect 2 "-o DIR" train text.txt --vocab-size 300
expect 2 "expected files" train -o x --vocab-size 300
mkfifo pipe
exec 9<>pipe # a pipe that gives nothing and does not end
"$SLEEPVLM" train tokenizer pipe -o x --vocab-size 300 -q 2>err &
pid=$!
sleep 0.5
kill -TERM $pid
code=0
wait $pid || code=$?
exec 9>&-
equal "$code $(cat err)" '130 sleepvlm train tokenizer: cancelled'
[[ -z $(ls -d x* ./*.part 2>/dev/null) ]] || fail "a refused command left a folder"
diff -r made again || fail "a refused command changed a folder"

# both levels of help
expect 2 "Try 'sleepvlm help train'" "$SLEEPVLM" train
expect 2 "there is no command 'train nothing'" "$SLEEPVLM" train nothing
expect 2 "there is no command 'train nothing'" "$SLEEPVLM" help train nothing
"$SLEEPVLM" help | grep -q '^  train ' || fail "the overview"
"$SLEEPVLM" train --help | grep -q '^  tokenizer ' || fail "the list of kinds"
equal "$("$SLEEPVLM" help train)" "$("$SLEEPVLM" train -h)"
equal "$("$SLEEPVLM" help train tokenizer)" "$(train --help)"
train --help | grep -q -- --vocab-size || fail "the help of a kind"
echo "train tokenizer: fine"
