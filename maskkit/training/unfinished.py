"""An epoch that was stopped before its end: what has to be known to end it as if it had not been.

Weights, optimizer and schedule are saved as between two epochs. What an epoch has beside them is how many
steps it has made, what their losses add up to, and how far its streams of random numbers have come: those of
dropout, of each process. What is drawn for all photos of an epoch at once is drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

State = dict[str, Any]


@dataclass
class EpochSums:
    """What an epoch has come to by its last step."""

    steps: int = 0
    totals: dict[str, Tensor] = field(default_factory=dict)  # of weighted losses, by part; on the device
    weight: Tensor | float = 0.0  # of the photos seen, on the device
    seconds: float = 0.0  # that earlier runs have spent on it
    is_averaged: bool = False  # whether the average of the weights has taken note of its end

    def state_dict(self) -> State:
        """Return all of it."""
        return dict(self.__dict__)

    @classmethod
    def from_state(cls, state: State, device: torch.device) -> EpochSums:
        """Return what `state_dict` returned, on a device."""
        return cls(
            int(state["steps"]),
            {str(name): total.to(device) for name, total in state["totals"].items()},
            state["weight"].to(device),
            float(state["seconds"]),
            bool(state["is_averaged"]),
        )


def torch_random(device: torch.device) -> dict[str, Tensor]:
    """Return how far torch's random numbers have come, on the processor and on the device."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def set_torch_random(states: dict[str, Tensor], device: torch.device) -> None:
    """Go on from what `torch_random` returned."""
    torch.set_rng_state(states["cpu"])
    if device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[device.type])
