#!/usr/bin/env python3
"""check_merge.py - folders that `sleepvlm merge` writes, loaded by transformers and compared with PEFT on the base.

Not part of `make test`: needs torch, transformers 5, peft and safetensors (about 6 GB from PyPI).

    tests/python/check_merge.py --program build/release/sleepvlm --shared ../shared

For each case of the table below the base is loaded by transformers, the adapter put on it by PEFT, and the logits of
the golden prompt with three pictures (random patches) are compared. The merged folder must load without missing,
unexpected or mismatched keys, hold the tensor names of the base, and give the same logits: in f32 within 3e-4; in BF16
and F16 its tensors must be PEFT's merge rounded once, up to the last bit where f32 sums in another order fall beside a
tie.
"""
import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import peft
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
LOGITS_TOLERANCE = 3e-4  # f32 against f32, as for the golden logits
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "qkv", "proj"]
# base and adapter under golden/ ("newer", "older": an adapter made here with keys of that naming), type, shard limit
CASES = [
    ("qwen25vl-tiny/model-b", "training/lora-phase1/adapter", "f32", None),
    ("qwen25vl-tiny/model-b", "training/lora-phase2/adapter", "f32", "100KB"),
    ("qwen25vl-tiny/model-b", "training/lora-textonly/adapter", "f32", None),
    ("qwen25vl-tiny/model-b", "training/lora-phase1/adapter", "bf16", "100KB"),
    ("qwen25vl-tiny/model-b", "older", "f32", None),
    ("qwen25vl-tiny/model-a", "older", "f32", None),
    ("qwen25vl-tiny/model-a", "newer", "f32", "200KB"),
    ("qwen25vl-tiny/model-a", "older", "bf16", None),
    ("qwen25vl-tiny/model-a", "newer", "bf16", "200KB"),
    ("qwen25vl-tiny/model-a", "newer", "f16", None),
    ("quant/model-c-w4a16", "newer", "f32", None),
    ("quant/model-c-w4a16", "older", "bf16", "500KB"),
]


def tensors(folder):
    """All tensors of a folder, by name."""
    found = {}
    for path in sorted(Path(folder).glob("model*.safetensors")):
        found.update(load_file(path))
    return found


def plain_base(base, work):
    """The folder itself, or a copy in f32 of packed four-bit weights (group 128, stored zero + 1)."""
    config = json.loads((base / "config.json").read_text())
    if "quantization_config" not in config:
        return base
    del config["quantization_config"]
    out = work / "dequantised"
    if out.exists():
        return out
    out.mkdir()
    (out / "config.json").write_text(json.dumps(config))
    packed, plain = tensors(base), {}
    shifts = torch.arange(0, 32, 4, dtype=torch.int32)
    for name, value in packed.items():
        module, leaf = name.rsplit(".", 1)
        if leaf in ("qzeros", "scales") and module + ".qweight" in packed:
            continue
        if leaf != "qweight":
            plain[name] = value.float()
            continue
        q = (value[:, None, :] >> shifts[None, :, None] & 15).reshape(-1, value.shape[1])  # [in, out]
        z = (packed[module + ".qzeros"][:, :, None] >> shifts & 15).reshape(-1, q.shape[1]) + 1  # [groups, out]
        scale = packed[module + ".scales"].float()
        group = q.shape[0] // scale.shape[0]
        w = (q - z.repeat_interleave(group, 0)).float() * scale.repeat_interleave(group, 0)
        plain[module + ".weight"] = w.T.contiguous()
    save_file(plain, out / "model.safetensors", metadata={"format": "pt"})
    return out


def load(folder, dtype=torch.float32):
    model, info = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True)
    for kind, keys in info.items():
        assert not keys, f"{folder}: {kind}: {keys}"
    return model.eval()


def make_adapter(base, naming, out):
    """Rank 4 on every matrix that phase 1 adapts, with a pattern; keys under the wanted naming."""
    torch.manual_seed(7)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, alpha_pattern={"mlp.down_proj": 3},
                             rank_pattern={"v_proj": 2})
    model = peft.get_peft_model(load(base), config)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            value.data.normal_(std=0.05)
    model.save_pretrained(out)
    if naming == "older":
        path = out / "adapter_model.safetensors"
        renamed = {}
        for key, value in load_file(path).items():
            key = key.replace("model.model.language_model.", "model.model.")
            renamed[key.replace("model.model.visual.", "model.visual.")] = value
        save_file(renamed, path, metadata={"format": "pt"})


def load_adapted(base, adapter, work):
    """PEFT wants the keys of the running model: the newer naming."""
    newer = work / "newer"
    shutil.copytree(adapter, newer)
    renamed = {}
    for key, value in load_file(newer / "adapter_model.safetensors").items():
        key = key.replace("base_model.model.visual.", "base_model.model.model.visual.")
        renamed[key.replace("model.model.layers.", "model.model.language_model.layers.")] = value
    save_file(renamed, newer / "adapter_model.safetensors", metadata={"format": "pt"})
    with_adapter = peft.PeftModel.from_pretrained(load(base), newer).eval()
    expected = {key.replace(".default", "") for key in with_adapter.state_dict() if "lora_" in key}
    assert expected == renamed.keys(), f"{adapter}: PEFT has other keys: {sorted(expected ^ renamed.keys())[:4]}"
    shutil.rmtree(newer)
    return with_adapter


def logits(model, golden):
    with safe_open(golden, "pt") as f:
        ids, grid = f.get_tensor("input_ids").long()[None], f.get_tensor("grid_thw").long()
    n = int(grid.prod(1).sum())
    pixels = torch.randn(n, 1176, generator=torch.Generator().manual_seed(3))
    image = ids == model.config.image_token_id
    with torch.no_grad():
        dtype = next(model.parameters()).dtype
        return model(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels.to(dtype),
                     image_grid_thw=grid, mm_token_type_ids=image.int()).logits.float()[0]


def newer(name):
    if name.startswith("visual."):
        return "model." + name
    if name.startswith("model.") and not name.startswith(("model.language_model.", "model.visual.")):
        return "model.language_model." + name[len("model."):]
    return name


def compare_rounded(merged, adapted, dtype):
    """How many numbers differ from PEFT's merge rounded once, of how many; more than a last bit is refused. Tensors
    that stayed in another type must be those of the base, bit by bit."""
    state, off, n = adapted.merge_and_unload().state_dict(), 0, 0
    for name, value in merged.items():
        reference = state[newer(name)].to(value.dtype)
        n += value.numel()
        if torch.equal(value, reference):
            continue
        assert value.dtype == dtype, f"{name}: {value.dtype}, and not what PEFT has"
        steps = (value.view(torch.int16).int() - reference.view(torch.int16).int()).abs()
        far = (steps > 1) & ((value.float() - reference.float()).abs() > 1e-6)
        assert not far.any(), f"{name}: more than a last bit away from PEFT"
        off += int((steps > 0).sum())
    return off, n


def check(case, program, golden, work):
    base_name, adapter_name, dtype, shards = case
    base, out, adapter = golden / base_name, work / "merged", golden / adapter_name
    plain = plain_base(base, work.parent)
    if adapter_name in ("newer", "older"):
        adapter = work / "adapter"
        make_adapter(plain, adapter_name, adapter)
    command = [program, "merge", base, adapter, "-o", out, "--dtype", dtype]
    command += ["--max-shard-size", shards] if shards else []
    subprocess.run([str(word) for word in command], check=True, stderr=subprocess.DEVNULL)
    merged, before = tensors(out), tensors(plain)
    assert merged.keys() == before.keys(), f"other names: {sorted(merged.keys() ^ before.keys())[:4]}"
    n_files = len(list(out.glob("model*.safetensors")))
    assert (n_files > 1) == bool(shards) == (out / "model.safetensors.index.json").exists(), f"{n_files} files"
    assert "quantization_config" not in json.loads((out / "config.json").read_text())
    transformers.AutoTokenizer.from_pretrained(out)
    letter = base_name.split("model-")[1][0]
    prompt = golden / f"qwen25vl-tiny/model-{letter}.three.f32.safetensors"
    adapted = load_adapted(plain, adapter, work)
    reference, result = logits(adapted, prompt), logits(load(out), prompt)
    moved = (logits(load(plain), prompt) - reference).abs().max().item()
    difference = (result - reference).abs().max().item()
    assert moved > 0.01, "the adapter does nothing"
    line = (f"{base_name} + {adapter_name} -> {dtype}, {n_files} files: logits differ by {difference:.2g} "
            f"(the adapter moves them by {moved:.2g})")
    if dtype == "f32":
        assert difference <= LOGITS_TOLERANCE, line
    else:
        assert load(out, "auto").dtype == DTYPES[dtype], "config.json names another type"
        off, n = compare_rounded(merged, adapted, DTYPES[dtype])
        line += f"; {off} of {n} numbers a last bit off"
        assert off <= n * 1e-4, line
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--shared", type=Path, required=True)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as top:
        for i, case in enumerate(CASES):
            work = Path(top) / str(i)
            work.mkdir()
            check(case, arguments.program.resolve(), arguments.shared.resolve() / "golden", work)
            shutil.rmtree(work)
    print(f"{len(CASES)} cases passed: transformers {transformers.__version__}, peft {peft.__version__}, "
          f"torch {torch.__version__}")


if __name__ == "__main__":
    sys.exit(main())
