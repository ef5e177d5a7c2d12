"""Options that mean the same in every command that has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from maskkit.cli.shell import terminal
from maskkit.cli.shell.artifact_types import Decision, Manifest, Source
from maskkit.cli.shell.parameters import NOT_IN_RECIPE, SHELL_PANEL, Needs
from maskkit.cli.shell.recipes import read_recipe
from maskkit.cli.shell.streams import OutputTarget, SideFile
from maskkit.options.train_options import MACHINE_PANEL
from maskkit.options.values import parse_bytes

if TYPE_CHECKING:
    from maskkit.cache.records import Cache
    from maskkit.reporting.report import Report


def _set_up(quiet: bool) -> bool:
    terminal.set_up(quiet=quiet)
    return quiet


MANIFEST = typer.Argument(
    metavar="MANIFEST", help="A manifest; `-` reads standard input.", show_default=False
)
ManifestIn = Annotated[Manifest, MANIFEST]
OUTPUT = typer.Option("-o", "--output", help="File to write; `-` is standard output.", show_default=False,
                      rich_help_panel=SHELL_PANEL)  # fmt: skip
Output = Annotated[OutputTarget, OUTPUT]
OptionalOutput = Annotated[Optional[OutputTarget], OUTPUT]
Force = Annotated[bool, typer.Option("--force", help="Replace what exists.", rich_help_panel=SHELL_PANEL)]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Show only warnings and errors.", callback=_set_up, is_eager=True,
                 rich_help_panel=SHELL_PANEL),
]  # fmt: skip
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Read the inputs, print the options as a recipe, and stop.",
                 rich_help_panel=SHELL_PANEL),
]  # fmt: skip
Recipe = Annotated[
    Optional[Path],
    typer.Option("--recipe", help="TOML file with options; the command line wins.", callback=read_recipe,
                 is_eager=True, show_default=False, rich_help_panel=SHELL_PANEL),
]  # fmt: skip
Task = Annotated[
    Optional[Source],
    typer.Option(help="TOML file with another label space than the home task's.", show_default=False),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random choice.")]
AllowLeak = Annotated[
    bool, typer.Option("--allow-leak", help="Go on although models have seen the people they are judged on.")
]
Consensus = Annotated[
    Optional[Literal["person"]],
    typer.Option(help="Let the photos of each person agree on the factors that all of them share, such as "
                 "gender and age; the header says so.", show_default=False),
]  # fmt: skip
Decide = Annotated[
    Optional[Decision],
    typer.Option(help="A decision from `maskkit evaluate --tune`, which changes the answers; the header "
                 "says so.", show_default=False),
]  # fmt: skip
Resume = Annotated[bool, typer.Option("--resume", help="Go on from an interrupted run, if there is one.")]


@dataclass(frozen=True)
class PhotoOptions:
    """Where the photos are."""

    root: Annotated[
        Optional[str],
        typer.Option(
            help="Where the photos are, if not where `label` found them; MASKKIT_ROOT does the same.",
            show_default=False,
        ),
    ] = None

    def located(self, manifest: Manifest) -> Manifest:
        """Return the manifest with its photos there."""
        return manifest.located(root=self.root, cache=self._cache())

    def _cache(self) -> Cache | None:
        return None


@dataclass(frozen=True)
class CachedPhotoOptions(PhotoOptions):
    """Where the photos are, and where decoded ones are kept."""

    cache: Annotated[
        Optional[str],
        typer.Option("--cache", help="Where decoded photos are kept, if not in the platform's folder for "
                     "caches; MASKKIT_CACHE does the same.", show_default=False,
                     rich_help_panel=MACHINE_PANEL),
        NOT_IN_RECIPE,
    ] = None  # fmt: skip
    cache_size: Annotated[
        str,
        typer.Option(help="What the cache may take of the disk; with 0, photos are decoded anew whenever "
                     "they are wanted.", rich_help_panel=MACHINE_PANEL),
        NOT_IN_RECIPE,
    ] = "20GB"  # fmt: skip

    def __post_init__(self) -> None:
        parse_bytes(self.cache_size)

    def _cache(self) -> Cache | None:
        from maskkit.cache.records import Cache

        limit = parse_bytes(self.cache_size)
        return Cache.at(self.cache, limit) if limit else None


@dataclass(frozen=True)
class ReportOptions:
    """How a report is shown; a terminal shows tables, a pipe gets tab-separated values."""

    json: Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=SHELL_PANEL)] = False
    html: Annotated[
        Optional[SideFile],
        typer.Option("--html", help="Write a self-contained page.", show_default=False,
                     rich_help_panel=SHELL_PANEL),
    ] = None  # fmt: skip
    photos: Annotated[
        bool,
        typer.Option("--photos", help="Show photos in the page; by default it holds none, so that it can be "
                     "passed on.", rich_help_panel=SHELL_PANEL),
        Needs("html", "photos are shown in the page of --html"),
    ] = False  # fmt: skip

    def show(self, report: Report, to: OutputTarget | None = None) -> None:
        """Show a report; its JSON goes into `to` instead if that is given."""
        from maskkit.cli.shell.show_report import show_report

        show_report(report, json=self.json, html=None if self.html is None else self.html.path, to=to)


COMMON = {"force": Force, "recipe": Recipe, "dry_run": DryRun, "quiet": Quiet}
