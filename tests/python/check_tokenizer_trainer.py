#!/usr/bin/env python3
"""check_tokenizer_trainer.py - `sleepvlm train tokenizer` beside the trainer of Hugging Face's tokenizers.

Not part of `make test`: needs tokenizers and transformers 5.

    tests/python/check_tokenizer_trainer.py --program build/release/sleepvlm [--text FILE]...

Random corpora (few symbols, so that ties and overlapping pairs abound; words; many scripts; chats) are given to both.
Merges and vocabulary must be equal, also at the size where no pair is frequent enough any more, which our program tells
instead of writing a smaller vocabulary. AutoTokenizer must load the folder and give the same ids for random texts as
`sleepvlm tokenize`, the same text back, and the same conversation out of the chat template. --text: a large text, one
document a line, with 32,000 tokens.

The reference trainer does not know of added tokens: texts are cut at them before it sees them. Characters on which the
two libraries' Unicode tables differ (docs/modules/token.md) are left out.
"""
import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

SYMBOLS = [
    ["a", "b"], ["a"], list("abc "), list("ab \n"), ["'s", "'S", " ", "n", "s", "."],
    list("Stage N2: spindle, K\u2011complex; 0.5 \u00b5V\r\n\t"),
    ["e\u0301", "\u00e9", "A\u030a", " ", "\u03b1", "\u4e2d", "\ud55c", "\U0001f634", "\u0645", "\u0e19", "\u0928", "1"],
    ["low ", "lower ", "newest ", "widest ", "slow ", "waves ", "wave", "\n"],
    [" ", "  ", "\t", "\n", "\r\n", "x", "--", "=="],
    ["<|im_end|>", "<|im_start|>", "user", "<tool_call>", " a", "b"],
]  # fmt: skip


def run(program, *arguments, text=None):
    return subprocess.run([program, *map(str, arguments)], input=text, text=True, capture_output=True)


def train_ours(program, inputs, folder, size, frequency, *options):
    """The model of tokenizer.json, and the size that was possible."""
    command = ["train", "tokenizer", *inputs, "-o", folder, "--min-frequency", frequency, "-q", *options]
    result = run(program, *command, "--vocab-size", size)
    possible = re.search(r"gives (\d+) tokens", result.stderr)
    if possible:
        size = int(possible[1])
        result = run(program, *command, "--vocab-size", size)
    if result.returncode != 0:
        sys.exit(f"train tokenizer: {result.stderr}")
    return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")), size


def train_theirs(documents, size, frequency, top):
    pattern = top["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    added = re.compile("|".join(re.escape(a["content"]) for a in top["added_tokens"]))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=frequency, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())  # fmt: skip
    tokenizer.train_from_iterator((part for d in documents for part in added.split(d)), trainer)
    return json.loads(tokenizer.to_str())["model"]


def merges_of(model):
    return [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]


def compare(top, theirs, what):
    ours, expected = merges_of(top["model"]), merges_of(theirs)
    if ours != expected:
        at = next((i for i, (a, b) in enumerate(zip(ours, expected)) if a != b), min(len(ours), len(expected)))
        sys.exit(f"{what}: merge {at} differs: ours {ours[at:at + 1]}, theirs {expected[at:at + 1]}")
    if top["model"]["vocab"] != theirs["vocab"]:
        sys.exit(f"{what}: another vocabulary")
    return len(ours)


def random_text(rng, symbols, n):
    return "".join(rng.choice(symbols) for _ in range(n))


def write_corpus(rng, kind, symbols, folder):
    """(inputs, options, documents) of a corpus of one of three kinds."""
    texts = [random_text(rng, symbols, rng.randint(0, 60)) for _ in range(rng.randint(1, 30))]
    if kind == "lines":
        path = folder / "corpus.txt"
        path.write_bytes("\n".join(texts).encode())
        documents = [line.removesuffix("\r") for line in "\n".join(texts).split("\n")]
        return [path], ["--lines"], documents
    if kind == "files":
        paths = [folder / f"corpus{i}.txt" for i in range(len(texts))]
        for path, text in zip(paths, texts):
            path.write_bytes(text.encode())
        return paths, [], texts
    path = folder / "corpus.jsonl"
    records = [
        {"messages": [{"role": "user", "content": [{"type": "text", "text": t[: len(t) // 2]}, {"type": "image"}]},
                      {"role": "assistant", "content": t[len(t) // 2 :]}]}  # fmt: skip
        for t in texts
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    only = rng.random() < 0.5
    documents = [t[len(t) // 2 :] for t in texts] + ([] if only else [t[: len(t) // 2] for t in texts])
    return [path], ["--assistant-only"] if only else [], documents


def check_folder(program, folder, texts):
    """transformers on the folder: ids, text, a conversation."""
    theirs = AutoTokenizer.from_pretrained(folder)
    lines = "".join(json.dumps(t) + "\n" for t in texts)
    ours = run(program, "tokenize", "-m", folder, "--jsonl", text=lines).stdout.splitlines()
    back = run(program, "tokenize", "-m", folder, "--jsonl", "--decode", text="\n".join(ours) + "\n").stdout
    for text, ids, decoded in zip(texts, map(json.loads, ours), map(json.loads, back.splitlines()), strict=True):
        expected = theirs(text)["input_ids"]
        if ids != expected:
            sys.exit(f"{text!r}: ours {ids}, theirs {expected}")
        if theirs.decode(expected) != decoded:
            sys.exit(f"{text!r}: decoded as {decoded!r} and {theirs.decode(expected)!r}")
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "stage?"}]}]
    expected = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|>"
        "<|vision_end|>stage?<|im_end|>\n<|im_start|>assistant\n"
    )
    if theirs.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) != expected:
        sys.exit("the chat template gives another conversation")
    return len(texts)


def check_random(program, n_corpora, n_folders):
    n_merges = n_texts = n_short = 0
    for seed in range(n_corpora):
        rng = random.Random(seed)
        symbols = SYMBOLS[seed % len(SYMBOLS)]
        size, frequency = 256 + rng.choice([0, 1, 5, 30, 200, 2000]), rng.choice([1, 1, 2, 3, 10])
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            kind = ["lines", "files", "chats"][seed // len(SYMBOLS) % 3]
            inputs, options, documents = write_corpus(rng, kind, symbols, folder)
            if not any(documents):
                continue
            top, possible = train_ours(program, inputs, folder / "made", size, frequency, *options)
            n_short += possible < size
            n_merges += compare(top, train_theirs(documents, size, frequency, top), f"corpus {seed}")
            if seed < n_folders:
                texts = [random_text(rng, s, 40) for s in SYMBOLS for _ in range(10)]
                n_texts += check_folder(program, folder / "made", texts)
    print(f"{n_corpora} random corpora: {n_merges} merges equal; {n_short} ended before the size that was wanted")
    print(f"{n_folders} folders in transformers: {n_texts} texts equal")


def check_text(program, path):
    documents = path.read_bytes().decode().split("\n")
    with tempfile.TemporaryDirectory() as name:
        begin = time.monotonic()
        top, size = train_ours(program, [path], Path(name) / "made", 32000, 2, "--lines")
        middle = time.monotonic()
        n = compare(top, train_theirs([d.removesuffix("\r") for d in documents], size, 2, top), path)
        end = time.monotonic()
        rng = random.Random(1)
        n_texts = check_folder(program, Path(name) / "made", rng.sample(documents, min(len(documents), 2000)))
    size_mb = path.stat().st_size / 1e6
    print(f"{size_mb:.1f} MB of text: {n} merges equal, {n_texts} lines equal in transformers; "
          f"ours {middle - begin:.1f} s, theirs {end - middle:.1f} s")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--text", type=Path, action="append", default=[])
    parser.add_argument("--corpora", type=int, default=1000)
    parser.add_argument("--folders", type=int, default=20)
    arguments = parser.parse_args()
    check_random(arguments.program, arguments.corpora, arguments.folders)
    for path in arguments.text:
        check_text(arguments.program, path)


if __name__ == "__main__":
    main()
