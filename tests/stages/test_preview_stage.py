import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError, RefusedError
from maskkit.options.train_options import TrainOptions
from maskkit.stages.preview import preview
from maskkit.stages.split import split
from maskkit.training.fold_rows import FoldRows


def test_draws_the_same_sheet_for_the_same_options(folds: Manifest, quick: TrainOptions) -> None:
    options = replace(quick, mix="half:partner=age=60plus", augment="light+grid-shuffle:p=1")
    first, again = (preview(FoldRows.of(folds, 0), options=options) for _ in range(2))
    other = preview(FoldRows.of(folds, 0), options=replace(options, seed=1))
    assert first == again != other
    with Image.open(io.BytesIO(first)) as sheet:
        assert sheet.format == "PNG"
        assert min(sheet.size) > 200


def test_shows_photos_as_they_are_where_nothing_is_varied(folds: Manifest, quick: TrainOptions) -> None:
    plain = preview(
        FoldRows.of(folds, 0), options=replace(quick, augment="none", normalize="0.1,0.2,0.3/0.5,0.6,0.7")
    )
    other = preview(
        FoldRows.of(folds, 0), options=replace(quick, augment="none", normalize="0.5,0.5,0.5/0.2,0.2,0.2")
    )
    pixels = [np.asarray(Image.open(io.BytesIO(sheet)), np.int64) for sheet in (plain, other)]
    assert np.abs(pixels[0] - pixels[1]).max() <= 1  # normalised otherwise, and set back to the same


def test_there_is_nothing_to_draw_of_features(folds: Manifest, quick: TrainOptions) -> None:
    with pytest.raises(MaskkitError, match="nothing to draw"):
        preview(FoldRows.of(folds, 0), options=replace(quick, freeze="all"))


def test_refuses_a_leak_as_training_does(labels: Manifest, quick: TrainOptions) -> None:
    by_image = split(labels, folds=3, by="image")
    with pytest.raises(RefusedError):
        preview(FoldRows.of(by_image, 0), options=quick)


def test_a_level_that_does_not_exist_is_found_out_first(folds: Manifest, quick: TrainOptions) -> None:
    with pytest.raises(MaskkitError, match="no level 'old'"):
        preview(FoldRows.of(folds, 0), options=replace(quick, undersample="age=old:2"))
