"""Every command of the documents runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_blocks import Block, Desk, blocks_of, lacking, typed_of
from test_docs import PAGES

BLOCKS = [block for page in PAGES if page != "benchmarks/README.md" for block in blocks_of(page)]
QUICK = [block for block in BLOCKS if block.is_quick]
SLOW = [block for block in BLOCKS if not block.is_quick]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("tables"), models=False)
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("models"), models=True)
    yield desk
    desk.close()


def run(desk: Desk, block: Block) -> None:
    if "jq" in block.words and shutil.which("jq") is None:
        pytest.skip("there is no jq here")
    done = desk.run(block)
    assert done.returncode == 0, f"{block.text}\n{done.stdout}"


@pytest.mark.parametrize("block", QUICK, ids=[block.name for block in QUICK])
def test_commands_over_tables_run(tables: Desk, block: Block) -> None:
    run(tables, block)


@pytest.mark.slow
@pytest.mark.parametrize("block", SLOW, ids=[block.name for block in SLOW])
def test_commands_with_models_run(models: Desk, block: Block) -> None:
    run(models, block)


TUTORIAL = [f"docs/tutorial/{name}.md" for name in ("first-score", "own-folders", "better", "wrong-labels")]


def follow(desk: Desk, folder: Path, *, whole: bool) -> None:
    """Type all of the tutorial in one folder, and look for what it says is shown."""
    folder.mkdir()
    for typed in (typed for page in TUTORIAL for typed in typed_of(page)):
        code, shown = desk.terminal(typed.text, folder)
        assert code == 0, f"{typed.text}\n{shown}"
        if whole or typed.is_quick:
            assert lacking(typed.shown, shown) == [], f"{typed.name}: {typed.text}\n{shown}"


def test_the_tutorial_runs_and_shows_what_it_says(tables: Desk, tmp_path: Path) -> None:
    follow(tables, tmp_path / "tutorial", whole=False)


@pytest.mark.slow
def test_the_tutorial_shows_what_it_says_of_real_models(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk", quick=False)
    try:
        follow(desk, tmp_path / "tutorial", whole=True)
    finally:
        desk.close()


def test_expected_lines_are_looked_for_in_their_order_whatever_the_numbers() -> None:
    assert lacking(["all 0.5", "a  1.25-2"], "x\nall  0.73 ███\ny\na 3.5-7.25\n") == []
    assert lacking(["b", "a"], "a\nb") == ["a"]
    assert lacking(["a is ...", "b ..."], "a is 1 and more\nc b") == ["b ..."]


def test_what_is_typed_is_told_apart_from_what_is_shown() -> None:
    typed = typed_of(TUTORIAL[1])
    assert typed[1].text.startswith("for person in")
    assert typed[1].text.endswith("\ndone")
    assert typed[2].shown[0] == "[[factors]]"


def test_there_are_blocks_of_both_kinds() -> None:
    assert len(QUICK) > 15
    assert len(SLOW) > 40


def test_what_a_block_makes_is_not_there_when_it_begins() -> None:
    block = Block(
        "x-1", "maskkit label train.csv -o a.parquet\nmaskkit split a.parquet > b.parquet  # c.csv\n"
    )
    assert block.makes == {"a.parquet", "b.parquet"}
    assert "c.csv" not in block.words
    loop = Block(
        "x-2", "maskkit train folds.parquet -o 'run/fold{fold}.safetensors'\nls run/fold*.safetensors"
    )
    assert loop.makes == {"run/fold*.safetensors"}


def test_lines_that_write_the_same_file_are_run_one_by_one() -> None:
    block = Block("x-1", "maskkit label a.csv -o b\nmaskkit label a.csv \\\n  --no-check -o b\n")
    assert [part.name for part in block.parts] == ["x-1-1", "x-1-2"]
    assert len(Block("x-1", "maskkit label a.csv -o b").parts) == 1


def test_a_command_that_fails_fails(tables: Desk) -> None:
    done = tables.run(Block("broken-1", "maskkit label nowhere -o x.parquet | cat\necho on\n"))
    assert done.returncode == 1
    assert "cannot read nowhere" in done.stdout
    assert Path("nowhere").exists() is False
