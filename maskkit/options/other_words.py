"""Words that people bring from other programs, and what they are called here.

They come from the options of timm, ultralytics, fastai, Lightning, Hugging Face and scikit-learn. A word that
means exactly the same is taken for ours; of any other the line to type is said. Words are written without
dashes in front, with dashes inside, and in small letters: `--learning_rate` is `learning-rate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# Option: words that mean the same.
_SAME: Final = {
    "learning_rate": "lr lr0 base-lr max-lr",
    "batch_size": "bs b batch batchsize train-batch-size per-device-train-batch-size",
    "epochs": "epoch num-epochs n-epochs nb-epochs max-epochs num-train-epochs",
    "size": "imgsz img-size image-size imagesize imsize input-size resolution img-dim",
    "workers": "num-workers n-workers nworkers j threads jobs n-jobs dataloader-num-workers",
    "seed": "random-seed random-state manual-seed rng-seed",
    "model": "arch architecture backbone net network encoder model-name model-name-or-path",
    "optimizer": "opt optim optimiser",
    "schedule": "sched scheduler lr-scheduler lr-schedule lr-scheduler-type",
    "loss": "criterion loss-fn loss-function objective",
    "class_weights": "class-weight cls-weights",
    "augment": "aug augs augmentation augmentations transform transforms",
    "precision": "dtype",
    "output": "out out-file outfile output-file output-path save save-path save-to dest",
    "engine": "on executor",
    "root": "image-root img-root images image-dir img-dir images-dir photos-dir data-root root-dir",
    "folds": "k n-folds k-folds num-folds n-splits num-splits kfold kfolds cv",
    "fold": "fold-idx fold-index fold-id val-fold valid-fold",
    "holdout": "test-size val-size val-split validation-split val-ratio valid-pct test-split",
    "stratify": "stratify-by stratified-by",
    "by": "group groups group-by group-col group-column",
    "tta": "test-time-augmentation test-time-augment",
    "oof": "out-of-fold",
    "top": "topk top-k",
    "vote": "voting",
    "budget": "time-limit max-time time-budget timeout",
    "recipe": "config cfg config-file",
    "force": "overwrite exist-ok clobber",
    "dry_run": "dryrun simulate",
    "quiet": "silent",
    "compile": "torchcompile torch-compile",
    "html": "report-html html-report",
    "json": "as-json",
    "sampler": "sampling",
    "cache": "cache-dir",
    "unlabeled": "unlabelled",
    "unlabelled": "unlabeled",
}

# Option and its value: words that ask for it, by themselves or with a value, which goes where {} is.
_VALUES: Final = {
    ("average", "ema"): "ema model-ema use-ema",
    ("average", "swa"): "swa",
    ("precision", "auto"): "amp use-amp mixed-precision",
    ("precision", "float16"): "fp16 half",
    ("precision", "bfloat16"): "bf16",
    ("precision", "float32"): "fp32 no-amp",
    ("device", "cuda"): "gpu gpus cuda use-cuda",
    ("device", "cpu"): "cpu no-cuda no-gpu use-cpu",
    ("device", "mps"): "use-mps-device",
    ("weights", "auto"): "pretrained imagenet",
    ("weights", "none"): "no-pretrained from-scratch scratch random-init",
    ("weights", "{}"): "checkpoint ckpt checkpoint-path initial-checkpoint init load finetune",
    ("freeze", "all"): "freeze-backbone freeze-encoder freeze-features linear-probe",
    ("sampler", "weighted"): "weighted-sampler weighted-sampling",
    ("sampler", "balanced"): "balanced-sampler balance-classes",
    ("class_weights", "inverse"): "weighted-loss balanced",
    ("augment", "randaugment"): "aa rand-augment auto-augment autoaugment",
    ("augment", "none"): "no-aug",
    ("tta", "hflip"): "augment flip",
    ("track", "wandb:{}"): "wandb wandb-project log-wandb use-wandb",
    ("track", "tensorboard:{}"): "tensorboard logdir log-dir tb",
    ("track", "mlflow:{}"): "mlflow mlflow-uri",
    ("fold", "all"): "folds n-folds n-splits kfold cv",
    ("output", "{}/FILE"): "output-dir out-dir outdir save-dir project",
    ("output", "{}.csv"): "submission-file csv",
    ("teacher", "{}"): "teacher-model distill distillation kd",
    ("unlabeled", "{}"): "unsup pseudo",
    ("tune", "temperature"): "temperature-scaling temperature",
    ("tune", "factors"): "tune-thresholds thresholds",
    ("explain", "{}"): "gradcam grad-cam cam",
}

# Option, the choice meant if none is typed, and its setting: words for the setting.
_SETTINGS: Final = {
    ("optimizer", "adamw", "weight_decay"): "wd weight-decay l2 decay",
    ("optimizer", "adamw", "layer_decay"): "layer-decay llrd layer-lr-decay",
    ("optimizer", "adamw", "clip"): "clip-grad grad-clip max-grad-norm gradient-clip-val clip gradient-clip",
    ("optimizer", "adamw", "accumulate"): "accum accum-iter grad-accum grad-accum-steps accumulate "
    "gradient-accumulation-steps accumulate-grad-batches",
    ("optimizer", "adamw", "head"): "head-lr lr-head classifier-lr",
    ("optimizer", "sgd", "momentum"): "momentum",
    ("optimizer", "sgd", "nesterov"): "nesterov",
    ("schedule", "cosine", "warmup"): "warmup warmup-epochs warm-up",
    ("schedule", "cosine", "stop"): "patience early-stopping early-stop early-stopping-patience",
    ("schedule", "step", "every"): "step-size decay-epochs lr-step-size",
    ("schedule", "step", "factor"): "decay-rate lr-gamma",
    ("loss", "ce", "smoothing"): "smoothing label-smoothing label-smoothing-factor ls",
    ("loss", "focal", "gamma"): "gamma focal-gamma",
    ("head", "factors", "dropout"): "drop dropout dropout-rate",
    ("head", "factors", "hidden"): "hidden hidden-size hidden-dim",
    ("model", "tf_efficientnet_lite0", "drop_path"): "drop-path drop-path-rate stochastic-depth",
    ("model", "tf_efficientnet_lite0", "pool"): "gp pool pooling global-pool",
    ("mix", "mixup", "alpha"): "mixup mixup-alpha",
    ("mix", "cutmix", "alpha"): "cutmix cutmix-alpha",
    ("average", "ema", "decay"): "ema-decay model-ema-decay",
    ("freeze", "phase", "epochs"): "freeze-epochs freeze-backbone-epochs unfreeze-epoch",
    ("teacher", "TEACHER.parquet", "temperature"): "kd-temperature distill-temperature",
}

# Of an option or a setting that is otherwise here than those words say: how.
DIFFERENCES: Final = {
    ("output", None): " of a file, not of a folder",
    ("optimizer", "accumulate"): ", which divides a batch: --batch-size counts all of its parts",
    ("optimizer", "head"): ", in rates of the backbone",
    ("schedule", "warmup"): ", in epochs",
}

# Argument: words for a file that has no option here.
_ARGUMENTS: Final = {
    "manifest": "data dataset data-dir data-path train-dir data-csv csv train manifest input source images",
    "photos": "data dataset data-dir data-path csv input source images dir folder",
    "checkpoints": "weights model models checkpoint checkpoints ckpt checkpoint-path model-path ensemble",
    "checkpoint": "weights model checkpoint ckpt checkpoint-path model-path",
    "predictions": "preds pred predictions prediction results submission submissions",
    "runs": "run runs results",
    "artifact": "file input path",
    "directory": "out output output-dir dir",
}

# `--on ray` is what works on photos, and `--on folds.parquet` the truth of predictions. A file: ./ray
WORD_OF_TWO: Final = ("--on", r"ray(://.*)?", "--engine")
# Option: its values, and words that mean the same.
_SAME_VALUES: Final = {
    "device": {"cuda": "gpu cuda:0 0", "mps": "metal"},
    "precision": {
        "float16": "fp16 half 16 16-mixed float16-mixed",
        "bfloat16": "bf16 bf16-mixed bfloat16-mixed",
        "float32": "fp32 32 32-true full float",
    },
}

# Option: its values, and words that may have meant them.
_LIKE_VALUES: Final = {
    "weights": {
        "package": "imagenet imagenet1k imagenet1k_v1 imagenet-1k default pretrained true yes",
        "none": "random scratch false no",
    },
    "loss": {
        "ce": "cross-entropy crossentropy cross_entropy crossentropyloss bce nll softmax label-smoothing",
        "focal": "focal-loss focalloss",
        "f1": "f1-loss soft-f1 softf1",
        "poly": "poly1 poly-loss",
        "logit-adjusted": "la logit-adjustment",
        "balanced-softmax": "bsm",
    },
    "class-weights": {"inverse": "balanced inverse-frequency", "effective": "cb class-balanced"},
    "schedule": {
        "cosine": "cos cosineannealing cosine-annealing cosineannealinglr linear poly",
        "onecycle": "one-cycle onecyclelr 1cycle",
        "step": "steplr multistep",
        "plateau": "reducelronplateau reduce-on-plateau",
        "constant": "none fixed const",
    },
    "augment": {
        "randaugment": "rand randaug rand-m9-mstd0.5-inc1 rand-m9 autoaugment",
        "trivial": "trivialaugment trivialaugmentwide",
        "coarse-dropout": "cutout random-erasing randomerasing erasing dropout",
        "colour": "color color-jitter colorjitter jitter hsv",
        "medium": "default",
    },
    "mix": {"cutmix": "cut-mix", "mixup": "mix-up"},
    "sampler": {"weighted": "weightedrandomsampler", "shuffle": "random none", "balanced": "uniform"},
    "average": {"none": "off false last", "ema": "polyak", "swa": "swalr"},
    "freeze": {"all": "backbone encoder true", "none": "false no", "phase": "warmup"},
    "head": {"joint": "linear fc single", "factors": "multi multi-head multihead", "coral": "ordinal"},
    "vote": {"hard": "majority mode", "soft": "mean average avg", "stacking": "stack blend", "rank": "borda"},
    "by": {"person": "group patient subject id", "image": "photo none random"},
    "tta": {"hflip": "flip true yes fliplr horizontal", "none": "no false"},
    "runtime": {"onnx": "onnxruntime ort", "torch": "pytorch"},
    "blend": {"mean": "average avg arithmetic soft"},
}

# Words for commands, which do nothing by themselves.
COMMANDS: Final = {
    "train": "fit finetune fine-tune learn",
    "predict": "infer inference classify test run submit prediction",
    "evaluate": "eval val validate score metrics tune calibrate explain confusion",
    "label": "prepare index import ingest make-labels dataset",
    "split": "folds fold kfold cv crossval",
    "eda": "describe stats explore analyse analyze profile shift",
    "show": "info inspect cat head print summary history",
    "ensemble": "blend vote average stack stacking merge-predictions",
    "soup": "swa merge average-weights",
    "audit": "clean check leaks dedup duplicates noise verify",
    "crop": "detect face faces align detect-faces",
    "export": "convert onnx save",
    "bench": "benchmark speed",
    "compare": "diff ablation runs",
    "pseudo": "pseudo-label pseudolabel self-train distill",
    "lr-find": "lrfind find-lr lr-finder lr finder",
    "demo": "example sample generate new init",
}


@dataclass(frozen=True)
class Meant:
    """What a word stands for: `option` as it is declared, a value for it, and a setting of that value."""

    option: str
    value: str | None = None  # of the option; None for that which follows the word
    setting: str | None = None  # of the value, that follows the word
    is_argument: bool = False


def _by_word(words: Mapping[str, str]) -> dict[str, str]:
    return {word: name for name, text in words.items() for word in text.split()}


def _meanings() -> dict[str, list[Meant]]:
    found: dict[str, list[Meant]] = {}

    def add(text: str, meant: Meant) -> None:
        for word in text.split():
            found.setdefault(word, []).append(meant)

    for (option, value, setting), text in _SETTINGS.items():
        add(text, Meant(option, value, setting))
    for (option, value), text in _VALUES.items():
        add(text, Meant(option, value))
    for argument, text in _ARGUMENTS.items():
        add(text, Meant(argument, is_argument=True))
    return found


SAME: Final = _by_word(_SAME)
MEANINGS: Final[Mapping[str, list[Meant]]] = _meanings()  # of each word, the first that a command has counts
SAME_VALUES: Final = {option: _by_word(values) for option, values in _SAME_VALUES.items()}
LIKE_VALUES: Final = {option: _by_word(values) for option, values in _LIKE_VALUES.items()}
OTHER_COMMANDS: Final = _by_word(COMMANDS)


def plain(word: str) -> str:
    """Write a word as the tables have it.

    >>> plain("--Learning_Rate")
    'learning-rate'
    """
    return word.lstrip("-").lower().replace("_", "-")


def like_value(option: str, text: str) -> str | None:
    """Return the value of an option that a word of another program may have meant."""
    return LIKE_VALUES.get(plain(option), {}).get(text.lower())
