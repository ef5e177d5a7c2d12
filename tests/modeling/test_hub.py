"""What is asked of timm's model hub, by a server on this machine in its place."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from huggingface_hub import constants

from maskkit.errors import MaskkitError
from maskkit.modeling import hub
from maskkit.modeling.backbone import build

TAG = "test_resnet.r160_in1k"
MISSING = b"HTTP/1.1 404 Not Found\r\nX-Error-Code: EntryNotFound\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A place for the hub, where nothing answers yet; the cache is empty."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", here)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace("https://huggingface.co", here)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server


@pytest.fixture
def asked(server: socket.socket) -> list[str]:
    """The files that were asked for, of a hub that has none."""
    found: list[str] = []

    def serve() -> None:
        with suppress(OSError):  # the server is closed
            while True:
                one, _ = server.accept()
                with one, suppress(OSError):  # of one that has gone away
                    request = one.recv(65536).decode()
                    if "/resolve/" in request:  # before that, the client introduces itself
                        found.append(request.split()[1])
                    one.sendall(MISSING)

    threading.Thread(target=serve, daemon=True).start()
    return found


def test_a_hub_that_is_not_there_is_not_waited_for(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.close()
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with pytest.raises(MaskkitError, match=f"could not download the weights of {TAG}") as caught:
        build(TAG, classes=3, pretrained=True)
    assert "--weights none" in caught.value.fix
    assert pauses == []


def test_a_hub_that_is_silent_is_given_a_few_seconds(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda _, timeout: given.append(timeout))
    hub.need_answer(TAG)
    assert given == [hub.PATIENCE]


def test_any_answer_will_do(asked: list[str]) -> None:
    hub.need_answer(TAG)
    assert asked == [f"/timm/{TAG}/resolve/main/model.safetensors"]


def test_nothing_is_asked_of_what_is_downloaded_or_where_the_client_is_offline(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as offline:
        offline.setattr(constants, "HF_HUB_OFFLINE", True)
        hub.need_answer(TAG)
    monkeypatch.setattr(hub, "is_downloaded", lambda tag: tag == TAG)
    hub.need_answer(TAG)
    assert asked == []
