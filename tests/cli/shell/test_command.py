"""What a declared command refuses, in which order, and what its function then gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pytest
import typer
from commandline import error_parts
from typer.testing import CliRunner, Result

from maskkit.artifacts.draft import sha256_of
from maskkit.artifacts.locks import held
from maskkit.artifacts.manifest import Manifest as ReadManifest
from maskkit.artifacts.progress_file import note_output
from maskkit.cli import Command, Commands
from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import Checks, command
from maskkit.cli.shell.parameters import (
    OMITTED,
    Argument,
    Excludes,
    Flags,
    Manifest,
    Named,
    Needs,
    Only,
    Reading,
    Source,
)
from maskkit.cli.shell.streams import OutputTarget, SideFile
from maskkit.options.fields import FILE, Between, Refusing
from maskkit.options.values import parse_bytes

GIVEN: dict[str, Any] = {}


def _check(number: int, text: str | None) -> None:
    if number == 7:
        raise typer.BadParameter("not seven", param_hint="--number")


@command(check=(_check,))
def work(
    *,
    manifest: common_options.ManifestIn = OMITTED,
    others: Annotated[list[Manifest], "More.", Reading(divided=True)] = OMITTED,
    like: Annotated[Source | Path | None, "One more, or a folder."] = None,
    output: common_options.Output = OMITTED,
    number: Annotated[int, "A number.", Between(1, 9)] = 1,
    text: Annotated[str | None, "A text.", Needs("folded", "only beside --folded")] = None,
    folded: Annotated[bool, "A flag.", Excludes("others", why="not with --others")] = False,
    size: Annotated[list[str], "Sizes.", Refusing(parse_bytes)] = OMITTED,
    opened: Annotated[str | None, "Opened by the stage.", FILE] = None,
    notes: Annotated[SideFile | None, "Beside.", Flags("--beside")] = None,
    resume: common_options.Resume = False,
    photos: common_options.CachedPhotoOptions,
    shown: Annotated[common_options.ReportOptions, Only("json", "html")],
) -> None:
    """Work.

    Example: maskkit work
    """
    GIVEN.update(locals())
    output.write(manifest.to_bytes())
    if notes is not None:
        notes.write(b"notes", "the notes are")


def _names(output: str | None, copies: int) -> list[str | None]:
    return [f"{output}{number}" for number in range(copies)]


@command()
def copies(
    *,
    artifact: Annotated[Manifest, "What is copied.", Argument(), Reading(columns=("fold",))] = OMITTED,
    output: Annotated[list[OutputTarget], "Files.", Flags("-o", "--output"), Named(_names)] = OMITTED,
    copies: Annotated[int, "How many."] = 2,
    check: Annotated[bool, "Only look.", Excludes("artifact", "output", why="it does nothing")] = False,
    checks: Checks,
) -> None:
    """Copy."""
    GIVEN.update(locals())
    checks.refuse_output(Path("late"))
    checks.resolved = lambda: {"copies": copies + 1}
    for target in output or ():
        target.write(b"")


@pytest.fixture
def run(folds: ReadManifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    app = typer.Typer(cls=Commands)
    for function in (work, copies):
        app.command(cls=Command)(function)
    monkeypatch.chdir(tmp_path)
    folds.write("folds.parquet")
    GIVEN.clear()

    def invoke(*words: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, list(words), input=stdin, env={"COLUMNS": "200"})

    return invoke


def test_the_function_gets_what_the_types_say(run: Callable[..., Result], tmp_path: Path) -> None:
    Path("folder").mkdir()
    words = [
        "--others",
        "folds.parquet",
        "--others",
        "folds.parquet",
        "--like",
        "folder",
        "--beside",
        "n.txt",
    ]
    result = run("work", "folds.parquet", "-o", "made", *words)
    assert (result.exit_code, result.stdout) == (0, "made\n"), result.stderr
    assert "the notes are n.txt" in result.stderr
    assert (Path("made").read_bytes(), Path("n.txt").read_bytes()) == (
        Path("folds.parquet").read_bytes(),
        b"notes",
    )
    assert [one.name for one in GIVEN["others"]] == ["folds.parquet"] * 2
    assert GIVEN["like"] == Path("folder")
    assert GIVEN["size"] == []


def test_what_is_left_out_is_standard_input_none_or_an_empty_list(run: Callable[..., Result]) -> None:
    result = run("work", stdin=Path("folds.parquet").read_bytes())
    assert result.stdout_bytes == Path("folds.parquet").read_bytes()
    assert (GIVEN["others"], GIVEN["like"], GIVEN["notes"], GIVEN["shown"].html) == ([], None, None, None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--number", "10"], "--number"),
        (["--text", "x"], "--text: only beside --folded"),
        (["--folded", "--others", "folds.parquet"], "--folded: not with --others"),
        (["--number", "7"], "--number: not seven"),
        (["--size", "1GB", "--size", "much"], "'much' is not an amount of memory"),
        (["--like", "-", "--others", "-"], "standard input can be read once"),
        (["-o", "a", "--html", "./a"], "--html: a is given to -o too"),
        (["--beside", "a", "--html", "a"], "is given to --beside too"),
    ],
)
def test_usage_is_refused_before_files_are_looked_at(
    run: Callable[..., Result], words: list[str], expected: str
) -> None:
    Path("a").touch()
    result = run("work", "nowhere", *words)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert not GIVEN


def test_an_input_left_out_beside_a_dash_is_standard_input_twice(run: Callable[..., Result]) -> None:
    result = run("work", "--like", "-", stdin=b"x")
    assert "standard input can be read once" in result.stderr


@pytest.mark.parametrize("flag", ["-o", "--html", "--beside"])
def test_every_output_is_refused_before_inputs_are_read(run: Callable[..., Result], flag: str) -> None:
    Path("there").write_text("old")
    result = run("work", "nowhere", flag, "there", "--dry-run")
    assert result.exit_code == 1
    assert "there exists already" in result.stderr
    forced = run("work", "nowhere", flag, "there", "--force", "--dry-run")
    assert "cannot read nowhere" in forced.stderr
    assert Path("there").read_text() == "old"


@pytest.mark.parametrize("flag", ["-o", "--html", "--beside"])
@pytest.mark.parametrize("words", [[], ["--others", "b"], ["--like", "b"], ["--opened", "b"]])
def test_no_output_is_an_input(run: Callable[..., Result], flag: str, words: list[str]) -> None:
    Path("b").write_bytes(Path("folds.parquet").read_bytes())
    output = "b" if words else "folds.parquet"
    result = run("work", "folds.parquet", *words, flag, f"./{output}", "--force")
    assert result.exit_code == 1
    assert "is read by this command" in result.stderr
    assert error_parts(result.stderr) == ["error", "why", "fix"]


def test_a_dry_run_goes_as_far_as_the_first_writing_and_prints_the_options(
    run: Callable[..., Result],
) -> None:
    result = run("work", "folds.parquet", "-o", "made", "--size", "1GB", "--dry-run", "--json")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "[work]")
    assert 'size = ["1GB"]' in result.stdout
    unrecorded = {"output", "html", "json", "cache", "cache-size", "force", "dry-run", "recipe", "quiet"}
    assert not unrecorded & {line.split(" = ")[0] for line in result.stdout.splitlines()}
    assert not Path("made").exists()
    assert GIVEN  # the function was called: what it refuses, a dry run refuses


def test_an_option_that_excludes_inputs_and_outputs_spares_them(run: Callable[..., Result]) -> None:
    result = run("copies", "--check", stdin=b"")
    assert result.exit_code == 0, result.stderr
    assert (GIVEN["artifact"], GIVEN["output"]) == (None, None)
    assert "--check: it does nothing" in run("copies", "--check", "-o", "x").stderr


def test_an_output_may_be_several_files(run: Callable[..., Result]) -> None:
    Path("x1").touch()
    assert "x1 exists already" in run("copies", "folds.parquet", "-o", "x").stderr
    assert run("copies", "folds.parquet", "-o", "y").exit_code == 0
    assert [one.path for one in GIVEN["output"]] == [Path("y0"), Path("y1")]


def test_what_a_function_finds_out_late_is_refused_in_a_dry_run_too(run: Callable[..., Result]) -> None:
    result = run("copies", "folds.parquet", "-o", "x", "--dry-run")
    assert "copies = 3\n" in result.stdout  # as the function has resolved them
    assert not list(Path().glob("x*"))
    Path("late").touch()
    result = run("copies", "folds.parquet", "-o", "x", "--dry-run")
    assert "late exists already" in result.stderr


def test_a_manifest_without_the_columns_it_needs_is_refused(
    run: Callable[..., Result], labels: ReadManifest
) -> None:
    labels.write("labels.parquet")
    result = run("copies", "labels.parquet", "-o", "x", "--dry-run")
    assert result.exit_code == 1
    assert "fold" in result.stderr


def test_a_divided_manifest_is_read_only_where_it_is_to_be_looked_at(
    run: Callable[..., Result], folds: ReadManifest
) -> None:
    place, fold = folds.table.column_names.index("fold"), folds.folds.astype("int16")
    fold[0] = (fold[0] + 1) % 3
    table = folds.table.set_column(place, folds.table.schema.field("fold"), pa.array(fold))
    replace(folds, table=table).write("leaky.parquet")
    assert run("work", "leaky.parquet", "-o", "made", "--dry-run").exit_code == 3
    assert run("work", "folds.parquet", "--others", "leaky.parquet", "-o", "made", "--dry-run").exit_code == 0


def test_resuming_replaces_the_output_of_an_interrupted_run_and_no_other(run: Callable[..., Result]) -> None:
    Path("made").write_bytes(b"other")
    words = ["work", "folds.parquet", "-o", "made", "--resume"]
    assert "made exists already" in run(*words).stderr
    assert (Path("made").read_bytes(), Path("made.2").read_bytes()[:4]) == (b"other", b"PAR1")
    Path("made.resume").touch()  # of a run that has not been allowed to replace it
    assert "made exists already" in run(*words).stderr
    note_output(Path("made.resume"), sha256_of(Path("made")))
    Path("made.resume").write_bytes(b"{}\n" + Path("made.resume").read_bytes())
    assert run(*words).exit_code == 0
    assert Path("made").read_bytes() == Path("made.2").read_bytes()


def test_resuming_what_is_finished_is_no_error(run: Callable[..., Result]) -> None:
    words = ["work", "folds.parquet", "-o", "made", "--resume"]
    for _ in range(2):
        assert (run(*words).exit_code, sorted(map(str, Path().iterdir()))) == (0, ["folds.parquet", "made"])


def test_a_command_that_can_be_resumed_holds_its_output(run: Callable[..., Result]) -> None:
    with held(Path("made")):
        refused = run("work", "folds.parquet", "-o", "made")
        assert (refused.exit_code, "made is being made by another run" in refused.stderr) == (1, True)
        assert run("work", "folds.parquet", "-o", "made", "--dry-run").stderr == refused.stderr
    assert run("work", "folds.parquet", "-o", "made", "--dry-run").exit_code == 0
    assert not Path(".made.lock").exists()


def test_files_of_one_command_appear_together(run: Callable[..., Result]) -> None:
    words = ["work", "folds.parquet", "-o", "made", "--beside", "new/notes"]
    Path("new").touch()
    assert run(*words).exit_code == 1
    assert not Path("made").exists()
    Path("new").unlink()
    done = run(*words)
    assert (done.exit_code, done.stdout) == (0, "made\n")
    assert "the notes are new/notes" in done.stderr
