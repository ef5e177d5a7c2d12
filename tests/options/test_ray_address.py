from __future__ import annotations

import pytest

from maskkit.errors import MaskkitError
from maskkit.options.ray_address import RayAddress


@pytest.mark.parametrize("text", ["ray", "ray://head:10001", "ray://10.0.0.7:10001", "ray://[::1]:10001"])
def test_an_address_is_read_and_written_alike(text: str) -> None:
    assert str(RayAddress.read(text)) == text
    assert RayAddress.read_if_given(text) == RayAddress.read(text)
    assert RayAddress.read_if_given(None) is None


@pytest.mark.parametrize(
    "text", ["", "dask", "Ray", "ray:", "ray://", "ray://head", "ray://head:x", "ray://a b:1", "ray://h:1\n"]
)
def test_what_is_no_address_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(MaskkitError, match="--engine is") as caught:
        RayAddress.read(text)
    assert "ray://HOST:PORT" in caught.value.why
