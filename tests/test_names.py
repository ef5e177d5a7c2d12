"""Names: each means one thing, what docstrings refer to exists, and the words are those of the field."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from maskkit.artifacts.checks import COLUMNS
from maskkit.cli import app

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "maskkit").rglob("*.py"))
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("**/*.md")),
]
Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

# What a reader of scikit-learn's docs does not expect, and what such a reader does.
NOT_PLAIN = {
    r"oftener": "more often",
    r"borne": "allowed, tolerated",
    r"whilst|thereof|wherein|whereby|amongst|upon|lest|shall": "while, of it, where, by which, on, must",
    r"speaks?|speaking|spoke|spoken|heard": "models predict, tables name, records hold",
    r"told(?! apart)": "given, known, recorded: a file or a model is told nothing",
    r"strangers?": "unknown, foreign, not in the manifest",
}
FILE_ENDS = {"csv", "html", "jpg", "json", "onnx", "parquet", "pt", "py", "resume", "safetensors", "toml"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def docstrings(path: Path) -> Iterator[tuple[Definition, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, DEFINITIONS) and (text := ast.get_docstring(node)):
            yield node, text


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield docstrings, and strings of several words, such as help and messages, with their lines."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, node.value


def bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a piece of code binds: definitions, parameters, variables, attributes, imports."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield inner.name
        elif isinstance(inner, ast.arg):
            yield inner.arg
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            yield inner.attr
        elif isinstance(inner, ast.alias):
            yield (inner.asname or inner.name).split(".")[0]


@cache
def classes() -> dict[str, set[str]]:
    """Return the attributes of each class of the package, those of its bases in the package among them."""
    found = [node for path in FILES for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]
    own = {node.name: set(bound(node)) for node in found}
    bases = {node.name: [ast.unparse(base).split("[")[0] for base in node.bases] for node in found}

    def attributes(name: str) -> set[str]:
        return own.get(name, set()).union(*(attributes(base) for base in bases.get(name, [])))

    return {name: attributes(name) for name in own}


@cache
def modules() -> dict[str, set[str]]:
    """Return the names that each module binds at its top, by every ending of its dotted name."""
    found: dict[str, set[str]] = {}
    packages = {path.parent for path in FILES}
    inside = {
        module_name(folder / "__init__.py"): {path.stem for path in folder.iterdir()} for folder in packages
    }
    for path in FILES:
        parts = module_name(path).split(".")
        top = {name for statement in tree(path).body for name in bound(statement)}
        for start in range(len(parts)):
            found.setdefault(".".join(parts[start:]), set()).update(top, inside.get(".".join(parts), set()))
    return found


@cache
def public() -> set[str]:
    """Return what a docstring may name without saying where it is."""
    names = {name for path in FILES for name in bound(tree(path)) if not name.startswith("_")}
    words = {word for name in modules() for word in name.split(".")}
    commands = getattr(get_command(app), "commands")  # noqa: B009 - typer's own copy of Click has no types
    options = {option.lstrip("-") for one in commands.values() for each in one.params for option in each.opts}
    # Choices, columns, keys and facts are strings somewhere.
    strings = {
        node.value
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return names | words | set(commands) | options | set(COLUMNS) | strings | set(dir(builtins))


def resolves(reference: str, path: Path) -> bool:
    """Whether a name in backticks exists: here, in the package under its public name, or in a library."""
    used = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    here = set(bound(tree(path))) | used
    if "." not in reference:
        return reference in here or reference in public()
    first, rest = reference.split(".", 1)
    parent, last = reference.rsplit(".", 1)
    if reference in modules() or reference in public() or last in FILE_ENDS:
        return True
    if parent in modules() or parent in classes():
        return last in modules().get(parent, set()) | classes().get(parent, set())
    if parent.rsplit(".", 1)[-1] in classes():  # a class of a module that is named
        return last in classes()[parent.rsplit(".", 1)[-1]]
    if first in modules() or first in classes():
        return False
    if first in here:  # a parameter or a library as it is called here
        return True
    return bool(rest) and importlib.util.find_spec(first) is not None


def unresolved(path: Path) -> list[str]:
    reference = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)(?:\(\))?`(?!`)")
    return [
        f"{path.relative_to(ROOT)}: `{name}` in {getattr(node, 'name', 'the module')}"
        for node, text in docstrings(path)
        for name in reference.findall(text)
        if not resolves(name, path)
    ]


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for path in FILES:
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module_name(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_two_modules_share_a_name_but_a_command_and_its_stage() -> None:
    places: dict[str, set[str]] = {}
    for path in FILES:
        *_, parent, name = ("", *module_name(path).split("."))
        places.setdefault(name, set()).add(parent)
    twice = {name: found for name, found in places.items() if len(found) > 1 and found != {"cli", "stages"}}
    assert twice == {}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_what_docstrings_refer_to_exists(path: Path) -> None:
    assert unresolved(path) == []


@pytest.mark.parametrize(
    ("reference", "exists"),
    [
        ("Manifest.located", True),
        ("Manifest.relocated", False),
        ("scoring.intervals", True),
        ("scoring.interval", False),
        ("maskkit.imaging.survey", True),
        ("maskkit.looking.survey", False),
        ("blending.soft_vote", False),
        ("soft_voting_of", False),
        ("Manifested", False),
        ("np.unique", True),
        ("train.csv", True),
        ("person_id", True),
    ],
)
def test_a_reference_to_nothing_is_found(reference: str, exists: bool) -> None:
    assert resolves(reference, ROOT / "maskkit" / "splitting" / "strata.py") == exists


def test_the_map_of_rooms_follows_the_layers_of_the_import_contract() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    rooms = [name.removesuffix(".py").rstrip("/") for row in rows for name in re.findall(r"`([^`]*)`", row)]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [re.findall(r"maskkit\.(\w+)", layer) for layer in contracts["contracts"][0]["layers"]]
    layer_of = {room: number for number, layer in enumerate(layers) for room in layer}
    assert sorted(rooms) == sorted(layer_of)
    places = [layer_of[room] for room in rooms]
    assert places == sorted(places)


@pytest.mark.parametrize("words", NOT_PLAIN)
def test_texts_are_plain_english(words: str) -> None:
    wrong = re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]}"
        for path in FILES
        for line, text in texts(path)
        for match in wrong.finditer(text)
    ]
    found += [
        f"{document.name}:{number}: {match[0]}"
        for document in DOCUMENTS
        for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), start=1)
        for match in wrong.finditer(line)
    ]
    assert found == [], f"write instead: {NOT_PLAIN[words]}"


# An image that is no photo: a mirror image, what ONNX calls its input, an image of a container.
IMAGE = re.compile(r"(?<![`/\w.])(?<!mirror )images?\b(?![`/\w])(?!s?/)", re.IGNORECASE)


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the words of errors and of what is logged, with their lines."""
    for node in ast.walk(tree(path)):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if name.startswith("log.") or name.endswith(("Error", "BadParameter", "note")):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield inner.lineno, inner.value


def test_errors_and_warnings_say_photo() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in FILES
        for line, text in messages(path)
        if IMAGE.search(text) and "--by" not in text
    ]
    assert found == []


def test_help_says_photo() -> None:
    found = []
    commands = getattr(get_command(app), "commands")  # noqa: B009 - typer's own copy of Click has no types
    for name, command in commands.items():
        helps = [command.help or "", *(getattr(each, "help", None) or "" for each in command.params)]
        found += [f"{name}: {text}" for text in helps if IMAGE.search(text) and "person, image" not in text]
    assert found == []
