import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.scoring.slice_columns import By, SliceColumn, cut, parse_by


def cut_of(
    manifest: Manifest, text: str, computed: dict[str, np.ndarray] | None = None
) -> dict[str, list[int]]:
    """Return the rows of each slice."""
    rows = np.arange(len(manifest))
    found = cut(manifest, parse_by(text), rows, computed or {})
    return {name: rows[found.code == place].tolist() for place, name in enumerate(found.names)}


def test_reads_columns_steps_and_quantiles() -> None:
    assert parse_by("age:2, gender") == By(
        "age:2, gender", (SliceColumn("age", step=2), SliceColumn("gender"))
    )
    assert parse_by("brightness:q4").parts == (SliceColumn("brightness", quantiles=4),)
    assert parse_by("face:0.05").parts == (SliceColumn("face", step=0.05),)


@pytest.mark.parametrize(
    "text",
    ["", "age:", "age:two", "age:0", "age:-1", "age:nan", "age:inf", "age:q1", "age:q", "a,,b", "a,a:2"],
)
def test_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(MaskkitError, match="cannot be read"):
        parse_by(text)


def test_a_number_is_taken_in_bands(folds: Manifest) -> None:
    found = cut_of(folds, "age:10")
    ages = folds.integers("age")
    assert list(found) == ["10-19", "20-29", "30-39", "40-49", "50-59", "60-69"]
    assert found["20-29"] == np.flatnonzero((ages >= 20) & (ages < 30)).tolist()
    assert next(iter(cut_of(folds, "age:1"))) == "19"
    assert list(cut_of(folds, "age:2.5"))[:2] == ["17.5 to 20", "25 to 27.5"]


def test_a_factor_is_taken_by_its_levels_in_their_order(folds: Manifest) -> None:
    assert list(cut_of(folds, "age")) == ["under30", "30to59", "60plus"]
    assert list(cut_of(folds, "mask")) == ["wear", "incorrect", "none"]
    crossed = cut_of(folds, "gender,mask")
    assert list(crossed) == [f"{g}/{m}" for g in ("male", "female") for m in ("wear", "incorrect", "none")]
    assert len(crossed["male/wear"]) == 12 * 5
    assert next(iter(cut_of(folds, "class"))) == "wear/male/under30"


@pytest.mark.parametrize("values", [[b"\xff"], [[1]], [{"a": 1}]])
def test_lists_structs_and_bytes_are_no_slices(folds: Manifest, values: list[object]) -> None:
    manifest = folds.then("edit", {"odd": pa.array(values * len(folds))})
    for by, what in {"odd": "cannot be taken as it is", "odd:q2": "has no numbers to divide"}.items():
        with pytest.raises(MaskkitError, match=what) as caught:
            cut_of(manifest, by)
        assert caught.value.fix == "use another column"


def test_whole_numbers_of_64_bits_are_divided(folds: Manifest) -> None:
    numbers = pa.array([2**63 + (row << 50) for row in range(len(folds))], pa.uint64())
    assert len(cut_of(folds.then("edit", {"number": numbers}), "number:q2")) == 2


def test_any_column_will_do_and_what_is_not_known_comes_last(folds: Manifest) -> None:
    assert {name: len(rows) for name, rows in cut_of(folds, "fold").items()} == {"0": 56, "1": 56, "2": 56}
    camera = pa.array([["b", None, "a"][row % 3] for row in range(len(folds))])
    found = cut_of(folds.then("edit", {"camera": camera}), "camera")
    assert list(found) == ["a", "b", "unknown"]
    assert found["unknown"][:2] == [1, 4]


def test_quantiles_hold_as_many_photos_each(folds: Manifest) -> None:
    light = np.random.default_rng(0).random(len(folds))
    light[5] = np.nan
    found = cut_of(folds, "brightness:q4", {"brightness": light})
    assert [len(rows) for rows in found.values()] == [42, 41, 42, 42, 1]
    assert found["unknown"] == [5]
    first = light[next(iter(found.values()))]
    assert first.max() <= np.nanquantile(light, 0.25)


def test_quantiles_of_one_value_are_one_slice(folds: Manifest) -> None:
    assert list(cut_of(folds, "face:q3", {"face": np.full(len(folds), 0.25)})) == ["0.25 to 0.25"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("colour", "no column 'colour'"),
        ("gender:2", "has no numbers to divide"),
        ("brightness", "a value of its own for nearly every photo"),
        ("weight", "cannot be taken as it is"),
        ("face:q2", "has nothing to divide"),
    ],
)
def test_says_why_a_column_cannot_be_used(folds: Manifest, text: str, what: str) -> None:
    unknown = {"brightness": np.ones(len(folds)), "face": np.full(len(folds), np.nan)}
    with pytest.raises(MaskkitError, match=what):
        cut_of(folds, text, unknown)


def test_more_slices_than_can_be_read_are_refused(folds: Manifest) -> None:
    rows = np.tile(np.arange(len(folds)), 2)
    light = np.linspace(0, 1, len(rows))
    with pytest.raises(MaskkitError, match="makes 336 slices or more") as caught:
        cut(folds, parse_by("brightness:0.0001"), rows, {"brightness": light})
    assert "brightness:q4" in caught.value.fix
