"""ONNX Runtime, which computes a model that is written as ONNX, and reports to nobody."""

from __future__ import annotations

import os
from typing import Any


def session_of(data: bytes, *, threads: int = 1) -> Any:
    """Return a session that computes a model on this processor.

    ONNX Runtime 1.32 would give the machine a number, count its use in files under the home and the
    temporary folder, and send that to its makers.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Its threads would spin while they wait, and take the processor from those that decode photos.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
