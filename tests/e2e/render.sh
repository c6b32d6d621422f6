#!/usr/bin/env bash
# `sleepvlm render`: names, refusals, interruption, a full disk; pixels against the published system's pictures.
set -euo pipefail
work=$(mktemp -d)
mounted=
trap '[[ -z $mounted ]] || umount "$mounted"; rm -rf "$work"' EXIT
demo=$SOURCE/tests/support/demo-night
fail() { echo "FAILED: $*" >&2; cat "$work/err" >&2; exit 1; }
expect() { # STATUS TEXT ARGUMENT...
  local status=$1 text=$2 code=0
  shift 2
  "$SLEEPVLM" render "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
  [[ $code == "$status" ]] || fail "exit status $code instead of $status: $*"
  [[ -z $text ]] || grep -qi -- "$text" "$work/err" || fail "'$text' is not in the message of: $*"
}
n_files() { find "$1" -type f | wc -l; }
is_rgba_picture() { # PNG signature, then IHDR of 448 x 224, 8 bit, colour type 6
  [[ $(head -c 26 "$1" | od -An -tx1 | tr -d ' \n') == 89504e470d0a1a0a0000000d49484452000001c0000000e00806 ]]
}

"$demo" --hours 0.1 --seed 3 "$work/night.edf" >/dev/null
night=$work/night.edf

echo "-- command line"
expect 0 '' --help
expect 2 'name at least one recording' -o "$work/x"
expect 2 'with -o' "$night"
expect 2 'mains' "$night" -o "$work/x" --mains 55
expect 2 'threads' "$night" -o "$work/x" -t none
expect 2 'help render' "$night" -o "$work/x" --no-such-option
expect 2 'one recording' "$night" "$night" -o "$work/x" --hypnogram "$night"
expect 2 'both go to' "$night" "$work/./night.edf" -o "$work/x"
for epochs in '' x 3-1 -1 1-2-3 1,2 ' 1' 99999999999999999999 0x1; do
  expect 2 'epochs' "$night" -o "$work/x" "--epochs=$epochs"
done
expect 2 'epochs 0 to 11' "$night" -o "$work/x" --epochs 0-12
expect 2 'epochs 0 to 11' "$night" -o "$work/x" --epochs 12-
expect 1 'none.edf.*No such file' "$work/none.edf" -o "$work/x"
expect 1 'NoSuchLead' "$night" -o "$work/x" -c C4=NoSuchLead
[[ ! -e $work/x ]] || fail "a refused run left a folder"

echo "-- names"
expect 0 '12 pictures' "$night" -o "$work/plain"
[[ $(n_files "$work/plain") == 12 ]] || fail "12 epochs, $(n_files "$work/plain") files"
for ((e = 0; e < 12; e++)); do is_rgba_picture "$work/plain/night/$e.png" || fail "$e.png"; done
cp "$night" "$work/01-02-0001 PSG.edf"
expect 0 '' "$work/01-02-0001 PSG.edf" "$night" -o "$work/two" -q --json --epochs 3-5
[[ ! -s $work/err ]] || fail "-q is not quiet"
[[ $(wc -l <"$work/out") == 2 ]] || fail "one line of JSON a recording"
grep -q '^{"subject":"01-02-0001","folder":"'"$work"'/two/01-02-0001","pictures":3,"channels":{"F4":{"present":true' \
  "$work/out" || fail "the JSON is wrong: $(cat "$work/out")"
[[ $(ls "$work/two/night" | tr '\n' ' ') == '3.png 4.png 5.png ' ]] || fail "--epochs 3-5"
cmp "$work/two/night/4.png" "$work/plain/night/4.png" || fail "the same epoch, another picture"
expect 0 '' "$night" -o "$work/open" -q --epochs 10-
[[ $(ls "$work/open/night" | tr '\n' ' ') == '10.png 11.png ' ]] || fail "--epochs 10-"

echo "-- with the scorer's stages; the folder's earlier pictures are told"
expect 0 'folder: 12 pictures of another run' "$night" -o "$work/plain" --hypnogram "$night"
[[ $(ls "$work/plain/night" | grep -cE '^[0-9]+_(W|N1|N2|N3|R)\.png$') == 12 ]] || fail "labelled names"
expect 0 '' "$night" -o "$work/plain" -t 3 --json --hypnogram "$night"
grep -q '"kind":"folder"' "$work/out" || fail "the JSON does not tell of the other pictures"
printf 'W\nN2\n?\nR\n' >"$work/stages.txt"
expect 0 '' "$night" -o "$work/kept" -q --hypnogram "$work/stages.txt"
[[ $(ls "$work/kept/night" | tr '\n' ' ') == '0_W.png 1_N2.png 2_R.png ' ]] || fail "scored pieces: $(ls "$work/kept/night")"

echo "-- replaced, and the same at any number of threads"
cp -r "$work/two" "$work/old"
echo broken >"$work/two/night/3.png"
expect 0 '' "$night" -o "$work/two" -q --epochs 3-5 -t 1
diff -r "$work/old" "$work/two" || fail "the pictures differ"

echo "-- interrupted"
"$demo" --hours 4 --seed 8 "$work/long.edf" >/dev/null
"$SLEEPVLM" render "$work/long.edf" -o "$work/int" -t 2 2>"$work/err" &
pid=$!
while kill -0 $pid 2>/dev/null; do
  [[ -f $work/int/long/5.png ]] && break
  sleep 0.02
done
kill -INT $pid 2>/dev/null || true
code=0; wait $pid || code=$?
if ((code == 0)); then
  echo "   (it was done before it could be interrupted)"
else
  ((code == 130)) && grep -q 'interrupted; [0-9]* of 480 pictures' "$work/err" || fail "interrupted run ended with $code"
  for file in "$work"/int/long/*; do
    [[ $file == *.png ]] && is_rgba_picture "$file" || fail "$file was left by the interrupted run"
  done
fi

echo "-- output"
: >"$work/file"
expect 3 'file' "$night" -o "$work/file"
expect 3 'file' "$night" -o "$work/file/below"
expect 3 'proc' "$night" -o /proc/sleepvlm-test
if ((EUID != 0)); then
  mkdir -m 555 "$work/closed"
  expect 3 'ermission' "$night" -o "$work/closed/x"
fi
code=0; "$SLEEPVLM" render "$night" -o "$work/full" -q --json >/dev/full 2>"$work/err" || code=$?
((code == 3)) || fail "a full standard output gives $code"
mkdir "$work/small"
if mount -t tmpfs -o size=256k none "$work/small" 2>/dev/null; then
  mounted=$work/small
  expect 3 'small/night/.*space' "$night" -o "$work/small"
  for file in "$work"/small/night/*; do
    [[ $file == *.png ]] && cmp "$file" "$work/plain/night/${file##*/}" || fail "$file was left on the full disk"
  done
else
  echo "   skip: no tmpfs can be mounted here"
fi

golden=$SHARED/golden
if [[ -d $golden/render/edf ]]; then
  echo "-- pixels of the published system"
  compare=$(dirname "$SLEEPVLM")/tools/compare-pictures
  expect 0 '' "$golden/dsp/edf/01-02-0001 PSG.edf" -o "$work/edf" -q
  expect 0 '' "$golden/dsp/edf/01-03-0001 PSG.edf" --hypnogram "$golden/dsp/edf/01-03-0001 Base.edf" -o "$work/edf" -q
  [[ $(cd "$work/edf" && find . -type f | sort) == $(cd "$golden/render/edf" && find . -type f | sort) ]] || fail "names"
  (cd "$golden/render/edf" && find . -type f | sort) | while read -r name; do
    "$compare" "$golden/render/edf/$name" "$work/edf/$name" || fail "$name"
  done
else
  echo "-- skip: $golden is not there"
fi
recordings=$SHARED/data/recordings
if [[ -d $recordings ]]; then
  echo "-- real recordings"
  expect 0 'substitute: F4' "$recordings/nox/nox-a1-120s.edf" "$recordings/sleep-edf/SC4001E0-first-300s.edf" -o "$work/real"
  [[ $(n_files "$work/real/nox-a1-120s") == 4 && $(n_files "$work/real/SC4001E0-first-300s") == 10 ]] || fail "real"
  expect 0 '' "$recordings/sleep-edf/SC4001E0-first-300s.edf" -o "$work/scored" -q \
    --hypnogram "$recordings/sleep-edf/SC4001EC-Hypnogram.edf"
  [[ $(ls "$work/scored/SC4001E0-first-300s" | grep -c '_W\.png$') == 10 ]] || fail "the scorer's stages"
else
  echo "-- skip: $recordings is not there"
fi
echo "all good"
