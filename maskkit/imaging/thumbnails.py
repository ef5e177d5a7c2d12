"""Small pictures of photos, as text that a page holds inside itself."""

from __future__ import annotations

import io
from base64 import b64encode
from pathlib import Path

from maskkit.errors import MaskkitError
from maskkit.imaging.decode import decode

HEIGHT = 112  # pixels
WIDEST = 2.0  # times the height; the rest is cut away
QUALITY = 75


def thumbnail(file: Path) -> str | None:
    """Return a photo as a data URI of a small JPEG; None if it cannot be read."""
    try:
        image = decode(file, least=lambda *_: (HEIGHT, 1))
    except MaskkitError:
        return None
    width = max(1, round(image.width * HEIGHT / image.height))
    image = image.resize((width, HEIGHT)).crop((0, 0, min(width, round(WIDEST * HEIGHT)), HEIGHT))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{b64encode(data.getvalue()).decode()}"
