"""From a history back to the commands that were typed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from maskkit.artifacts.header import Input, Record


def script(history: Sequence[Record], *, output: str) -> str:
    """Return the commands that made an artifact, as a shell script for the folder they ran in.

    Args:
        history: Of the artifact, oldest first.
        output: Its file name, which the last command writes.
    """
    names = _names(history, output)
    lines = ["#!/bin/sh", "set -e"]
    lines += [f"# maskkit {version}" for version in sorted({record.version for record in history})]
    lines += [_command(record, names) for record in history]
    return "\n".join(lines)


def _names(history: Sequence[Record], output: str) -> Mapping[str, str]:
    """Name each record's output: as a later record read it, unless that was a pipe or is overwritten."""
    names = {history[-1].id: output} if history else {}
    for record in reversed(history):
        for item in record.inputs:
            if item.made_by is not None and item.made_by not in names:
                is_pipe = item.path == "-" or item.path.startswith("/dev/")
                is_free = not is_pipe and item.path not in names.values()
                suffix = ".parquet" if is_pipe else PurePath(item.path).suffix
                names[item.made_by] = item.path if is_free else f"piped-{item.made_by}{suffix}"
        names.setdefault(record.id, f"unread-{record.id}")
    return names


def _command(record: Record, names: Mapping[str, str]) -> str:
    words = ["maskkit", record.stage, *(_path(item, names) for item in record.inputs if item.option is None)]
    for name, value in record.options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is None or value is False:
            continue
        files = [_path(item, names) for item in record.inputs if item.option == name]
        if isinstance(value, list) and files:
            words += [word for file in files for word in (flag, file)]
            continue
        if isinstance(value, Mapping):  # an option that is given once per name, such as age=30,58
            words += [word for key, items in value.items() for word in (flag, f"{key}={_joined(items)}")]
            continue
        text = files[0] if files else _joined(value)
        words += [flag] if value is True else [flag, text]
    words += ["--decision" if record.stage == "evaluate" else "-o", names[record.id]]
    return shlex.join(words)


def _joined(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _path(item: Input, names: Mapping[str, str]) -> str:
    return item.path if item.made_by is None else names[item.made_by]
