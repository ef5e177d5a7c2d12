from __future__ import annotations

import shlex

from maskkit.artifacts.header import Input, Record, merged
from maskkit.artifacts.history import script


def run(stage: str, *inputs: Input, **options: object) -> Record:
    return Record(stage, options, inputs, version="1.2")


def read(path: str, record: Record, *, option: str | None = None) -> Input:
    return Input(path, "", record.id, option)


def lines(*history: Record, output: str = "out.parquet") -> list[str]:
    head, shell, *rest = script(history, output=output).split("\n")
    assert (head, shell) == ("#!/bin/sh", "set -e")
    return [line for line in rest if not line.startswith("#")]


LABEL = run("label", Input("train.csv", ""), root="images", task=None, skip_bad=False)
SPLIT = run("split", read("labels.parquet", LABEL), by="person", folds=5, holdout=None, seed=0)


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
