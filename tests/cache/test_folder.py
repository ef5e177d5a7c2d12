import sys
from pathlib import Path

import pytest

from maskkit.cache.records import cache_folder


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASKKIT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")


def test_what_is_chosen_wins_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKKIT_CACHE", "from/environment")
    assert cache_folder("chosen") == Path("chosen")
    assert cache_folder() == Path("from/environment")


@pytest.mark.parametrize(
    ("system", "place"), [("linux", ".cache/maskkit"), ("darwin", "Library/Caches/maskkit")]
)
def test_the_default_is_the_platforms(monkeypatch: pytest.MonkeyPatch, system: str, place: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert cache_folder() == Path("/home/someone") / place


def test_follows_the_desktops_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/maskkit")
