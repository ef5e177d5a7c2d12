from __future__ import annotations

import subprocess
import sys

import timm
from timm.optim import list_optimizers  # type: ignore[attr-defined]

from maskkit.options import timm_names


def test_models_are_those_that_timm_lists() -> None:
    assert timm_names.model_names() == sorted(timm.list_models())


def test_most_weights_and_optimizers_are_found_and_hardly_others() -> None:
    assert "resnet18.a1_in1k" in timm_names.tagged_names("resnet18")
    assert {name.partition(".")[0] for name in timm_names.tagged_names("resnet18")} == {"resnet18"}
    found, known = set(timm_names.optimizer_names()), set(list_optimizers())
    assert found <= known
    assert len(known - found) < 10


def test_timm_is_not_loaded() -> None:
    code = "import sys; from maskkit.options import timm_names; timm_names.model_names()"
    code += "; print('timm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
