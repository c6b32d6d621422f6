#!/usr/bin/env python3
"""Writes the dynamo recording of ../shared/data (one EEG channel, expert stages) as EDF+, so that the program can read
it: python3 tests/python/dynamo_edf.py ../shared/data/recordings/dynamo out.edf

Epoch 0 of the EDF is the first whole scored epoch, so that the scorer's grid and ours are one. Standard library only."""
import csv
import gzip
import math
import sys

RATE, EPOCH_S, RECORD_S = 100, 30, 1
CODES = {5: "W", 4: "R", 3: "N1", 2: "N2", 1: "N3"}
ANNOTATION_BYTES = 64


def stages_of(path):
    """[(onset_s, name)] of each row; unknown codes are left out."""
    rows = []
    with open(path, newline="") as file:
        for row in csv.reader(file):
            try:
                onset, code = float(row[0]), int(float(row[1]))
            except (ValueError, IndexError):
                continue  # a heading
            rows.append((onset, CODES.get(code)))
    return rows


def field(value, width):
    return str(value)[:width].ljust(width).encode("ascii")


def header(n_records, limit_uv):
    signals = [("EEG C3", "uV", -limit_uv, limit_uv, RATE * RECORD_S), ("EDF Annotations", "", -1, 1, ANNOTATION_BYTES // 2)]
    out = field("0", 8) + field("X X X X", 80) + field("Startdate X X X X", 80) + field("01.01.85", 8) + field("00.00.00", 8)
    out += field(256 * (1 + len(signals)), 8) + field("EDF+C", 44) + field(n_records, 8) + field(RECORD_S, 8)
    out += field(len(signals), 4)
    for pick in (lambda s: (s[0], 16), lambda s: ("", 80), lambda s: (s[1], 8), lambda s: (s[2], 8), lambda s: (s[3], 8),
                 lambda s: (-32768, 8), lambda s: (32767, 8), lambda s: ("", 80), lambda s: (s[4], 8), lambda s: ("", 32)):
        out += b"".join(field(*pick(s)) for s in signals)
    return out


def main():
    folder, target = sys.argv[1:3]
    with gzip.open(folder + "/segment_data.csv.gz", "rt") as file:
        samples = [float(line) for line in file if line.strip()]
    stages = stages_of(folder + "/segment_stages.csv")
    start_s = stages[1][0] % EPOCH_S  # the first row says 0, whatever the scorer's grid
    first = round(start_s * RATE)
    n_records = (len(samples) - first) // (RATE * RECORD_S)
    limit_uv = math.ceil(max(abs(x) for x in samples))
    scale = 65535 / (2 * limit_uv)
    changes = [(round(max(0, onset - start_s), 2), name) for onset, name in stages if name]
    changes = [(onset, name) for onset, name in changes if onset < n_records * RECORD_S]
    annotations = {}
    for i, (onset, name) in enumerate(changes):
        end = changes[i + 1][0] if i + 1 < len(changes) else n_records * RECORD_S
        annotations.setdefault(int(onset), []).append((onset, end - onset, name))
    with open(target, "wb") as out:
        out.write(header(n_records, limit_uv))
        for record in range(n_records):
            piece = samples[first + record * RATE:first + (record + 1) * RATE]
            digital = [min(32767, max(-32768, round((x + limit_uv) * scale - 32768))) for x in piece]
            out.write(b"".join(d.to_bytes(2, "little", signed=True) for d in digital))
            tal = b"+%d\x14\x14\x00" % record
            for onset, duration, name in annotations.get(record, []):
                tal += b"+%.2f\x15%.2f\x14Sleep stage %s\x14\x00" % (onset, duration, name.encode())
            assert len(tal) <= ANNOTATION_BYTES, "two changes of stage in one second"
            out.write(tal.ljust(ANNOTATION_BYTES, b"\x00"))


main()
