"""Composable commands that turn photos of people into trustworthy class predictions.

From Python, the commands of the pipeline are functions: `from maskkit import label, split, train, predict`.
What is named here is loaded when it is first used, so that `import maskkit` costs nothing.
"""

__version__ = "0.2.0"
__all__ = [
    "Checkpoint", "Decision", "Ensemble", "Evaluation", "Manifest", "MaskkitError", "Predictions",
    "RefusedError", "ensemble", "evaluate", "label", "predict", "split", "train",
]  # fmt: skip

# What `typing` has by this name would be loaded before `__main__` says what Ctrl-C does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.artifacts.decision import Decision
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Predictions
    from maskkit.errors import MaskkitError, RefusedError
    from maskkit.python_api import ensemble, evaluate, label, predict, split, train
    from maskkit.scoring.evaluated import Evaluation
    from maskkit.stages.ensemble import Ensemble

_MODULES = {
    "Checkpoint": "artifacts.checkpoint",
    "Decision": "artifacts.decision",
    "Ensemble": "stages.ensemble",
    "Evaluation": "scoring.evaluated",
    "Manifest": "artifacts.manifest",
    "MaskkitError": "errors",
    "Predictions": "artifacts.predictions",
    "RefusedError": "errors",
}


def __getattr__(name: str) -> object:
    """Load what is asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'python_api')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
