"""What a tracker logs of a training, beside its pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maskkit.artifacts.header import Record
from maskkit.labels import LabelSpace
from maskkit.storage.address import PathOrAddress

if TYPE_CHECKING:
    from maskkit.training.epochs import Epoch


@dataclass(frozen=True)
class RunFacts:
    """One training of one fold."""

    id: str  # 16 hexadecimal digits, the same whenever this training is gone on with or repeated
    group: str  # the checkpoint's folder, which the folds of one experiment share
    name: str  # the checkpoint's name
    options: Mapping[str, Any]  # all of them, which are the run's hyperparameters
    space: LabelSpace
    history: tuple[Epoch, ...] = ()  # epochs that earlier parts of the run have done

    @classmethod
    def of(
        cls, output: PathOrAddress, record: Record, space: LabelSpace, history: Sequence[Epoch] = ()
    ) -> RunFacts:
        """Describe the training that will write `output`, as its record says it is done."""
        place, options = output.resolve(), dict(record.options)
        contents = [item.sha256 for item in record.inputs]  # no clock
        text = json.dumps([str(place), record.stage, record.version, options, contents], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return cls(digest, place.parent.name, place.stem, options, space, tuple(history))

    @property
    def title(self) -> str:
        """The run as people know it, such as `run/fold0`."""
        return f"{self.group}/{self.name}" if self.group else self.name


def measures(epoch: Epoch) -> dict[str, float]:
    """Return what is tracked of an epoch: `train/...` of photos trained on, `held_out/...` of the others."""
    unlabeled = {} if epoch.confident_share is None else {"train/confident_share": epoch.confident_share}
    return {
        "train/loss": epoch.train_loss,
        **{f"train/{part}": value for part, value in epoch.parts.items()},
        **unlabeled,
        "train/learning_rate": epoch.learning_rate,
        "train/photos_per_second": epoch.images_per_second,
        **({} if epoch.held_out_loss is None else {"held_out/loss": epoch.held_out_loss}),
        **{f"held_out/{name}": value for name, value in epoch.scores.items()},
    }


def final_measures(kept: Epoch) -> dict[str, float]:
    """Return the numbers of the epoch whose weights are in the checkpoint, as `kept/...`.

    Where nobody is held out, all there is to say is which it was.
    """
    if kept.held_out_loss is None:
        return {"kept/epoch": kept.epoch}
    return {
        "kept/epoch": kept.epoch,
        "kept/held_out_loss": kept.held_out_loss,
        **{f"kept/{name}": value for name, value in kept.scores.items()},
    }


WORDS = {"None": "none", "True": "true", "False": "false"}


def plain(options: Mapping[str, Any]) -> dict[str, int | float | str]:
    """Return options as numbers and texts: TensorBoard shows a truth as 1, and leaves out what is None."""
    return {
        name: value if type(value) in (int, float, str) else WORDS.get(str(value), str(value))
        for name, value in options.items()
    }
