"""Wrong usage, said like every other error: what, why, and the line to type, which no box breaks."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from maskkit.cli.shell.help_pages import examples_of
from maskkit.cli.shell.parameters import OMITTED, Parameter, Required
from maskkit.cli.shell.resuming import typed
from maskkit.cli.shell.typed_words import KnownFlags, Line, as_declared, reasons
from maskkit.errors import MaskkitError, examples
from maskkit.options.other_words import OTHER_COMMANDS, like_value, plain
from maskkit.plain_text import printable

Commands = Mapping[str, Any]
PYDANTIC = "Input should be "


class WrongUsageError(MaskkitError):
    """What was typed means nothing."""

    exit_code = 2

    def __str__(self) -> str:
        return "\n".join(line for line in super().__str__().splitlines() if line != "  why: ")


def wrong_usage(error: Any, commands: Commands) -> WrongUsageError:
    """Return our error for one of typer's about what was typed."""
    if isinstance(error.__cause__, MaskkitError):  # of the function that reads the option
        return WrongUsageError(error.__cause__.what, why=error.__cause__.why, fix=error.__cause__.fix)
    command = error.ctx.command_path if error.ctx is not None else typed.get()[0]
    params = error.ctx.command.params if error.ctx is not None else ()
    if hasattr(error, "possibilities"):
        return _no_option(error, command, params, commands)
    if "unexpected extra argument" in error.message:
        return _too_much(str(error.message.partition("(s) (")[2].rstrip(")")), command, params)
    flag = _flag(error)
    found = error.message.removeprefix("Value error, ").rstrip(".")
    help_of = f"`{_help_line(command)}" + (f" {flag}`" if flag.startswith("--") else "`")
    if " is not one of " in found:
        value, _, names = found.partition(" is not one of ")
        return _no_choice(flag, value, names, help_of)
    if found.endswith("requires an argument"):
        return WrongUsageError(f"{flag} lacks its value", why="it stands last", fix=f"see {help_of}")
    if found.startswith(PYDANTIC):
        wanted = found.removeprefix(PYDANTIC).partition(", unable")[0]
        return WrongUsageError(
            f"{flag} cannot be {_given(flag)}", why=f"it is {wanted}", fix=f"see {help_of}"
        )
    return WrongUsageError(f"{flag}: {found}" if flag else found, why="", fix=f"see {help_of}")


def _given(flag: str) -> str:
    """Return the value that was typed for a flag."""
    words = list(typed.get()[1])
    joined = [word.partition("=")[2] for word in words if word.startswith(f"{flag}=")]
    behind = [value for word, value in pairwise(words) if word == flag]
    return repr(printable([*behind, *joined, "that"][0]))


def _too_much(extra: str, command: str, params: Sequence[Any]) -> WrongUsageError:
    """Return the error for words that have no place."""
    if line := _with_dashes(command, params):
        return WrongUsageError(
            f"{command} was given {extra}", why="options begin with two dashes", fix=f"write: {line}"
        )
    taken = [str(item.metavar or item.name.upper()) for item in params if item.param_type_name == "argument"]
    return WrongUsageError(
        f"{command} was given {extra} beside what it takes",
        why=f"it takes {' and '.join(taken)}" if taken else "it takes options alone",
        fix=f"see `{_help_line(command)}`",
    )


def _help_line(command: str) -> str:
    """Return the line that shows a command's help."""
    program, _, name = command.partition(" ")
    return f"{program} help {name}".rstrip()


def _flag(error: Any) -> str:
    hint = error.param_hint if getattr(error, "param_hint", None) else None
    if hint is None and getattr(error, "param", None) is not None:
        hint = error.param.get_error_hint()
    return str(hint or getattr(error, "option_name", "") or "").strip("'")


def _no_choice(flag: str, given: str, allowed: str, help_of: str) -> WrongUsageError:
    """Return the error for a value that is not among a few."""
    value, names = given.strip("'"), [name.strip(" '") for name in allowed.split(",")]
    close = like_value(flag, value) or next(iter(get_close_matches(value.lower(), names)), None)
    if plain(flag) == "device" and value.lower().startswith("cuda:"):
        number, (command, words) = value.partition(":")[2], typed.get()
        line = shlex.join(["cuda" if word == value else word for word in words])
        fix = f"write: CUDA_VISIBLE_DEVICES={number} {command} {line}"
    else:
        fix = f"{help_of} says what each does"
        fix = f"did you mean {close}? {fix}" if close in names else fix
    return WrongUsageError(f"{flag} cannot be {value!r}", why=f"it is one of {', '.join(names)}", fix=fix)


def _no_option(error: Any, command: str, params: Sequence[Any], commands: Commands) -> WrongUsageError:
    """Return the error for an option that a command does not have: what is meant by it comes first."""
    words = typed.get()[1]
    line = Line(words, params)
    names = [one.name for one in line.unknown] or [error.option_name]
    what = printable(f"{command} has no option {' or '.join(dict.fromkeys(names))}")
    if line.unknown and (written := line.written()) is not None:
        why = ", and ".join(dict.fromkeys(reasons(line.unknown, params)))
        return WrongUsageError(what, why=why, fix=f"write: {command} {printable(written)}")
    name = next((one.name for one in line.unknown if one.meant is None), error.option_name)
    owners = [
        owner for owner, other in commands.items() if KnownFlags(other.params).same(name) in _flags(other)
    ]
    help_of = f"`{_help_line(command)}` shows the options there are"
    close = get_close_matches(name, KnownFlags(params).known, n=2, cutoff=0.7)
    if owners and name not in close:
        others = examples((f"maskkit {owner}" for owner in owners), most=4)
        return WrongUsageError(what, why=f"{printable(name)} is an option of {others}", fix=help_of)
    fix = f"did you mean {' or '.join(close)}? {help_of}" if close else help_of
    return WrongUsageError(what, why=f"{printable(name)} is none of its options", fix=fix)


def _flags(command: Any) -> set[str]:
    return KnownFlags(command.params).known


def _with_dashes(command: str, params: Sequence[Any]) -> str | None:
    """Return the line with dashes before words such as `epochs=5`; None if one of them is no option."""
    flags, words, changed = KnownFlags(params), [], False
    for word in typed.get()[1]:
        name, equals, value = word.partition("=")
        if equals and not name.startswith("-"):
            flag = f"--{name}"
            if flags.same(flag) not in flags.known and flags.meant(flag) is None:
                return None
            words += [flag, value]
            changed = True
        else:
            words.append(word)
    written = Line(as_declared(words, params), params).written() if changed else None
    return None if written is None else f"{command} {printable(written)}"


def lacking(context: Any, missing: Sequence[Parameter]) -> WrongUsageError:
    """Return the error for all that a command needs and was not given."""
    command = context.command_path
    what = " and ".join(item.flag for item in missing)
    needed = (f"{item.flag}: {said_of(item)}" for item in missing)
    example = next(iter(examples_of(context.command.callback.__doc__)), None)
    line = f"such as: {example.line}" if example else f"see `{_help_line(command)}`"
    return WrongUsageError(f"{command} lacks {what}", why="; ".join(needed), fix=line)


def said_of(item: Parameter) -> str:
    """Return what help says of a parameter first, and what may take its place."""
    text = (item.note(str) or "").rstrip(".").partition(". ")[0].partition("; ")[0]
    text = text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text
    others = [f"--{name.replace('_', '-')}" for name in (item.note(Required) or Required()).unless]
    can_be_piped = item.is_output or (item.artifact is not None and not item.is_several)
    is_piped = can_be_piped and item.default is OMITTED and not item.is_optional
    pipe = "a pipe" if is_piped else ""
    instead = " or ".join([*others, *filter(None, [pipe])])
    return f"{text} (or {instead})" if instead else text


def no_command(name: str, commands: Sequence[str]) -> WrongUsageError:
    """Return the error for a command that there is not."""
    meant = OTHER_COMMANDS.get(plain(name)) or next(iter(get_close_matches(plain(name), commands)), None)
    return WrongUsageError(
        f"there is no command {printable(name)}",
        why=f"commands are {', '.join(commands)}",
        fix=f"did you mean maskkit {meant}?" if meant else "`maskkit help` says what each does",
    )
