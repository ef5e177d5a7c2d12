"""Decisions: a temperature and offsets as JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.header import Record
from maskkit.artifacts.publishing import write_whole
from maskkit.errors import MaskkitError
from maskkit.labels import HOME

OFFSETS = np.linspace(-1, 1, len(HOME)).tolist()
PROBS = np.random.default_rng(0).dirichlet(np.ones(len(HOME)), size=30)


def made() -> Decision:
    record = Record("evaluate", {"tune": "classes"})
    return Decision.make(
        HOME, [record], method="classes", offsets=OFFSETS, temperature=2, measured={"gain": 0.01}
    )


def test_applies_the_temperature_and_then_the_offsets() -> None:
    applied = made().applied(PROBS)
    assert applied == pytest.approx(softmax(np.log(PROBS) / 2 + OFFSETS, axis=1), rel=1e-5)
    assert applied.dtype == np.float32


def test_without_offsets_and_at_temperature_1_nothing_changes() -> None:
    assert Decision.make(HOME, [], method="classes").applied(PROBS) == pytest.approx(PROBS, rel=1e-5)


def test_reads_what_was_written(tmp_path: Path) -> None:
    write_whole(tmp_path / "d.json", made().to_bytes())
    read = Decision.read(tmp_path / "d.json")
    assert (read.method, read.offsets, read.temperature) == ("classes", tuple(OFFSETS), 2)
    assert read.measured == {"gain": 0.01}
    assert read.header.history == made().header.history
    assert bytes(read.to_bytes()) == bytes(made().to_bytes())


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0}, {"temperature": "warm"}, {"offsets": {"a": 1.0}}, {"offsets": None},
        {"offsets": dict.fromkeys(HOME.names, float("nan"))},
    ],
)  # fmt: skip
def test_refuses_what_is_damaged(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / "d.json").write_text(json.dumps({**json.loads(made().header.to_json()), **change}))
    with pytest.raises(MaskkitError, match=r"has a damaged maskkit header|is a damaged decision"):
        Decision.read(tmp_path / "d.json")


def test_refuses_another_kind(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text("path,ans\na,1\n")
    with pytest.raises(MaskkitError, match="damaged maskkit header"):
        Decision.read(tmp_path / "d.json")
