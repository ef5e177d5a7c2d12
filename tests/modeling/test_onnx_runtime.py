from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import networks
import pytest

COMPUTES = """
import sys
from pathlib import Path
from maskkit.modeling.onnx_runtime import session_of

session_of(Path(sys.argv[1]).read_bytes())
"""


def test_no_file_counts_its_use_for_its_makers(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs maskkit[onnx]")
    (tmp_path / "model").write_bytes(networks.centerface())
    places = {name: str(tmp_path / name) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    for place in places.values():
        Path(place).mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ORT_")}
    words = [sys.executable, "-c", COMPUTES, str(tmp_path / "model")]
    subprocess.run(words, env={**environment, **places}, check=True, timeout=120)
    assert [path for place in places.values() for path in Path(place).rglob("*")] == []
