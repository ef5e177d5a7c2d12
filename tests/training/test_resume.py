from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from maskkit.artifacts.header import Input, Record
from maskkit.artifacts.interrupted import differences
from maskkit.errors import MaskkitError
from maskkit.training.resume import load_state, resume_path, save_state

RECORD = Record(
    "train", {"fold": 0, "epochs": 3, "workers": 2}, (Input("folds.parquet", "aa"), Input("start.pth", "bb"))
)


def with_options(**options: object) -> Record:
    return replace(RECORD, options={**RECORD.options, **options})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "fold0.resume"
    save_state(path, RECORD, {"model": {"weight": torch.arange(300.0)}, "history": [{"epoch": 1}]})
    return path


def test_lies_beside_the_checkpoint() -> None:
    assert resume_path(Path("run/v1.2.safetensors")) == Path("run/v1.2.resume")


def test_gives_back_what_was_saved(saved: Path) -> None:
    state = load_state(saved, RECORD)
    assert torch.equal(state["model"]["weight"], torch.arange(300.0))
    assert state["history"] == [{"epoch": 1}]


def test_names_every_option_that_differs(saved: Path) -> None:
    with pytest.raises(MaskkitError) as caught:
        load_state(saved, with_options(epochs=5, fold=1))
    assert caught.value.why.endswith("fold was 0, is 1; epochs was 3, is 5")


def test_the_machine_may_change_between_the_parts_of_a_run() -> None:
    assert differences(RECORD, with_options(workers=8)) == []


def test_a_renamed_input_is_the_same_and_a_changed_one_is_not() -> None:
    renamed = replace(RECORD, inputs=(Input("moved/folds.parquet", "aa"), RECORD.inputs[1]))
    assert differences(RECORD, renamed) == []
    changed = replace(RECORD, inputs=(Input("folds.parquet", "cc"), RECORD.inputs[1]))
    assert differences(RECORD, changed) == ["an input file has other content"]
    assert differences(RECORD, replace(RECORD, inputs=RECORD.inputs[:1]))


def test_another_version_does_not_go_on_with_the_run() -> None:
    assert differences(replace(RECORD, version="0.0.1"), RECORD)[0].startswith("maskkit was 0.0.1")


def other_content(data: bytes) -> bytes:
    return b"epoch,train_loss\n1,0.5\n"


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda data: data[: len(data) // 2], lambda data: data[:-1], other_content]
)
def test_a_damaged_file_is_an_error_that_names_it(saved: Path, damage: Callable[[bytes], bytes]) -> None:
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(MaskkitError, match=r"cannot resume from .*fold0\.resume") as caught:
        load_state(saved, RECORD)
    assert "damaged" in caught.value.why
    assert "--force" in caught.value.fix


@pytest.mark.parametrize("content", [[1, 2], {"state": {}}, {"record": {}, "state": {}}, torch.zeros(2)])
def test_another_file_of_torch_is_an_error_too(tmp_path: Path, content: object) -> None:
    path = tmp_path / "fold0.resume"
    torch.save(content, path)
    with pytest.raises(MaskkitError, match="cannot resume"):
        load_state(path, RECORD)


class Harmful:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return Path.touch, (Path("harm"),)  # type: ignore[return-value]


def test_runs_no_code_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"record": RECORD.to_json(), "state": Harmful()}, "fold0.resume")
    with pytest.raises(MaskkitError, match="cannot resume"):
        load_state(Path("fold0.resume"), RECORD)
    assert not Path("harm").exists()
