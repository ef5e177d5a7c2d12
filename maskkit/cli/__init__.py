"""The command line: one command per file, no arithmetic, nothing heavy imported before a command runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from maskkit import __version__
from maskkit.cli.shell import completing, completion_scripts, several_words, terminal
from maskkit.cli.shell.exiting import BROKEN_PIPE, INTERRUPTED, acted_on
from maskkit.cli.shell.help_pages import print_help, text_of_help
from maskkit.cli.shell.option_page import LISTED, has_choices, names, page
from maskkit.cli.shell.parameters import Argument, Parameter
from maskkit.cli.shell.resuming import resume_line, typed
from maskkit.cli.shell.standard_streams import lenient, silence_stdout
from maskkit.cli.shell.startup import prepare_for_torch
from maskkit.cli.shell.streams import print_line
from maskkit.cli.shell.typed_words import as_declared
from maskkit.cli.shell.usage import WrongUsageError, no_command, wrong_usage
from maskkit.errors import MaskkitError, nearest
from maskkit.plain_text import printable
from maskkit.processes.jobs import end_all, help_first
from maskkit.processes.launched import claim_device, launch, take_part
from maskkit.progress import shown_by

COMMANDS = (
    "demo", "eda", "label", "crop", "split", "lr_find", "train", "soup", "predict", "join", "export",
    "ensemble", "evaluate", "compare", "audit", "review", "pseudo", "bench", "show",
)  # fmt: skip
HELP, HELP_FLAGS = "help", ("-h", "--help")
UsageError: Any = typer.BadParameter.__base__


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what is raised into a message and an exit code, here and nowhere else."""
    try:
        yield
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # which has shown help
            raise
        wrong = wrong_usage(error, getattr(get_command(app), "commands", {}))
        terminal.console().print(str(wrong), markup=False)
        raise typer.Exit(wrong.exit_code) from error
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

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read `help COMMAND` as `COMMAND --help`; commands may be written with underscores.

        Raises:
            WrongUsageError: There is no such command.
        """
        words = list(args)
        if words[:1] == [HELP]:  # `help train loss` is `train --help --loss`
            options = [f"--{word.lstrip('-')}" for word in words[2:3]]
            words = [*words[1:2], "--help", *options]
        if words and not words[0].startswith("-") and not ctx.resilient_parsing:
            words[0] = words[0].lower().replace("_", "-")
            if words[0] not in self.commands:
                raise no_command(args[1 if args[0] == HELP else 0], list(self.commands))
        return super().parse_args(ctx, words)

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
        words = as_declared(args, self.params)
        if not ctx.resilient_parsing and (text := self._page(ctx.command_path, words)) is not None:
            print_line(text)
            raise typer.Exit
        typed.set((ctx.command_path, words))
        if not ctx.resilient_parsing:  # else a shell completes the line, which may end in a flag
            words = several_words.repeated(words, several_words.flags_of(self.params))
        return super().parse_args(ctx, [*words])  # of which the parser takes one after the other

    def _page(self, command: str, words: list[str]) -> str | None:
        """Return the page of an option, asked for by `--help --loss`, `--help-loss` or `--loss list`."""
        items = {item.flag: item for item in getattr(self.callback, "parameters", ())}
        for word, behind in pairwise([*words, ""]):
            if word in HELP_FLAGS and behind.startswith("-"):
                return self._page_of(command, behind, items)
            if word.startswith("--help-"):
                return self._page_of(command, f"--{word.removeprefix('--help-')}", items)
            name, _, value = word.partition("=")
            if (value or behind) == LISTED and name in items and has_choices(items[name]):
                return "\n".join(names(items[name]) or ()) or page(command, items[name])
        return None

    def _page_of(self, command: str, flag: str, items: dict[str, Parameter]) -> str:
        (flag,) = as_declared([flag], self.params)
        if flag not in items:
            fix = nearest(flag, items, most=4)
            raise WrongUsageError(f"{command} has no option {flag}", why="there is no page on it", fix=fix)
        return page(command, items[flag])

    def collect_usage_pieces(self, _: Any) -> list[str]:
        """Write the arguments, and the options that are required."""
        pieces = ["[OPTIONS]"]
        for item in getattr(self.callback, "parameters", ()):
            is_argument, is_required = item.note(Argument) is not None, item.is_required
            if is_argument:
                pieces.append((item.flag if is_required else f"[{item.flag}]") + "..." * item.is_several)
            elif is_required and (item.is_output or item.name == "output"):
                pieces.append(f"{item.flag} FILE")
        return pieces

    def format_help(self, ctx: Any, _: Any) -> None:
        """Show what it does, its options in panels, and examples below, where the prompt comes back."""
        print_help(ctx.get_usage(), self.callback, program=f"{ctx.find_root().info_name} {HELP} {self.name}")

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        with shown_by(terminal.track):
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": list(HELP_FLAGS)},
    rich_markup_mode="rich",
)
for name in COMMANDS:
    function = getattr(import_module(f"maskkit.cli.{name}"), name)
    app.command(cls=Command, help=text_of_help(function.__doc__))(function)


completion_scripts.offer()


def _version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        typer.echo(f"maskkit {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Stages pass files: label, crop, split, train, predict, ensemble, evaluate. What each takes says "
    "`maskkit help COMMAND`, as --help behind it does."
)
def _maskkit(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn photos of people into trustworthy class predictions, stage by stage."""
    terminal.set_up(quiet=False)


def run() -> int:
    """Run the command line, and return its exit code; of several processes, the first alone does."""
    sys.stdout, sys.stderr = lenient()
    take_part()
    claim_device(launch())
    if not launch().is_first:
        prepare_for_torch()
        typed.set((f"maskkit {sys.argv[1]}", sys.argv[2:]) if len(sys.argv) > 1 else typed.get())
        return help_first(resume_line())
    code = _run()
    end_all()
    return code


def _run() -> int:
    if completing.answer(get_command(app)):
        return 0
    try:
        app(prog_name="maskkit")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0
    except BaseException:  # a mistake of ours
        sys.excepthook(*sys.exc_info())
        return 1
    return 0
