from __future__ import annotations

import tempfile

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build, random_photos
from maskkit.modeling.exchange import INPUT, OUTPUT, PRINTING, to_onnx

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


def test_no_temporary_folder_is_needed(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    assert to_onnx(model, (32, 32))


class Unwritable(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        given: Tensor = torch.linalg.svd(images.mean(1)).S
        return given


def test_a_step_that_onnx_does_not_know_is_an_error_that_names_the_model(
    capfd: pytest.CaptureFixture[str],
) -> None:
    printing = [getattr(torch._C, name) for name in PRINTING]
    with pytest.raises(MaskkitError, match="odd_model cannot be written as ONNX") as caught:
        to_onnx(Unwritable(), (32, 32), name="odd_model")
    assert "--runtime torch" in caught.value.fix
    assert capfd.readouterr() == ("", "")  # torch would print the whole graph to standard output
    assert [getattr(torch._C, name) for name in PRINTING] == printing


def test_attention_that_cannot_be_traced_as_a_whole_is_written_step_by_step() -> None:
    if "vit_tiny_patch16_dinov3_qkvb" not in timm.list_models():
        pytest.skip(f"timm {timm.__version__} does not have DINOv3 yet")
    runtime = pytest.importorskip("onnxruntime", reason="needs maskkit[onnx]")
    torch.manual_seed(0)
    model = build("vit_tiny_patch16_dinov3_qkvb", classes=3).eval()
    session = runtime.InferenceSession(to_onnx(model, (32, 32)))
    images = random_photos((32, 32), count=3).contiguous()
    (given,) = session.run([OUTPUT], {INPUT: images.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(given), model(images), rtol=1e-3, atol=1e-5)
    assert all(module.fused_attn for module in model.modules() if hasattr(module, "fused_attn"))
