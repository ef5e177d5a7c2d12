"""Which pretrained weights this machine can use now, found without asking the network."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import timm
import torch
from huggingface_hub import constants
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.ending import model_name
from maskkit.modeling.hub import config_of, is_downloaded
from maskkit.modeling.hub_layout import CONFIG, INSIDE
from maskkit.modeling.packaged import INSTALL, PACKAGES, is_installed
from maskkit.modeling.starting_weights import pretrained_for, with_tag
from maskkit.modeling.state_files import SUFFIXES
from maskkit.modeling.weights import fit_weights
from maskkit.options.train_options import AUTO, HUB, NONE, PACKAGE, WORDS


@dataclass(frozen=True)
class KnownWeights:
    """Weights that a model could start from."""

    options: str  # of the command line
    kind: Literal["auto", "package", "file", "hub"]
    state: str  # whether they can be used now, or why not


def known_weights(model: str) -> list[KnownWeights]:
    """List what `auto` takes of a timm model, with a tag or without, and its packaged, local and hub weights.

    Local are files and folders in the working folder, and those in the caches of torch and Hugging Face that
    fit the model.

    Raises:
        MaskkitError: There is no such model.
    """
    built = build(model, classes=1)  # every head is one of another class count
    name = model_name(built)
    tags = timm.list_pretrained(f"{name}.*")
    hub = (_of_hub(tag) for tag in tags)
    return [_automatic(model), *_packaged(name), *_local(built), *_cached(built, tags), *hub]


def _automatic(name: str) -> KnownWeights:
    """Say what `auto` takes."""
    try:
        chosen = pretrained_for(name)
    except MaskkitError:
        return KnownWeights(
            f"--weights {AUTO}", "auto", f"an error: --weights {NONE} starts from random ones"
        )
    taken = _of_hub(with_tag(name)).options if chosen == HUB else f"--weights {chosen}"
    return KnownWeights(f"--weights {AUTO}", "auto", f"takes {taken}")


def _packaged(name: str) -> Iterator[KnownWeights]:
    if name in PACKAGES:
        yield KnownWeights(f"--weights {PACKAGE}", "package", "installed" if is_installed(name) else INSTALL)


def _local(model: nn.Module) -> Iterator[KnownWeights]:
    for path in sorted(Path().iterdir()):
        is_one = False
        with suppress(PermissionError):  # of a folder that may not be looked into
            is_one = path.name.endswith(SUFFIXES) if path.is_file() else (path / CONFIG).is_file()
        if is_one:
            why = _misfit(model, path)
            yield KnownWeights(_option(path), "file", f"cannot be used: {why}" if why else "fits")


def _cached(model: nn.Module, tags: list[str]) -> Iterator[KnownWeights]:
    """Yield what fits in caches, but for the hub's own weights of the model."""
    found = [path for path in Path(torch.hub.get_dir(), "checkpoints").glob("*") if path.is_file()]
    repositories = {f"models--{config_of(tag).hf_hub_id}".replace("/", "--") for tag in tags}
    for folder in Path(constants.HF_HUB_CACHE).glob("models--*/snapshots/*"):
        files = [folder / name for name in INSIDE if (folder / name).is_file()]
        if files and folder.parents[1].name not in repositories:
            found.append(folder if (folder / CONFIG).is_file() else files[0])
    for path in sorted(found):
        if not _misfit(model, path):
            yield KnownWeights(_option(path), "file", "fits")


def _option(path: Path) -> str:
    """Write the option that names a file, as a shell reads it; what is called like a word as `./hub`."""
    text = f"./{path}" if str(path) in WORDS else str(path)
    return f"--weights {shlex.quote(text)}"


def _misfit(model: nn.Module, path: Path) -> str:
    """Return why weights do not fit; empty if they do."""
    try:
        fit_weights(model, path)
    except MaskkitError as error:
        return error.why
    return ""


def _of_hub(tag: str) -> KnownWeights:
    return KnownWeights(
        f"--model {tag} --weights {HUB}", "hub", "in the cache" if is_downloaded(tag) else "to be downloaded"
    )
