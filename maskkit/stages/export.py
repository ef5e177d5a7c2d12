"""Write a trained model as ONNX, with how to use it in its metadata."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import KEY, Header, Record
from maskkit.artifacts.seal import IR_VERSION_BYTES, ONNX
from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError
from maskkit.extras import install_line
from maskkit.modeling.backbone import random_photos, restore
from maskkit.modeling.exchange import INPUT, OUTPUT, to_onnx
from maskkit.modeling.folding import folded
from maskkit.modeling.onnx_runtime import session_of

log = logging.getLogger(__name__)

TOLERANCE = 1e-4  # of the largest logit, between torch and ONNX Runtime


def export(checkpoint: Checkpoint) -> bytes:
    """Return the model of a checkpoint as ONNX: normalised `images` of any number to float32 `logits`.

    Its metadata hold maskkit's header under `maskkit`, and in plain words, for those who know nothing of
    it, the classes and the preprocessing.

    Raises:
        MaskkitError: onnx is not installed, the model has a step that ONNX does not know, or ONNX
            Runtime computes other logits than torch.
    """
    if find_spec("onnx") is None:
        raise MaskkitError(
            "cannot write ONNX", why="the package onnx is not installed", fix=install_line("onnx")
        )
    size = (checkpoint.preprocess.height, checkpoint.preprocess.width)
    photos = random_photos(size, count=3)  # another number than the graph was traced with
    whole = restore(checkpoint)
    work_begins()
    model = folded(whole, photos)
    import onnx

    graph = onnx.load_model_from_string(to_onnx(model, size, name=checkpoint.model))
    onnx.helper.set_model_props(graph, _metadata(checkpoint))
    onnx.checker.check_model(graph, full_check=True)
    unsealed = graph.SerializeToString(deterministic=True)
    data = bytes(ONNX.sealed(unsealed[:IR_VERSION_BYTES], unsealed[IR_VERSION_BYTES:]))
    _check(data, model, photos)
    return data


def _metadata(checkpoint: Checkpoint) -> dict[str, str]:
    preprocess = checkpoint.preprocess
    record = Record("export", {}, (checkpoint.header.input_from(checkpoint.source),))
    facts = {**checkpoint.header.facts, "precision": "float32"}
    header = Header("model", checkpoint.space, (*checkpoint.header.history, record), facts)
    return {
        KEY: header.to_json(),
        "classes": json.dumps(checkpoint.space.names),
        "size": f"{preprocess.height}x{preprocess.width}",
        "interpolation": f"{preprocess.interpolation}, antialiased",
        **({} if preprocess.crop is None else {"crop": json.dumps(asdict(preprocess.crop))}),
        "mean": json.dumps(preprocess.mean),
        "std": json.dumps(preprocess.std),
        "input": f"{INPUT}: float32, photos x RGB x height x width, (pixel / 255 - mean) / std",
        "output": f"{OUTPUT}: float32, photos x classes; their softmax are the probabilities",
    }


def _check(data: bytes, model: nn.Module, photos: Tensor) -> None:
    if find_spec("onnxruntime") is None:
        log.warning("not compared with torch: ONNX Runtime is not installed (%s)", install_line("onnx"))
        return
    (given,) = session_of(data).run([OUTPUT], {INPUT: photos.contiguous().numpy()})
    with torch.inference_mode():
        wanted = model(photos)
    error = float((torch.from_numpy(given) - wanted).abs().max() / wanted.abs().max())
    if not error <= TOLERANCE:
        raise MaskkitError(
            "the exported model computes otherwise than torch does",
            why=f"on random photos its logits are off by {error:.1%} of the largest",
            fix="report the model's name",
        )
