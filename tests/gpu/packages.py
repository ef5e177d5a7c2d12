"""What a Python lacks to run maskkit, and where it is taken from without a network."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
ALSO = ("pytest", "onnx", "onnxruntime")  # without which some parts cannot be run
NOT_NEEDED = ("onnx", "onnxruntime")


def lacking() -> list[str]:
    """Return the packages that are not there, of those that maskkit asks for and those that the parts do."""
    asked = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    names = [re.split(r"[<>=!~ \[]", one)[0] for one in asked]
    return [name for name in (*names, *ALSO) if not _is_there(name)]


def add(wheels: Path | None, target: Path) -> bool:
    """Unpack the wheels of what lacks, and say what then still does; return whether maskkit can run.

    What is installed stays as it is: wheels come last on the path.
    """
    found = [file for name in lacking() for file in _wheels_of(name, wheels)]
    if found:
        words = ["install", "--quiet", "--no-index", "--no-deps", "--upgrade", "--target", str(target)]
        subprocess.run([sys.executable, "-m", "pip", *words, *map(str, found)], check=True)
    missing = lacking()
    if missing:
        place = f"wheels of them in {wheels}" if wheels else "--wheels FOLDER with wheels of them"
        print(f"this Python lacks {', '.join(missing)}: give {place}")
    return not set(missing) - set(NOT_NEEDED)


def _is_there(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        # The same modules, of OpenCV with windows.
        return name == "opencv-python-headless" and _is_there("opencv-python")
    return True


def _wheels_of(name: str, folder: Path | None) -> list[Path]:
    pattern = re.sub(r"[-_.]+", "_", name).lower()
    return [
        file
        for file in sorted(folder.glob("*.whl") if folder else ())
        if re.sub(r"[-_.]+", "_", file.name.split("-")[0]).lower() == pattern
    ]
