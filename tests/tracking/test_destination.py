import pytest

from maskkit.errors import MaskkitError
from maskkit.tracking.destination import Destination


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tensorboard:runs", Destination("tensorboard", "runs")),
        ("tensorboard:runs,mistakes=16", Destination("tensorboard", "runs", 16)),
        ("tensorboard:a,b/c", Destination("tensorboard", "a,b/c")),
        ("tensorboard:a=1,b/c", Destination("tensorboard", "a=1,b/c")),
        ("wandb:team/masks", Destination("wandb", "team/masks")),
        ("mlflow:http://host:5000", Destination("mlflow", "http://host:5000")),
        ("mlflow:sqlite:///a.db,mistakes=4", Destination("mlflow", "sqlite:///a.db", 4)),
    ],
)
def test_reads_where_to_and_writes_it_again(text: str, wanted: Destination) -> None:
    assert Destination.parse(text) == wanted
    assert str(wanted) == text


def test_sends_no_photos_unless_asked() -> None:
    assert Destination.parse("wandb:masks").mistakes == 0


@pytest.mark.parametrize("text", ["comet:masks", "runs", "", ":runs", "Tensorboard:runs"])
def test_an_unknown_tracker_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        Destination.parse(text)
    assert "tensorboard, wandb, mlflow" in caught.value.why
    assert "mlflow:URI" in caught.value.fix


@pytest.mark.parametrize("text", ["wandb", "wandb:", "wandb: ", "wandb:,mistakes=3"])
def test_a_tracker_without_a_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(MaskkitError, match="does not say where") as caught:
        Destination.parse(text)
    assert "--track wandb:masks" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("wandb:masks,mistake=3", "mistake"),
        ("wandb:masks,mistakes=3,mistakes=4", "mistakes, mistakes"),
        ("wandb:masks,mistakes=3,entity=me", "mistakes, entity"),
    ],
)
def test_other_settings_are_refused_and_not_taken_for_a_place(text: str, seen: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        Destination.parse(text)
    assert caught.value.what.endswith(f"has the settings {seen}")


@pytest.mark.parametrize("number", ["101", "-1", "many", "1.5", ""])
def test_an_impossible_number_of_mistakes_is_refused_with_the_limits(number: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        Destination.parse(f"wandb:masks,mistakes={number}")
    assert "from 0 to 100" in caught.value.why
