"""What each word does, of options that take one of a few: in a line, for pages on options and completion."""

from __future__ import annotations

from typing import Final

from maskkit.options.fields import Explained

DEVICES: Final = Explained(
    {
        "auto": "a GPU if there is one, else the processor",
        "cpu": "the processor",
        "cuda": "an NVIDIA GPU; CUDA_VISIBLE_DEVICES says which",
        "mps": "the GPU of a Mac",
    }
)
PRECISIONS: Final = Explained(
    {
        "auto": "bfloat16 where it is faster, else float32",
        "float32": "exact, and slower where there is something shorter",
        "bfloat16": "half the memory; the last digits of probabilities change",
        "float16": "half the memory, on CUDA; needs care with small gradients",
    }
)
RUNTIMES: Final = Explained(
    {
        "auto": "OpenVINO on a processor, if it is installed, else torch",
        "torch": "as it was trained",
        "openvino": "faster on a processor; needs the extra openvino",
        "onnx": "ONNX Runtime; needs the extra onnx",
    }
)
BLENDS: Final = Explained(
    {
        "mean": "the mean of probabilities",
        "geometric": "the mean of their logarithms: what all agree on counts more",
        "logit": "the mean of their log-odds",
    }
)
VOTES: Final = Explained(
    {
        "hard": "counts predictions; needs no probabilities",
        "soft": "averages probabilities",
        "geometric": "averages their logarithms",
        "logit": "averages their log-odds",
        "rank": "averages the order of the classes on each photo (Borda's count)",
        "stacking": "a logistic regression over log-probabilities, learnt by --fit",
        "weighted": "another name of soft",
    }
)
SEARCHES: Final = Explained(
    {
        "greedy": "adds members one by one for the highest macro-F1",
        "weights": "minimises the log loss of a soft vote",
    }
)
BALANCES: Final = Explained(
    {
        "labels": "as many of each class as among the labels trained on",
        "predictions": "as many as among the predictions",
        "none": "the most confident, of any class",
    }
)
TARGET_KINDS: Final = Explained(
    {"hard": "the class that was predicted", "soft": "the probabilities that were predicted"}
)
AGREEING: Final = Explained({"person": "the photos of one person"})
FORMS: Final = Explained(
    {"csv": "a text that spreadsheets open", "parquet": "a table that also keeps how it was made"}
)
