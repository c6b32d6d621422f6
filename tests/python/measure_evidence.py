#!/usr/bin/env python3
"""Prints the tables of docs/evidence.md: agreement of found events with the truth of simulated nights, by kind and noise.

    python3 tests/python/measure_evidence.py build/release/sleepvlm /tmp/nights 101 20 0.5 1 2 4

makes 20 nights from seed 101 for each factor on the noise (profile {"noise": x}) below /tmp/nights, measures them and adds
the counts up. Seeds 1 to 20 were used for choosing parameters, so a report is of others. Standard library only."""
import concurrent.futures
import json
import os
import subprocess
import sys


def simulate(program, folder, seed, nights, noise):
    os.makedirs(folder, exist_ok=True)
    profile = os.path.join(folder, "profile.json")
    with open(profile, "w") as f:
        json.dump({"noise": {"times": noise}}, f)
    subprocess.run([program, "simulate", "-o", folder, "--seed", str(seed), "--nights", str(nights), "--profile", profile,
                    "-q"], check=True)


def measure(program, night):
    name = os.path.basename(night)
    out = subprocess.run([program, "evidence", f"{night}/{name}.edf", "--truth", f"{night}/truth.json", "--json", "-q",
                          "-t", "1"], check=True, capture_output=True)
    return json.loads(out.stdout)["score"]


def table(program, folder, seed, nights, noise):
    simulate(program, folder, seed, nights, noise)
    folders = [f"{folder}/night-{i + 1:04d}" for i in range(nights)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        scores = list(pool.map(lambda f: measure(program, f), folders))
    return {kind: [sum(s[kind][k] for s in scores) for k in ("truth", "found", "matched")] for kind in scores[0]}


def share(a, b):
    return f"{a / b:.2f}" if b else "-"


def main():
    program, base, seed, nights = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    noises = [float(x) for x in sys.argv[5:]]
    tables = {noise: table(program, f"{base}/noise-{noise:g}", seed, nights, noise) for noise in noises}
    head = "| event | true | found |" + "".join(f" F1 at noise x{n:g} |" for n in noises) + " precision, recall at x1 |"
    print(head)
    print("|---|" + "---|" * (len(noises) + 3))
    for kind in tables[noises[0]]:
        true, found, both = tables[1.0 if 1.0 in tables else noises[0]][kind]
        f1 = "".join(f" {share(2 * t[kind][2], t[kind][0] + t[kind][1])} |" for t in tables.values())
        print(f"| {kind} | {true} | {found} |{f1} {share(both, found)}, {share(both, true)} |")


main()
