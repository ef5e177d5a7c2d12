"""What libraries write below Python's streams is kept from those that are named, and those alone."""

from __future__ import annotations

import os

import pytest

from maskkit.engines.quiet import ERRORS, OUTPUT, silenced


@pytest.mark.parametrize(
    ("streams", "seen"), [((), ("", "")), ((OUTPUT,), ("", "to 2")), ((ERRORS,), ("to 1", ""))]
)
def test_a_stream_is_silent_inside_and_itself_again_after(
    streams: tuple[int, ...], seen: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    with silenced(*streams):
        for stream in (OUTPUT, ERRORS):
            os.write(stream, f"to {stream}".encode())
    assert tuple(capfd.readouterr()) == seen
    for stream in (OUTPUT, ERRORS):
        os.write(stream, b"after")
    assert tuple(capfd.readouterr()) == ("after", "after")
