"""Whether a training learns at all, looked at once, after its first steps.

A model can be dead without a word: what it makes of photos is cut off, by its implementation, its weights or
a mistake here, and only the last layer's bias learns. Its loss falls all the same, to that of a constant.
Four photos are shown once more for it: 0.06 % of an epoch of 2,912 by tf_efficientnet_lite0 at 128x96.
"""

from __future__ import annotations

from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.ending import head_names, model_name
from maskkit.modeling.trying import without_trace
from maskkit.training.average import OnlyNormsTrain

LOOK_AT = 4  # the step: the first moves a last layer of zeros alone, the next what is not behind other zeros
LOOK_AT_SCALED = 20  # that of float16, whose scaler skips steps until it has found a factor
SHOWN = 4  # photos
SMALLEST = 1e-6  # difference between photos, of the largest logit: float32 rounds to 1e-7


class FirstSteps:
    """Looks at the gradients and logits of one step, and stops a training that learns but a constant.

    The steps are counted in which something beside the last layer is to learn, if anything ever is.
    """

    def __init__(self, model: nn.Module, *, look_at: int) -> None:
        head = set(head_names(model))
        self.model, self.look_at, self.steps = model, look_at, 0
        self.backbone = [parameter for name, parameter in model.named_parameters() if name not in head]

    def look(self, images: Tensor) -> None:
        """Look, if it is time, before the step of a batch (N, ...): gradients are there, in any scale.

        The model's weights, buffers and modes are left as they are, and no random number is drawn.

        Raises:
            MaskkitError: No gradient reaches anything but the last layer, or all photos have one answer.
        """
        if self.steps >= self.look_at:
            return
        learning = [parameter for parameter in self.backbone if parameter.requires_grad]
        if self.backbone and not learning:
            return
        self.steps += 1
        if self.steps < self.look_at:
            return
        name = model_name(self.model)
        if learning and not any(one.grad is not None and bool(one.grad.any()) for one in learning):
            raise _dead(
                f"nothing of {name} but its last layer has learnt in {self.steps} steps",
                "no gradient reaches any other parameter",
            )
        if answers_all_alike(self.model, images[:SHOWN]):
            raise _dead(
                f"{name} answers all photos alike after {self.steps} steps",
                "its logits differ by less than rounding, so that it could only learn a constant",
            )


def answers_all_alike(model: nn.Module, few: Tensor) -> bool:
    """Whether photos, (N, ...), have the same logits, without dropout and by their own batch's statistics.

    Photos that are themselves the same prove nothing.
    """
    if bool((few == few[:1]).all()):
        return False
    with without_trace(model) as call:
        OnlyNormsTrain(model).train()
        logits = call(few).float()  # (SHOWN, C)
    spread = (logits - logits.mean(0)).abs().max()
    return bool(spread <= SMALLEST * logits.abs().max())  # no, if they are not finite


def _dead(what: str, why: str) -> MaskkitError:
    return MaskkitError(
        what,
        why=f"{why}; an epoch of it would be lost time",
        fix="see that --learning-rate is above 0, that steps have several photos (--batch-size, accumulate) "
        "and that --weights fit the model; or choose another --model",
    )
