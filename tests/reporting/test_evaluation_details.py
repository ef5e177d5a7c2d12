import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pages import Page, words
from test_evaluation_report import evaluation_page, of

from maskkit.artifacts.answer_sets import AnswerSets, Promise
from maskkit.labels import HOME
from maskkit.reporting.pictured import Pictured
from maskkit.scoring.boundary import boundaries
from maskkit.scoring.calibration import calibration
from maskkit.scoring.changed_answers import Against, Changed
from maskkit.scoring.evaluated import Evaluation
from maskkit.scoring.gaps import Gap
from maskkit.scoring.measuring import score
from maskkit.scoring.metrics import factor_probs
from maskkit.scoring.mistakes import WrongAnswer
from maskkit.scoring.paired import paired
from maskkit.scoring.results import Estimate
from maskkit.scoring.run_comparison import Versus
from maskkit.scoring.set_scores import SetScores
from maskkit.scoring.slice_columns import Cut
from maskkit.scoring.slice_scores import Slicing, score_slices

PICTURE = "data:image/jpeg;base64,AAAA"


def mistake(path: str = "a/mask1.jpg") -> WrongAnswer:
    return WrongAnswer(
        path, "a", 1, "wear/male/30to59", "wear/female/under30", 0.91, 0.002, 6.2, ("gender", "age"),
        {"age": 31.0}, {"age": 1.0},
    )  # fmt: skip


@pytest.fixture(scope="module")
def full() -> Evaluation:
    return everything()


def everything() -> Evaluation:
    """Everything that a page can show, of 40 people of whom two thirds are answered rightly."""
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(40), 7)
    ages = random.integers(18, 75, 40)[person]
    truth = np.tile([0, 0, 0, 0, 0, 6, 12], 40) + np.digitize(ages, [30, 60])
    probs = random.dirichlet(np.ones(18), len(truth)) + 0.2 * np.eye(18)[truth]
    probs /= probs.sum(1, keepdims=True)
    answer, other = probs.argmax(1), (truth + (random.random(len(truth)) < 0.4)) % 18
    judged = paired(truth, [other, answer], space=HOME, person=person)
    versus = Versus("ours", "theirs", 0.95, judged.difference[0], judged.only[0], None, 0, 0, "")
    changed = (
        Changed("a/mask1.jpg", "a", "t", "x", "y", is_right=False),
        Changed("b.jpg", None, "t", "x", "y", is_right=True),
    )
    into = Cut(("old", "young"), (ages < 40).astype(np.int64))
    slices = score_slices(truth, answer, into, space=HOME, person=person)
    return Evaluation(
        score(truth, answer, space=HOME, person=person, fold=person % 3),
        1.25,
        (),
        calibration=calibration(truth, probs),
        boundaries=tuple(boundaries(HOME.factors[2], ages.astype(float), truth != answer, person=person)),
        mistakes=(mistake(),),
        slices=(Slicing("camera", tuple(slices)),),
        gaps=(
            Gap("gender", "female", "male", Estimate(0.03, 0.0, 0.08), 0),
            Gap("age", "under30", "60plus", Estimate(0.25, 0.125, 0.375), 1),
        ),
        sets=set_scores(probs, truth, person),
        against=Against(
            "theirs.parquet", versus, judged.own[1], judged.own[0], 280, 40, 7, changed, ("a note",)
        ),
    )


def set_scores(probs: NDArray[np.float64], truth: NDArray[np.int64], person: NDArray[np.int64]) -> SetScores:
    """Sets of the classes that are likelier than 0.1, and of the levels that are likelier than 0.4."""
    levels = tuple(factor_probs(probs, HOME, place) > 0.4 for place in range(3))
    sets = AnswerSets(Promise(0.9, "age"), probs > 0.1, levels)
    return SetScores.of(sets, truth, probs.argmax(1), person, space=HOME, confidence=0.95)


def test_has_each_section_and_a_link_to_it(full: Evaluation) -> None:
    page = Page(evaluation_page(full))
    anchors = {value for name, value in page.attributes if name == "id"}
    links = [value or "" for name, value in page.attributes if name == "href"]
    assert [link[1:] for link in links] == [
        "scores", "comparison", "photos-that-changed", "classes", "factors", "confusion", "folds", "slices",
        "gaps", "beside-the-cuts", "calibration", "sets", "worst-mistakes",
    ]  # fmt: skip
    assert {link[1:] for link in links} == anchors


def test_leaves_out_what_was_not_found(full: Evaluation) -> None:
    bare, whole = words(evaluation_page(of(full.scores))), words(evaluation_page(full))
    for heading in (
        "Comparison",
        "Slices",
        "Gaps",
        "Beside the cuts",
        "Calibration",
        "Sets",
        "Worst mistakes",
    ):
        assert heading not in bare
        assert heading in whole


def test_no_photo_is_in_it_unless_it_was_given(full: Evaluation) -> None:
    plain = evaluation_page(full)
    assert "data:image/jpeg" not in plain
    assert "<img" not in plain
    assert "img-src" not in plain
    shown = evaluation_page(full, pictures={"a/mask1.jpg": Pictured(PICTURE)})
    assert shown.count(PICTURE) == 1
    assert "do not publish this page" in words(shown)
    assert "Grad-CAM" not in words(shown)


def test_shows_what_the_model_looked_at_for_both_classes(full: Evaluation) -> None:
    heats = (("for female/under30", PICTURE), ("for male/30to59", PICTURE))
    shown = evaluation_page(full, pictures={"a/mask1.jpg": Pictured(PICTURE, heats, "fold1.safetensors")})
    assert shown.count(PICTURE) == 3
    text = words(shown)
    assert "for female/under30" in text
    assert "Grad-CAM" in text
    assert "The photo cannot be read" in words(
        evaluation_page(full, pictures={"a/mask1.jpg": Pictured(None)})
    )


def test_says_loudly_that_answers_were_changed(full: Evaluation) -> None:
    adjusted = {
        "consensus": {"by": "person", "factors": ["gender", "age"], "people": 40, "photos": 280},
        "decision": {"method": "age", "sha256": "abcdef0123456789"},
    }
    text = words(evaluation_page(replace(full, adjusted=adjusted)))
    assert "consensus: the photos of each person agreed on gender and age" in text
    assert "decision: predictions were moved by a tuned decision (age, abcdef012345)" in text
    assert text.index("consensus:") < text.index("macro-F1")
    assert "consensus" not in words(evaluation_page(full))


def test_draws_errors_with_whiskers_and_the_reliability(full: Evaluation) -> None:
    html = evaluation_page(full)
    assert full.calibration is not None
    dots = sum(one.photos > 0 for one in full.calibration.bins) + len(full.boundaries[0].steps)
    assert html.count("<circle") == dots
    assert "nearest to 60" in html
    assert "surer of itself than it should be" in html or "less sure of itself than it could be" in html


def test_the_json_of_everything_is_plain(full: Evaluation) -> None:
    data = json.loads(json.dumps(full.to_json()))
    assert list(data)[:4] == ["log_loss", "photos", "people", "photos_without_person"]
    assert set(data) >= {"adjusted", "calibration", "boundaries", "mistakes", "slices", "against"}
    assert data["against"]["sentence"].startswith("ours is")
    assert data["mistakes"][0]["differs"] == ["gender", "age"]
