import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from maskkit.artifacts.locks import held
from maskkit.errors import MaskkitError
from maskkit.progress import Item, shown_by
from maskkit.stages.demo import Drawn, demo

STATES = ["incorrect_mask", "mask1", "mask2", "mask3", "mask4", "mask5", "normal"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def interrupted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    yield next(iter(items))
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "demo"
    assert demo(folder, people=5, test_people=3, seed=7) == Drawn(5, 35, 3, 21)
    return folder


def test_writes_the_layout_of_the_competition(drawn: Path) -> None:
    people = rows(drawn / "train" / "train.csv")
    assert list(people[0]) == ["id", "gender", "race", "age", "path"]
    assert len(people) == 5
    for person in people:
        assert person["path"] == "_".join(person[key] for key in ("id", "gender", "race", "age"))
        photos = sorted((drawn / "train" / "images" / person["path"]).iterdir())
        assert [photo.name for photo in photos] == [f"{state}.jpg" for state in STATES]
    assert len(list((drawn / "train" / "images").iterdir())) == 5


def test_hides_the_answers_from_the_test_set(drawn: Path) -> None:
    asked, answers = rows(drawn / "eval" / "info.csv"), rows(drawn / "eval" / "answers.csv")
    assert {row["ans"] for row in asked} == {"0"}
    assert [row["ImageID"] for row in asked] == [row["path"] for row in answers]
    assert {row["path"] for row in answers} == {path.name for path in (drawn / "eval" / "images").iterdir()}
    assert all(len(row["path"]) == len("0" * 40 + ".jpg") for row in answers)
    assert Counter(row["mask"] for row in answers) == {"wear": 15, "incorrect": 3, "none": 3}
    order = [row["person_id"] for row in answers]
    assert order != sorted(order)


def test_tests_on_other_people_than_it_trains_on(drawn: Path) -> None:
    known = {row["id"] for row in rows(drawn / "train" / "train.csv")}
    hidden = {row["person_id"] for row in rows(drawn / "eval" / "answers.csv")}
    assert (len(known), len(hidden)) == (5, 3)
    assert not known & hidden


def test_draws_upright_photos_of_the_right_size(drawn: Path) -> None:
    for path in drawn.rglob("*.jpg"):
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (384, 512))


def test_gives_the_same_bytes_for_the_same_seed(drawn: Path, tmp_path: Path) -> None:
    demo(tmp_path / "again", people=5, test_people=3, seed=7)
    demo(tmp_path / "other", people=5, test_people=3, seed=8)
    assert digests(tmp_path / "again") == digests(drawn)
    photos = {digest for path, digest in digests(drawn).items() if path.endswith(".jpg")}
    assert photos.isdisjoint(digests(tmp_path / "other").values())


def test_fills_an_empty_folder_and_can_leave_out_the_test_set(tmp_path: Path) -> None:
    demo(tmp_path, people=1, test_people=0)
    assert rows(tmp_path / "eval" / "answers.csv") == []
    assert len(list(tmp_path.rglob("*.jpg"))) == 7


def test_leaves_nothing_behind_when_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), shown_by(interrupted):
        demo(tmp_path / "demo", people=3, test_people=1)
    assert list(tmp_path.iterdir()) == []


def test_keeps_the_earlier_data_set_when_interrupted(tmp_path: Path) -> None:
    demo(tmp_path / "demo", people=1, test_people=1)
    before = digests(tmp_path)
    with pytest.raises(KeyboardInterrupt), shown_by(interrupted):
        demo(tmp_path / "demo", people=3, test_people=1, force=True)
    assert digests(tmp_path) == before


def test_replaces_its_own_data_set_only_when_forced(tmp_path: Path) -> None:
    demo(tmp_path / "demo", people=2, test_people=1)
    with pytest.raises(MaskkitError, match="is not empty"):
        demo(tmp_path / "demo", people=1, test_people=1)
    demo(tmp_path / "demo", people=1, test_people=1, force=True)
    assert len(rows(tmp_path / "demo" / "train" / "train.csv")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_never_replaces_what_somebody_added(tmp_path: Path) -> None:
    demo(tmp_path, people=1, test_people=1)
    (tmp_path / "train" / "notes.txt").write_text("mine")
    with pytest.raises(MaskkitError, match=r"train/notes\.txt"):
        demo(tmp_path, people=1, test_people=1, force=True)
    assert (tmp_path / "train" / "notes.txt").read_text() == "mine"


def test_never_replaces_photos_of_real_people(tmp_path: Path) -> None:
    demo(tmp_path, people=1, test_people=1)
    table = tmp_path / "train" / "train.csv"
    table.write_text(table.read_text().replace("Drawn", "Asian"))
    with pytest.raises(MaskkitError, match="did not write"):
        demo(tmp_path, people=1, test_people=1, force=True)


def test_another_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    with held(tmp_path / "demo"), pytest.raises(MaskkitError, match="being made by another run"):
        demo(tmp_path / "demo", people=1, test_people=1)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_has_left_is_put_right(tmp_path: Path) -> None:
    demo(tmp_path / "demo", people=1, test_people=1)
    (tmp_path / ".demo.partial").mkdir()
    (tmp_path / "demo").rename(tmp_path / ".demo.partial" / "replaced")  # killed between the two renamings
    with pytest.raises(MaskkitError, match="is not empty"):
        demo(tmp_path / "demo", people=1, test_people=1)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert (tmp_path / "demo" / "train" / "train.csv").exists()


def test_refuses_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(MaskkitError, match="is a file"):
        demo(tmp_path / "demo", people=1, test_people=1, force=True)


@pytest.mark.parametrize("wrong", [{"people": 0}, {"test_people": -1}, {"seed": -1}])
def test_refuses_numbers_that_are_too_small(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(MaskkitError, match=str(next(iter(wrong.values())))):
        demo(tmp_path / "demo", **wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_says_why_the_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MaskkitError, match="cannot write"):
        demo(tmp_path / "file" / "demo", people=1, test_people=1)
