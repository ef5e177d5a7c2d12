"""Options that mean the same in every command, and those declared by a dataclass in config."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, get_type_hints

import typer

from maskkit.cli.shell import terminal
from maskkit.cli.shell.streams import as_recipe, print_line
from maskkit.errors import MaskkitError
from maskkit.options.choices import summary
from maskkit.options.fields import Limits
from maskkit.options.train_options import MACHINE_PANEL
from maskkit.options.values import parse_bytes

if TYPE_CHECKING:
    from maskkit.cache.records import Cache

SHELL = {
    "output",
    "force",
    "quiet",
    "dry_run",
    "recipe",
    "json",
    "html",
    "decision",
    "cache",
    "cache_size",
    "preview",
    "track",
    "report",
}  # not part of what a stage does
SHELL_PANEL = "Files and messages"


def _set_up(quiet: bool) -> bool:
    terminal.set_up(quiet=quiet)
    return quiet


def _read_recipe(context: typer.Context, path: Path | None) -> Path | None:
    """Make the recipe's values the defaults of the command, so that the command line wins."""
    if path is None:
        return None
    command = context.info_name or ""
    try:
        recipe = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MaskkitError(
            f"cannot read the recipe {path}",
            why=getattr(error, "strerror", None) or str(error),
            fix=f"give a TOML file with a table per command, such as [{command}]",
        ) from error
    parent = context.parent
    commands = sorted(getattr(parent.command, "commands", {})) if parent else [command]
    strangers = [name for name in recipe if name not in commands or not isinstance(recipe[name], dict)]
    if strangers:
        raise MaskkitError(
            f"the recipe {path} has {', '.join(strangers)}",
            why=f"it holds tables named like commands: {', '.join(commands)}",
            fix=f"write the options of this command under [{command}]",
        )
    given = {name.replace("-", "_"): value for name, value in recipe.get(command, {}).items()}
    allowed = {item.name: item for item in _options_of(context) if item.name != "recipe"}
    unknown = [name for name in given if name not in allowed]
    if unknown:
        raise MaskkitError(
            f"the recipe {path} sets {', '.join(unknown)}, which maskkit {command} does not have",
            why=f"its options are {', '.join(sorted(name.replace('_', '-') for name in allowed))}",
            fix="correct the name; nothing is silently ignored",
        )
    values = {name: _checked(context, allowed[name], value, path) for name, value in given.items()}
    context.default_map = {**(context.default_map or {}), **values}
    return path


def _options_of(context: typer.Context) -> list[Any]:
    return [item for item in context.command.params if item.param_type_name == "option"]


def _checked(context: typer.Context, option: Any, value: object, path: Path) -> object:
    """Return a recipe's value as it would be typed, after checking it as if it had been typed."""
    bad = partial(_bad_value, context, option, value, path)
    if option.is_flag:
        if not isinstance(value, bool):
            raise bad(why="it is true or false")
        return value
    items = value if option.multiple and isinstance(value, list) else [value]
    if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in items):
        raise bad(why="it takes a list of texts" if option.multiple else "it takes one text or number")
    typed = [str(item) for item in items] if option.multiple else str(value)
    try:
        option.process_value(context, typed)
    except typer.BadParameter as error:
        raise bad(why=error.message.removeprefix("Value error, ").rstrip(".")) from error
    return typed


def _bad_value(context: typer.Context, option: Any, value: object, path: Path, *, why: str) -> MaskkitError:
    return MaskkitError(
        f"the recipe {path} sets {option.name.replace('_', '-')} to {value!r}",
        why=why,
        fix=f"correct it; `maskkit {context.info_name} --help` says what each option takes",
    )


def stop_if_dry(context: typer.Context, dry_run: bool) -> None:
    """End the command before its work, after printing every option as resolved, as a recipe."""
    if dry_run:
        names = [item.name for item in _options_of(context) if item.name not in SHELL]
        chosen = {name: context.params[name] for name in names if name in context.params}
        print_line(as_recipe(context.info_name or "", chosen))
        raise typer.Exit


ManifestIn = Annotated[
    Optional[str],
    typer.Argument(metavar="MANIFEST", help="A manifest; `-` reads standard input.", show_default=False),
]
Output = Annotated[
    Optional[str],
    typer.Option("-o", "--output", help="File to write; `-` is standard output.", show_default=False,
                 rich_help_panel=SHELL_PANEL),
]  # fmt: skip
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
    typer.Option("--recipe", help="TOML file with options; the command line wins.", callback=_read_recipe,
                 is_eager=True, show_default=False, rich_help_panel=SHELL_PANEL),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=SHELL_PANEL)]
Html = Annotated[
    Optional[Path],
    typer.Option("--html", help="Write a self-contained page.", show_default=False,
                 rich_help_panel=SHELL_PANEL),
]  # fmt: skip
Photos = Annotated[
    bool,
    typer.Option("--photos", help="Show photos in the page; by default it holds none, so that it can be "
                 "passed on.", rich_help_panel=SHELL_PANEL),
]  # fmt: skip
Root = Annotated[
    Optional[str],
    typer.Option(
        help="Where the photos are, if not where `label` found them; MASKKIT_ROOT does the same.",
        show_default=False,
    ),
]
Task = Annotated[
    Optional[str],
    typer.Option(help="TOML file with another label space than the home task's.", show_default=False),
]
CacheFolder = Annotated[
    Optional[str],
    typer.Option("--cache", help="Where decoded photos are kept, if not in the platform's folder for caches; "
                 "MASKKIT_CACHE does the same.", show_default=False, rich_help_panel=MACHINE_PANEL),
]  # fmt: skip
CacheSize = Annotated[
    str,
    typer.Option(help="What the cache may take of the disk; with 0, photos are decoded anew whenever they "
                 "are wanted.", rich_help_panel=MACHINE_PANEL),
]  # fmt: skip
CACHE_SIZE = "20GB"
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
    Optional[str],
    typer.Option(help="A decision from `maskkit evaluate --tune`, which changes the answers; the header "
                 "says so.", show_default=False),
]  # fmt: skip
Resume = Annotated[bool, typer.Option("--resume", help="Go on from an interrupted run, if there is one.")]


def chosen_cache(folder: str | None, size: str) -> Cache | None:
    """Return the cache for decoded photos that the options ask for."""
    from maskkit.cache.records import Cache

    limit = parse_bytes(size)
    return Cache.at(folder, limit) if limit else None


def taking(
    options: type, *, argument: str = "options", only: Sequence[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace a command's parameter `options` by one option per field (or only some) of a dataclass."""
    wanted = [field for field in fields(options) if field.name in only or not only]

    def expand(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(options)
        expanded = [_parameter(field, hints[field.name]) for field in wanted]

        def run(**given: Any) -> None:
            chosen = {field.name: given.pop(field.name) for field in wanted}
            command(**given, **{argument: options(**chosen)})

        kept = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [item.replace(kind=item.KEYWORD_ONLY) for item in kept if item.name != argument]
        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        run.__signature__ = inspect.Signature([*parameters, *expanded])  # type: ignore[attr-defined]
        run.__annotations__ = {item.name: item.annotation for item in [*parameters, *expanded]}
        return run

    return expand


def _parameter(field: Field[Any], hint: Any) -> inspect.Parameter:
    limits: Limits = field.metadata["limits"]
    flag = [f"--{field.name.replace('_', '-')}"] if hint is bool else []
    choices = f" Choices: {summary(limits.table)}." if limits.table else ""
    declared = typer.Option(
        *flag,
        help=terminal.escape(limits.help + choices),
        min=limits.minimum,
        max=limits.maximum,
        rich_help_panel=limits.panel,
        show_default=field.default is not None,
        callback=None if limits.read is None else refusing(limits.read),
        metavar="<choice>" if limits.table else None,
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[hint, declared],
    )


def refusing(read: Callable[[str], object]) -> Callable[[Optional[str]], Optional[str]]:
    """Refuse a choice that does not exist as Typer refuses a value: wrong usage, exit code 2."""

    def check(value: Optional[str]) -> Optional[str]:
        try:
            if value is not None:
                read(value)
        except MaskkitError as error:
            raise typer.BadParameter(f"{error.what}; {error.why}; {error.fix}") from error
        return value

    return check
