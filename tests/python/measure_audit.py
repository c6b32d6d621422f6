#!/usr/bin/env python3
"""How often the audit contradicts true sentences, and how often it catches false ones, on simulated nights.

    sleepvlm simulate -o NIGHTS --nights 6 --seed 201 --rate 100
    tests/python/measure_audit.py build/release/sleepvlm NIGHTS/night-*

True sentences are the rationales of truth.json, with the rules cited there. False ones say of an epoch what its truth
excludes by a wide margin: a spindle where none lies within 3 s of the epoch, and so on (table LIES). Needs only Python.
"""
import collections
import json
import pathlib
import subprocess
import sys
import tempfile


class Epoch:
    """What the truth says of one epoch."""

    def __init__(self, truth, index):
        start = 30 * index
        self.stage = truth["stages"][index]
        self.rationale = truth["rationales"][index]
        self.rules = truth["rules"][index]
        self.count, self.cover = collections.Counter(), collections.Counter()
        self.near = set()
        for event in truth["events"]:
            onset, end = event["onset_s"], event["onset_s"] + event["duration_s"]
            if end > start - 3 and onset < start + 33:
                self.near.add(event["kind"])
            if onset + 15 >= start and start <= (onset + end) / 2 < start + 30:
                self.count[event["kind"]] += 1
            self.cover[event["kind"]] += max(0, min(end, start + 30) - max(onset, start))

    def lacks(self, *kinds):
        return not self.near & set(kinds)


SLOW = ("slow_wave", "k_complex")
EYES = ("rem", "blink", "sem", "body_movement")
# name, sentence, where it is false
LIES = [
    ("spindle said to be there", "A sleep spindle is seen.", lambda e: e.lacks("spindle", "alpha", "body_movement")),
    ("six spindles", "There are six sleep spindles.", lambda e: e.count["spindle"] <= 1 and e.lacks("body_movement")),
    ("no spindles", "There are no spindles.", lambda e: e.count["spindle"] >= 3),
    ("K-complex said to be there", "A K-complex is present.", lambda e: e.lacks(*SLOW, "vertex_wave", "body_movement")),
    ("no K-complexes", "No K-complexes are seen.", lambda e: e.count["k_complex"] >= 2),
    ("slow waves said to be there", "Slow waves fill more than 20 % of the epoch.",
     lambda e: e.lacks(*SLOW, "body_movement")),
    ("no slow waves", "Slow waves are absent.", lambda e: e.cover["slow_wave"] >= 6),
    ("alpha above 50 %", "Alpha > 50 % of the epoch.", lambda e: e.cover["alpha"] < 2),
    ("no alpha", "There is no alpha rhythm.", lambda e: e.cover["alpha"] >= 15),
    ("alpha below 50 %", "Alpha occupies less than 50 % of the epoch.", lambda e: e.cover["alpha"] >= 26),
    ("rapid eye movements said to be there", "Rapid eye movements are present.", lambda e: e.lacks(*EYES)),
    ("no rapid eye movements", "No rapid eye movements occur.", lambda e: e.count["rem"] >= 4),
    ("blinks said to be there", "Eye blinks are seen.", lambda e: e.lacks(*EYES)),
    ("no blinks", "There are no blinks.", lambda e: e.count["blink"] >= 4),
    ("slow eye movements said to be there", "Slow rolling eye movements are seen.", lambda e: e.lacks(*EYES)),
    ("high chin tone in R", "Chin tone is high.", lambda e: e.stage == "R" and "R.1" in e.rules and e.lacks("body_movement")),
    ("low chin tone in W", "Chin tone is low.", lambda e: e.stage == "W" and "W.3" in e.rules),
    ("arousal said to be there", "An arousal occurs.", lambda e: e.lacks("arousal", "body_movement") and e.stage != "W"),
    ("body movement said to be there", "A major body movement occurs.", lambda e: e.lacks("body_movement", "arousal")),
    ("sawtooth waves said to be there", "Sawtooth waves are seen.", lambda e: e.lacks("sawtooth", "theta", *SLOW)),
    ("LAMF in N3", "Low-amplitude mixed-frequency activity prevails.", lambda e: e.cover["slow_wave"] >= 12),
    ("spindles at 8 Hz", "There are spindles at 8 Hz.", lambda e: e.count["spindle"] >= 2),
]
VERDICTS = ("supported", "contradicted", "cannot tell")


def audit(program, night, rows):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
        file.flush()
        recording = night / (night.name + ".edf")
        text = subprocess.run([program, "audit", file.name, recording, "--json", "-q"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    return [json.loads(line) for line in text.splitlines()]


def table(title, counts):
    print(f"| {title} | n | supported | contradicted | cannot tell |\n|---|---|---|---|---|")
    for name, found in counts.items():
        n = sum(found.values())
        print(f"| {name} | {n} | " + " | ".join(f"{100 * found[v] / n:.1f} %" for v in VERDICTS) + " |")
    print()


def main():
    program, nights = sys.argv[1], [pathlib.Path(p) for p in sys.argv[2:]]
    true, lies = collections.defaultdict(collections.Counter), {name: collections.Counter() for name, _, _ in LIES}
    for night in nights:
        truth = json.loads((night / "truth.json").read_text())
        epochs = [Epoch(truth, i) for i in range(truth["n_epochs"])]
        rows, names = [], []
        for i, epoch in enumerate(epochs):
            rows.append({"epoch": i, "pred_stage": epoch.stage, "reasoning_text": epoch.rationale,
                         "applicable_rules": epoch.rules})
            names.append(None)
            for name, sentence, is_false in LIES:
                if is_false(epoch):
                    rows.append({"epoch": i, "pred_stage": epoch.stage, "reasoning_text": sentence,
                                 "applicable_rules": []})
                    names.append(name)
        for name, row in zip(names, audit(program, night, rows)):
            if name:
                # a sentence that gives no claim at all is not caught
                lies[name][row["claims"][0]["verdict"] if row["claims"] else "cannot tell"] += 1
                continue
            for claim in row["claims"]:
                true["all claims"][claim["verdict"]] += 1
                true[claim["feature"]][claim["verdict"]] += 1
            for rule in row["rules"]:
                true["rule " + rule["id"]][rule["verdict"]] += 1
            true["stage"][row["stage"]["verdict"]] += 1
    table("true", dict(sorted(true.items(), key=lambda item: (item[0] != "all claims", item[0]))))
    table("false", {name: found for name, found in lies.items() if found})


if __name__ == "__main__":
    main()
