import pytest
import torch

from maskkit.errors import MaskkitError
from maskkit.modeling.device import resolve_device


def test_auto_is_the_processor_where_there_is_nothing_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")


def test_auto_takes_cuda_first_and_then_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")


def test_a_device_that_is_not_there_is_an_error_that_lists_those_that_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(MaskkitError, match="there is no cuda device") as caught:
        resolve_device("cuda")
    assert caught.value.why == "this machine and this build of torch have cpu"
    assert caught.value.fix == "use --device auto"


def test_the_processor_is_always_there() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
