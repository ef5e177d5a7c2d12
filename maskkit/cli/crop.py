"""`maskkit crop`."""

from __future__ import annotations

from typing import Annotated

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.streams import source, target
from maskkit.cli.tables import face_table


def crop(
    context: typer.Context,
    manifest: common_options.ManifestIn = None,
    output: common_options.Output = None,
    detector: Annotated[
        str,
        typer.Option(
            help="What finds faces: `centerface`, which the extra `faces` installs, or the path of a "
            "CenterFace or YuNet as ONNX."
        ),
    ] = "centerface",
    score: Annotated[
        float, typer.Option(min=0.01, max=1, help="Lowest score of a face, as the detector gives it.")
    ] = 0.35,
    root: common_options.Root = None,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:
    """Find the face in each photo, and add its box to the manifest.

    No photo is changed. `maskkit train` cuts photos to their box, with the margin of its --size, and
    `maskkit predict` does as the model's training did. Photos in which no face is found, or only
    where a portrait's face cannot be, keep an empty box, and are cut to where the other faces are.

    Example: maskkit crop labels.parquet -o cropped.parquet
    """
    from maskkit.artifacts.manifest import Manifest
    from maskkit.stages.crop import crop as stage

    to = target(output, force=force, inputs=[manifest, detector])
    given = Manifest.read(source(manifest, what="manifest")).located(root=root)
    common_options.stop_if_dry(context, dry_run)
    result = stage(given, detector=detector, score=score)
    to.write(result.manifest.to_bytes())
    if not terminal.is_quiet():
        terminal.note(face_table(result))
        terminal.note(f"{result.milliseconds:.1f} ms per photo")
