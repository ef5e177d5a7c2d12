"""Try every property on some two hundred of timm's models, and write what came of it as a table.

Run by `make test-timm`. What the log knows already is not tried again; remove it to begin anew.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

import timm
import torch

from maskkit import __version__
from sweep.choosing import AT_LEAST, LARGEST, candidates, chosen
from sweep.properties import OK, PROPERTIES, REFUSED, TORCH, Found, attempt

ABOUT = {
    "not square": "takes photos that are not square",
    "learns": "whatever gets a gradient in timm's own model in four steps gets one in ours",
    "by heart": "four photos are learnt by heart",
    "heads": "`--head` factors, cosine, arcface and joint+regression learn, and tell photos apart",
    "loads": "its own weights of 1,000 classes load, and those without a classifier",
    "saved": "the checkpoint gives the same logits, bit by bit",
    "bfloat16": "bfloat16 answers as float32 does, and its gradients are finite",
    "frozen": "the features and the head of `--freeze all` give the model's logits",
    "resumed": "a resumed training has the weights of an uninterrupted one, bit by bit",
    "one photo": "batches of one photo are learnt from, or refused before any work",
    "runtimes": "ONNX Runtime and OpenVINO agree with torch at 1, 3 and 5 photos",
}


def main(log: Path, table: Path) -> int:
    """Try what is not in the log yet; write the table; return the number of failures."""
    models, refused = candidates()
    picked, too_large = chosen(models)
    done = {one["name"]: one for one in map(json.loads, log.read_text().splitlines())} if log.exists() else {}
    left = [one for one in picked if one.name not in done]
    log.parent.mkdir(parents=True, exist_ok=True)
    workers = max(1, min(len(left), os.cpu_count() or 1))
    with get_context("spawn").Pool(workers, maxtasksperchild=8) as pool:
        for found in pool.imap_unordered(attempt, [one.name for one in left]):
            done[found["name"]] = found
            with log.open("a") as file:
                file.write(json.dumps(found) + "\n")
            bad = {title: text for title, text in found["results"].items() if text.startswith("FAILED")}
            print(found["name"], found["size"], f"{found['seconds']:.0f} s", bad or "", flush=True)  # noqa: T201
    rows = [done[one.name] for one in picked]
    table.parent.mkdir(exist_ok=True)
    module_of = {one.name: one.module for one in picked}
    table.write_text(written(rows, module_of, refused=refused, too_large=too_large, known=len(models)))
    return sum(text.startswith("FAILED") for row in rows for text in row["results"].values())


def written(
    rows: Sequence[Found],
    module_of: Mapping[str, str],
    *,
    refused: Mapping[str, str],
    too_large: Sequence[str],
    known: int,
) -> str:
    """Return the page: counts by property, what is refused and why, and a table of families."""
    counts = {title: Counter(_kind(row["results"][title]) for row in rows) for title in PROPERTIES}
    seconds = sum(row["seconds"] for row in rows)
    head = (
        f"`make test-timm` tried {len(rows)} of the {known} models of timm {timm.__version__} that can name "
        f"classes, with maskkit {__version__} and torch {torch.__version__}: of every module the smallest, "
        f"and those whose layers are least like it, of at most {LARGEST // 1_000_000} million weights and "
        f"{AT_LEAST} in all or more. Weights are random; photos have the smallest size that a model takes. "
        f"It took {seconds / 60:.0f} minutes of processor time, one thread per model, on {_processor()}."
    )
    lines = ["# timm's models, tried one by one", "", head, ""]
    lines += ["| property | what is asked | ok | refused | by torch | failed |", "|---|---|---|---|---|---|"]
    for title in PROPERTIES:
        of = counts[title]
        numbers = " | ".join(str(of[kind]) for kind in (OK, REFUSED, TORCH, "FAILED"))
        lines.append(f"| {title} | {ABOUT[title]} | {numbers} |")
    lines += ["", "## Refused, and why", ""]
    lines += _reasons(rows)
    lines += ["", "## Not tried", ""]
    if too_large:
        lines.append(f"- Too large for the memory of this machine: all models of {', '.join(too_large)}.")
    why = defaultdict(list)
    for name, reason in refused.items():
        why[reason].append(name)
    lines += [f"- {', '.join(names)}: {reason}." for reason, names in why.items()]
    lines += ["", "## By module", ""]
    lines += [f"| module | models | {' | '.join(PROPERTIES)} |", "|---" * (2 + len(PROPERTIES)) + "|"]
    by_module = defaultdict(list)
    for row in rows:
        by_module[module_of[row["name"]]].append(row)
    for module, each in sorted(by_module.items()):
        names = ", ".join(f"{row['name']} ({row['size']})" for row in each)
        cells = " | ".join(_cell([row["results"][title] for row in each]) for title in PROPERTIES)
        lines.append(f"| {module} | {names} | {cells} |")
    lines += ["", "A number says for how many it holds; r are refused, t computed by torch.", ""]
    return "\n".join(lines)


def _reasons(rows: Sequence[Found]) -> list[str]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for title, text in row["results"].items():
            if text != OK:
                found[f"{title}: {text.partition(': ')[2]}"].append(row["name"])
    most = 6
    return [
        f"- {why}: {', '.join(names[:most])}{f' and {len(names) - most} more' if len(names) > most else ''}"
        for why, names in sorted(found.items(), key=lambda pair: (pair[0].split(":")[0], -len(pair[1])))
    ]


def _kind(text: str) -> str:
    return text.partition(":")[0]


def _cell(texts: Sequence[str]) -> str:
    of = Counter(map(_kind, texts))
    parts = [str(of[OK])] if of[OK] else []
    marks = {REFUSED: "r", TORCH: "t", "FAILED": " **failed**"}
    return " ".join([*parts, *(f"{of[kind]}{mark}" for kind, mark in marks.items() if of[kind])])


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {torch.backends.cpu.get_cpu_capability()}"


if __name__ == "__main__":
    sys.exit(min(1, main(Path(sys.argv[1]), Path(sys.argv[2]))))
