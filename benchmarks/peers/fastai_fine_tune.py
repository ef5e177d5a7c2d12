"""fastai as its documentation has it: vision_learner, fine_tune; the answers for one fold as CSV.

    fastai/bin/python benchmarks/peers/fastai_fine_tune.py photos.csv --weights lite0.safetensors -o fold0.csv

Runs in an environment of its own, where fastai is installed. Its `fine_tune` trains the new head for an epoch
first, with the rest frozen, and then everything for as many epochs as are asked for.
"""

from __future__ import annotations

import torch
from fastai.vision.all import (
    CategoryBlock,
    ColReader,
    DataBlock,
    ImageBlock,
    Resize,
    ResizeMethod,
    aug_transforms,
    set_seed,
    vision_learner,
)
from task import MODEL, SIZE, parser, task


def main() -> None:
    """Train on all folds but one, and answer for that one."""
    work = task(parser(__doc__).parse_args())
    set_seed(0, reproducible=True)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=work.classes, sort=False)),
        get_x=ColReader("file"),
        get_y=ColReader("name"),
        splitter=lambda rows: (list(range(len(rows))), []),  # validating would cost time, and choose nothing
        item_tfms=Resize(SIZE, method=ResizeMethod.Squish),
        batch_tfms=aug_transforms(size=SIZE, min_scale=0.9),
    )
    batches = block.dataloaders(
        work.train.reset_index(drop=True), bs=64, num_workers=2, device=torch.device("cpu")
    )
    learner = vision_learner(batches, MODEL, pretrained_cfg_overlay={"file": work.weights})
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(work.epochs)
        probs, _ = learner.get_preds(dl=batches.test_dl(list(work.held_out["file"])))
    work.answer(probs.numpy())


if __name__ == "__main__":
    main()
