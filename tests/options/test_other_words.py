from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import Any

import pytest
from commandline import COMMANDS

from maskkit.cli.shell.parameters import Parameter
from maskkit.options import other_words
from maskkit.options.fields import ChosenFrom
from maskkit.options.other_words import LIKE_VALUES, MEANINGS, SAME, SAME_VALUES, Meant, plain
from maskkit.options.train_options import TrainOptions

DECLARED: dict[str, list[Parameter]] = {
    name: command.callback.parameters for name, command in COMMANDS.items()
}
OPTIONS = {item.name for items in DECLARED.values() for item in items if not item.flag.isupper()}
ARGUMENTS = {item.name for items in DECLARED.values() for item in items if item.flag.isupper()}
TABLES: dict[str, Any] = {
    item.name: note.table
    for items in DECLARED.values()
    for item in items
    if (note := item.note(ChosenFrom)) is not None
}
SETTINGS = {(meant.option, meant.value, meant.setting) for one in MEANINGS.values() for meant in one}


def _accepts(option: str, value: str) -> bool:
    """Whether some command takes the value for the option."""
    for command in COMMANDS.values():
        for item in command.params:
            if item.name == option:
                with command.make_context("maskkit", [], resilient_parsing=True) as context:
                    item.process_value(context, value)
                return True
    return False


def test_a_word_that_means_the_same_is_no_option_elsewhere_and_leads_to_one_that_exists() -> None:
    assert set(SAME.values()) <= OPTIONS
    words = Counter(word for text in other_words._SAME.values() for word in text.split())
    assert {word for word, often in words.items() if often > 1} == set()


def test_words_are_written_as_they_are_looked_up() -> None:
    words = {*SAME, *MEANINGS, *other_words.OTHER_COMMANDS}
    assert {word for word in words if plain(word) != word} == set()
    assert {word for values in LIKE_VALUES.values() for word in values if word != word.lower()} == set()


@pytest.mark.parametrize(("option", "value", "setting"), sorted(SETTINGS, key=str))
def test_what_a_word_leads_to_exists(option: str, value: str | None, setting: str | None) -> None:
    if Meant(option, is_argument=True) in [one for found in MEANINGS.values() for one in found]:
        assert option in ARGUMENTS
    else:
        assert option in OPTIONS
    if setting is not None and option in TABLES and value in TABLES[option]:
        assert setting in TABLES[option][value]
    elif value is not None and "{}" not in value and option not in ("output", "fold", "tune", "teacher"):
        text = value if setting is None else f"{value}:{setting}=0"
        assert _accepts(option, text.replace("pool=0", "pool=avg"))


@pytest.mark.parametrize("option", SAME_VALUES)
def test_values_that_are_taken_for_others_lead_to_values_of_the_option(option: str) -> None:
    for value in set(SAME_VALUES[option].values()):
        assert _accepts(option, value)


@pytest.mark.parametrize("option", LIKE_VALUES)
def test_values_that_are_suggested_are_values_of_the_option(option: str) -> None:
    for word, value in LIKE_VALUES[option].items():
        assert _accepts(option.replace("-", "_"), value)
        table = TABLES.get(option.replace("-", "_"))
        assert table is None or word not in table, word


def test_commands_that_are_suggested_exist() -> None:
    assert set(other_words.COMMANDS) <= set(COMMANDS)
    assert set(other_words.OTHER_COMMANDS) & set(COMMANDS) == set()


def test_every_option_of_training_that_other_programs_have_is_found_by_their_word() -> None:
    found = {*SAME.values(), *(meant.option for one in MEANINGS.values() for meant in one)}
    missing = {field.name for field in fields(TrainOptions)} - found
    assert missing == {"normalize", "undersample", "oversample", "augment_rare", "consistency"}
