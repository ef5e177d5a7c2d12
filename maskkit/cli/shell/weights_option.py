"""What the model decides of `train` and `lr-find`: the list of its weights, and what `auto` is for it."""

from __future__ import annotations

from collections.abc import Mapping

from maskkit.cli.shell.startup import prepare_for_torch
from maskkit.options.train_options import LIST, TrainOptions


def list_weights(weights: str, model: str) -> bool:
    """Show which weights of a model this machine can use, if `weights` is that word; a file is `./list`."""
    if weights != LIST:
        return False
    prepare_for_torch()
    from maskkit.cli.shell.show_report import show_report
    from maskkit.modeling.known_weights import known_weights
    from maskkit.reporting.stage_reports import weights_report

    name = TrainOptions(model=model).one("model").name
    show_report(weights_report(known_weights(name), name))
    return True


def settled_of(training: TrainOptions, *, begun: Mapping[str, object] | None = None) -> dict[str, str]:
    """Return the options that the model decides, their head settled; raise if there are no weights.

    `begun` are the options of a run that is gone on with.
    """
    from maskkit.modeling.starting_weights import settle_weights

    settled = settle_weights(training, begun=begun)
    tagged = {} if settled.model == training.model else {"model": settled.model}
    return {**tagged, "weights": settled.weights, "head": settled.head}
