from __future__ import annotations

import numpy as np
import pytest

from maskkit.imaging import light
from maskkit.imaging.light import DRAWN, Light
from maskkit.imaging.photos import Pixels

SIZE = (48, 36)


def nothing(count: int = 1) -> np.ndarray:
    """Return what would be drawn if nothing happened."""
    drawn = np.zeros(count, DRAWN)
    drawn["warp"] = np.eye(2)
    drawn["colour"][:, :, :3] = np.eye(3)
    return drawn


def noise(count: int = 1, *, size: tuple[int, int] = SIZE) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def only(monkeypatch: pytest.MonkeyPatch, **chances: float) -> np.ndarray:
    """Draw for 200 photos to which nothing but this happens."""
    monkeypatch.setattr(light, "CHANCES", {**dict.fromkeys(light.CHANCES, 0.0), **chances})
    return Light().draw(np.arange(200), np.random.default_rng(0))


def test_nothing_drawn_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert np.array_equal(Light()(noise(3), nothing(3)), noise(3))
    drawn = only(monkeypatch)
    assert np.array_equal(Light()(noise(200), drawn), noise(200))


def test_a_flip_is_the_mirror_image(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = only(monkeypatch, flip=1)
    assert np.array_equal(Light()(noise(200), drawn), noise(200)[:, :, ::-1])


def test_a_shift_moves_by_its_share_of_the_size_and_repeats_the_edge() -> None:
    drawn = nothing()
    drawn["shift"] = [0.25, 0.0]  # the source lies further right by 9 of 36 pixels
    moved = Light()(noise(), drawn)
    assert np.array_equal(moved[:, :, :27], noise()[:, :, 9:])
    assert (moved[:, :, 27:] == noise()[:, :, -1:]).all()


def test_moves_keep_the_middle_and_stay_in_their_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    warp = only(monkeypatch, move=1)["warp"].astype(float)
    stretched = np.linalg.svd(warp, compute_uv=False)  # (photos, 2): of the source's place
    shear = np.tan(np.radians(light.SHEAR[1]))
    assert stretched.max() <= (1 + shear) / light.SCALE[0] + 1e-6
    assert stretched.min() >= (1 - shear) / light.SCALE[1] - 1e-6
    turned = np.degrees(np.arctan2(warp[:, 1, 0] - warp[:, 0, 1], warp[:, 0, 0] + warp[:, 1, 1]))
    most = light.DEGREES[1] + light.SHEAR[1]  # sheared against each other, the axes turn as well
    assert -most < turned.min() < -10
    assert 10 < turned.max() < most
    dot = np.zeros((1, 41, 41, 3), np.uint8)
    dot[0, 19:22, 19:22] = 255
    drawn = np.repeat(nothing(), 200)
    drawn["warp"] = warp
    moved = Light()(np.repeat(dot, 200, axis=0), drawn)
    assert (moved[:, 20, 20] > 150).all()


def test_light_scales_and_shifts_all_colours_alike() -> None:
    drawn = nothing()
    drawn["colour"][0] = np.hstack([0.5 * np.eye(3), np.full((3, 1), 20)])
    assert np.abs(Light()(noise(), drawn).astype(float) - (0.5 * noise() + 20)).max() <= 0.51


def test_hue_and_saturation_keep_greys_grey_and_as_bright(monkeypatch: pytest.MonkeyPatch) -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=3)
    drawn = only(monkeypatch, colour=1)
    assert np.abs(Light()(np.repeat(greys, 200, axis=0), drawn).astype(int) - greys).max() <= 1
    assert np.abs(Light()(noise(200), drawn).astype(int) - noise(200)).mean() > 3


def test_grey_is_the_luma(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Light()(noise(200), only(monkeypatch, grey=1))
    luma = noise(200) @ np.array([0.213, 0.715, 0.072])
    assert np.abs(found - luma[..., None]).max() <= 0.6


def test_noise_has_the_strength_that_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = only(monkeypatch, noise=1)
    plain = np.full((200, *SIZE, 3), 128, np.uint8)
    found = Light()(plain, drawn).astype(float).std((1, 2, 3))
    assert np.abs(found / drawn["noise"] - 1).max() < 0.1
    assert 5 < drawn["noise"].min() < drawn["noise"].max() < 15.4


def test_a_patch_is_black_and_as_large_as_its_range(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = np.full((200, 100, 100, 3), 128, np.uint8)
    hidden = (Light()(plain, only(monkeypatch, patch=1)) == 0).all(3)
    heights, widths = hidden.any(2).sum(1), hidden.any(1).sum(1)
    assert (hidden.sum((1, 2)) == heights * widths).all()
    for sides in (heights, widths):
        assert 9 <= sides.min() < 14
        assert 26 < sides.max() <= 31


def test_each_thing_happens_as_often_as_it_should() -> None:
    drawn = Light().draw(np.arange(4000), np.random.default_rng(0))
    shares = {
        "blur": drawn["blur"].mean(),
        "noise": (drawn["noise"] > 0).mean(),
        "patch": (drawn["patch"] != 0).any((1, 2)).mean(),
        "flip": (drawn["warp"][:, 0, 0] < 0).mean(),
        "move": (drawn["shift"] != 0).any(1).mean(),
    }
    assert {name: abs(share - light.CHANCES[name]) < 0.04 for name, share in shares.items()} == dict.fromkeys(
        shares, True
    )
