"""How models predict: the options of `predict` that a stage takes as one value."""

from __future__ import annotations

from dataclasses import dataclass

from maskkit.options.fields import HelpPanel, Refusing, option
from maskkit.options.train_options import MACHINE_PANEL, Blend, Device, Precision, Runtime
from maskkit.options.values import parse_tta

INFERENCE_PANEL = HelpPanel("Inference")


@dataclass(frozen=True)
class Inference:
    """How models predict; only `tta` and `blend` change what is predicted by more than rounding."""

    device: Device = option("auto", "Where to compute.", MACHINE_PANEL)
    batch_size: int = option(64, "Photos per step.", MACHINE_PANEL, minimum=1)
    workers: int = option(
        2, "Threads that prepare photos; 0 prepares them between the steps.", MACHINE_PANEL, minimum=0
    )
    runtime: Runtime = option(
        "auto", "What computes the models; `auto` is OpenVINO on a CPU, if installed.", MACHINE_PANEL
    )
    precision: Precision = option("auto", "bfloat16 where the processor has it, or float32.", MACHINE_PANEL)
    tta: str = option(
        "none",
        "Views of each photo to average beside itself: `none`, or a list of `hflip`, `scale:FACTOR` and "
        "`shift` or `shift:SHARE`, which is four; hflip doubles them all.",
        INFERENCE_PANEL,
        Refusing(parse_tta),
    )
    blend: Blend = option(
        "mean",
        "Mean of the views' and models' probabilities: arithmetic, geometric, or of their log-odds.",
        INFERENCE_PANEL,
    )
