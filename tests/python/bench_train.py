#!/usr/bin/env python3
"""bench_train.py - `sleepvlm bench train` and PyTorch on the same model, shape of batch and number of threads, in turn.

Not part of `make test`: needs torch and transformers 5 (about 6 GB from PyPI).

    tests/python/bench_train.py --program build/release/sleepvlm [--threads 2] [--rounds 5] [--samples 8]

Both do whole updates of all parameters in f32: forwards, backwards, clipping, AdamW. Samples have three pictures, 90
tokens of text, 50 of them supervised; all have the same length, so that PyTorch pads nothing. PyTorch runs SDPA
attention and the fused AdamW. Each round is a process of ours and as many updates of PyTorch's; medians over rounds.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch
import transformers

N_TEXT, N_ANSWER, N_PICTURES = 90, 50, 3
GRID = (1, 8, 16)  # patches of a picture
UPDATES = 7


def batch(config, n_samples, generator):
    """Random samples, in the order of tokens of `bench train`."""
    vision = config.vision_config
    n_cells = GRID[1] * GRID[2] // vision.spatial_merge_size**2
    size = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    picture = [config.vision_start_token_id] + [config.image_token_id] * n_cells + [config.vision_end_token_id]
    pictures = torch.tensor(picture * N_PICTURES).expand(n_samples, -1)
    text = torch.randint(0, config.text_config.vocab_size // 2, (n_samples, N_TEXT), generator=generator)
    ids = torch.cat([pictures, text], 1)
    labels = ids.clone()
    labels[:, :-N_ANSWER] = -100
    grids = torch.tensor([GRID] * (n_samples * N_PICTURES))
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == config.image_token_id).int(),
        "labels": labels,
        "pixel_values": torch.randn(len(grids) * GRID[1] * GRID[2], size, generator=generator),
        "image_grid_thw": grids,
    }


class Rival:
    """PyTorch's side."""

    def __init__(self, folder, n_samples, n_threads):
        torch.set_num_threads(n_threads)
        self.model = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa"
        )
        self.model.train()
        generator = torch.Generator().manual_seed(1)
        self.batches = [batch(self.model.config, n_samples, generator) for _ in range(3)]
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5, weight_decay=0.01, fused=True)
        for i in range(3):
            self.update(i)

    def update(self, number):
        self.optimizer.zero_grad()
        self.model(**self.batches[number % 3], use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def milliseconds(self):
        """Of an update: wall and CPU."""
        times, cpu_times = [], []
        for i in range(UPDATES):
            begin, cpu_begin = time.perf_counter(), time.process_time()
            self.update(i)
            times.append(1e3 * (time.perf_counter() - begin))
            cpu_times.append(1e3 * (time.process_time() - cpu_begin))
        return statistics.median(times), statistics.median(cpu_times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=8)
    o = parser.parse_args()
    work = tempfile.TemporaryDirectory()
    folder = Path(work.name) / "model"
    made = [o.program, "bench", "--make-model", "nano", "--dtype", "f32", "-o", str(folder)]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    rival = Rival(folder, o.samples, o.threads)
    command = [o.program, "bench", "train", "--model", str(folder), "--mode", "full", "--json"]
    command += ["--threads", str(o.threads), "--samples", str(o.samples), "--repeats", str(UPDATES)]
    wall, cpu = [], []
    for i in range(o.rounds):
        result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        assert result["tokens_per_sample"] == rival.batches[0]["input_ids"].shape[1]
        mode = result["modes"][0]
        times = rival.milliseconds()
        wall.append((mode["step_ms"], times[0]))
        cpu.append((mode["cpu_ms"], times[1]))
        print(f"round {i + 1}: sleepvlm {wall[-1][0]:.0f} ms (CPU {cpu[-1][0]:.0f}), PyTorch {wall[-1][1]:.0f} ms "
              f"(CPU {cpu[-1][1]:.0f}), {100 * mode['share_of_peak']:.0f} % of peak", flush=True)
    print(f"PyTorch {torch.__version__}, {o.threads} threads, medians of {o.rounds} rounds:")
    for name, pairs in (("wall", wall), ("CPU", cpu)):
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"  {name}: sleepvlm {statistics.median(a for a, _ in pairs):.0f} ms, PyTorch "
              f"{statistics.median(b for _, b in pairs):.0f} ms, {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
