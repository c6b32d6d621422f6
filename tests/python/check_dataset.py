#!/usr/bin/env python3
"""check_dataset.py DIR [SHARE]: writes the files of a data set once more, by Python's own json, round and random, and
compares bytes. WPT: from band_power/*.json and the names of the pictures. SFT: from the records' own content."""
import json
import os
import random
import re
import sys

CHANNELS = {"F4": "F4\u2011M1", "C4": "C4\u2011M1", "O2": "O2\u2011M1", "LOC": "LOC", "ROC": "ROC", "Chin": "Chin"}
FIELDS = ["delta", "theta", "alpha", "beta", "mav"]


def answer(epoch):
    lines = []
    for role, name in CHANNELS.items():
        if role in epoch:
            wanted = FIELDS[-1:] if role == "Chin" else FIELDS
            rows = [[round(epoch[role][str(s)][f], 1) for f in wanted] for s in range(1, 31)]
            lines.append(f'  "{name}": [' + ", ".join("[" + ",".join(f"{v:.1f}" for v in r) + "]" for r in rows) + "]")
    return "```json\n{\n" + ",\n".join(lines) + "\n}\n```"


def split(ids, seed, share):
    """ids: "SUBSET_SUBJECT"; the subsets in order, each shuffled by one generator."""
    source, train, val = random.Random(seed), [], []
    for subset in sorted({i.split("_")[0] for i in ids}):
        members = sorted(i for i in ids if i.split("_")[0] == subset)
        source.shuffle(members)
        n = int(len(members) * share)
        train += members[:n]
        val += members[n:]
    return train, val


def check_wpt(folder):
    about = json.load(open(f"{folder}/subjects.json"))
    ids = about["train_subjects"] + about["val_subjects"]
    assert split(ids, about["seed"], about["split_ratio"]) == (about["train_subjects"], about["val_subjects"])
    assert about["total_subjects_num"] == len(ids)
    n = 0
    for part in ("train", "val"):
        lines = open(f"{folder}/wpt_{part}.jsonl", encoding="utf-8").read().splitlines()
        head = json.loads(lines[0])["messages"] if lines else None
        expected = []
        for unique in about[f"{part}_subjects"]:
            subject = unique.split("_", 1)[1]
            targets = json.load(open(f"{folder}/band_power/{subject}.json"))
            for key, epoch in targets.items():
                picture = f"images/{subject}/{key}.png"
                assert os.path.exists(f"{folder}/{picture}"), picture
                if len(epoch) < 4:
                    continue
                user = head[1]["content"][:-1] + [{"type": "image", "image": picture}]
                record = {"id": f"{unique}#{key.split('_')[0]}",
                          "messages": [head[0], {"role": "user", "content": user},
                                       {"role": "assistant", "content": answer(epoch)}]}
                expected.append(json.dumps(record, ensure_ascii=False))
        assert lines == expected, f"{part}: another text"
        n += len(lines)
    return n


def check_sft(folder, seed):
    lines = open(f"{folder}/sft_train.jsonl", encoding="utf-8").read().splitlines()
    lists = json.load(open(f"{folder}/subjects.json"))
    order = {s: i for i, s in enumerate(lists["fine_train_subjects"] + lists["coarse_train_subjects"])}
    place = lambda line: (lambda m: (order[m[1]], int(m[2])))(re.match(r"(.*)#(\d+)_", json.loads(line)["id"]))
    shuffled = sorted(lines, key=place)
    random.seed(seed)
    random.shuffle(shuffled)
    assert shuffled == lines, "another order"
    assert lists["total_sample_count"] == len(lines) == sum(lists["stage_distribution"].values())
    for line in lines + open(f"{folder}/sft_val.jsonl", encoding="utf-8").read().splitlines():
        record = json.loads(line)
        assert json.dumps(record, ensure_ascii=False) == line, "not as json.dumps writes it"
        text = record["messages"][2]["content"]
        said = json.loads(re.fullmatch(r"```json\n(.*)\n```", text, re.S)[1])
        pictures = [p["image"] for p in record["messages"][1]["content"] if p["type"] == "image"]
        epoch = int(re.match(r".*#(\d+)_", record["id"])[1])
        assert [int(re.match(r".*/(\d+)_", p)[1]) for p in pictures] == [epoch - 1, epoch, epoch + 1]
        assert pictures[1].endswith(f"/{epoch}_{said['sleep_stage']}.png")
        assert all(os.path.exists(f"{folder}/{p}") for p in pictures)
        body = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in said.items())
        assert text == "```json\n{\n" + body + "\n}\n```", text
        keys = ["reasoning_text", "applicable_rules", "sleep_stage"]
        assert list(said) in (keys, keys[1:], keys[::-1], keys[:0:-1]), list(said)
    return len(lines)


if __name__ == "__main__":
    folder = sys.argv[1]
    wpt = os.path.exists(f"{folder}/wpt_train.jsonl")
    n = check_wpt(folder) if wpt else check_sft(folder, json.load(open(f"{folder}/dataset.json"))["job"]["seed"])
    print(f"{folder}: {n} records as Python writes them")
