"""From the words that were typed to those that a command declares, and to the line that was meant."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from maskkit.cli.shell.several_words import END
from maskkit.options.other_words import DIFFERENCES, MEANINGS, SAME, SAME_VALUES, WORD_OF_TWO, Meant, plain

FIRST = ("manifest", "photos")  # arguments before all others
TRUE_OR_FALSE = {"true", "false", "yes", "no", "on", "off"}


class KnownFlags:
    """The flags of a command, and what else they may be called."""

    def __init__(self, params: Sequence[Any]) -> None:
        self.options = [item for item in params if item.param_type_name == "option"]
        self.arguments = {str(item.name) for item in params if item.param_type_name == "argument"}
        self.known = {flag for item in self.options for flag in item.opts}
        self._by_plain_word = {plain(flag): flag for flag in self.known}

    def of(self, option: str) -> str | None:
        """Return the long flag of an option by its name; None if the command does not have it."""
        return next((max(item.opts, key=len) for item in self.options if item.name == option), None)

    def default(self, option: str) -> Any:
        """Return what an option is if it is not given."""
        return next((item.default for item in self.options if item.name == option), None)

    def same(self, name: str) -> str:
        """Return the flag that means the same as a word, else the word."""
        if name in self.known or not name.startswith("-") or self._is_joined(name):
            return name
        word = plain(name)
        return self._by_plain_word.get(word) or self.of(SAME.get(word, "")) or name

    def by_value(self, flag: str, value: str) -> str:
        """Return the flag that is meant where one word has two meanings, which the value tells apart."""
        one, kind, other = WORD_OF_TWO
        return other if flag == one and other in self.known and re.fullmatch(kind, value) else flag

    def meant(self, name: str) -> Meant | None:
        """Return what a word may stand for that is no flag."""
        found = MEANINGS.get(plain(name), [])
        return next((one for one in found if one.option in self.arguments or self._has(one)), None)

    def _has(self, meant: Meant) -> bool:
        return not meant.is_argument and self.of(meant.option) is not None

    def _is_joined(self, name: str) -> bool:
        """Whether a word is a flag of one letter and its value, as -oFILE."""
        return not name.startswith("--") and name[:2] in self.known


def as_declared(words: Sequence[str], params: Sequence[Any]) -> list[str]:
    """Write anew what means exactly the same as a flag of the command, or as one of its values."""
    flags = KnownFlags(params)
    result: list[str] = []
    last = ""  # the flag whose value comes next
    for place, word in enumerate(words):
        if word == END:
            return [*result, *words[place:]]
        if word.startswith("-") and word != "-":
            name, equals, value = word.partition("=")
            behind = value if equals else next(iter(words[place + 1 : place + 2]), "")
            last = flags.by_value(flags.same(name), behind)
            result.append(f"{last}={_same_value(last, value)}" if equals else last)
        else:
            result.append(_same_value(last, word))
            last = ""
    return result


def _same_value(flag: str, value: str) -> str:
    return SAME_VALUES.get(plain(flag), {}).get(value.lower(), value)


@dataclass(frozen=True)
class Unknown:
    """A word that is no flag of the command, and what was meant by it."""

    name: str
    value: str | None  # that came with it
    meant: Meant | None


class Line:
    """A command line with words that the command does not have."""

    def __init__(self, words: Sequence[str], params: Sequence[Any]) -> None:
        self._flags = KnownFlags(params)
        self._written: list[str | Unknown] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == END:
                self._written += [word, *rest]
                break
            is_one = not word.startswith("-") or word == "-" or self._is_known(word)
            self._written.append(word if is_one else self._read(word, rest))

    @property
    def unknown(self) -> list[Unknown]:
        """The words that the command does not have."""
        return [one for one in self._written if isinstance(one, Unknown)]

    def _is_known(self, word: str) -> bool:
        name = word.partition("=")[0]
        return name in self._flags.known or self._flags._is_joined(name) or name in ("-h", "--help")

    def _read(self, word: str, rest: list[str]) -> Unknown:
        name, equals, value = word.partition("=")
        meant = self._flags.meant(name)
        if equals:
            return Unknown(name, value, meant)
        follows = bool(rest) and not rest[0].startswith("-")
        if (
            meant is not None
            and meant.setting is None
            and meant.value is not None
            and "{}" not in meant.value
        ):
            follows = follows and (rest[0].lower() in TRUE_OR_FALSE or rest[0].isdecimal())
        return Unknown(name, rest.pop(0) if follows and meant is not None else None, meant)

    def written(self) -> str | None:
        """Return the line with what was meant in place of each unknown word; None if that is not known."""
        result: list[str] = []
        settings: list[tuple[int, Unknown]] = []
        for one in self._written:
            if isinstance(one, str):
                result.append(one)
            elif one.meant is None:
                return None
            elif one.meant.setting is not None:
                settings.append((len(result), one))
            else:
                result = self._with(result, one.meant, one.value)
        for place, one in reversed(settings):
            result = self._with_setting(result, place, one)
        return shlex.join(result)

    def _with(self, words: list[str], meant: Meant, value: str | None) -> list[str]:
        """Add what was meant to the words before it: a file among the arguments, an option behind all."""
        if meant.is_argument:
            file = value or meant.option.upper()
            first = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
            place = 0 if meant.option in FIRST else first
            return [*words[:place], file, *words[place:]]
        if self._flags.default(meant.option) == meant.value:
            return words
        given = (meant.value or "{}").replace("{}", value or meant.option.upper())
        return [*words, str(self._flags.of(meant.option)), given]

    def _with_setting(self, words: list[str], place: int, one: Unknown) -> list[str]:
        """Add a setting to the choice that there is, else a choice with it."""
        assert one.meant is not None
        flag = str(self._flags.of(one.meant.option))
        setting = f"{one.meant.setting}={one.value}" if one.value is not None else ""
        for at, word in enumerate(words[:-1]):
            if word == flag:
                return [*words[: at + 1], _with_setting(words[at + 1], setting), *words[at + 2 :]]
        return [*words[:place], flag, _with_setting(str(one.meant.value), setting), *words[place:]]


def _with_setting(choice: str, given: str) -> str:
    if not given:
        return choice
    return f"{choice}{',' if ':' in choice else ':'}{given}"


def reasons(unknown: Sequence[Unknown], params: Sequence[Any]) -> Iterator[str]:
    """Say of each word what it is here."""
    flags = KnownFlags(params)
    for meant in (one.meant for one in unknown):
        if meant is None:
            continue
        flag, difference = flags.of(meant.option), DIFFERENCES.get((meant.option, meant.setting), "")
        if meant.is_argument:
            yield f"{meant.option.upper()} is given without a flag"
        elif meant.setting is not None:
            yield f"{meant.setting} is a setting of {flag}{difference}"
        elif flags.default(meant.option) == meant.value:
            yield f"{flag} {meant.value}, the default, does it"
        else:
            yield f"{flag} says it{difference}"
