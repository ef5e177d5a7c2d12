"""What a shell is offered when somebody presses TAB: never late, and never a traceback.

The shells' scripts, in `completion_scripts`, send the line so far; typer finds the option or argument that it
ends in, and `completion_values` says what can stand there.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from typer.completion import shell_completion  # type: ignore[attr-defined]  # typer's copy of click's

from maskkit.cli.shell import completion_scripts
from maskkit.cli.shell.resuming import typed
from maskkit.cli.shell.typed_words import as_declared
from maskkit.errors import MaskkitError

VARIABLE = (
    "_MASKKIT_COMPLETE"  # whose value is complete_bash, or source_bash, for which its script is printed
)
BLANKS = " \t\n"
QUOTES = "'\""


class _Offers(shell_completion.ShellComplete):
    """Typer's search for what is to be completed, without its ways to read a line and to print."""

    name = "maskkit"
    source_template = ""

    def source_vars(self) -> dict[str, Any]:
        return {}

    def get_completion_args(self) -> tuple[list[str], str]:
        return [], ""

    def format_completion(self, item: Any) -> str:
        return str(item.value)


def answer(commands: Any) -> bool:
    """Print completions, one a line, if a shell asks for them; behind a tab, what each does.

    Whatever fails, fails in silence: a shell would show it in the middle of a line.
    """
    action, _, shell = os.environ.get(VARIABLE, "").partition("_")
    if action == "source":
        sys.stdout.write(completion_scripts.script(shell, VARIABLE))
    if action != "complete":
        return action == "source"
    from maskkit.cli.shell.help_panels import shortened

    with suppress(Exception):
        line = _line(shell)
        rows = offers(commands, line)
        if shell == "bash":
            rows = [(_behind_breaks(value, line), "") for value, _ in rows]
        lines = [f"{value}\t{shortened(' '.join(text.split()))}".rstrip("\t") for value, text in rows]
        sys.stdout.write("".join(f"{one}\n" for one in lines))
        sys.stdout.flush()
    return True


def _line(shell: str) -> str:
    """Return what stands before the cursor."""
    if shell != "bash":
        return os.environ.get("_TYPER_COMPLETE_ARGS", "")
    line, end = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    return line.encode(errors="surrogateescape")[:end].decode(errors="surrogateescape")


def offers(commands: Any, line: str) -> list[tuple[str, str]]:
    """Return whole words that a line can end in, each with what it does."""
    words = shell_completion.split_arg_string(line)[1:]
    is_new = not words or line.endswith(tuple(BLANKS))
    word = "" if is_new else words.pop()
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if equals:
        words.append(flag)
    if words and words[0] in commands.commands:
        words = [words[0], *as_declared(words[1:], commands.commands[words[0]].params)]
    found = _Offers(commands, {}, "maskkit", VARIABLE).get_completions(words, value if equals else word)
    head = f"{flag}=" if equals else ""
    return [(f"{head}{one.value}", one.help or "") for one in found if one.type == "plain"]


def _behind_breaks(value: str, line: str) -> str:
    """Return what bash replaces: of a word, the part behind the last character that it breaks words at."""
    start = max(line.rfind(blank) for blank in BLANKS) + 1
    word = line[start:]
    breaks = set(os.environ.get("COMP_WORDBREAKS", "\"'@><=;|&(:")) - set(QUOTES)
    if set(word) & set(QUOTES):
        return value
    return value[max((word.rfind(one) for one in breaks), default=-1) + 1 :]


def completer(item: Any) -> Any:
    """Return the function by which typer completes a parameter."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        from maskkit.cli.shell.completion_values import values

        with suppress(MaskkitError, OSError, ValueError):
            return values(item, typed.get()[1], incomplete)
        return []

    return complete
