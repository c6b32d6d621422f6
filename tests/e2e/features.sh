#!/usr/bin/env bash
# `sleepvlm features` against the published system's files, and its refusals.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "FAIL: $*"; exit 1; }
expect() { # status, command...
    local wanted=$1 status=0
    shift
    "$@" >"$folder/out" 2>"$folder/err" || status=$?
    ((status == wanted)) || { cat "$folder/err"; fail "expected status $wanted, found $status: $*"; }
}

expect 0 "$SLEEPVLM" features --help
expect 2 "$SLEEPVLM" features
expect 2 "$SLEEPVLM" features --mains 55 night.edf
expect 2 "$SLEEPVLM" features --channel nonsense night.edf
expect 1 "$SLEEPVLM" features "$folder/absent.edf"
grep -q absent.edf "$folder/err" || fail "the error does not name the file"

golden=$SHARED/golden/dsp/edf
[[ -d $golden ]] || { echo "skip: $golden is not there"; exit 77; }
same() { cmp <(tr -d ' \n' <"$1") <(tr -d ' \n' <"$2") || fail "$1 differs from $2"; }
expect 0 "$SLEEPVLM" features "$golden/01-02-0001 PSG.edf" -o "$folder/a.json"
same "$folder/a.json" "$golden/wpt/01-02-0001.json"
expect 0 "$SLEEPVLM" features --hypnogram "$golden/01-03-0001 Base.edf" "$golden/01-03-0001 PSG.edf" -o "$folder/b.json"
same "$folder/b.json" "$golden/wpt/01-03-0001.json"
expect 0 "$SLEEPVLM" features "$golden/01-02-0001 PSG.edf"
same "$folder/out" "$golden/wpt/01-02-0001.json"
expect 0 "$SLEEPVLM" features --mains auto --anti-alias --channel C4= "$golden/01-02-0001 PSG.edf"
grep -q '"C4"' "$folder/out" && fail "C4 was switched off"
echo ok
