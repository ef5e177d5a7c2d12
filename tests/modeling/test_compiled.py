import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.compiled import compiled
from maskkit.modeling.precision import autocast, prepare

CPU = torch.device("cpu")
WITHOUT_A_COMPILER = """
import torch
from torch import nn
from maskkit.errors import MaskkitError
from maskkit.modeling.compiled import compiled
try:
    compiled(nn.Linear(2, 2), torch.device("cpu"))
except MaskkitError as error:
    print(error)
"""


def test_steps_are_those_of_the_model_and_its_names_stay() -> None:
    torch.manual_seed(0)
    model = prepare(build("test_efficientnet", classes=3), "bfloat16", CPU)
    names = list(model.state_dict())
    network = compiled(model, CPU, backend="eager").train()
    images = torch.randn(4, 3, 32, 32).to(memory_format=torch.channels_last)
    gradients = []
    for each in (model, network):
        with autocast(CPU, "bfloat16"):
            logits = each(images)
        model.zero_grad()
        logits.float().square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for ours, theirs in zip(*gradients, strict=True):
        assert ours is not None
        assert theirs is not None
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.05)
    assert list(model.state_dict()) == names
    assert model.training


def test_a_missing_compiler_is_an_error_that_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_A_COMPILER],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("error: cannot compile the model"), done.stderr
    assert "--compile" in done.stdout


def test_an_unknown_backend_is_an_error_too() -> None:
    with pytest.raises(MaskkitError, match="cannot compile"):
        compiled(torch.nn.Linear(2, 2), CPU, backend="none")
