from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build, random_photos
from maskkit.modeling.exchange import INPUT, OUTPUT, to_onnx

onnx = pytest.importorskip("onnx", reason="needs maskkit[onnx]")


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return build("test_efficientnet", classes=5).eval()


@pytest.mark.parametrize("count", [1, 5])
def test_takes_any_number_of_photos_to_the_logits_of_torch(model: nn.Module, count: int) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs maskkit[onnx]")
    photos = random_photos((48, 32), count=count)
    session = runtime.InferenceSession(to_onnx(model, (48, 32)), providers=["CPUExecutionProvider"])
    (given,) = session.run([OUTPUT], {INPUT: photos.contiguous().numpy()})
    with torch.inference_mode():
        assert np.allclose(given, model(photos).numpy(), rtol=1e-4, atol=1e-5)


def test_gives_the_same_bytes_and_leaves_the_number_of_threads(model: nn.Module) -> None:
    threads = torch.get_num_threads()
    assert to_onnx(model, (32, 32)) == to_onnx(model, (32, 32))
    assert torch.get_num_threads() == threads


def test_no_path_of_this_machine_is_written(model: nn.Module) -> None:
    assert b".py" not in to_onnx(model, (32, 32))


class Unwritable(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        given: Tensor = torch.linalg.svd(images.mean(1)).S
        return given


def test_a_step_that_onnx_does_not_know_is_an_error_that_names_the_model(
    capfd: pytest.CaptureFixture[str],
) -> None:
    printing = torch._C._jit_onnx_log
    with pytest.raises(MaskkitError, match="odd_model cannot be written as ONNX") as caught:
        to_onnx(Unwritable(), (32, 32), name="odd_model")
    assert "--runtime torch" in caught.value.fix
    assert capfd.readouterr() == ("", "")  # torch would print the whole graph to standard output
    assert torch._C._jit_onnx_log is printing
