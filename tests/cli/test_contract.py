"""The manners that every command must have; a new command fails here until it is described."""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from commandline import COMMANDS, DESCRIBED, MAKERS, REPORTERS, error_parts, run

from maskkit.cli.shell.help_pages import examples_of, paragraphs
from maskkit.cli.shell.help_panels import shortened
from maskkit.cli.shell.option_page import meanings
from maskkit.cli.shell.parameters import SHELL_PANEL, Argument
from maskkit.options.train_options import TrainOptions

PIPED = [name for name, one in DESCRIBED.items() if one.stdin]
TO_STDOUT = [name for name in MAKERS if DESCRIBED[name].to_stdout]


def test_every_command_is_described() -> None:
    assert set(DESCRIBED) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_every_text_and_the_page_of_an_option_ends_it(name: str) -> None:
    shown = run(name, "--help", COLUMNS="250")
    assert shown.exit_code == run(name, "-h").exit_code == 0
    text = re.sub(r"[\s│]+", "", shown.stdout)
    for item in COMMANDS[name].callback.parameters:
        whole = item.note(str)
        assert whole, item.name
        begun = shortened(whole)
        assert whole.startswith(begun.removesuffix(" ..."))
        assert re.sub(r"\s+", "", begun) in text, item.name
        if item.note(Argument) is None:
            page = run("help", name, item.flag, COLUMNS="80").stdout
            assert " ".join(whole.split()) in " ".join(page.split())
            assert max(map(len, page.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_flows_to_the_width_of_the_terminal(name: str) -> None:
    wide = run(name, "--help", COLUMNS="250").stdout.splitlines()
    said = [
        one
        for one in paragraphs(COMMANDS[name].callback.__doc__)
        if not re.search(r": (torchrun .* -m )?maskkit ", one)
    ]
    assert said
    assert [one for one in said if len(one) < 240 and one not in wide] == []
    narrow = run(name, "--help", COLUMNS="80").stdout.splitlines()
    assert max(map(len, narrow)) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_each_panel_of_help_fits_on_a_terminal(name: str) -> None:
    shown = run(name, "--help", COLUMNS="80").stdout
    panels = re.findall(r"^╭.*?^╰", shown, re.MULTILINE | re.DOTALL)
    assert [panel for panel in panels if panel.count("\n") >= 24] == []
    assert {line.rstrip()[-1] for panel in panels for line in panel.splitlines()[1:-1]} == {"│"}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_required_is_marked(name: str) -> None:
    shown = run(name, "--help", COLUMNS="250").stdout
    usage = shown.splitlines()[1]
    for item in COMMANDS[name].callback.parameters:
        assert bool(re.search(rf"^│ \* {re.escape(item.flag)}\b.*required", shown, re.MULTILINE)) == (
            item.is_required
        )
        assert not (item.is_required and item.note(Argument)) or f" {item.flag}" in usage


@pytest.mark.parametrize("name", COMMANDS)
def test_each_of_a_few_words_is_explained_in_a_line(name: str) -> None:
    for item in COMMANDS[name].callback.parameters:
        words = [str(word) for kind in item.kinds if get_origin(kind) is Literal for word in get_args(kind)]
        does = meanings(item)
        assert set(words) <= set(does)
        assert [word for word, text in does.items() if not 5 < len(text) < 80] == []
        if does:
            page = run("help", name, item.flag.strip("-"), COLUMNS="100").stdout
            assert page == run(name, "--help", item.flag, COLUMNS="100").stdout
            assert page == run(name, f"--help-{item.flag.strip('-')}", COLUMNS="100").stdout
            assert [word for word, text in does.items() if not re.search(
                rf"^  {re.escape(word)} +{re.escape(text.split()[0])}", page, re.MULTILINE
            )] == []  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("columns", ["80", "250"])
def test_help_ends_in_examples_that_can_be_copied_whole(name: str, columns: str) -> None:
    shown = run(name, "--help", COLUMNS=columns).stdout
    below = shown.rpartition(" --OPTION\n")[2]
    assert below.startswith("\n Example:\n  maskkit ")
    assert all(len(line) <= 80 and line == line.rstrip() for line in below.splitlines())
    lines = [line for line in re.sub(r" \\\n +", " ", below).splitlines() if line.startswith("  ")]
    examples = [shlex.split(line) for line in lines]
    assert [" ".join(words) for words in examples] == [
        " ".join(shlex.split(one.line)) for one in examples_of(COMMANDS[name].callback.__doc__)
    ]
    flags = {flag for item in COMMANDS[name].params for flag in item.opts}
    for words in examples:
        assert " ".join(words[:2]) == f"maskkit {name}" or words[0] == "torchrun"
        own = words[words.index("maskkit") :]
        assert {word for word in own if word.startswith("-") and word != "-"} <= flags


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_wrong_usage(name: str, work: Path) -> None:
    result = run(name, "--no-such-option")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--no-such-option" in result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_what_cannot_be_done_is_told_in_three_parts(name: str, words: Any) -> None:
    result = run(name, *words(DESCRIBED[name].impossible))
    assert (result.exit_code, result.stdout) == (1, "")
    assert error_parts(result.stderr) == ["error", "why", "fix"]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("word", ["a" * 5000, "a/" * 3000 + "b"], ids=["name", "path"])
def test_a_name_that_is_too_long_is_told_in_three_parts(name: str, word: str, words: Any) -> None:
    output = [f"-omade{DESCRIBED[name].suffix}"] if DESCRIBED[name].suffix else []
    result = run(name, word, *words(DESCRIBED[name].words)[1:], *output)
    assert (result.exit_code, result.stdout) == (1, "")
    assert error_parts(result.stderr) == ["error", "why", "fix"]
    assert "too long" in result.stderr


@pytest.mark.parametrize("name", [name for name, one in DESCRIBED.items() if one.refused])
def test_the_answer_no_has_an_exit_code_of_its_own(name: str, words: Any) -> None:
    result = run(name, *words(DESCRIBED[name].refused))
    assert result.exit_code == 3
    assert error_parts(result.stderr)[-3:] == ["error", "why", "fix"]
    assert result.stdout == "" or name in REPORTERS


@pytest.mark.parametrize("name", MAKERS)
def test_makes_one_file_and_prints_its_path_alone(name: str, words: Any, work: Path) -> None:
    one = DESCRIBED[name]
    output = f"new/made{one.suffix}"
    result = run(name, *words(one.words), "-o", output)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{output}\n"
    assert "\x1b" not in result.stderr
    beside = {"new/made.history.csv"} if name == "train" else set()
    assert {path.relative_to(work).as_posix() for path in (work / "new").iterdir()} == {output, *beside}

    made = Path(output).read_bytes()
    again = run(name, *words(one.words), "-o", output)
    assert again.exit_code == 1
    assert f"{output} exists already" in again.stderr
    assert Path(output).read_bytes() == made
    Path(output).write_bytes(b"another file")
    forced = run(name, *words(one.words), "-o", output, "--force", "--quiet")
    assert (forced.exit_code, forced.stdout, forced.stderr) == (0, f"{output}\n", "")
    assert Path(output).read_bytes() == made


@pytest.mark.parametrize("name", TO_STDOUT)
def test_an_artifact_on_standard_output_is_the_same_to_the_byte(name: str, words: Any) -> None:
    one = DESCRIBED[name]
    path = run(name, *words(one.words), "-o", f"made{one.suffix}").stdout.strip()
    assert run(name, *words(one.words), "-o", "-").stdout_bytes == Path(path).read_bytes()
    if not one.reports:
        assert run(name, *words(one.words)).stdout_bytes == Path(path).read_bytes()


@pytest.mark.parametrize("name", PIPED)
def test_reads_standard_input(name: str, words: Any) -> None:
    one = DESCRIBED[name]
    (given,) = [Path(word) for word in words(one.stdin)]
    piped, dash = words(one.piped), [] if "- " in one.piped else ["-"]
    output = ["-o", f"made{one.suffix}", "--force"] if one.suffix else []
    for start in ([], dash):
        result = run(name, *start, *piped, *output, stdin=given)
        assert result.exit_code == 0, result.stderr
        assert result.stdout
    empty = run(name, *dash, *piped, *output, stdin=b"")
    assert empty.exit_code == 1
    assert "standard input is empty" in empty.stderr


@pytest.mark.parametrize("name", MAKERS)
def test_an_input_is_never_replaced_even_by_force(name: str, words: Any, work: Path) -> None:
    one = DESCRIBED[name]
    given = work / words(one.words)[0]
    copy = work / f"input{one.suffix}"
    copy.write_bytes(given.read_bytes())
    others = words(one.words)[1:]
    before = copy.read_bytes()
    result = run(name, str(copy), *others, "-o", str(copy), "--force")
    assert result.exit_code == 1
    assert "inputs are never modified" in result.stderr
    assert copy.read_bytes() == before


@pytest.mark.parametrize("name", COMMANDS)
def test_a_dry_run_writes_nothing_and_prints_a_recipe_that_gives_the_same(
    name: str, words: Any, work: Path
) -> None:
    one = DESCRIBED[name]
    output = ["-o", f"made{one.suffix}"] if one.suffix else []
    before = sorted(work.rglob("*"))
    result = run(name, *words(one.words), *output, "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert sorted(work.rglob("*")) == before
    assert result.stdout.startswith(f"[{name}]\n")
    Path("recipe.toml").write_text(result.stdout)
    arguments = [word for word in words(one.words) if Path(word).suffix or word == "drawn"]
    back = run(name, *arguments, *output, "--dry-run", "--recipe", "recipe.toml")
    assert (back.exit_code, back.stdout) == (0, result.stdout), back.stderr


@pytest.mark.parametrize("name", REPORTERS)
def test_a_report_is_a_table_for_programs_in_a_pipe_and_json_if_asked(name: str, words: Any) -> None:
    one = DESCRIBED[name]
    table = run(name, *words(one.words)).stdout.splitlines()
    assert len({line.count("\t") for line in table}) == 1
    assert len(table) > 5
    assert isinstance(json.loads(run(name, *words(one.words), "--json").stdout), dict)
    assert run(name, *words(one.words), "--quiet").stderr == ""


def _shared() -> dict[str, list[tuple[str, Any]]]:
    owners: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for command, item in ((name, item) for name in COMMANDS for item in COMMANDS[name].params):
        if item.param_type_name == "option":
            owners[item.name].append((command, item))
    return {name: found for name, found in owners.items() if len(found) > 1}


# The same word with another meaning would be a trap; where only the help differs, it is because
# the command does something else with the same thing.
OTHER_HELP = {
    "output": {"train", "split"},
    "json": {"split"},  # the artifact has standard output, unless -o names a file
    "root": {"label"},
    "fold": {"train"},  # which can take all of them
    "corrections": {"audit"},
    "weights": {"train", "ensemble"},
    "precision": {"predict"},
    "unlabeled": {"pseudo"},  # where it also says where predicted photos are
    "on": {"ensemble", "predict", "soup"},
    "by": {"evaluate"},  # cuts scores by several things in turn; `split` divides by one
    "against": {"evaluate"},  # compares with one other; `audit` looks at several
}


SEVERAL = {"by", "against"}  # one thing in a command, several in another
OF_ANOTHER_KIND = {"weights"}  # which a model starts from; those of an ensemble's members are numbers


@pytest.mark.parametrize("option", _shared())
def test_an_option_means_the_same_in_every_command(option: str) -> None:
    found = [(command, item) for command, item in _shared()[option]]
    alike = [item for command, item in found if command not in OTHER_HELP.get(option, ())]
    assert len({(tuple(item.opts), item.is_flag) for _, item in found}) == 1
    assert len({(item.help, str(item.default), item.min, item.max, item.multiple) for item in alike}) <= 1
    if option not in SEVERAL | OF_ANOTHER_KIND:
        assert len({(str(item.default), item.multiple) for _, item in found}) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_options_of_the_contract(name: str) -> None:
    present = {item.name for item in COMMANDS[name].params}
    wanted = {"quiet", "recipe", "dry_run"}
    wanted |= {"output", "force"} if DESCRIBED[name].suffix else set()
    wanted |= {"json"} if DESCRIBED[name].reports else set()
    assert wanted <= present


def test_train_has_every_option_of_its_dataclass_and_no_other_of_that_kind() -> None:
    declared = {field.name for field in fields(TrainOptions)}
    present = {item.name for item in COMMANDS["train"].params if item.rich_help_panel != SHELL_PANEL}
    assert declared <= present
    assert present - declared == {
        "manifest", "fold", "like", "budget", "root", "cache", "cache_size", "resume", "allow_leak"
    }  # fmt: skip


def test_train_has_no_more_options_than_a_person_can_look_through() -> None:
    assert len([item for item in COMMANDS["train"].params if item.param_type_name == "option"]) <= 43
