"""Draw what a network will see in training, before it is trained."""

from __future__ import annotations

from dataclasses import replace

import torch

from maskkit.errors import MaskkitError
from maskkit.imaging.preview_sheet import contact_sheet
from maskkit.options.train_options import TrainOptions
from maskkit.training.feed import Feed
from maskkit.training.fold_rows import FoldRows
from maskkit.training.setup import settled, start

PHOTOS = 48  # at most
WORTH_NAMING = 0.005  # share of a class in a target that its caption names


def preview(rows: FoldRows, *, options: TrainOptions | None = None) -> bytes:
    """Return a PNG of the first photos of the first epoch, as the network will get them.

    They come out of the very batches that `train` takes with the same options: sampled, varied, cut,
    normalised (and set back, to be looked at) and mixed, with the target under each. Nothing that is held
    out or unlabelled is shown.

    Raises:
        MaskkitError: As `train`; or the network sees features, not photos.
    """
    # Only photos with a target are drawn: those without are neither read nor looked for.
    options = settled(replace(options or TrainOptions(), unlabeled=None, consistency="none"))
    if options.one("freeze").name == "all":
        raise MaskkitError(
            "there is nothing to draw with --freeze all",
            why="the network learns from features, which are no pictures",
            fix="leave --freeze out to see how the photos are varied",
        )
    ready = start(replace(rows, unlabeled=None), options)
    feed = Feed(ready.fold, ready.options, torch.device("cpu"))
    images, captions = [], list[str]()
    for batch in feed.epoch(1, is_tracked=False):
        images.append(batch.images)
        for row in batch.target.classes.tolist():  # the class, or several with their shares
            shares = zip(row, rows.manifest.space.names, strict=True)
            named = sorted((pair for pair in shares if pair[0] > WORTH_NAMING), reverse=True)
            parts = [name if share > 1 - WORTH_NAMING else f"{share:.2f} {name}" for share, name in named]
            captions.append("\n".join(parts))
        if len(captions) >= PHOTOS:
            break
    return contact_sheet(torch.cat(images)[:PHOTOS], captions[:PHOTOS], ready.photos.preprocess)
