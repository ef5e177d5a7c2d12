"""What a run on a GPU has seen, as a page of Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence

import timm
import torch

from gpu.parts import Line

WORDS = {True: "holds", False: "**does not hold**", None: ""}


def machine(device: str) -> list[Line]:
    """Return the facts beside which figures are read."""
    lines = [
        Line(
            "versions",
            f"torch {torch.__version__}, timm {timm.__version__}, Python {platform.python_version()}",
        ),
        Line("processor", f"{os.cpu_count()} cores, {platform.machine()}"),
    ]
    if device == "cuda":
        facts = torch.cuda.get_device_properties(0)
        memory = facts.total_memory / 2**30
        lines.append(Line("GPU", f"{facts.name}, {memory:.0f} GiB, CUDA {torch.version.cuda}"))
        lines.append(Line("bfloat16", str(torch.cuda.is_bf16_supported(including_emulation=False))))
    return lines


def written(lines: Mapping[str, Sequence[Line]]) -> str:
    """Return a table for each part."""
    parts = []
    for name, each in lines.items():
        rows = [f"| {line.what} | {_cell(line.seen)} | {WORDS[line.holds]} |" for line in each]
        parts.append("\n".join([f"## {name}", "", "| what | seen | |", "|---|---|---|", *rows, ""]))
    return "\n".join(["# On one GPU", "", "By `make test-cuda`.", "", *parts])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
