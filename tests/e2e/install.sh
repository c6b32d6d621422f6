#!/usr/bin/env bash
# Installs into an empty folder and uses what is there: the program finds its model, a C program finds header and library.
set -euo pipefail
build=$(dirname "$SLEEPVLM")
if grep -q 'SV_SANITIZE:STRING=.' "$build/CMakeCache.txt"; then
  echo "skip: a program linked with a sanitizer needs its flags"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" >/dev/null
for file in bin/sleepvlm include/sleepvlm.h share/man/man1/sleepvlm.1 share/sleepvlm/models/nano/config.json; do
  [[ -s $work/usr/$file ]] || { echo "FAILED: $file is not installed"; exit 1; }
done
"$SOURCE/tests/support/demo-night" --hours 0.1 --seed 5 "$work/night.edf" >/dev/null
(cd "$work" && env -u SLEEPVLM_MODELS usr/bin/sleepvlm stage -q night.edf)
[[ -s $work/night-sleepvlm/report.html ]] || { echo "FAILED: no report"; exit 1; }

pc=$(dirname "$(find "$work/usr" -name sleepvlm.pc)")
flags=$(PKG_CONFIG_PATH=$pc pkg-config --define-variable=prefix="$work/usr" --cflags --libs --static sleepvlm)
# shellcheck disable=SC2086
"${CC:-cc}" -std=c17 -Wall -Wextra -Werror "$SOURCE/examples/stage.c" $flags -o "$work/stage"
LD_LIBRARY_PATH=$(dirname "$pc") "$work/stage" "$work/usr/share/sleepvlm/models/nano" "$work/night.edf" "$work/result" 2>/dev/null
cmp "$work/result/epochs.jsonl" "$work/night-sleepvlm/epochs.jsonl"
echo "all good"
