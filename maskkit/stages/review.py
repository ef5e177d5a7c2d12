"""Lay out doubted labels for a person to decide on."""

from __future__ import annotations

from pathlib import Path

from maskkit.artifacts.draft import sha256_of
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.labelling.correction_lines import read_lines
from maskkit.reviewing.decisions import Decisions
from maskkit.reviewing.desk import Desk
from maskkit.reviewing.label_studio import annotated_values
from maskkit.reviewing.questions import flagged_questions, lines_of, questions_of


def review(
    manifest: Manifest,
    fixes: Source | None = None,
    *,
    output: Path | None = None,
    resume: bool = False,
    force: bool = False,
) -> Desk:
    """Return what a person decides on: the lines of a CSV of corrections, or without it the manifest's flags.

    Lines that were reviewed before are decided. Decisions are kept in `output`, after each; with `resume`
    those that are there are gone on with, and with `force` replaced.

    Raises:
        MaskkitError: Nothing is proposed, a line means nothing, or photos are not found.
    """
    lines = [] if fixes is None else lines_of(fixes)
    asked = flagged_questions(manifest) if fixes is None else questions_of(manifest, lines, fixes)
    if not asked:
        raise MaskkitError(
            f"{manifest.name} proposes no label",
            why="none of its `flags` says what would be right",
            fix="`maskkit audit folds.parquet oof.parquet` doubts labels; without predictions it cannot",
        )
    known = sha256_of(output) if output is not None and (resume or force) else ""
    desk = Desk(manifest, asked, Decisions(asked, output, known=known))
    desk.need_photos()
    if fixes is not None:
        desk.decisions.take(manifest, [line for line in lines if line.reviewed], fixes)
    if output is not None and resume and output.exists():
        earlier = Source.open(output)
        desk.decisions.take(manifest, read_lines(earlier), earlier)
    return desk


def take_annotations(desk: Desk, source: Source) -> int:
    """Decide as people have in Label Studio, by its export in JSON; return how many that were.

    Raises:
        MaskkitError: It is no such export, or of other classes.
    """
    values = annotated_values(desk.questions, source)
    desk.decisions.decide_all(values)
    return len(values)
