"""The learning rate over a run, as a factor of each group's highest rate."""

from __future__ import annotations

from math import cos, pi


def cosine(step: int, *, steps: int, warmup_steps: int) -> float:
    """Rise linearly for `warmup_steps`, then fall along half a cosine to 0 at `steps`.

    From SGDR, Loshchilov & Hutter 2017, equation 5 without restarts, https://arxiv.org/abs/1608.03983;
    warm-up from Goyal et al. 2017, section 2.2, https://arxiv.org/abs/1706.02677.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    share = (step - warmup_steps) / max(1, steps - warmup_steps)
    return 0.5 * (1 + cos(pi * min(share, 1.0)))
