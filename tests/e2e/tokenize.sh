#!/usr/bin/env bash
# `sleepvlm tokenize`: text to ids and back, by lines and as a whole; errors name the line; weights are not needed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
equal() { [[ $1 == "$2" ]] || fail "'$1' instead of '$2'"; }
model=$SOURCE/tests/data/byte_bpe # a folder with a tokenizer and nothing else
tokenize() { "$SLEEPVLM" tokenize --model "$model" "$@"; }
refused() { # STATUS TEXT INPUT ARGUMENT...
  local status=$1 text=$2 input=$3 code=0
  shift 3
  printf "$input" | tokenize "$@" >"$work/out" 2>"$work/err" || code=$?
  [[ $code == "$status" ]] || fail "exit status $code instead of $status: $*"
  grep -q -- "$text" "$work/err" || fail "'$text' is not in: $(cat "$work/err")"
}

equal "$(printf 'the' | tokenize)" '[257]'
equal "$(printf '' | tokenize)" '[]'
equal "$(printf 'epoch<|im_end|>' | tokenize)" '[263,276]'
equal "$(printf '<|im_end|>' | tokenize --no-special | tr -d -c , | wc -c)" 9
equal "$(printf '[263,276]' | tokenize --decode)" 'epoch<|im_end|>'
equal "$(printf '[263,276]' | tokenize --decode --no-special)" 'epoch'
equal "$(printf '"the"\n"a\\u0000b"\n""' | tokenize --jsonl | tr '\n' ' ')" '[257] [97,0,98] [] '
equal "$(printf '[97,0,98]\n[195]\n' | tokenize --jsonl --decode | tr '\n' ' ')" '"a\u0000b" "'$'\xef\xbf\xbd''" '
printf 'Preceding epoch N\xe2\x80\x911:\r\n\r\n  13 Hz\n' >"$work/text"
tokenize "$work/text" | tokenize --decode >"$work/back"
cmp "$work/text" "$work/back" || fail "a text does not come back"
refused 1 'offset 2' 'ab\xff'
refused 1 'line 2' '"a"\nzz\n' --jsonl
refused 1 'line 1.*JSON string' '7\n' --jsonl
refused 1 'line 2.*item 2' '[1]\n[1,"x"]\n' --jsonl --decode
refused 1 'array' '"x"' --decode
refused 1 'No such file' '' "$work/none"
refused 2 'at most one' '' a b
refused 2 'help' '' --frobnicate
mkdir "$work/wordpiece" && echo '{"model": {"type": "WordPiece", "vocab": {}}}' >"$work/wordpiece/tokenizer.json"
model=$work/wordpiece
refused 1 'WordPiece' 'x'
echo "all good"
