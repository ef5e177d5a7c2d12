from pathlib import Path

import numpy as np

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.photos import Photos
from maskkit.labels import HOME
from maskkit.training.fold import Fold


def test_counts_the_classes_of_the_rows_trained_on_and_no_others() -> None:
    fold = Fold(
        space=HOME,
        inputs=Photos([Path("photo.jpg")] * 6, Preprocess(8, 8, (0.5,), (0.5,), "bicubic")),
        target=np.array([0, 0, 2, 17, 17, -1]),
        weight=np.ones(6, np.float32),
        label=np.array([5, 5, 5, 5, 5, 5]),
        training=np.array([0, 1, 2]),
        held_out=np.array([3, 4]),
    )
    assert fold.class_counts.tolist() == [2, 0, 1] + [0] * 15
