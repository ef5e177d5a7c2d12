from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maskkit.artifacts.header import Input, Record, merged
from maskkit.artifacts.script import script


def run(stage: str, *inputs: Input, **options: object) -> Record:
    return Record(stage, options, inputs, version="1.2")


def read(path: str, record: Record, *, option: str | None = None) -> Input:
    return Input(path, "", record.id, option)


def lines(*history: Record, output: str | None = "out.parquet") -> list[str]:
    head, shell, *rest = script(history, output=output).split("\n")
    assert (head, shell) == ("#!/bin/sh", "set -e")
    return [line for line in rest if not line.startswith("#")]


LABEL = run("label", Input("train.csv", ""), root="images", task=None, skip_bad=False)
SPLIT = run("split", read("labels.parquet", LABEL), by="person", folds=5, holdout=None, seed=0)


def test_a_last_command_that_wrote_nothing_is_given_no_output() -> None:
    found = run("lr-find", read("folds.parquet", SPLIT), fold=0)
    *made, last = lines(LABEL, SPLIT, found, output=None)
    assert last == "maskkit lr-find folds.parquet --fold 0"
    assert made[-1].endswith(" -o folds.parquet")


def test_a_chain_comes_out_in_order_with_its_names_linked() -> None:
    trains = [run("train", read("folds.parquet", SPLIT), fold=fold) for fold in range(2)]
    models = [read(f"run/fold{index}.safetensors", train) for index, train in enumerate(trains)]
    predicts = [run("predict", read("folds.parquet", SPLIT), model, oof=True) for model in models]
    answers = [read(f"p{index}.parquet", predict) for index, predict in enumerate(predicts)]
    vote = run("ensemble", *answers, vote="soft", weights=[2.0, 1.0])
    history = (
        *merged((LABEL, SPLIT, train, predict) for train, predict in zip(trains, predicts, strict=True)),
        vote,
    )
    assert lines(*history, output="final.parquet") == [
        "maskkit label train.csv --root images -o labels.parquet",
        "maskkit split labels.parquet --by person --folds 5 --seed 0 -o folds.parquet",
        "maskkit train folds.parquet --fold 0 -o run/fold0.safetensors",
        "maskkit predict folds.parquet run/fold0.safetensors --oof -o p0.parquet",
        "maskkit train folds.parquet --fold 1 -o run/fold1.safetensors",
        "maskkit predict folds.parquet run/fold1.safetensors --oof -o p1.parquet",
        "maskkit ensemble p0.parquet p1.parquet --vote soft --weights 2.0,1.0 -o final.parquet",
    ]


def test_a_pipe_gets_a_file_name_on_both_sides() -> None:
    for path in ("-", "/dev/fd/63"):
        piped = run("split", read(path, LABEL), seed=0)
        first, second = lines(LABEL, piped)
        name = shlex.split(first)[-1]
        assert name.endswith(".parquet")
        assert not name.startswith(("/", "-"))
        assert second == f"maskkit split {name} --seed 0 -o out.parquet"


def test_two_pipes_of_one_history_get_two_names() -> None:
    label = run("label", Input("test.csv", ""))
    first, second, _ = lines(LABEL, label, run("x", read("-", LABEL), read("-", label)))
    assert shlex.split(first)[-1] != shlex.split(second)[-1]


def test_names_with_spaces_and_shell_signs_are_quoted() -> None:
    label = run("label", Input("my photos/$(rm -rf).csv", ""), root="it's here", task="-")
    split = run("split", read("my labels;.parquet", label))
    first, second = lines(label, split, output="a b.parquet")
    assert shlex.split(first) == [
        *("maskkit", "label", "my photos/$(rm -rf).csv", "--root", "it's here", "--task", "-"),
        *("-o", "my labels;.parquet"),
    ]
    assert shlex.split(second) == ["maskkit", "split", "my labels;.parquet", "-o", "a b.parquet"]


def test_options_without_a_value_are_left_out_and_switches_stand_alone() -> None:
    record = run("x", none=None, off=False, on=True, zero=0, empty="", two_words=1.5, many=["a", "b"])
    assert lines(record) == ["maskkit x --on --zero 0 --empty '' --two-words 1.5 --many a,b -o out.parquet"]


def test_inputs_that_an_option_names_are_no_arguments() -> None:
    record = run("train", Input("w.safetensors", "", option="weights"), weights="w.safetensors")
    assert lines(record) == ["maskkit train --weights w.safetensors -o out.parquet"]


def test_a_file_that_was_overwritten_on_the_way_gets_another_name() -> None:
    first = run("split", read("m.parquet", LABEL), seed=1)
    second = run("split", read("m.parquet", first), seed=2)
    made, again, last = lines(LABEL, first, second, output="m.parquet")
    outputs = [shlex.split(line)[-1] for line in (made, again, last)]
    assert len(set(outputs)) == 3
    assert outputs[2] == "m.parquet"
    assert shlex.split(again)[2] == outputs[0]
    assert shlex.split(last)[2] == outputs[1]


def test_the_versions_that_ran_are_named() -> None:
    text = script((Record("a", {}, (), "1.0"), Record("b", {}, (), "1.1")), output="o")
    assert "# maskkit 1.0\n# maskkit 1.1\n" in text


@pytest.mark.parametrize(("count", "shown"), [(12, True), ("12\ntouch ran", False), (None, False)])
def test_photos_that_were_named_in_another_form_are_counted(count: object, shown: bool) -> None:
    found = {} if count is None else {"other_unicode_form": count}
    text = script((Record("label", {}, (), "1.0", found),), output="o")
    assert ("\n# 12 photos were named in another form of Unicode\n" in text) == shown
    assert "touch" not in text


def test_an_empty_history_is_an_empty_script() -> None:
    assert script((), output="x.csv") == "#!/bin/sh\nset -e"


def test_an_option_of_several_names_is_given_once_for_each() -> None:
    record = run("label", train_cuts={"age": [30, 58], "cold": [-1.5]}, ignore={"age": ["57-59", "3"]}, no={})
    assert lines(record) == [
        "maskkit label --train-cuts age=30,58 --train-cuts cold=-1.5 --ignore age=57-59,3 -o out.parquet"
    ]


def test_a_decision_is_written_by_the_option_that_writes_it() -> None:
    tune = run("evaluate", read("folds.parquet", SPLIT), Input("oof.csv", ""), tune="age", seed=0)
    assert lines(SPLIT, tune, output="age.json")[-1] == (
        "maskkit evaluate folds.parquet oof.csv --tune age --seed 0 --decision age.json"
    )


# A command of the same name that writes down what it is given, each word behind a NUL.
SHELL = 'maskkit() { for word; do printf "\\0%s" "$word"; done >>"$SEEN"; }\n'


def done_by_sh(text: str, folder: Path) -> list[str]:
    seen = folder / "seen"
    seen.write_bytes(b"")
    subprocess.run(["sh", "-c", SHELL + text], cwd=folder, env={**os.environ, "SEEN": str(seen)}, check=True)
    assert [path.name for path in folder.iterdir()] == ["seen"]  # nothing else ran
    return seen.read_bytes().decode("utf-8", "surrogateescape").split("\0")[1:]


HOSTILE = [
    "$(touch ran)", "`touch ran`", "a\ntouch ran", "\ntouch ran\n\n", "'; touch ran; '", '"$HOME"', "a\\nb",
    "%s%%", "\x1b]0;title\x07", "\x9b31m", "\r#", "\u202egpj.exe", "\u2028touch ran", "a\udcb0b", "\x7f",
    "~", "*", "#x", "{a,b}", "a b", "!x", "\t", "한국 마스크.csv",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_a_text_is_run_and_no_terminal_acts_on_it(text: str, tmp_path: Path) -> None:
    record = Record("label", {"x": text, "many": [text, text], "by": {text: [text]}}, (Input(text, ""),), "1")
    shown = script((record, run("split", read(text, record))), output=text)
    assert all(
        line == "" or line.startswith(("#", "set", "newline=", "maskkit ")) for line in shown.split("\n")
    )
    assert all(letter.isprintable() for line in shown.split("\n") for letter in line)
    assert done_by_sh(shown, tmp_path) == [
        *("label", text, "--x", text, "--many", f"{text},{text}", "--by", f"{text}={text}", "-o"),
        *(
            f"piped-{record.id}{Path(text).suffix}",
            "split",
            f"piped-{record.id}{Path(text).suffix}",
            "-o",
            text,
        ),
    ]


def test_a_version_stays_in_its_comment(tmp_path: Path) -> None:
    shown = script((Record("label", {}, (), "1\ntouch ran\r\x1b[2J"),), output="o")
    assert "# maskkit 1\\ntouch ran\\r\\x1b[2J\n" in shown
    assert done_by_sh(shown, tmp_path) == ["label", "-o", "o"]


def test_a_stage_and_the_name_of_an_option_are_quoted_too(tmp_path: Path) -> None:
    record = Record("label; touch ran", {"a b\n$(touch ran)": 1}, ())
    assert done_by_sh(script((record,), output="o"), tmp_path)[0] == "label; touch ran"


def test_what_looks_like_an_option_is_none() -> None:
    label = run("label", Input("--root=/etc", ""), Input("-w", "", option="weights"), weights="-w", task="-x")
    split = run(
        "split", read("-o", label), Input("--f", "", option="fit"), fit=["--f"], by="--force", seed=-1
    )
    first, second = lines(label, split, output="--help")
    assert first == "maskkit label ./--root=/etc --weights=-w --task=-x -o ./-o"
    assert second == "maskkit split ./-o --fit ./--f --by=--force --seed=-1 -o ./--help"


def test_a_long_history_of_many_inputs_is_written_at_once() -> None:
    records = [run("label", seed=number) for number in range(2000)]
    last = run("ensemble", *(read(f"{number % 7}.parquet", record) for number, record in enumerate(records)))
    assert len(lines(*records, last)) == 2001


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
@example("-\x1f")
@example("--\x1f\n")
def test_the_shell_reads_back_any_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("script")
    words = done_by_sh(script((run("label", x=text),), output="o"), folder)
    assert words == ["label", *([f"--x={text}"] if text[0] == "-" != text else ["--x", text]), "-o", "o"]


@pytest.mark.parametrize("number", [None, "2; touch x", True, 0, -1, 2.5])
def test_only_a_number_of_threads_is_taken_from_a_history(number: object) -> None:
    text = script((Record("train", {}, (), "1.0", {"threads": number}),), output="o")
    assert text.splitlines()[-1] == "maskkit train -o o"


def test_a_command_computes_in_as_many_threads_as_it_did() -> None:
    text = script((Record("train", {}, (), "1.0", {"threads": 2}),), output="o")
    assert text.splitlines()[-1] == "OMP_NUM_THREADS=2 maskkit train -o o"
