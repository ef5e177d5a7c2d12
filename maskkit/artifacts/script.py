"""The commands that made an artifact, as a shell script that runs nothing but them.

A history comes with a file that anyone may have written. So each of its texts is one word of the script:
quoted, on one line, without a control character, and never an option.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from maskkit.artifacts.header import Input, Record
from maskkit.artifacts.history import word_behind
from maskkit.plain_text import ODD, printable

NEWLINE = (
    "newline=$(printf '\\012.') newline=${newline%.}"  # for words that end in one, which $(...) takes off
)

# What `label` found: how many photos are on disk in another form of Unicode than they were named.
RESPELLED = "other_unicode_form"
# In how many threads torch computed, where its sums depend on that.
THREADS = "threads"
# And how many processes computed each batch together, as torchrun started them.
PROCESSES = "processes"


def script(history: Sequence[Record], *, output: str | None) -> str:
    """Return the commands that made an artifact, as a shell script whose last command writes `output`.

    Without an output, the last command prints what it found.
    """
    names = _names(history, output)
    commands = [_threads(record) + " ".join(map(_quoted, _words(record, names))) for record in history]
    lines = ["#!/bin/sh", "set -e"]
    lines += [f"# maskkit {printable(version)}" for version in sorted({record.version for record in history})]
    counts = [record.found.get(RESPELLED) for record in history]
    lines += [
        f"# {count} photos were named in another form of Unicode" for count in counts if type(count) is int
    ]
    lines += [NEWLINE] if any("$newline" in line for line in commands) else []
    return "\n".join([*lines, *commands])


def _names(history: Sequence[Record], output: str | None) -> Mapping[str, str]:
    """Name each record's output: as a later record read it, unless that was a pipe or is overwritten."""
    names = {history[-1].id: output or ""} if history else {}
    taken = set(names.values())
    for record in reversed(history):
        for item in record.inputs:
            if item.made_by is not None and item.made_by not in names:
                is_pipe = item.path == "-" or item.path.startswith("/dev/")
                is_free = not is_pipe and item.path not in taken
                suffix = ".parquet" if is_pipe else PurePath(item.path).suffix
                names[item.made_by] = item.path if is_free else f"piped-{item.made_by}{suffix}"
                taken.add(names[item.made_by])
        names.setdefault(record.id, f"unread-{record.id}")
    return names


def _words(record: Record, names: Mapping[str, str]) -> Iterator[str]:
    yield from (*_program(record), record.stage)
    yield from (_path(item, names) for item in record.inputs if item.option is None)
    for name, value in record.options.items():
        if value is not None and value is not False:
            yield from _option(name, value, [item for item in record.inputs if item.option == name], names)
    if names[record.id]:
        yield from ("--decision" if record.stage == "evaluate" else "-o", _as_file(names[record.id]))


def _program(record: Record) -> Sequence[str]:
    """Return what starts the command, in as many processes."""
    number = record.found.get(PROCESSES)
    if type(number) is int and number > 1:
        return "torchrun", "--nproc-per-node", str(number), "-m", "maskkit"
    return ("maskkit",)


def _threads(record: Record) -> str:
    """Return what has the command compute in as many threads."""
    number = record.found.get(THREADS)
    return f"OMP_NUM_THREADS={number} " if type(number) is int and number > 0 else ""


def _option(name: str, value: object, inputs: Sequence[Input], names: Mapping[str, str]) -> Iterator[str]:
    """Yield an option and its value, or each of several."""
    flag = f"--{name.replace('_', '-')}"
    files = [_path(item, names) for item in inputs]
    if value is True:
        yield flag
    elif isinstance(value, list) and files:
        for file in files:
            yield from (flag, file)
    elif isinstance(value, Mapping):  # an option that is given once per name, such as age=30,58
        for key, items in value.items():
            yield from _given(flag, f"{key}={_joined(items)}")
    else:
        # The option can say more than the path, as --weights and --teacher do.
        is_whole = isinstance(value, str) and all(item.made_by is None for item in inputs)
        more = word_behind(value, inputs[0]) if files else ""
        yield from _given(flag, f"{files[0]}{more}" if files and not is_whole else _joined(value))


def _given(flag: str, text: str) -> tuple[str, ...]:
    """Return an option and its value, which is no option if it looks like one."""
    return (f"{flag}={text}",) if text.startswith("-") and text != "-" else (flag, text)


def _joined(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _path(item: Input, names: Mapping[str, str]) -> str:
    return _as_file(item.path if item.made_by is None else names[item.made_by])


def _as_file(path: str) -> str:
    """Return a path that is no option if it looks like one."""
    return f"./{path}" if path.startswith("-") and path != "-" else path


def _quoted(word: str) -> str:
    """Return a word as the shell reads it back; what a terminal would act on is written by its number."""
    if not ODD.search(word):
        return shlex.quote(word)
    text = word.rstrip("\n")
    octal = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "\\'%" else f"\\{byte:03o}"
        for byte in os.fsencode(text)
    )
    if octal.startswith("-"):  # some shells' printf would take it for an option
        octal = f"\\{ord('-'):03o}{octal[1:]}"
    return f"\"$(printf '{octal}')" + "$newline" * (len(word) - len(text)) + '"'
