"""What maskkit promises of any timm model, as properties that can be tried on one."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from maskkit.artifacts.checkpoint import Checkpoint, CheckpointFacts, Preprocess, write_checkpoint
from maskkit.artifacts.header import Header
from maskkit.artifacts.history import damaged
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, reason
from maskkit.imaging.photos import Photos
from maskkit.labels import HOME
from maskkit.modeling.backbone import build, parameter_groups, preprocessing_of, random_photos, restore
from maskkit.modeling.constructor import IMG_SIZE, parameters
from maskkit.modeling.device import autocast, prepare
from maskkit.modeling.ending import backbone_state, begin_at_zero
from maskkit.modeling.frozen import divide
from maskkit.modeling.heads import attach, heads_of, part_losses
from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.runtimes import classifier, fitted_classifier
from maskkit.modeling.target import Target
from maskkit.modeling.weights import load_weights
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import HEADS
from maskkit.options.train_options import TrainOptions
from maskkit.training.first_steps import answers_all_alike
from maskkit.training.fold import Fold
from maskkit.training.lone_photos import refuse_lone_photos
from maskkit.training.trainer import Trainer

CPU = torch.device("cpu")
CLASSES = len(HOME)
PHOTOS = 4
SQUARES = (32, 48, 64, 96, 128, 160, 192, 224, 240, 256, 288, 299, 320, 384, 448, 512, 600, 800)
SMALL = 96  # pixels: up to here nothing is gained by making a model for less
OTHERS = ((48, 32), (64, 48), (64, 32), (96, 64), (128, 96), (160, 128), (192, 160), (256, 192), (224, 192))
RATES, STEPS = (1e-3, 2e-4), 120
LABELS = torch.arange(PHOTOS) * 5
Found = Mapping[str, Any]  # of a model: name, size, seconds, and results by property
OK, REFUSED, TORCH = "ok", "refused", "torch"  # what a property begins with


@dataclass(frozen=True)
class Subject:
    """A model by its timm name, and a size of photos that it takes; not square if it takes such."""

    name: str
    size: tuple[int, int]
    settings: Mapping[str, Any] = field(default_factory=dict)  # of its constructor, for that size

    def fresh(self) -> nn.Module:
        """Build the model as a training begins with it."""
        torch.manual_seed(0)
        model = build(self.name, classes=CLASSES, settings=self.settings)
        begin_at_zero(model)
        with torch.no_grad():  # as every training does to see whether it takes the size
            model.eval()(torch.zeros(1, 3, *self.size))
        return model

    def of_timm(self, *, classes: int, seed: int) -> nn.Module:
        """Build the model as timm does."""
        torch.manual_seed(seed)
        given: dict[str, Any] = {key: tuple(value) for key, value in self.settings.items()}
        made: nn.Module = timm.create_model(self.name, num_classes=classes, **given)
        return made

    @cached_property
    def images(self) -> Tensor:
        """Photos that differ, (PHOTOS, 3, height, width)."""
        return random_photos(self.size, count=PHOTOS)

    @cached_property
    def by_heart(self) -> tuple[nn.Module, float]:
        """The model with the photos learnt by heart, or as near as it came, and the loss left."""
        with torch.inference_mode(mode=False):
            return _memorised(self)

    @property
    def trained(self) -> nn.Module:
        """The model with the four photos learnt by heart, in evaluation mode."""
        return self.by_heart[0].eval()


def subject_of(name: str) -> Subject:
    """Return a model with the smallest size that it takes, if need be made for it; not square if it can."""
    model = build(name, classes=2).eval()
    smallest = next(side for side in SQUARES if _takes(model, (side, side)))
    sizes = [size for size in OTHERS if min(size) >= smallest // 2 and _takes(model, size)]
    if sizes or smallest <= SMALL or IMG_SIZE not in parameters(name):
        return Subject(name, sizes[0] if sizes else (smallest, smallest))
    for size in (*OTHERS, *((side, side) for side in SQUARES if side < smallest)):
        settings = {IMG_SIZE: list(size)}
        with suppress(RuntimeError, ValueError, AssertionError, TypeError, IndexError, MaskkitError):
            if _takes(build(name, classes=2, settings=settings).eval(), size):
                return Subject(name, size, settings)
    return Subject(name, (smallest, smallest))


def _takes(model: nn.Module, size: tuple[int, int]) -> bool:
    try:
        with torch.no_grad():
            return bool(model(torch.zeros(1, 3, *size)).isfinite().all())
    except (RuntimeError, ValueError, AssertionError, TypeError, IndexError):
        return False


def takes_other_shapes(subject: Subject) -> str:
    """A size that is not square, also by `img_size`; else timm's implementation takes none."""
    return OK if subject.size[0] != subject.size[1] else f"{REFUSED}: timm's takes square photos only"


def learns(subject: Subject) -> str:
    """Whatever gets a gradient in timm's own model, with its own first weights, gets one in ours."""
    theirs = _reached(subject.of_timm(classes=CLASSES, seed=0), subject.images)
    ours = _reached(subject.fresh(), subject.images)
    assert theirs <= ours, f"no gradient reaches {sorted(theirs - ours)[:3]} of {len(theirs)}"
    return OK


def _reached(model: nn.Module, images: Tensor) -> set[str]:
    """Name the parameters that a gradient reaches within 4 steps."""
    optimizer, reached = torch.optim.AdamW(model.parameters(), lr=1e-3), set()
    for _ in range(4):
        F.cross_entropy(model.train()(images), LABELS).backward()  # type: ignore[no-untyped-call]
        reached |= {key for key, one in model.named_parameters() if one.grad is not None and one.grad.any()}
        optimizer.step()
        optimizer.zero_grad()
    return reached


def memorises(subject: Subject) -> str:
    """Four photos are learnt by heart, and in the first steps logits differ between them."""
    loss = subject.by_heart[1]
    assert loss < 0.7, f"loss {loss:.2f}"
    return OK


def _memorised(subject: Subject) -> tuple[nn.Module, float]:
    loss = torch.zeros(())
    for rate in RATES:
        model = prepare(subject.fresh(), "float32", CPU).train()
        optimizer = torch.optim.AdamW(parameter_groups(model, learning_rate=rate, weight_decay=0.0))
        for _ in range(STEPS):
            logits = model(subject.images)
            loss = F.cross_entropy(logits, LABELS)
            if bool((logits.argmax(1) == LABELS).all()) and float(loss.detach()) < 0.5:
                return model.eval(), float(loss.detach())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return model.eval(), float(loss.detach())


def has_heads(subject: Subject) -> str:
    """Each head learns, and answers differently to different photos; or a refusal says why."""
    numbers = Numbers.of(torch.tensor([[20.0], [40.0], [60.0], [70.0]]), HOME)
    target = Target.of_labels(LABELS, torch.tensor([[20.0], [40.0], [60.0], [70.0]]), classes=CLASSES)
    for text in ("factors", "cosine", "arcface", "joint+regression"):
        model = subject.fresh()
        try:
            choices = parse_sum(text, HEADS, option="--head")
            attach(model, choices, HOME, numbers=numbers, size=subject.size)
        except MaskkitError as error:
            return f"{REFUSED}: {error.why}"
        losses = part_losses(heads_of(model), model.train()(subject.images), target, _cross_entropy)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        backbone = [one for key, one in model.named_parameters() if "parts" not in key]
        assert any(one.grad is not None and one.grad.any() for one in backbone), f"{text} reaches nothing"
        assert not answers_all_alike(model, subject.images), f"{text} answers all photos alike"
    return OK


def _cross_entropy(logits: Tensor, target: Tensor, factor: int | None, scale: float) -> Tensor:
    return F.cross_entropy(logits, target, reduction="none")


def loads(subject: Subject) -> str:
    """Weights of 1,000 classes and weights without a classifier load into a model of 18."""
    for classes in (1000, 0):
        given = subject.of_timm(classes=classes, seed=1).state_dict()
        model = subject.fresh()
        with TemporaryDirectory() as folder:
            file = Path(folder, "weights.safetensors")
            save_file({key: tensor.contiguous().clone() for key, tensor in given.items()}, file)
            load_weights(model, str(file))
        state = backbone_state(model)
        kept = {key for key in state if key in given}
        assert all(torch.equal(state[key], given[key]) for key in kept), "other weights"
        assert kept == set(state) if classes else set(given) <= set(state), "weights left out"
    return OK


def is_saved(subject: Subject) -> str:
    """A checkpoint gives the model back, with the same logits to the last bit."""
    model, (height, width) = subject.trained, subject.size
    preprocess = Preprocess(height, width, **preprocessing_of(model))
    facts = CheckpointFacts(
        model=subject.name, model_settings=subject.settings, preprocess=preprocess, precision="float32",
        fold=0, epoch=1, scores={}, seen=Seen.of([], salt=""),
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        file = Path(folder, "fold0.safetensors")
        write_checkpoint(file, model.state_dict(), Header("checkpoint", HOME, (), facts.to_json()))
        again = prepare(restore(Checkpoint.read(file)), "float32", CPU).eval()
    with torch.inference_mode():
        assert torch.equal(model(subject.images), again(subject.images))
    return OK


def computes_in_bfloat16(subject: Subject) -> str:
    """Answers in bfloat16 are those of float32, and a step of training sees nearly the same logits."""
    how: dict[str, Any] = {"device": CPU, "size": subject.size, "runtime": "torch"}
    exact = classifier(subject.trained, precision="float32", **how)
    half = classifier(subject.trained, precision="bfloat16", **how)
    with torch.inference_mode():
        wanted, given = exact(subject.images), half(subject.images)
    assert bool((wanted.argmax(1) == given.argmax(1)).all()), "other answers"
    assert float((wanted.softmax(1) - given.softmax(1)).abs().max()) < 0.1, "other probabilities"
    model = prepare(subject.trained, "bfloat16", CPU)
    with autocast(CPU, "bfloat16"):
        logits = model.train()(subject.images)
        loss = F.cross_entropy(logits.float(), LABELS)
    loss.backward()  # type: ignore[no-untyped-call]
    grads = [one.grad for one in model.parameters() if one.grad is not None]
    model.zero_grad()
    model.eval()
    assert all(bool(one.isfinite().all()) for one in grads), "gradients that are not finite"
    return OK


def freezes(subject: Subject) -> str:
    """The features that `--freeze all` keeps, and the head on them, give the model's logits."""
    try:
        backbone = divide(subject.trained, size=subject.size, dropout=0.0)
    except MaskkitError as error:
        return f"{REFUSED}: {error.why}"
    with torch.inference_mode():
        logits = backbone.head.eval()(backbone.extract(subject.images))
        wanted = subject.trained(subject.images)
    scale = float(wanted.abs().max()) + 1
    assert torch.allclose(logits, wanted, rtol=1e-3, atol=1e-4 * scale), "other logits"
    return OK


def resumes(subject: Subject) -> str:
    """A training that goes on after its first epoch has the weights of one that was never interrupted."""
    whole = _trainer(subject)
    whole.run_epoch()
    state = {key: _copied(value) for key, value in whole.state().items()}
    whole.run_epoch()
    second = _trainer(subject)
    second.load_state(state, partial(damaged, Path("resumed")))
    second.run_epoch()
    ours, theirs = whole.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours), "other weights"
    return OK


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


def _trainer(subject: Subject, *, batch_size: int = 3) -> Trainer:
    height, width = subject.size
    options = TrainOptions(
        model=subject.name, size=f"{height}x{width}", epochs=2, batch_size=batch_size, workers=0,
        augment="none", device="cpu", precision="float32",
    )  # fmt: skip
    model = subject.fresh()
    pixels = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), np.uint8)
    pixels = pixels.repeat(-(-height // 4), 1).repeat(-(-width // 4), 2)[:, :height, :width]
    rows = np.arange(9)
    fold = Fold(
        space=HOME, inputs=Photos.of_pixels(pixels, Preprocess(height, width, **preprocessing_of(model))),
        target=rows % CLASSES, numbers=np.empty((9, 0), np.float32), people=rows,
        weight=np.ones(9, np.float32), label=rows % CLASSES, training=rows[:6], held_out=rows[6:],
    )  # fmt: skip
    return Trainer(model, fold, options)


def takes_one_photo(subject: Subject) -> str:
    """Batches of one are learnt from, or refused before any work."""
    options = TrainOptions(model=subject.name, batch_size=1)
    try:
        refuse_lone_photos(subject.fresh(), options, photos=6, size=subject.size)
    except MaskkitError:
        return f"{REFUSED}: batch norm"
    try:
        parts = _trainer(subject, batch_size=1).train(1)
    except MaskkitError:  # the mean over what a norm has centred is the same for all photos
        return f"{REFUSED}: stopped in its first steps"
    assert np.isfinite(parts["joint"])
    return OK


def runs_elsewhere(subject: Subject) -> str:
    """ONNX Runtime and OpenVINO agree with torch at batches of 1, 3 and 5; or torch is what `auto` takes."""
    five = torch.cat([subject.images, subject.images[:1].flip(3)])
    with torch.inference_mode():
        wanted = prepare(subject.trained, "float32", CPU)(five)
    left = []
    for runtime in ("onnx", "openvino"):
        classify, used = fitted_classifier(
            subject.trained, runtime=cast(Any, runtime), precision="float32", device=CPU, size=subject.size,
            name=subject.name, or_torch=True,
        )  # fmt: skip
        for count in (1, 3, 5):
            with torch.inference_mode():
                given = classify(five[:count])
            error = float((given - wanted[:count]).abs().max() / wanted.abs().max())
            assert error < 5e-3, f"{runtime} is off by {error:.1%} with {count} photos"
        left += [runtime] if used == "torch" else []
    return f"{TORCH}: for {' and '.join(left)}" if left else OK


PROPERTIES: dict[str, Callable[[Subject], str]] = {
    "not square": takes_other_shapes,
    "learns": learns,
    "by heart": memorises,
    "heads": has_heads,
    "loads": loads,
    "saved": is_saved,
    "bfloat16": computes_in_bfloat16,
    "frozen": freezes,
    "resumed": resumes,
    "one photo": takes_one_photo,
    "runtimes": runs_elsewhere,
}


def attempt(name: str) -> Found:
    """Try every property on a model by one thread; what came of each is ok, refused, torch, or a failure."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    started = time.process_time()
    subject, results = subject_of(name), {}
    for title, holds in PROPERTIES.items():
        try:
            results[title] = holds(subject)
        except Exception as error:  # whatever breaks is what is looked for
            results[title] = f"FAILED: {type(error).__name__}: {reason(error)}"
    seconds = round(time.process_time() - started, 1)
    size = "x".join(map(str, subject.size))
    return {"name": name, "size": size, "seconds": seconds, "results": results}
