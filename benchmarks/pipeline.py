"""Photos per second into augmented batches, and what decoding JPEGs at a smaller scale changes.

    python benchmarks/pipeline.py folds.parquet

Against the competition's baseline dataset (benchmarks/baseline.py) in a DataLoader with two workers. Ours
decodes once into a cache; what is compared is the second epoch on, and the first is shown beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from baseline import loader
from PIL import Image
from timing import in_turns, medians, report

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.cache.records import Cache
from maskkit.cli.shell import startup
from maskkit.imaging.augment import augmentation
from maskkit.imaging.dataset import batches, shuffled
from maskkit.imaging.decode import decode, load
from maskkit.imaging.kept_photos import open_photos
from maskkit.imaging.light import Light
from maskkit.imaging.photos import Photos
from maskkit.options.choices import parse
from maskkit.options.techniques import AUGMENTATIONS

CPU = torch.device("cpu")


def preprocess(size: tuple[int, int]) -> Preprocess:
    return Preprocess(*size, (0.5,) * 3, (0.5,) * 3, "bicubic")


def our_epoch(photos: Photos, name: str = "light") -> None:
    order = shuffled(
        np.arange(len(photos)),
        seed=0,
        epoch=1,
        augment=augmentation((parse(name, AUGMENTATIONS, option="--augment"),)),
    )
    for _, pixels in batches(photos, order, batch_size=64, workers=2):
        photos.prepare(pixels, CPU)  # normalised floats, as the baseline's batches are


def their_epoch(photos: Photos, size: tuple[int, int]) -> None:
    for _ in loader(photos.files, [0] * len(photos), size=size, train=True):
        pass


def compare_loading(manifest: Manifest, size: tuple[int, int], runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        photos = open_photos(manifest.located(cache=Cache(Path(folder), 50 * 10**9)), preprocess(size))
        our_epoch(photos)
        first = time.perf_counter() - start
        found = medians(
            in_turns(
                {
                    "baseline dataset, DataLoader, 2 workers": lambda: their_epoch(photos, size),
                    "maskkit, light": lambda: our_epoch(photos),
                    "maskkit, medium (albumentations)": lambda: our_epoch(photos, "medium"),
                },
                runs=runs,
            )
        )
    base = next(iter(found.values()))
    lines = [
        {"": name, "photos/s": len(photos) / cost.seconds, "ratio": base.seconds / cost.seconds}
        for name, cost in found.items()
    ]
    lines.append({"": "maskkit, light, first epoch (decoding)", "photos/s": len(photos) / first,
                  "ratio": base.seconds / first})  # fmt: skip
    report(f"Into augmented {size[0]}x{size[1]} batches, {len(photos)} photos", lines)


def compare_augmentation(photos: Photos, size: tuple[int, int], runs: int) -> None:
    """Compare one warp and one map of colours with the same ranges done one after the other."""
    import albumentations as A
    import cv2

    policy = A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.Affine(scale=(0.85, 1.2), rotate=(-12, 12), shear=(-4, 4), translate_percent=(-0.08, 0.08),
                     border_mode=cv2.BORDER_REPLICATE, p=0.9),
            A.RandomBrightnessContrast(brightness_limit=0.25, contrast_limit=0.25, p=0.8),
            A.HueSaturationValue(hue_shift_limit=8, sat_shift_limit=30, val_shift_limit=0, p=0.4),
            A.ToGray(p=0.05),
            A.OneOf([A.GaussianBlur(blur_limit=(3, 3)), A.GaussNoise(std_range=(0.02, 0.06))], p=0.2),
            A.CoarseDropout(num_holes_range=(1, 1), hole_height_range=(0.1, 0.3),
                            hole_width_range=(0.1, 0.3), p=0.3),
        ]
    )  # fmt: skip
    light, random = Light(), np.random.default_rng(0)
    pixels = photos.take(np.arange(min(len(photos), 1024)))
    found = medians(
        in_turns(
            {
                "albumentations": lambda: [policy(image=photo)["image"] for photo in pixels],
                "maskkit light": lambda: light(pixels, light.draw(np.arange(len(pixels)), random)),
            },
            runs=runs,
        )
    )
    base = found["albumentations"].cpu_seconds
    lines = [
        {"": name, "photos/s of a core": len(pixels) / cost.cpu_seconds, "ratio": base / cost.cpu_seconds}
        for name, cost in found.items()
    ]
    report(f"Augmentation alone, {size[0]}x{size[1]}", lines)


def compare_decoding(photos: Photos, size: tuple[int, int], runs: int) -> None:
    """Compare with decoding whole and resizing with Pillow's bicubic filter: time of a core, and pixels."""
    files = photos.files[:: max(1, len(photos) // 500)]

    def whole(path: Path) -> np.ndarray:
        return np.asarray(Image.fromarray(decode(path)).resize(size[::-1], Image.Resampling.BICUBIC))

    found = medians(
        in_turns(
            {
                "whole, Pillow bicubic": lambda: [whole(path) for path in files],
                "maskkit": lambda: [load(path, photos.preprocess) for path in files],
            },
            runs=runs,
        )
    )
    difference = np.stack([np.abs(load(path, photos.preprocess).astype(int) - whole(path)) for path in files])
    base = found["whole, Pillow bicubic"].cpu_seconds
    lines = [
        {"": name, "photos/s of a core": len(files) / cost.cpu_seconds, "ratio": base / cost.cpu_seconds}
        for name, cost in found.items()
    ]
    report(f"Decoding alone, {size[0]}x{size[1]}", lines)
    print(
        f"\nDifference of {len(files)} photos, of 255: mean {difference.mean():.2f}, "
        f"99.9 % of values within {np.quantile(difference, 0.999):.0f}, largest {difference.max()}"
    )


def grow(manifest: Manifest, size: tuple[int, int]) -> None:
    """Measure the first and the second epoch of loading for ever more photos."""
    lines = []
    for share in (18, 9, 4, 2, 1):
        part = manifest.select(np.arange(len(manifest) // share))
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            photos = open_photos(part.located(cache=Cache(Path(folder), 50 * 10**9)), preprocess(size))
            our_epoch(photos)
            first = time.perf_counter() - start
            start = time.perf_counter()
            our_epoch(open_photos(part.located(cache=Cache(Path(folder), 50 * 10**9)), preprocess(size)))
            second = time.perf_counter() - start
        lines.append({"photos": len(part), "first epoch, s": first, "second epoch, s": second})
    report(f"Loading and light augmentation at {size[0]}x{size[1]}, by number of photos", lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--grow", action="store_true", help="only how cost grows with the number of photos")
    given = parser.parse_args()
    startup.prepare_for_torch()  # keeps freed memory, as every command does; the baseline gains from it too
    manifest = Manifest.read(given.manifest)
    if given.grow:
        grow(manifest, (128, 96))
        return
    for size in ((128, 96), (224, 224)):
        compare_loading(manifest, size, given.runs)
        photos = open_photos(manifest, preprocess(size))
        compare_augmentation(photos, size, given.runs)
        compare_decoding(photos, size, given.runs)


if __name__ == "__main__":
    main()
