"""Recipes: any option of a command from a TOML file, and back from the options as resolved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from maskkit.errors import MaskkitError, nearest, reason
from maskkit.options.other_words import SAME, plain
from maskkit.toml_text import read_toml


def read_recipe(context: typer.Context, path: Path | None) -> Path | None:
    """Make the recipe's values the defaults of the command, so that the command line wins."""
    if path is None:
        return None
    command = context.info_name or ""
    recipe = _tables(context, path)
    given = {name.replace("-", "_"): value for name, value in recipe.get(command, {}).items()}
    options = (item for item in context.command.params if item.param_type_name == "option")
    allowed = {str(item.name): item for item in options if item.name != "recipe"}
    unknown = [name for name in given if name not in allowed]
    if unknown:
        raise MaskkitError(
            f"the recipe {path} sets {', '.join(unknown)}, which maskkit {command} does not have",
            why="nothing is silently ignored",
            fix=nearest(
                SAME.get(plain(unknown[0]), unknown[0]).replace("_", "-"),
                sorted(name.replace("_", "-") for name in allowed),
            ),
        )
    values = {
        name: as_typed(context, allowed[name], value, whose=f"the recipe {path} sets")
        for name, value in given.items()
    }
    context.default_map = {**(context.default_map or {}), **values}
    return path


def _tables(context: typer.Context, path: Path) -> dict[str, Any]:
    command = context.info_name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MaskkitError(
            f"cannot read the recipe {path}",
            why=reason(error),
            fix=f"give a TOML file with a table per command, such as [{command}]",
        ) from error
    recipe = read_toml(data, title=f"the recipe {path}")
    parent = context.parent
    commands = sorted(getattr(parent.command, "commands", {})) if parent else [command]
    unknown = [name for name in recipe if name not in commands or not isinstance(recipe[name], dict)]
    if unknown:
        raise MaskkitError(
            f"the recipe {path} has {', '.join(unknown)}",
            why=f"it holds tables named like commands: {', '.join(map(str, commands))}",
            fix=f"write the options of this command under [{command}]",
        )
    return recipe


def as_typed(context: typer.Context, option: Any, value: object, *, whose: str) -> object:
    """Return a value that a file has for an option as it would be typed, after checking it as if it had been.

    Raises:
        MaskkitError: The option cannot have it; `whose` are the words before its name.
    """

    def bad(why: str) -> MaskkitError:
        return MaskkitError(
            f"{whose} {option.name.replace('_', '-')} to {value!r}",
            why=why,
            fix=f"correct it; `maskkit {context.info_name} --help` says what each option takes",
        )

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


def as_recipe(command: str, options: Mapping[str, object]) -> str:
    """Return resolved options as a recipe that `--recipe` reads; options without a value are left out."""
    lines = [
        f"{name.replace('_', '-')} = {_toml(value)}" for name, value in options.items() if value is not None
    ]
    return "\n".join([f"[{command}]", *lines])


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    # JSON's booleans, numbers and strings are TOML's too.
    return json.dumps(value if isinstance(value, bool | int | float) else str(value), ensure_ascii=False)
