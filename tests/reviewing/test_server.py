"""What the server answers, and to whom: without a browser, to the letter."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from commandline import start
from PIL import Image

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.reviewing.server import Served, serving
from maskkit.stages.label import label
from reviewing.desks import decided, desk_of, fixes


@pytest.fixture
def reviewed(tmp_path: Path) -> Path:
    return tmp_path / "reviewed.csv"


@pytest.fixture
def served(labels: Manifest, reviewed: Path) -> Iterator[Served]:
    with serving(desk_of(labels, reviewed)) as one:
        yield one


def answer(
    served: Served, words: str, body: object = None, *, token: str | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Send a request as it stands, without what a client would mend; return status, body and headers."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    given = {"Host": f"127.0.0.1:{served.server_port}", "Connection": "close"}
    if data is not None:
        given |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
    given |= {name.replace("_", "-"): text for name, text in headers.items()}
    method = "GET" if body is None else "POST"
    lines = [
        f"{method} /{token or served.token}/{words} HTTP/1.1",
        *(": ".join(one) for one in given.items()),
    ]
    with socket.create_connection(("127.0.0.1", served.server_port), timeout=30) as sent:
        sent.sendall("\r\n".join([*lines, "", ""]).encode() + (data or b""))
        with closing(http.client.HTTPResponse(sent)) as found:
            found.begin()
            return found.status, found.read(), dict(found.getheaders())


def decide(served: Served, question: int, value: str | None, seen: int = 0) -> tuple[int, Any]:
    status, body, _ = answer(served, "decision", {"question": question, "value": value, "seen": seen})
    return status, json.loads(body)


def test_it_listens_to_this_machine_alone(served: Served) -> None:
    assert served.server_address[0] == "127.0.0.1"
    assert served.socket.getsockname()[0] == "127.0.0.1"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}/", served.address)


@pytest.mark.parametrize("words", ["", "review.js", "review.css", "desk.json", "changes/0", "photo/0/small"])
def test_without_the_token_there_is_nothing(served: Served, words: str) -> None:
    assert answer(served, words)[0] == 200
    for token in ("x", served.token[:-1], f"{served.token}x", served.token.swapcase(), "%00", "/"):
        assert answer(served, words, token=token)[0] == 404
    with closing(http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=30)) as bare:
        bare.request("GET", "/")
        assert bare.getresponse().status == 404


def test_no_two_reviews_have_one_token(labels: Manifest, served: Served) -> None:
    with serving(desk_of(labels)) as other:
        assert other.token != served.token


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "0.0.0.0", "[::1"]
)
def test_another_name_than_this_machine_s_is_refused_as_a_page_elsewhere_would_have(
    served: Served, host: str
) -> None:
    status, body, _ = answer(served, "desk.json", Host=host)
    assert status in (404, 421)
    assert b"person" not in body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST"])
def test_a_tunnel_from_another_port_of_this_machine_is_let_in(served: Served, host: str) -> None:
    assert answer(served, "desk.json", Host=host)[0] == 200


def test_a_decision_that_another_page_sends_is_refused(served: Served, reviewed: Path) -> None:
    sent = {"question": 0, "value": "female", "seen": 0}
    port = served.server_port
    for origin in ("https://evil.example", "null", f"http://localhost:{port}", "http://127.0.0.1:1"):
        assert answer(served, "decision", sent, Origin=origin)[0] == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert answer(served, "decision", sent, Content_Type=kind)[0] == 415
    assert decided(reviewed) == []
    assert answer(served, "decision", sent, Origin=f"http://127.0.0.1:{port}")[0] == 200
    assert decided(reviewed) == [("gender", "female", "confirmed")]


def test_every_answer_forbids_what_is_not_its_own_and_is_kept_nowhere(served: Served) -> None:
    for words in ("", "review.js", "desk.json", "photo/0/small", "nowhere"):
        headers = answer(served, words)[2]
        policy = dict(
            part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
        assert "Python" not in headers["Server"]


def test_the_page_names_nothing_elsewhere(served: Served) -> None:
    for words in ("", "review.js", "review.css"):
        assert not re.search(rb"(https?:)?//[a-z]", answer(served, words)[1])


@pytest.mark.parametrize(
    "words",
    [
        "../../etc/passwd", "photo/../../../etc/passwd", "photo/%2e%2e%2fetc%2fpasswd/small",
        "photo/0/../../x", "photo/-1/small", "photo/99999/small", "photo/0x1/small", "photo/0/huge", "photo",
        "photo/0/small/more", "review.py", "//etc/passwd", "photo//etc/passwd", "x\\..\\y", "changes/x",
        "changes", "decision", "end",
    ],
)  # fmt: skip
def test_no_address_leads_to_anything_else(served: Served, words: str) -> None:
    status, body, _ = answer(served, words)
    assert status == 404
    assert json.loads(body)["error"]


def test_only_photos_of_what_is_reviewed_are_shown(served: Served) -> None:
    """Of three people there are questions; the rows of others are not served."""
    assert answer(served, "photo/20/small")[0] == 200
    assert answer(served, "photo/21/small")[0] == 404


def test_photos_are_upright_jpegs_of_no_more_than_their_size(served: Served) -> None:
    for size in ("small", "large"):
        status, body, headers = answer(served, f"photo/0/{size}")
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        assert Image.open(io.BytesIO(body)).size == (24, 32)


def test_a_photo_that_cannot_be_read_is_said_and_the_rest_is_shown(
    train_csv: Path, tmp_path: Path, reviewed: Path
) -> None:
    import shutil

    shutil.copytree(train_csv.parent, tmp_path / "train")
    manifest = label(tmp_path / "train" / "train.csv")
    broken = tmp_path / "train" / "images" / manifest.paths[1]
    broken.write_bytes(broken.read_bytes()[:40])
    with serving(desk_of(manifest, reviewed)) as served:
        status, body, _ = answer(served, "photo/1/small")
        assert status == 422
        assert "cannot read the photo" in json.loads(body)["error"]
        assert answer(served, "photo/0/small")[0] == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 400), (b"{", 400), (b'{"question": 0, "value": "\xff", "seen": 0}', 400),
        ({"question": 0}, 400), ({"question": "0", "value": None, "seen": 0}, 400),
        ({"question": 9, "value": None, "seen": 0}, 404), ({"question": -1, "value": None, "seen": 0}, 404),
        ({"question": 0, "value": "man", "seen": 0}, 422), ({"question": 1, "value": "500", "seen": 0}, 422),
        ({"question": 1, "value": "nan", "seen": 0}, 422), (b"x" * 5000, 413),
    ],
)  # fmt: skip
def test_what_is_no_decision_decides_nothing(
    served: Served, reviewed: Path, sent: object, status: int
) -> None:
    before = reviewed.read_bytes()
    assert answer(served, "decision", sent)[0] == status
    assert reviewed.read_bytes() == before


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999999"])
def test_a_body_is_read_no_further_than_a_decision_can_be_long(served: Served, length: str) -> None:
    assert answer(served, "decision", b"{}", Content_Length=length)[0] == 413


def test_a_window_is_given_what_others_have_decided_since(served: Served) -> None:
    assert decide(served, 0, "female") == (200, {"revision": 1, "decided": {"0": "female"}})
    assert decide(served, 1, "60plus", seen=1) == (200, {"revision": 2, "decided": {"1": "60plus"}})
    # A window that has seen nothing yet may decide on what nobody has, and is given the rest.
    status, found = decide(served, 2, "wear")
    assert (status, found["decided"]) == (200, {"0": "female", "1": "60plus", "2": "wear"})
    status, found = decide(served, 0, "male", seen=0)
    assert (status, found["decided"]["0"]) == (409, "female")
    assert decide(served, 0, None, seen=3) == (200, {"revision": 4, "decided": {"0": None}})
    assert json.loads(answer(served, "changes/3")[1]) == {"revision": 4, "decided": {"0": None}}


def test_of_many_windows_at_once_each_decision_is_in_the_file_or_refused(
    served: Served, reviewed: Path
) -> None:
    statuses: list[int] = []

    def window(value: str) -> None:
        statuses.extend(decide(served, 0, value)[0] for _ in range(3))

    threads = [threading.Thread(target=window, args=(value,)) for value in ("male", "female") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + 23 * [409]  # all had seen nothing, and one was the first
    assert len(decided(reviewed)) == 1


def test_a_file_that_another_program_has_changed_is_never_overwritten(served: Served, reviewed: Path) -> None:
    decide(served, 0, "female")
    theirs = reviewed.read_text().replace("female,male", "female,man")
    reviewed.write_text(theirs)
    status, found = decide(served, 1, "60plus", seen=1)
    assert status == 422
    assert "was changed by another program" in found["error"]
    assert reviewed.read_text() == theirs
    assert len(decided(reviewed.with_name("reviewed.2.csv"))) == 2  # and what was decided is kept


def test_a_disk_that_takes_nothing_is_said_and_decides_nothing(
    served: Served, reviewed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MaskkitError("cannot write", why="no space left on device", fix="free some")

    with monkeypatch.context() as patch:
        patch.setattr("maskkit.reviewing.decisions.write_whole", full)
        status, found = decide(served, 0, "female")
    assert (status, "no space left on device" in found["error"]) == (422, True)
    assert served.desk.decisions.values == {}
    assert decide(served, 0, "female")[0] == 200


def test_a_port_that_is_taken_is_said(labels: Manifest) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(MaskkitError, match=f"cannot listen on port {port}"),
            serving(desk_of(labels), port=port),
        ):
            pass


def test_half_a_request_holds_up_nobody(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.server_port)) as slow:
        slow.sendall(f"POST /{served.token}/decision HTTP/1.1\r\nHost: localhost\r\n".encode())
        assert decide(served, 0, "female")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_what_was_decided_before_a_kill_is_there_and_gone_on_with(
    labels: Manifest, tmp_path: Path, number: int
) -> None:
    labels.write(tmp_path / "labels.parquet")
    (tmp_path / "fixes.csv").write_bytes(fixes().data.to_pybytes())
    words = [str(tmp_path / name) for name in ("labels.parquet", "fixes.csv")]
    output = tmp_path / "reviewed.csv"
    typed = ["review", *words, "-o", str(output), "--root", str(labels.root)]
    with start(*typed) as first:
        found = ask(address_of(first), "decision", {"question": 0, "value": "female", "seen": 0})
        assert found["revision"] == 1
        os.kill(first.pid, number)
    assert decided(output) == [("gender", "female", "confirmed")]
    with start(*typed) as refused:
        assert b"exists already" in refused.communicate(timeout=60)[1]
    assert refused.returncode == 1
    with start(*typed, "--resume") as again:
        address = address_of(again)
        assert ask(address, "desk.json")["decided"]["0"] == "female"
        with start(*typed, "--resume") as other:  # two reviews of one file would undo each other's work
            assert b"is being made by another run" in other.communicate(timeout=60)[1]
        assert ask(address, "decision", {"question": 1, "value": "19", "seen": 0})["revision"] == 1
        ask(address, "end", {})
        printed, said = again.communicate(timeout=30)
    assert (again.returncode, printed.decode()) == (0, f"{output}\n")
    assert b"2 of 4 labels are decided: 1 confirmed, 0 changed, 1 struck" in said
    assert [word for *_, word in decided(output)] == ["confirmed", "struck"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fixes.csv", "labels.parquet", "reviewed.csv"]


def address_of(started: Any) -> tuple[int, str]:
    """Wait for the address that a command prints; return its port and token."""
    line = started.stderr.readline().decode()
    found = re.search(r"http://127\.0\.0\.1:(\d+)/([\w-]+)/", line)
    assert found, line + started.stderr.read().decode()
    return int(found[1]), found[2]


def ask(address: tuple[int, str], words: str, body: object = None) -> Any:
    port, token = address
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET" if data is None else "POST", f"/{token}/{words}", data, headers)
        found = connection.getresponse()
        assert found.status == 200, found.read()
        return json.loads(found.read())
