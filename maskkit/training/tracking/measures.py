"""The names under which an epoch's numbers are tracked: each says what it was measured on."""

from __future__ import annotations

from maskkit.training.history import Epoch


def measures(epoch: Epoch) -> dict[str, float]:
    """Return what is tracked of an epoch: `train/...` of photos trained on, `held_out/...` of the others."""
    unlabeled = {} if epoch.confident_share is None else {"train/confident_share": epoch.confident_share}
    return {
        "train/loss": epoch.train_loss,
        **{f"train/{part}": value for part, value in epoch.parts.items()},
        **unlabeled,
        "train/learning_rate": epoch.learning_rate,
        "train/photos_per_second": epoch.images_per_second,
        "held_out/loss": epoch.held_out_loss,
        **{f"held_out/{name}": value for name, value in epoch.scores.items()},
    }


def final_measures(best: Epoch) -> dict[str, float]:
    """Return the numbers of the epoch whose weights are in the checkpoint, as `best/...`."""
    return {
        "best/epoch": best.epoch,
        "best/held_out_loss": best.held_out_loss,
        **{f"best/{name}": value for name, value in best.scores.items()},
    }
