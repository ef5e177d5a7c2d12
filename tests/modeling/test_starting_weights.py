"""What `--weights auto` takes, and how a record names it."""

from __future__ import annotations

from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
import timm

from maskkit.errors import MaskkitError
from maskkit.modeling.packaged import INSTALL, PACKAGES
from maskkit.modeling.starting_weights import settle_weights
from maskkit.options.train_options import TrainOptions

LITE, TINY = "tf_efficientnet_lite0", "test_resnet"


def settled(model: str, weights: str = "auto", *, begun: tuple[str, object] | None = None) -> tuple[str, str]:
    """Return what a model and weights become, without the model's settings that were not given."""
    before = None if begun is None else {"model": begun[0], "weights": begun[1], "loss": "ce"}
    options = settle_weights(TrainOptions(model=model, weights=weights), begun=before)
    return options.one("model").name, options.weights


@pytest.fixture(params=[True, False])
def has_package(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the package with the weights of `LITE` is installed."""
    if request.param:
        models = tmp_path / PACKAGES[LITE] / "models"
        models.mkdir(parents=True)
        (models.parent / "__init__.py").touch()
        (models / "lite.pth").touch()
    found = {PACKAGES[LITE]: PathFinder.find_spec(PACKAGES[LITE], [str(tmp_path)]) if request.param else None}
    monkeypatch.setattr("maskkit.modeling.packaged.find_spec", found.get)
    return bool(request.param)


def test_auto_is_the_default_and_takes_a_package_that_is_installed_or_else_the_hub(
    has_package: bool,
) -> None:
    assert TrainOptions().weights == "auto"
    assert settled(LITE) == ((LITE, "package") if has_package else (f"{LITE}.in1k", "hub"))
    assert settled(TINY) == ("test_resnet.r160_in1k", "hub")


def test_a_tag_behind_the_model_asks_for_those_weights(has_package: bool) -> None:
    assert settled(f"{LITE}.in1k") == (f"{LITE}.in1k", "hub")
    assert settled("resnet18.fb_swsl_ig1b_ft_in1k") == ("resnet18.fb_swsl_ig1b_ft_in1k", "hub")


def test_the_tag_of_the_hub_is_recorded_beside_the_settings_of_the_model() -> None:
    options = settle_weights(TrainOptions(model=f"{TINY}:pool=gem", weights="hub"))
    assert options == TrainOptions(model=f"{TINY}.r160_in1k:pool=gem", weights="hub")
    assert settle_weights(options) == options


def test_of_a_model_that_nobody_has_trained_the_words_for_random_weights_are_named() -> None:
    with pytest.raises(MaskkitError, match="there are no pretrained weights of convnext_atto_rms") as caught:
        settled("convnext_atto_rms")
    assert "--weights none" in caught.value.fix
    assert settled("convnext_atto_rms", "none") == ("convnext_atto_rms", "none")


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm, "create_model", None)
    settled(LITE)
    settled(TINY)


@pytest.mark.parametrize("word", ["imagenet", "pretrained", "Auto", "random", "list", "hub-weights"])
def test_a_word_that_is_none_of_these_is_answered_with_those_that_are(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MaskkitError, match=f"cannot read weights from {word}") as caught:
        settled(TINY, word) if word != "list" else settled(TINY, "lists")
    for known in ("--weights auto", "package", "hub", "none", "--weights list"):
        assert known in caught.value.fix


def test_what_is_called_like_a_word_is_a_file_behind_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for word in ("auto", "none"):
        Path(word).write_bytes(b"weights")
        assert settled(TINY, f"./{word}") == (TINY, f"./{word}")
    assert settled(TINY, "none") == (TINY, "none")
    Path("imagenet").write_bytes(b"weights")
    assert settled(TINY, "imagenet") == (TINY, "imagenet")


def test_a_file_or_package_that_is_not_there_is_found_out_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("maskkit.modeling.packaged.find_spec", lambda _: None)
    with pytest.raises(MaskkitError, match="no such file") as caught:
        settled(TINY, "nowhere.pth")
    with pytest.raises(MaskkitError) as caught:
        settled(f"{LITE}.in1k", "package")
    assert caught.value.fix == INSTALL


def test_a_run_that_is_gone_on_with_has_the_weights_that_it_began_with(has_package: bool) -> None:
    begun = f"{LITE}.in1k:pool=default,drop_path=0"
    assert settled(LITE, begun=(begun, "hub")) == (f"{LITE}.in1k", "hub")
    assert settled(LITE, begun=(LITE, "none")) == (LITE, "none")
    assert settled(LITE, "none", begun=(LITE, "package")) == (LITE, "none")
    if has_package:
        assert settled(LITE, begun=(LITE, "package")) == (LITE, "package")
    else:
        with pytest.raises(MaskkitError, match="cannot find the packaged weights"):
            settled(LITE, begun=(LITE, "package"))


def test_a_run_that_is_gone_on_with_has_the_file_that_it_began_with(tmp_path: Path) -> None:
    file = tmp_path / "a.pth"
    file.write_bytes(b"weights")
    assert settled(TINY, begun=(TINY, str(file))) == (TINY, str(file))


@pytest.mark.parametrize("weights", ["auto", "hub"])
def test_a_run_that_is_gone_on_with_has_the_tag_of_the_hub_that_it_began_with(weights: str) -> None:
    kept, given = "resnet18.tv_in1k", "resnet18.a1_in1k"
    assert settled("resnet18", weights, begun=(kept, "hub")) == (kept, "hub")
    assert settled("resnet18", weights, begun=("resnet34.tv_in1k", "hub")) == (given, "hub")
    assert settled(given, weights, begun=(kept, "hub")) == (given, "hub")


def test_a_record_from_before_there_was_a_choice_decides_nothing() -> None:
    assert settled(TINY, begun=(TINY, None)) == ("test_resnet.r160_in1k", "hub")


def test_settling_twice_changes_nothing() -> None:
    once = settle_weights(replace(TrainOptions(model=TINY), epochs=3))
    assert settle_weights(once) == once
