import pickle

import pytest

from maskkit.errors import MaskkitError, RefusedError, examples, reason


def test_an_error_says_what_why_and_fix_on_three_lines() -> None:
    error = MaskkitError("cannot fly", why="no wings", fix="walk")
    assert str(error) == "error: cannot fly\n  why: no wings\n  fix: walk"


@pytest.mark.parametrize("kind", [MaskkitError, RefusedError])
def test_errors_survive_the_way_out_of_a_worker_process(kind: type[MaskkitError]) -> None:
    again = pickle.loads(pickle.dumps(kind("a [b]", why="c", fix="d")))
    assert type(again) is kind
    assert (again.what, again.why, again.fix) == ("a [b]", "c", "d")


def test_a_refusal_has_its_own_exit_code() -> None:
    assert (MaskkitError.exit_code, RefusedError.exit_code) == (1, 3)


@pytest.mark.parametrize(
    ("values", "text"),
    [([], ""), ([1], "1"), ([1, 2, 3], "1, 2, 3"), (range(10), "0, 1, 2 and 7 more")],
)
def test_examples_name_the_first_few_and_count_the_rest(values: list[int], text: str) -> None:
    assert examples(values) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("too long\nfor one line"), "too long"),
        (ValueError(), "ValueError()"),
        (MaskkitError("what", why="the reason", fix="how"), "the reason"),
        (RuntimeError("word " * 100), ("word " * 48).strip() + " ..."),
    ],
)
def test_the_reason_of_any_error_is_one_short_line(error: Exception, text: str) -> None:
    assert reason(error) == text
