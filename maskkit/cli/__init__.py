"""The command line: one command per file, no arithmetic, nothing heavy imported before a command runs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from maskkit import __version__
from maskkit.cli.shell import several_words, terminal
from maskkit.cli.shell.exiting import BROKEN_PIPE, INTERRUPTED, acted_on
from maskkit.cli.shell.resuming import typed
from maskkit.cli.shell.standard_streams import lenient, silence_stdout
from maskkit.cli.shell.terminal import escape
from maskkit.errors import MaskkitError
from maskkit.plain_text import printable
from maskkit.progress import shown_by

COMMANDS = (
    "demo", "eda", "label", "crop", "split", "lr_find", "train", "soup", "predict", "export", "ensemble",
    "evaluate", "compare", "audit", "pseudo", "bench", "show",
)  # fmt: skip
UsageError: Any = typer.BadParameter.__base__


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what is raised into a message and an exit code, here and nowhere else."""
    try:
        yield
    except UsageError as error:  # typer shows it, with what was typed or found by the shell in a folder
        error.message = printable(error.message)
        raise
    except KeyboardInterrupt as error:  # of a program that runs `app`; the command itself ends by a handler
        terminal.console().print("interrupted")
        raise typer.Exit(INTERRUPTED) from error
    except (BrokenPipeError, SystemExit) as error:
        cause = error.__context__ if isinstance(error, SystemExit) else error  # rich exits by itself, with 1
        if not isinstance(cause, BrokenPipeError):
            raise
        silence_stdout()
        raise typer.Exit(BROKEN_PIPE) from error
    except Exception as error:
        found = acted_on(error)
        if found is None:
            raise
        terminal.console().print(str(found), markup=False)
        raise typer.Exit(found.exit_code) from error


class _WithoutTypes:
    """Help shows no type for options that take no value."""

    def get_params(self, ctx: Any) -> Any:
        """Return the options."""
        params = super().get_params(ctx)  # type: ignore[misc]
        for item in params:
            if getattr(item, "is_flag", False):
                item.metavar = ""
        return params


class Commands(_WithoutTypes, TyperGroup):
    """All commands, and the end of every error."""

    def make_context(self, *given: Any, **extra: Any) -> Any:
        """Read the words before the command's name, which may print help."""
        with _translated():
            return super().make_context(*given, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with _translated():
            return super().invoke(ctx)


class Command(_WithoutTypes, TyperCommand):
    """One command."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the words after the command's name; some options take several.

        Raises:
            MaskkitError: A word, such as the name of a file from an old zip, is not UTF-8.
        """
        for word in args:
            if any("\ud800" <= letter <= "\udfff" for letter in word):
                raise MaskkitError(
                    f"{printable(word)} is not UTF-8",
                    why="what is made records it as text",
                    fix="rename it, as `convmv -f cp949 -t utf-8 --notest NAME` does with one in Korean",
                )
        typed.set((ctx.command_path, args))
        return super().parse_args(ctx, several_words.repeated(args, several_words.flags_of(self.params)))

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        with shown_by(terminal.track):
            return super().invoke(ctx)


def _help(command: Callable[..., None]) -> str:
    """Return a command's docstring as help: paragraphs flow, and rich prints brackets as they are."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return escape("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs))


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
for name in COMMANDS:
    function = getattr(import_module(f"maskkit.cli.{name}"), name)
    app.command(cls=Command, help=_help(function))(function)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"maskkit {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Stages pass files: label, crop, split, train, predict, ensemble, evaluate. Each takes --help."
)
def _maskkit(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn photos of people into trustworthy class predictions, stage by stage."""
    terminal.set_up(quiet=False)


def run() -> int:
    """Run the command line, and return its exit code."""
    sys.stdout, sys.stderr = lenient()
    try:
        app(prog_name="maskkit")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0
    except BaseException:  # a mistake of ours
        sys.excepthook(*sys.exc_info())
        return 1
    return 0
