"""Whether `--precision auto` of `train` chooses what is faster here: the rule beside a trial by the clock.

    python benchmarks/precision.py

One thread, batches of 32, the best of three steps on noise in each precision, by processor time: other work
of the machine matters little. `loses` is by how much the rule's choice is slower than the other.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from timing import machine, report

from maskkit.cli.shell import startup

BATCH = 32
WANTED = 0.9  # of the faster precision's rate
# A model per line of work: dense, depthwise, grouped, attention, tokens; those of the tests are tiny.
MODELS = {
    "test_efficientnet": ("32x32", "128x96"),
    "test_vit": ("160x160",),
    "lcnet_050": ("48x48", "128x96"),
    "efficientvit_m0": ("128x96",),
    "mobilenetv3_small_100": ("32x32", "64x48", "128x96"),
    "tf_efficientnet_lite0": ("32x32", "64x48", "128x96"),
    "efficientnet_b0": ("128x96",),
    "regnety_002": ("128x96",),
    "convnextv2_atto": ("32x32", "128x96"),
    "resnet10t": ("32x32", "128x96"),
    "resnet18": ("32x32", "128x96"),
    "densenet121": ("128x96",),
    "vit_tiny_patch16_224": ("224x224",),
    "mixer_s32_224": ("224x224",),
}


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--model", action="append", help="a timm model, at 128x96; may be given several times")
    words.add_argument("--save", type=Path, help="append the figures to a file of JSON lines")
    given = words.parse_args()
    startup.prepare_for_torch()
    import torch

    torch.set_num_threads(1)
    models = dict.fromkeys(given.model, ("128x96",)) if given.model else MODELS
    lines = [_line(name, size) for name, sizes in models.items() for size in sizes]
    facts = machine()
    report(f"{facts['cpu']}, {' and '.join(map(str, facts['bfloat16']))}", lines, save=given.save)
    kept = sum(float(line["loses"].rstrip(" %") or 0) <= 100 * (1 - WANTED) for line in lines)
    print(f"\nthe rule's choice is within {1 - WANTED:.0%} of the faster in {kept} of {len(lines)}")


def _line(name: str, size: str) -> dict[str, Any]:
    import torch

    from maskkit.modeling.backbone import build
    from maskkit.modeling.ending import begin_at_zero
    from maskkit.modeling.precision_rule import multiply_adds, precision_for
    from maskkit.modeling.precision_trial import Work, photos_per_second
    from maskkit.options.values import parse_size

    height, width = parse_size(size)
    torch.manual_seed(0)
    model = build(name, classes=18)
    begin_at_zero(model)
    chosen = precision_for(model, (height, width))
    rates = photos_per_second(model, Work(height, width, BATCH))
    lost = 1 - rates[chosen] / max(rates.values())
    return {
        "model": name, "size": size,
        "million multiply-adds": multiply_adds(model, (height, width)) / 1e6,
        "float32, photos/s": rates["float32"], "bfloat16, photos/s": rates["bfloat16"],
        "ratio": rates["bfloat16"] / rates["float32"], "auto": chosen, "loses": f"{100 * lost:.0f} %",
    }  # fmt: skip


if __name__ == "__main__":
    main()
