"""Photos that cannot be read, or are far from the rest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.auditing.findings import Finding, person_of
from maskkit.imaging.survey import Survey

DARK = 0.08  # brightness, of 1
SPREADS = 6.0  # robust standard deviations from the median: 2 of 1,000 million of normal values lie further
TINY = 0.25  # of the median number of pixels
FEWEST = 20  # photos, of which a median and a spread say anything
NORMAL = 1.4826  # median absolute deviation to standard deviation, of normal values


def odd_photos(manifest: Manifest, survey: Survey) -> Iterator[Finding]:
    """Report photos that are unreadable, very dark, blurred, tiny, or otherwise unlike the rest."""
    for row, why in survey.faults.items():
        yield Finding("photo:unreadable", "high", why, person_of(manifest, row), row)
    rows = np.flatnonzero(survey.readable)
    if len(rows) < FEWEST:
        return
    brightness = survey["brightness"][rows].astype(np.float64)
    sharpness = _robust(np.log1p(survey["sharpness"][rows].astype(np.float64)))
    pixels = survey["width"][rows].astype(np.int64) * survey["height"][rows]
    small = pixels / np.median(pixels)
    outlying = _outlying(survey, rows)
    checks = [
        ("photo:dark", brightness < DARK, brightness, "brightness {:.3f} of 1"),
        ("photo:blurred", sharpness < -SPREADS, sharpness, "sharpness {:.1f} spreads from the median"),
        ("photo:tiny", small < TINY, small, "{:.3f} of the usual number of pixels"),
        ("photo:outlier", outlying > SPREADS, outlying, "light or colour {:.1f} spreads from the median"),
    ]
    reported = np.zeros(len(rows), np.bool_)
    for kind, is_odd, value, text in checks:
        for index in np.flatnonzero(is_odd & ~reported).tolist():
            row = int(rows[index])
            yield Finding(kind, "low", text.format(value[index]), person_of(manifest, row), row)
        reported |= is_odd


def faceless(manifest: Manifest) -> Iterator[Finding]:
    """Report photos in which `crop` found no face."""
    if not manifest.has("box"):
        return
    for row in np.flatnonzero(manifest.table["box"].is_null().to_numpy()).tolist():
        yield Finding("photo:faceless", "low", "no face was found", person_of(manifest, row), row)


def _outlying(survey: Survey, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how many spreads the furthest of light and colours is from its median, (rows,)."""
    cheap = [survey["brightness"], survey["contrast"], *survey["mean"].T, *survey["std"].T]
    each = [np.abs(_robust(values[rows].astype(np.float64))) for values in cheap]
    return np.asarray(np.max(each, axis=0))


def _robust(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many spreads each value is from the median, (n,), by the median absolute deviation."""
    from_median = values - np.median(values)
    spread = NORMAL * float(np.median(np.abs(from_median)))
    return from_median / spread if spread > 0 else np.zeros_like(values)
