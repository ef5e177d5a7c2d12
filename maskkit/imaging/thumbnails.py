"""Small pictures of photos, as text that a page holds inside itself."""

from __future__ import annotations

import io
import logging
from base64 import b64encode

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskkit.imaging.decode import decode
from maskkit.imaging.photo_file import BadPhotoError
from maskkit.storage.address import PathOrAddress

log = logging.getLogger(__name__)

HEIGHT = 224  # pixels, for a page that shows photos enlarged: some 7 kB
MOST_PHOTOS = 600  # of a page, which is 5 MB then
WIDEST = 2.0  # times the height; the rest is cut away
QUALITY = 75


def thumbnail(file: PathOrAddress, *, height: int = HEIGHT) -> str | None:
    """Return a photo as a data URI of a small JPEG; None if it cannot be read, which is logged."""
    try:
        return as_uri(decode(file, least=lambda *_: (height, 1)), height=height)
    except BadPhotoError as error:
        log.warning("the page shows no picture of %s: %s", file, error.why)
        return None


def as_uri(pixels: NDArray[np.uint8], *, height: int = HEIGHT) -> str:
    """Return pixels, (height, width, 3), as a data URI of a small JPEG, without what is far to the right."""
    shown = pixels[:, : max(1, round(WIDEST * len(pixels)))]
    return f"data:image/jpeg;base64,{b64encode(as_jpeg(shown, height=height)).decode()}"


def as_jpeg(pixels: NDArray[np.uint8], *, height: int) -> bytes:
    """Return pixels, (height, width, 3), as a JPEG that is so high."""
    image = Image.fromarray(pixels)
    data = io.BytesIO()
    size = max(1, round(image.width * height / image.height)), height
    image.resize(size).save(data, "JPEG", quality=QUALITY)
    return data.getvalue()
