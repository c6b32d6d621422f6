#!/usr/bin/env bash
# sleepvlm info: on a recording made here byte by byte, on errors, and on the real recordings when they are there.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
expect() { grep -qF -- "$2" "$1" || { cat "$1"; fail "'$2' is not in $1"; }; }
expect_status() { # status command...
    local expected=$1 status=0
    shift
    "$@" >"$dir/out" 2>"$dir/err" || status=$?
    [[ $status == "$expected" ]] || { cat "$dir/out" "$dir/err"; fail "status $status, expected $expected: $*"; }
}

# one channel, 60 records of 1 s at 100 Hz, all samples 0
make_edf() { # file label unit
    {
        printf '%-8s%-80s%-80s%-8s%-8s%-8d%-44s%-8d%-8d%-4d' 0 'X X X X' 'Startdate X X X X' 02.01.20 22.30.00 512 '' 60 1 1
        printf '%-16s%-80s%-8s%-8d%-8d%-8d%-8d%-80s%-8d%-32s' "$2" '' "$3" -500 500 -32768 32767 '' 100 ''
        head -c 12000 /dev/zero
    } >"$1"
}

make_edf "$dir/flat.edf" 'EEG C4-A1' uV
expect_status 0 "$SLEEPVLM" info "$dir/flat.edf"
expect "$dir/out" '2020-01-02 22:30:00'
expect "$dir/out" '0:01:00, 2 epochs of 30 s'
expect "$dir/out" 'C4 (C4-M1) does not change at all in 100 %'
expect "$dir/out" "'EEG C4-A1': this is what the role C4 asks for."
[[ $(grep -n '^Warnings' "$dir/out" | cut -d: -f1) -lt $(grep -n 'Roles' "$dir/out" | cut -d: -f1) ]] || fail 'warnings first'

expect_status 0 "$SLEEPVLM" info --json "$dir/flat.edf" "$dir/flat.edf"
[[ $(wc -l <"$dir/out") == 2 ]] || fail 'one line of JSON a file'
if command -v python3 >/dev/null && python3 -c 'import json' 2>/dev/null; then
    python3 - "$dir/out" <<'EOF'
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    d = json.loads(line)
    assert d["duration_s"] == 60 and d["n_epochs"] == 2 and d["start"] == "2020-01-02T22:30:00", d
    assert d["roles"]["C4"]["plus"] == "EEG C4-A1" and d["roles"]["C4"]["flat_share"] == 1, d
    assert not d["roles"]["F4"]["present"] and d["roles"]["F4"]["reason"], d
    assert d["signals"][0]["used_as"] == "C4" and [w["kind"] for w in d["warnings"]] == ["flat"], d
EOF
fi

# the user's choices
expect_status 0 "$SLEEPVLM" info -c 'F4=eeg c4-a1' -c C4= "$dir/flat.edf"
expect "$dir/out" 'Chosen by the user.'
expect "$dir/out" 'Switched off by the user.'
printf '# mine\nLOC = EEG C4-A1\n' >"$dir/montage.txt"
expect_status 0 "$SLEEPVLM" info --montage "$dir/montage.txt" "$dir/flat.edf"
expect "$dir/out" 'LOC    EEG C4-A1'
expect_status 1 "$SLEEPVLM" info -c F4=Fz "$dir/flat.edf"
expect "$dir/err" "the file has: 'EEG C4-A1'"
expect_status 2 "$SLEEPVLM" info -c Fz "$dir/flat.edf"
expect_status 2 "$SLEEPVLM" info -c Q=Fz "$dir/flat.edf"
expect_status 2 "$SLEEPVLM" info
expect_status 2 "$SLEEPVLM" info --no-such-option "$dir/flat.edf"
expect_status 1 "$SLEEPVLM" info -m "$dir/none.txt" "$dir/flat.edf"

# a recording without usable channels is described; what is no recording is refused, the others are still shown
make_edf "$dir/breath.edf" 'Flow' L/s
expect_status 0 "$SLEEPVLM" info "$dir/breath.edf"
expect "$dir/out" 'None of the six channels was found'
expect "$dir/out" 'Flow'
expect_status 1 "$SLEEPVLM" info "$dir" "$dir/none.edf" "$dir/flat.edf"
expect "$dir/err" 'not a recording'
expect "$dir/err" 'none.edf'
expect "$dir/out" 'flat.edf'
make_edf "$dir/escape.edf" $'C4 \e[2J' uV
"$SLEEPVLM" info "$dir/escape.edf" >"$dir/out" 2>&1 || true
if grep -q $'\e' "$dir/out"; then fail 'an escape sequence from the file reached the terminal'; fi
expect_status 0 "$SLEEPVLM" info --help
expect_status 3 bash -c "'$SLEEPVLM' info '$dir/flat.edf' >/dev/full"

recordings=$SHARED/data/recordings
if [[ ! -e $recordings/nox/nox-a1-120s.edf ]]; then
    echo 'skip: the real recordings are not there'
    exit 77
fi
expect_status 0 "$SLEEPVLM" info "$recordings/nox/nox-a1-120s.edf" "$recordings/sleep-edf/SC4001E0-first-300s.edf"
for text in 'Warnings: none' 'mains at 50 Hz' '1 Impédance' "'EMG submental' was passed over: chin EMG at 1 Hz"; do
    expect "$dir/out" "$text"
done
echo ok
