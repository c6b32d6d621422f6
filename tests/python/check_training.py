#!/usr/bin/env python3
"""What `sleepvlm train` leaves, read by transformers and PEFT: the same loss and log-probabilities of the same
records?

    python3 tests/python/check_training.py build/release/sleepvlm MODEL RECORDS.jsonl IMAGE_ROOT [ADAPTER]

MODEL: a Hugging Face folder (the base, or OUTPUT/final of a full run); ADAPTER: OUTPUT/final of a LoRA run. Ours are the
loss that a run begins with (the training's forward pass), and what `generate --score` gives (the engine's): the log-probability of
each supervised token after those before it, and of every token of the vocabulary in the place of the first one. No command prints
logits; log-probabilities are these less a constant of the place. Needs torch, transformers, peft, safetensors, Pillow; float32 on the processor."""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from peft import PeftModel
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor


def ours(program, model, records, root, adapter, n):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "train", "sft", "-q", "--model-path", model, "--train-file", records, "--image-root", root,
                   "--output-dir", folder + "/run", "--per-device-train-batch-size", str(n), "--max-steps", "1",
                   "--warmup-steps", "1", "--shuffle", "false", "--lora-dropout", "0"]
        command += ["--adapter-path", adapter] if adapter else ["--full", "true"]
        subprocess.run(command, check=True)
        return json.loads(pathlib.Path(folder, "run", "log.jsonl").read_text().splitlines()[0])["loss"]


def our_scores(program, model, row, root, adapter, learnt, n_vocabulary):
    """Log-probabilities of the learnt ids, and of the whole vocabulary before the first of them."""
    with tempfile.TemporaryDirectory() as folder:
        messages = json.loads(json.dumps(row["messages"][:-1]))
        for m in messages:
            for part in m["content"] if isinstance(m["content"], list) else []:
                if part["type"] == "image":
                    part["image"] = str(pathlib.Path(root, part["image"]).resolve())
        pathlib.Path(folder, "messages.json").write_text(json.dumps(messages))
        pathlib.Path(folder, "ids.json").write_text(json.dumps([learnt] + [[i] for i in range(n_vocabulary)]))
        command = [program, "generate", "--model", model, "--messages", folder + "/messages.json", "--score",
                   folder + "/ids.json", "--json"] + (["--adapter", adapter] if adapter else [])
        scores = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["scores"]
    values = [[token["logprob"] for token in score["tokens"]] for score in scores]
    return torch.tensor(values[0], dtype=torch.float64), torch.tensor(values[1:], dtype=torch.float64)[:, 0]


def theirs(model_folder, rows, root, adapter):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(model_folder, dtype=torch.float32,
                                                               attn_implementation="eager")
    if adapter:
        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    tokenizer, processor = AutoTokenizer.from_pretrained(model_folder), Qwen2VLImageProcessor.from_pretrained(model_folder)
    pad = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    total, n, scores = 0.0, 0, []
    for row in rows:
        messages = row["messages"]
        images = [Image.open(pathlib.Path(root, part["image"])).convert("RGB")
                  for m in messages if isinstance(m["content"], list) for part in m["content"] if part["type"] == "image"]
        pixels = processor(images=images, return_tensors="pt")
        head = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
        answer = messages[-1]["content"].lstrip()
        spaces = messages[-1]["content"][: len(messages[-1]["content"]) - len(answer)]
        ids = []
        cells = iter((pixels["image_grid_thw"].prod(-1) // 4).tolist())
        for token in tokenizer(head + spaces + answer).input_ids:
            ids += [token] * (next(cells) if token == pad else 1)
        learnt = len(tokenizer(head + spaces + answer).input_ids) - len(tokenizer(head + spaces).input_ids)
        ids = torch.tensor([ids])
        with torch.no_grad():
            out = model(input_ids=ids, pixel_values=pixels["pixel_values"], image_grid_thw=pixels["image_grid_thw"],
                        mm_token_type_ids=(ids == pad).int())
        logits = torch.log_softmax(out.logits[0, :-1].double(), -1)
        places = range(ids.shape[1] - 1 - learnt, ids.shape[1] - 1)
        chosen = logits[places, ids[0, -learnt:]]
        total -= chosen.sum().item()
        n += learnt
        if not spaces:  # `generate` begins right behind the assistant's mark
            scores.append((row, ids[0, -learnt:].tolist(), chosen, logits[places[0]]))
    return total / n, scores


def main():
    program, model, records, root = sys.argv[1:5]
    adapter = sys.argv[5] if len(sys.argv) > 5 else None
    rows = [json.loads(line) for line in pathlib.Path(records).read_text().splitlines()]
    a, (b, scores) = ours(program, model, records, root, adapter, len(rows)), theirs(model, rows, root, adapter)
    print(f"loss of {len(rows)} records: ours {a:.7f}, transformers {b:.7f}, difference {abs(a - b):.2g}")
    worst, n_places, n_all = 0.0, 0, 0
    for row, learnt, chosen, first in scores:
        tokens, vocabulary = our_scores(program, model, row, root, adapter, learnt, len(first))
        worst = max(worst, (tokens - chosen).abs().max().item(), (vocabulary - first).abs().max().item())
        n_places, n_all = n_places + len(learnt), n_all + len(first)
    print(f"log-probabilities of {n_places} supervised tokens and of {n_all} others in the place of a first one: "
          f"largest difference {worst:.2g}")
    sys.exit(abs(a - b) > 1e-4 or worst > 1e-3 or n_places == 0)


if __name__ == "__main__":
    main()
