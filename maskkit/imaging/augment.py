"""How training photos are varied, by name; sums of ways, and another way for some photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from maskkit.artifacts.columns import Bools
from maskkit.imaging.automatic import randaugment, trivial
from maskkit.imaging.dataset import Augment, Drawn, Rows
from maskkit.imaging.light import Light
from maskkit.imaging.photos import Pixels
from maskkit.imaging.policies import POLICIES
from maskkit.options.choices import Choice

AUGMENTATIONS: dict[str, Callable[..., Augment | None]] = {
    "none": lambda: None,
    "light": Light,
    **POLICIES,
    "randaugment": randaugment,
    "trivial": trivial,
}


def augmentation(choices: Sequence[Choice]) -> Augment | None:
    """Return what varies photos by these AUGMENTATIONS in turn; None to show them as they are."""
    made = (AUGMENTATIONS[choice.name](**choice.settings) for choice in choices)
    parts = [augment for augment in made if augment is not None]
    if len(parts) > 1:
        return Sum(parts)
    return parts[0] if parts else None


class _Several:
    """Ways to vary photos, each of which draws for itself."""

    def __init__(self, ways: Sequence[Augment]) -> None:
        self.ways = ways

    def draw(self, rows: Rows, random: np.random.Generator) -> Drawn:
        """Draw what each way draws, (rows,) of a structured type."""
        return _side_by_side([way.draw(rows, random) for way in self.ways])


class Sum(_Several):
    """Ways to vary photos, one after the other."""

    def __call__(self, pixels: Pixels, drawn: Drawn) -> Pixels:
        """Vary the photos, uint8 (N, height, width, 3)."""
        for number, way in enumerate(self.ways):
            pixels = way(pixels, drawn[str(number)])
        return pixels


class ByClass:
    """One way to vary the photos of a rare level, which are shown often, and another for all others.

    Photos that are not of the level are varied exactly as they were without this. `is_rare` are the rows of
    the level, (rows of the manifest,); None instead of a way shows photos as they are.
    """

    def __init__(self, usual: Augment | None, rare: Augment | None, is_rare: Bools) -> None:
        self.ways = [usual or _Same(), rare or _Same()]
        self.is_rare = is_rare

    def draw(self, rows: Rows, random: np.random.Generator) -> Drawn:
        """Draw for both ways, and look up which it is, (rows,) of a structured type."""
        drawn = [way.draw(rows, random) for way in self.ways]
        return _side_by_side([*drawn, self.is_rare[rows]])

    def __call__(self, pixels: Pixels, drawn: Drawn) -> Pixels:
        """Vary the photos, uint8 (N, height, width, 3)."""
        varied = np.empty_like(pixels)
        for number, way in enumerate(self.ways):
            is_its = drawn["2"] == bool(number)
            varied[is_its] = way(pixels[is_its], drawn[str(number)][is_its])
        return varied


class TwoViews(_Several):
    """Two ways to vary the same photos, side by side: weakly, and weakly and then strongly, for consistency.

    Both begin from the photo itself and draw for themselves, as in FixMatch (Sohn et al. 2020, section 2.3,
    https://arxiv.org/abs/2001.07685): the strong view is another weak one, changed further.
    """

    def __init__(self, weak: Sequence[Choice], strong: Sequence[Choice]) -> None:
        super().__init__([augmentation(weak) or _Same(), augmentation([*weak, *strong]) or _Same()])

    def __call__(self, pixels: Pixels, drawn: Drawn) -> Pixels:
        """Return both views of the photos, uint8 (N, 2, height, width, 3)."""
        return np.stack([way(pixels, drawn[str(number)]) for number, way in enumerate(self.ways)], axis=1)


class _Same:
    """Leaves photos as they are."""

    def draw(self, rows: Rows, random: np.random.Generator) -> Drawn:  # noqa: ARG002
        """Draw nothing."""
        return np.zeros(len(rows), bool)

    def __call__(self, pixels: Pixels, drawn: Drawn) -> Pixels:  # noqa: ARG002
        """Return the photos."""
        return pixels


def _side_by_side(parts: Sequence[Drawn]) -> Drawn:
    """Join what was drawn for the same photos, as the fields `0`, `1` and so on of one array, (photos,)."""
    joined = np.empty(len(parts[0]), [(str(n), part.dtype, part.shape[1:]) for n, part in enumerate(parts)])
    for number, part in enumerate(parts):
        joined[str(number)] = part
    return joined
