"""`maskkit audit`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Argument, Excludes, Manifest, Predictions, Reading
from maskkit.cli.shell.resume_option import kept_beside, refuse_without_file
from maskkit.cli.shell.streams import SideFile
from maskkit.cli.shell.surveys import surveys
from maskkit.options.fields import Between
from maskkit.options.ray_address import RayAddress


def _check_resume(resume: bool, output: str | None, html: Path | None, corrections: Path | None) -> None:
    refuse_without_file(resume, output, html, corrections, flags="-o, --html or --corrections")


@command(check=(_check_resume,))
def audit(
    *,
    manifest: Annotated[Manifest, common_options.MANIFEST, Reading(divided=True)] = OMITTED,
    predictions: Annotated[
        Predictions | None, "Out-of-fold probabilities, by which labels are doubted.", Argument()
    ] = None,
    output: common_options.OptionalOutput = None,
    against: Annotated[
        list[Manifest],
        "Another manifest, such as the test set's, that must share no photo; may be repeated.",
        Reading(divided=True),
    ] = OMITTED,
    corrections: Annotated[
        SideFile | None,
        "Write the values proposed as a CSV: decide on them with `review`, or delete what you do not "
        "confirm, and give it to `label --corrections`.",
    ] = None,
    sureness: Annotated[
        float,
        "How sure models must be of another level, as a share of how sure they usually are of it.",
        Between(0, 2),
    ] = 0.95,
    no_photos: Annotated[
        bool,
        "Open no photo; look for no duplicates or odd photos.",
        Excludes("against", why="other sets are compared by their photos"),
    ] = False,
    survey: Annotated[
        common_options.Survey, Excludes("no_photos", why="nothing is said of photos with --no-photos")
    ] = OMITTED,
    photos: common_options.PhotoOptions,
    engine: common_options.Engine = None,
    shown: common_options.ReportOptions,
    resume: common_options.Resume = False,
    force: common_options.Force = False,
) -> None:
    """Find leaks, people who contradict themselves, doubtful labels and odd photos.

    Exit code 3 if a leak is found. Prints tables on a terminal, tab-separated values in a pipe, JSON with
    --json; -o writes the manifest with its `flags` and, for `split --keep-with`, its `duplicate_group`.

    What photos were found to be so far is kept in FILE.resume, beside the file of -o, else of --html, else of
    --corrections, so that --resume goes on after an interruption; it looks again at photos that have changed
    since. With --survey none is opened: `maskkit eda MANIFEST --half --shard 3/7 -o FILE` looks at a share of
    them, and all parts together serve both commands.

    Example: maskkit audit folds.parquet oof.parquet --against test.parquet --corrections fixes.csv
    """
    from maskkit.engines.engine import working_on
    from maskkit.reporting.audit_report import audit_report
    from maskkit.stages.audit import audit as stage
    from maskkit.stages.audit import corrections as proposals
    from maskkit.stages.audit import flagged, leaks_of, pictures, record_of, refuse_leaks

    given = photos.located(manifest)
    options: dict[str, Any] = {"no_photos": no_photos, "sureness": sureness, "root": photos.root}
    if output is None:
        options["photos"] = shown.photos  # of the page, which is the first file then
    record = partial(record_of, given, predictions, against, options)
    known = surveys(survey)
    writes = (output, shown.html, corrections)
    where = working_on(RayAddress.read_if_given(engine))
    with where, kept_beside(*writes, resume=resume, force=force, is_piped=output is None) as left:
        left.refuse_finished(record())
        with left.begin(record()) as kept:
            result = stage(
                given, predictions, against=against, no_photos=no_photos, sureness=sureness, kept=kept,
                known=known,
            )  # fmt: skip
        if corrections is not None:
            corrections.write(proposals(result), "proposed corrections are in")
        made = record(leaks=result.leaks)
        report = audit_report(result, photos=pictures(result) if shown.photos else (), record=made)
        if output is None:
            shown.show(report)
        else:
            shown.note(report)
            output.write(flagged(result, made).to_bytes())
        left.finished = made
    refuse_leaks(leaks_of(left.finished))
