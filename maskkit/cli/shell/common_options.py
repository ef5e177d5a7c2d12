"""Options that mean the same in every command that has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from maskkit.cli.shell import terminal
from maskkit.cli.shell.parameters import (
    NOT_IN_RECIPE,
    SHELL_PANEL,
    Argument,
    Callback,
    Decision,
    Excludes,
    Flags,
    Manifest,
    Needs,
    Reading,
    Source,
)
from maskkit.cli.shell.recipes import read_recipe
from maskkit.cli.shell.streams import OutputTarget, SideFile
from maskkit.options import explained
from maskkit.options.fields import Between, Metavar, Refusing
from maskkit.options.ray_address import RayAddress
from maskkit.options.shard import Shard as SharedPart
from maskkit.options.train_options import MACHINE_PANEL
from maskkit.options.values import parse_bytes
from maskkit.texts import known_encoding

if TYPE_CHECKING:
    from maskkit.cache.records import Cache
    from maskkit.reporting.report import Report


def _set_up(quiet: bool) -> bool:
    terminal.set_up(quiet=quiet)
    return quiet


MANIFEST = ("A manifest; `-` reads standard input.", Argument())
ManifestIn = Annotated[Manifest, MANIFEST]
OUTPUT = ("File to write; `-` is standard output.", Flags("-o", "--output"), SHELL_PANEL)
Output = Annotated[OutputTarget, OUTPUT]
OptionalOutput = Annotated[OutputTarget | None, OUTPUT]
Force = Annotated[bool, "Replace what exists.", SHELL_PANEL]
Quiet = Annotated[
    bool,
    "Show only warnings and errors.",
    (Flags("--quiet", "-q"), SHELL_PANEL, Callback(_set_up, is_eager=True)),
]
DryRun = Annotated[
    bool,
    "Check all that the run would before its work, print the options as a recipe, and stop.",
    SHELL_PANEL,
]
Recipe = Annotated[
    Path | None,
    "TOML file with options; the command line wins.",
    (SHELL_PANEL, Callback(read_recipe, is_eager=True)),
]
Task = Annotated[Source | None, "TOML file with another label space than the home task's."]
Encoding = Annotated[
    str | None,
    "Encoding of CSV files that are not UTF-8 and do not begin with a mark of their own, such as cp949.",
    Refusing(known_encoding),
]
Seed = Annotated[int, "Seed of every random choice.", Between(0)]
Shard = Annotated[
    str | None,
    "Work on one of COUNT equal shares, on any machine and in any order. What is made is a part: commands "
    "read a folder of all parts, or 'part-*.parquet', as one file, and `maskkit join` makes one of them.",
    Refusing(SharedPart.read),
    Metavar("NUMBER/COUNT"),
    MACHINE_PANEL,
]
Survey = Annotated[
    list[Source],
    "What was found in photos, as `maskkit eda -o` writes it, instead of opening them: a file, a folder of "
    "parts, or a pattern in quotes; once per set.",
    Reading(what="survey"),
    MACHINE_PANEL,
]
Engine = Annotated[
    str | None,
    "What works on the photos: ray starts Ray on this machine, or takes the cluster that RAY_ADDRESS names; "
    "ray://HOST:PORT takes that one. Left out, this process does. The result has the same bytes.",
    Refusing(RayAddress.read),
    Metavar("ray[://HOST:PORT]"),
    MACHINE_PANEL,
    NOT_IN_RECIPE,
]
AllowLeak = Annotated[bool, "Go on although models have seen the people they are judged on."]
Consensus = Annotated[
    Literal["person"] | None,
    "Let the photos of each person agree on the factors that all of them share, such as gender and "
    "age; the header says so.",
    explained.AGREEING,
]
Decide = Annotated[
    Decision | None,
    "A decision from `maskkit evaluate --tune`, which changes the predictions; the header says so.",
]
SETS = (
    "Sets of classes, and of levels of each factor, that hold the truth of this share of the photos of new "
    "people, such as 0.9, calibrated on out-of-fold predictions."
)
SetsPer = Annotated[
    str | None,
    "Keep the promise of --sets for each class (class), or for each level of a factor, such as age, by "
    "itself; else rare ones are missed more often.",
    Needs("sets", "it says of what --sets holds"),
]
Submission = Annotated[bool, "Write the competition's ImageID,ans."]
WrittenAs = Annotated[
    Literal["csv", "parquet"] | None,
    "Write this, however -o ends.",
    explained.FORMS,
    Flags("--format"),
    SHELL_PANEL,
    Excludes("submission", why="a submission is a CSV of its own"),
]
Resume = Annotated[bool, "Go on from an interrupted run, if there is one."]


@dataclass(frozen=True)
class PhotoOptions:
    """Where the photos are."""

    root: Annotated[
        str | None,
        "Where the photos are, if not where `label` found them: a folder, or s3:// or gs://BUCKET/FOLDER; "
        "MASKKIT_ROOT does the same.",
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
        str | None,
        "Where decoded photos are kept, if not in the platform's folder for caches; MASKKIT_CACHE does the "
        "same.",
        MACHINE_PANEL,
        NOT_IN_RECIPE,
    ] = None
    cache_size: Annotated[
        str,
        "What the cache may take of the disk; with 0, photos are decoded anew whenever they are wanted.",
        MACHINE_PANEL,
        NOT_IN_RECIPE,
    ] = "20GB"

    def __post_init__(self) -> None:
        parse_bytes(self.cache_size)

    def _cache(self) -> Cache | None:
        from maskkit.cache.records import Cache

        limit = parse_bytes(self.cache_size)
        try:
            return Cache.at(self.cache, limit) if limit else None
        except RuntimeError:  # of pathlib: HOME is not set, as for users that a container does not know
            terminal.note(
                "without a home folder there is no cache, and photos are decoded whenever they are wanted; "
                "--cache FOLDER or MASKKIT_CACHE gives it one"
            )
            return None


@dataclass(frozen=True)
class ReportOptions:
    """How a report is shown; a terminal shows tables, a pipe gets tab-separated values."""

    json: Annotated[bool, "Print JSON.", SHELL_PANEL] = False
    html: Annotated[SideFile | None, "Write a self-contained page.", SHELL_PANEL] = None
    photos: Annotated[
        bool,
        "Show photos in the page; by default it holds none, so that it can be passed on.",
        SHELL_PANEL,
        Needs("html", "photos are shown in the page of --html"),
    ] = False

    def show(self, report: Report, to: OutputTarget | None = None) -> None:
        """Show a report; its JSON goes into `to` instead if that is given."""
        from maskkit.cli.shell.show_report import show_report

        show_report(report, json=self.json, html=self.html, to=to)

    def note(self, report: Report) -> None:
        """Show a report to people alone, where standard output is for an artifact."""
        from maskkit.cli.shell.show_report import note_report, write_page

        write_page(report, self.html)
        note_report(report)


COMMON = {"encoding": Encoding, "force": Force, "recipe": Recipe, "dry_run": DryRun, "quiet": Quiet}
