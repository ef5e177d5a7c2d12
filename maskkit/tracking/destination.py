"""Where a training is tracked: the text of `--track`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from maskkit.errors import MaskkitError

Kind = Literal["tensorboard", "wandb", "mlflow"]

TARGETS: dict[Kind, str] = {"tensorboard": "DIR", "wandb": "PROJECT", "mlflow": "URI"}
EXAMPLES: dict[Kind, str] = {
    "tensorboard": "tensorboard:runs",
    "wandb": "wandb:masks",
    "mlflow": "mlflow:sqlite:///mlflow.db",
}
MOST_MISTAKES = 100
_SETTINGS = re.compile(r"(?:,\w+=[^,]*)+$")  # at the end only: folders and addresses may hold commas


@dataclass(frozen=True)
class Destination:
    """A service and the place in it.

    Args:
        kind: The service.
        target: A folder, a project (of a team: `TEAM/PROJECT`), or an address, which may hold colons.
        mistakes: How many photos of the worst mistakes are sent at the end; 0 sends no photo at all.
    """

    kind: Kind
    target: str
    mistakes: int = 0

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return f"{self.kind}:{self.target}" + (f",mistakes={self.mistakes}" if self.mistakes else "")

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Read `KIND:TARGET` or `KIND:TARGET,mistakes=N`.

        Raises:
            MaskkitError: The kind or a setting is unknown, or there is no target.
        """
        kind, _, rest = text.partition(":")
        if kind not in get_args(Kind):
            raise MaskkitError(
                f"--track {text} names no tracker: {kind!r}",
                why=f"there are {', '.join(TARGETS)}",
                fix=f"write {', '.join(f'{name}:{what}' for name, what in TARGETS.items())}",
            )
        known = cast(Kind, kind)
        found = _SETTINGS.search(rest)
        target, settings = (rest, "") if found is None else (rest[: found.start()], found[0])
        if not target.strip():
            raise MaskkitError(
                f"--track {text} does not say where",
                why=f"it is {known}:{TARGETS[known]}",
                fix=f"write, for example, --track {EXAMPLES[known]}",
            )
        return cls(known, target, _mistakes(text, settings.split(",")[1:]))


def _mistakes(text: str, settings: list[str]) -> int:
    names = [setting.partition("=")[0] for setting in settings]
    if names not in ([], ["mistakes"]):
        raise MaskkitError(
            f"--track {text} has the settings {', '.join(names)}",
            why="the one setting there is, once, is mistakes: how many photos of the worst mistakes are sent",
            fix="leave the others out, or write ,mistakes=16",
        )
    number = settings[0].partition("=")[2] if settings else "0"
    if not re.fullmatch("[0-9]{1,3}", number) or int(number) > MOST_MISTAKES:
        raise MaskkitError(
            f"--track {text} asks for {number or 'no number of'} mistakes",
            why=f"it is a number of photos from 0 to {MOST_MISTAKES}",
            fix="write ,mistakes=16, or leave it out to send no photo",
        )
    return int(number)
