"""Names that timm has, read from its source: to load it takes seconds, and a completion has none.

What the names mean is for `maskkit.modeling` to say; a test holds them to what timm itself lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_MODEL = re.compile(r"^@register_model\ndef (\w+)\(", re.MULTILINE)
_TAGGED = re.compile(r"^    ['\"](\w+\.\w+)['\"]:", re.MULTILINE)
_OPTIMIZER = re.compile(r"OptimInfo\(\s*name='(\w+)'")


def model_names() -> list[str]:
    """Name every model, in alphabetical order."""
    return sorted(name for text in _sources("models") for name in _MODEL.findall(text))


def tagged_names(architecture: str) -> list[str]:
    """Name the pretrained weights of a model, as far as its source says them one by one."""
    names = (name for text in _sources("models") for name in _TAGGED.findall(text))
    return sorted(name for name in names if name.partition(".")[0] == architecture)


def optimizer_names() -> list[str]:
    """Name every optimizer that is registered by itself."""
    return sorted(name for text in _sources("optim") for name in _OPTIMIZER.findall(text))


def _sources(package: str) -> Iterator[str]:
    spec = find_spec("timm")  # of a package at the top, so that nothing is imported
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in sorted(Path(folder, package).glob("*.py")):
            yield path.read_text(encoding="utf-8", errors="replace")
