"""The commands of the pipeline as functions of Python: `from maskkit import label, split, train, predict`.

Each is its stage, with what the command line gives it: an artifact is an object or the name of its file,
options have the names and defaults of the command line (`_` for `-`), and what the command refuses as a
mistake of usage is a MaskkitError here. Nothing is printed: what a command says of its work is logged under
`maskkit`. Nothing is written but by `train`, and by `write` of an artifact.
"""

from maskkit.python_api.with_models import TrainSettings, predict, train
from maskkit.python_api.without_models import ensemble, evaluate, label, split

__all__ = ["TrainSettings", "ensemble", "evaluate", "label", "predict", "split", "train"]
