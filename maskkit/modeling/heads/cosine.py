"""Classes as directions: a cosine per class, and the angular margins of ArcFace.

ArcFace is Deng et al. 2019, https://arxiv.org/abs/1801.07698. Its sub-centres are Deng et al. 2020,
https://www.ecva.net/papers/eccv_2020/papers_ECCV/html/1445_ECCV_2020_paper.php.
"""

from __future__ import annotations

from math import cos, sin

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskkit.labels import LabelSpace
from maskkit.modeling.heads.parts import Classify, Main
from maskkit.modeling.target import Target

SHORTEST = 1e-6  # features of less length are not made longer: their gradient would grow without bound


class Cosine(Main):
    """Logits that are scaled cosines between a photo's features and each class's direction.

    While training, the angle to the target may be made larger by a margin; that of ArcFace needs targets of
    one class each, and takes the most probable of others. Logits are between -scale and scale; the margin is
    in radians. Of several `centers`, the directions of a class, the nearest counts.
    """

    def __init__(
        self, features: int, space: LabelSpace, *, scale: float = 30.0, margin: float = 0.0, centers: int = 1
    ) -> None:
        super().__init__()
        self.scale, self.margin, self.centers = scale, margin, centers
        self.directions = nn.Parameter(torch.empty(len(space) * centers, features))
        nn.init.xavier_uniform_(self.directions)

    def forward(self, features: Tensor) -> Tensor:
        """Return cosines, float32 (1, N, C).

        In float32 also under autocast: bfloat16 tells no two angles apart whose cosines are above 0.996.
        """
        with torch.autocast(features.device.type, enabled=False):
            directions = F.normalize(self.directions.float(), eps=SHORTEST)
            cosines = F.linear(F.normalize(features.float(), eps=SHORTEST), directions)  # (N, C * centers)
        if self.centers > 1:
            cosines = cosines.reshape(-1, len(directions) // self.centers, self.centers).amax(2)  # (N, C)
        return cosines[None]

    def losses(self, outputs: Tensor, target: Target, classify: Classify) -> Tensor:
        """Return the loss of the scaled cosines, with the margin, (N,)."""
        logits = self.scale * with_margin(outputs[0], target.hard, margin=self.margin)
        return classify(logits, target.classes, None, self.scale)

    def joint(self, outputs: Tensor) -> Tensor:
        """Return the scaled cosines, without a margin."""
        return self.scale * outputs


def with_margin(cosines: Tensor, target: Tensor, *, margin: float) -> Tensor:
    """Return the cosines, (N, C), with the target's angle made larger by a margin (equation 3 without scale).

    Past the angle pi - margin, cos(angle + margin) would rise again, and reward what is farthest away. From
    there on, as in the authors' code, the cosine is lowered by margin * sin(margin) instead: it stays below
    what the equation gives, and falls as the angle grows.

    Only the entries of the target, int64 (N,), change. The margin is in radians, from 0 to below pi.
    """
    own = cosines.gather(1, target[:, None])  # (N, 1)
    # The floor keeps the root's gradient finite where features point exactly along their class.
    sine = (1 - own.square()).clamp_min(1e-12).sqrt()
    moved = own * cos(margin) - sine * sin(margin)  # cos(angle + margin)
    moved = torch.where(own > -cos(margin), moved, own - margin * sin(margin))
    return cosines.scatter(1, target[:, None], moved)
