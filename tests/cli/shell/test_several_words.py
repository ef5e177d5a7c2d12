import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from maskkit.cli.shell.several_words import repeated

FLAGS = {"--fit"}


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("a b --fit c d --on m", "a b --fit c --fit d --on m"),
        ("a --fit c d", "a --fit c --fit d"),
        ("--fit c d -o - --vote soft", "--fit c --fit d -o - --vote soft"),
        ("--fit c --fit d e", "--fit c --fit d --fit e"),
        ("--fit=c d", "--fit=c d"),
        ("--fit c - --on m", "--fit c --fit - --on m"),
        ("--fit c d -- a b", "--fit c --fit d -- a b"),
        ("-- --fit a", "-- --fit a"),
        ("a b --vote hard", "a b --vote hard"),
        ("", ""),
    ],
)
def test_an_option_takes_every_word_up_to_the_next(typed: str, read: str) -> None:
    assert repeated(typed.split(), FLAGS) == read.split()


@pytest.mark.parametrize("typed", ["a --fit", "a --fit --on m", "a --fit -- b", "--fit c --fit"])
def test_an_option_without_words_is_wrong_usage(typed: str) -> None:
    with pytest.raises(typer.BadParameter, match="one file or more"):
        repeated(typed.split(), FLAGS)


@given(st.lists(st.sampled_from(["a", "b", "-", "--on", "-o", "--force", "--", "--fit=a"])))
def test_other_words_are_left_alone(words: list[str]) -> None:
    assert repeated(words, FLAGS) == words
