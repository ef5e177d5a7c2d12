"""False and missed pairs of `maskkit audit`'s near duplicates, on people with photos of their own.

    python benchmarks/hashes.py photos/train/images

The folder holds a folder per person, as in the competition. Copies of 400 photos are made, of each kind,
and compared with their originals (missed pairs); photos of different people are compared with each other
(false ones).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.hashing import COARSE_WITHIN, FINE_WITHIN, near_pairs
from maskkit.imaging.survey import Survey, survey

Picture = NDArray[Any]
SCALE = 2  # of JPEGs, as `maskkit audit` decodes them
COPIED = 400
COARSE_TRIED = (4, 6, COARSE_WITHIN, 10, 12)
FINE_TRIED = (16, 24, FINE_WITHIN, 40, 48, 64, 256)
AT_ONCE = 500  # rows compared with all others


def cropped(share: float) -> Callable[[Picture], Picture]:
    def crop(photo: Picture) -> Picture:
        down, across = (round(share * side) for side in photo.shape[:2])
        return photo[down:-down, across:-across]

    return crop


CHANGES: dict[str, tuple[Callable[[Picture], Picture], int]] = {
    "quality 75": (lambda photo: photo, 75),
    "quality 40": (lambda photo: photo, 40),
    "half the size": (
        lambda photo: cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        85,
    ),
    "1.3 times the size": (
        lambda photo: cv2.resize(photo, None, fx=1.3, fy=1.3, interpolation=cv2.INTER_CUBIC),
        85,
    ),
    "1.2 times as bright": (lambda photo: cv2.convertScaleAbs(photo, alpha=1.2), 85),
    "gamma 0.7": (lambda photo: (255 * (photo / 255.0) ** 0.7).astype(np.uint8), 85),
    "3 % cut off each side": (cropped(0.03), 85),
    "mirrored": (lambda photo: photo[:, ::-1], 85),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    files = sorted(parser.parse_args().folder.glob("*/*.*"))
    start = time.perf_counter()
    seen = survey(files, scale=SCALE)
    looked = time.perf_counter()
    pairs, _ = near_pairs(seen["coarse"], seen["fine"])
    done = time.perf_counter()
    print(
        f"{len(files)} photos: read and hashed in {looked - start:.1f} s, "
        f"{len(pairs)} pairs in {done - looked:.2f} s\n"
    )

    person = np.unique([file.parent.name for file in files], return_inverse=True)[1]
    chosen = np.random.default_rng(0).choice(len(files), COPIED, replace=False)
    copies = {kind: bits_of_copies(kind, [files[row] for row in chosen], seen, chosen) for kind in CHANGES}
    false, within, between = bits_between(seen, person)
    heads = ["coarse <=", "fine <=", f"false of {between:,} between people", "of one person", *CHANGES]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    tried = [(most, FINE_WITHIN) for most in COARSE_TRIED] + [(COARSE_WITHIN, most) for most in FINE_TRIED]
    for coarse, fine in tried:
        kept = [f"{np.mean((bits <= (coarse, fine)).all(axis=1)):.3f}" for bits in copies.values()]
        print(
            f"| {coarse} | {fine} | {false(coarse, fine)} | {within(coarse, fine):.4f} | {' | '.join(kept)} |"
        )


def bits_of_copies(kind: str, files: list[Path], seen: Survey, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return in how many bits copies differ from their originals, coarse and fine, (photos, 2)."""
    change, quality = CHANGES[kind]
    with TemporaryDirectory() as folder:
        made = [Path(folder) / f"{index}.jpg" for index in range(len(files))]
        for place, file in zip(made, files, strict=True):
            cv2.imwrite(str(place), change(cv2.imread(str(file))), [cv2.IMWRITE_JPEG_QUALITY, quality])
        copy = survey(made, scale=SCALE)
    coarse = np.bitwise_count(copy["coarse"] ^ seen["coarse"][rows])
    fine = np.bitwise_count(copy["fine"] ^ seen["fine"][rows]).sum(axis=1)
    return np.column_stack([coarse, fine]).astype(np.int64)


def bits_between(
    seen: Survey, person: NDArray[np.int64]
) -> tuple[Callable[[int, int], int], Callable[[int, int], float], int]:
    """Count pairs between people, and the share of pairs of one person, by coarse and fine bits."""
    other, same = np.zeros((65, 257), np.int64), np.zeros((65, 257), np.int64)
    for coarse, fine, is_same in compared(seen, person):
        for table, part in ((other, ~is_same), (same, is_same)):
            np.add.at(table, (coarse[part], fine[part]), 1)
    return (
        lambda coarse, fine: int(other[: coarse + 1, : fine + 1].sum()),
        lambda coarse, fine: float(same[: coarse + 1, : fine + 1].sum() / same.sum()),
        int(other.sum()),
    )


def compared(seen: Survey, person: NDArray[np.int64]) -> Iterator[tuple[Picture, Picture, NDArray[np.bool_]]]:
    for start in range(0, len(person), AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, len(person)))
        is_pair = np.arange(len(person)) > rows[:, None]
        coarse = np.bitwise_count(seen["coarse"][rows, None] ^ seen["coarse"])[is_pair]
        fine = sum(
            np.bitwise_count(word[rows, None] ^ word)[is_pair].astype(np.int64) for word in seen["fine"].T
        )
        yield coarse, np.asarray(fine), (person[rows, None] == person)[is_pair]


if __name__ == "__main__":
    main()
