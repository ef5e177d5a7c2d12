"""The commands that write, as they are tried: on small inputs, with several files, blocks and epochs each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from faults.given import PREDICT, QUICK


@dataclass(frozen=True)
class Command:
    """A command, and what is expected of it.

    Args:
        words: What is typed; `{given}` is the folder of inputs. Outputs go to `out`.
        resume: Added when it is run again.
        constants: Of its modules, so that a small run has several blocks.
        keeps: The operation that makes a piece of finished work last, as a pattern of its text.
        until: The operation with which the work is over, likewise.
        pieces: How many pieces of finished work there are.
    """

    words: str
    resume: str = ""
    constants: Mapping[str, object] = field(default_factory=dict)
    keeps: str | None = None
    until: str = "exit "
    pieces: int = 0

    def typed(self, given: str, *, again: bool = False) -> list[str]:
        """Return the words of a run."""
        return f"{self.words.format(given=given)} {self.resume if again else ''}".split()


SMALL_CHUNKS = {"maskkit.cache.records:CHUNK": 30_000}
OOF = f"{PREDICT} {{given}}/few-folds.parquet {{given}}/fold0.safetensors {{given}}/fold1.safetensors --oof"


def _of_photos(words: str, output: str, pieces: int = 2) -> Command:
    """Return a command that keeps beside its first output what it has found of every few photos."""
    return Command(
        f"{words} {output}", resume="--resume", constants={"maskkit.imaging.each_photo:KEPT_EVERY": 5},
        keeps=f"sync {output.split()[1]}.resume", until=r"create out/\.[^/]+\.partial", pieces=pieces,
    )  # fmt: skip


COMMANDS = {
    "label": _of_photos("label {given}/few/train.csv", "-o out/labels.parquet"),
    "split": Command("split {given}/labels.parquet --folds 2 --repeats 2 -o out/folds{{repeat}}.parquet"),
    "crop": _of_photos("crop {given}/few.parquet --detector {given}/detector", "-o out/cropped.parquet"),
    "train": Command(
        f"train {{given}}/few-folds.parquet -o out/model.safetensors {QUICK}",
        resume="--resume", constants=SMALL_CHUNKS, keeps="rename out/model.resume", pieces=2,
    ),
    "soup": Command(
        "soup {given}/other0.safetensors {given}/other1.safetensors --uniform -o out/soup.safetensors"
    ),
    "predict": Command(
        f"{OOF} --batch-size 4 -o out/oof.parquet", resume="--resume",
        constants={**SMALL_CHUNKS, "maskkit.stages.predict:KEPT_EVERY": 3},
        keeps=r"sync out/oof.parquet.resume", until=r"create out/\.[^/]+\.partial", pieces=4,
    ),
    "join": Command("join {given}/part1.parquet {given}/part2.parquet -o out/oof.parquet"),
    "ensemble": Command(
        "ensemble {given}/oof.parquet {given}/flipped.parquet --on {given}/folds.parquet "
        "-o out/blend.parquet --report out/report.html"
    ),
    "evaluate": Command(
        "evaluate {given}/folds.parquet {given}/oof.parquet --tune classes "
        "-o out/scores.json --html out/page.html --photos --decision out/decision.json"
    ),
    "compare": Command(
        "compare {given}/oof.parquet {given}/flipped.parquet --on {given}/folds.parquet "
        "--html out/page.html"
    ),
    "audit": _of_photos(
        "audit {given}/few-folds.parquet {given}/few-oof.parquet --sureness 0 --photos",
        "-o out/audited.parquet --corrections out/fixes.csv --html out/page.html",
    ),
    "review": Command(
        "review {given}/few-folds.parquet {given}/fixes.csv --html out/page.html "
        "--label-studio out/tasks.json"
    ),
    "reviewed": Command(
        "review {given}/few-folds.parquet {given}/fixes.csv --annotations {given}/annotated.json "
        "-o out/reviewed.csv", resume="--resume",
    ),
    "pseudo": Command(
        "pseudo {given}/few-folds.parquet {given}/test-fold0.parquet --unlabeled {given}/test.parquet "
        "--threshold 1e-2 -o out/pseudo.parquet"
    ),
    "export": Command("export {given}/fold0.safetensors -o out/model.onnx"),
    "eda": _of_photos("eda {given}/few-folds.parquet --half --photos", "--html out/page.html"),
    "survey": _of_photos("eda {given}/few-folds.parquet --half", "-o out/survey.parquet"),
    "demo": Command("demo out --people 1 --test-people 1"),
    "lr-find": Command(
        f"lr-find {{given}}/few-folds.parquet {QUICK.replace('--epochs 2 ', '')} --steps 5 -o out/rates.json "
        "--html out/page.html", constants=SMALL_CHUNKS,
    ),
    "show": Command("show {given}/fold0.safetensors"),
}  # fmt: skip
