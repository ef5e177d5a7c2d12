"""The command line: one command per file, no arithmetic, nothing heavy imported before a command runs."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from maskkit import __version__
from maskkit.cli import demo, ensemble, evaluate, label, predict, show, split, terminal, train
from maskkit.cli.streams import silence_stdout
from maskkit.errors import MaskkitError

INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + signal.SIGPIPE
STOPPED = 128 + signal.SIGTERM


class Commands(TyperGroup):
    """All commands; turns what they raise into messages and exit codes, here and nowhere else."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except MaskkitError as error:
            terminal.console.print(str(error), markup=False)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            terminal.console.print("interrupted")
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            silence_stdout()
            raise typer.Exit(BROKEN_PIPE) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
for command in (
    demo.demo,
    label.label,
    split.split,
    train.train,
    predict.predict,
    ensemble.ensemble,
    evaluate.evaluate,
    show.show,
):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"maskkit {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Stages pass files: label, split, train, predict, ensemble, evaluate. Every one takes --help."
)
def _maskkit(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn photos of people into trustworthy class predictions, stage by stage."""
    terminal.set_up(quiet=False)


def main() -> None:
    """Run the command line; a polite kill cleans up like Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    app()
