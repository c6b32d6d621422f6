#!/usr/bin/env python3
"""Does transformers read what `sleepvlm merge` writes, and is it the model that PEFT makes?

For each tiny base and adapter the merged folder must load with no missing, unexpected or mismatched key, its weights
must be PEFT's, and its logits those of PEFT's base + adapter. Needs torch, transformers and peft (measured with
2.15.0, 5.23.0, 0.21.2); not part of `make test`.

    tools/check_merge.py build/release/sleepvlm ../shared/golden
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration as Model
from transformers.utils import logging

LOGITS_F32 = 3e-4  # what any two f32 computations of these models may differ by (golden README)
WEIGHTS_F32 = 1e-6
LEAVES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "qkv", "proj"]


def load(folder, dtype=torch.float32):
    model, info = Model.from_pretrained(folder, dtype=dtype, output_loading_info=True, attn_implementation="eager")
    wrong = {k: v for k, v in info.items() if v}
    return model.eval(), wrong


def question(model):
    """A picture of 8 x 8 patches between some text; pixels are noise."""
    generator = torch.Generator().manual_seed(1)
    c = model.config
    cells = (8 // c.vision_config.spatial_merge_size) ** 2
    text = torch.randint(0, 480, (40,), generator=generator).tolist()
    ids = text[:7] + [c.vision_start_token_id] + [c.image_token_id] * cells + [c.vision_end_token_id] + text[7:]
    ids = torch.tensor([ids])
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values": torch.randn(64, 1176, generator=generator),
        "image_grid_thw": torch.tensor([[1, 8, 8]]),
        "mm_token_type_ids": (ids == c.image_token_id).long(),
    }


@torch.no_grad()
def logits(model):
    return model(**question(model)).logits.float()


def make_adapter(base, folder):
    """An adapter as PEFT writes it, with B not zero."""
    model = get_peft_model(load(base)[0], LoraConfig(r=4, lora_alpha=6, target_modules=LEAVES, lora_dropout=0.0))
    generator = torch.Generator().manual_seed(2)
    for name, p in model.named_parameters():
        if "lora_B" in name:
            p.data = 0.05 * torch.randn(p.shape, generator=generator)
    model.save_pretrained(folder)


def rename(source, folder):
    """The same adapter in the older naming of modules."""
    folder.mkdir()
    (folder / "adapter_config.json").write_bytes((source / "adapter_config.json").read_bytes())
    old = {}
    for name, tensor in load_file(source / "adapter_model.safetensors").items():
        old[name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")] = tensor
    save_file(old, folder / "adapter_model.safetensors", {"format": "pt"})


def unpack(source, folder):
    """The four-bit base in f32, by the rule of the format (GPTQ layout, zeros stored less one)."""
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text())
    group = config.pop("quantization_config")["group_size"]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "quantization_config.json").unlink()
    packed = load_file(source / "model.safetensors")
    tensors = {k: v.float() for k, v in packed.items() if k.rsplit(".", 1)[-1] in ("weight", "bias")}
    shifts = torch.arange(0, 32, 4)
    for name in [k[: -len(".qweight")] for k in packed if k.endswith(".qweight")]:
        words, scales, zeros = (packed[f"{name}.{leaf}"] for leaf in ("qweight", "scales", "qzeros"))
        q = (words[:, None, :] >> shifts[None, :, None] & 15).reshape(-1, words.shape[1])
        z = (zeros[:, :, None] >> shifts & 15).reshape(zeros.shape[0], -1) + 1
        row = torch.arange(q.shape[0]) // group
        tensors[name + ".weight"] = ((q - z[row]).float() * scales.float()[row]).T.contiguous()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def check(name, sleepvlm, base, adapter, peft_base, peft_adapter, folder, dtype, shard):
    command = [sleepvlm, "merge", base, adapter, "-o", folder, "--dtype", dtype, "--max-shard-size", shard, "--quiet"]
    subprocess.run(command, check=True)
    torch_dtype = torch.float32 if dtype == "f32" else torch.bfloat16
    ours, wrong = load(folder, "auto")
    assert ours.dtype == torch_dtype, f"{name}: loaded as {ours.dtype}"
    reference = PeftModel.from_pretrained(load(peft_base)[0], peft_adapter).eval()
    unmerged = logits(reference)
    merged = reference.merge_and_unload()
    for p in merged.parameters():  # not the buffers: rotations stay exact
        p.data = p.data.to(torch_dtype)
    a, b = ours.state_dict(), merged.state_dict()
    assert a.keys() == b.keys()
    differing = sum(int((a[k] != b[k]).sum()) for k in a)
    weights = max(float((a[k].float() - b[k].float()).abs().max()) for k in a)
    ulps = max(float(((a[k].float() - b[k].float()).abs() / b[k].float().abs().clamp(min=1e-30)).max()) for k in a)
    ours = ours.float()
    to_unmerged = float((logits(ours) - unmerged).abs().max())
    to_merged = float((logits(ours) - logits(merged.float())).abs().max())
    n_files = len(list(pathlib.Path(folder).glob("*.safetensors")))
    print(
        f"| {name} | {dtype} | {n_files} | {len(wrong)} | {weights:.1e} | {differing} of {sum(t.numel() for t in a.values())} "
        f"| {to_merged:.1e} | {to_unmerged:.1e} | {float(unmerged.abs().max()):.1f} |"
    )
    good = not wrong and (to_unmerged <= LOGITS_F32 and weights <= WEIGHTS_F32 if dtype == "f32" else ulps <= 2**-7)
    if not good:
        print(f"{name}: FAILED {wrong}")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sleepvlm")
    parser.add_argument("golden", type=pathlib.Path)
    options = parser.parse_args()
    tiny, training = options.golden / "qwen25vl-tiny", options.golden / "training"
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    good = True
    print("| base, adapter | type | files | wrong keys | weights, max | weights that differ | logits to PEFT merged "
          "| logits to PEFT base + adapter | largest logit |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        # what we merge; what PEFT, which no longer reads the older names nor packed weights, is given for it
        cases = []
        for name in ("phase1", "phase2", "textonly"):
            adapter = training / f"lora-{name}" / "adapter"
            cases.append((f"model-b, lora-{name}", tiny / "model-b", adapter, tiny / "model-b", adapter))
        for letter in "abc":
            base, new, old = tiny / f"model-{letter}", work / f"new-{letter}", work / f"old-{letter}"
            make_adapter(base, new)
            rename(new, old)
            cases.append((f"model-{letter}, new names", base, new, base, new))
            cases.append((f"model-{letter}, old names", base, old, base, new))
        packed = options.golden / "quant" / "model-c-w4a16"
        unpack(packed, work / "unpacked")
        cases.append(("model-c in 4 bits", packed, work / "old-c", work / "unpacked", work / "new-c"))
        for i, case in enumerate(cases):
            for dtype, shard in (("f32", "1GB"), ("f32", "300KB"), ("bf16", "1GB"), ("bf16", "300KB")):
                folder = work / f"merged-{i}-{dtype}-{shard}"
                good &= check(case[0], options.sleepvlm, *case[1:], folder, dtype, shard)
    print("all as they should be" if good else "FAILED")
    sys.exit(not good)


if __name__ == "__main__":
    main()
