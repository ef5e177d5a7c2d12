"""The page over HTTP, for whoever has its address on this machine.

The server listens on 127.0.0.1 alone. Every address begins with a token that nobody can guess, and names
photos by number, so that no path leads out of what is reviewed. A request by another name than this machine's
is refused, as that of a page elsewhere whose name was made to lead here; so is a decision that another page
sends. Answers are kept by no cache, and the page may load nothing from elsewhere.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from maskkit.errors import MaskkitError, reason
from maskkit.reviewing.decisions import ConflictError
from maskkit.reviewing.desk import LARGE, SMALL, Desk
from maskkit.reviewing.review_page import linked_page, script, style

HOST = "127.0.0.1"
THIS_MACHINE = {HOST, "localhost"}
MOST_BYTES = 4096  # of a decision
WAITED = 30  # seconds for the rest of a request
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class DecisionSent(msgspec.Struct):
    """What a window sends for a key that was typed."""

    question: int
    value: str | None
    seen: int  # the revision that the window knows


class _RequestError(Exception):
    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Served(ThreadingHTTPServer):
    """A desk at an address."""

    daemon_threads = True  # a window that keeps a connection open is no reason to go on

    def __init__(self, desk: Desk, *, port: int = 0) -> None:
        self.desk, self.token = desk, secrets.token_urlsafe(16)
        self.ended = Event()  # by the page, or because all is over
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Take the port; unlike HTTPServer, without asking a name server what this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of windows that are closed in the middle of an answer; of other errors, everything."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"


@contextmanager
def serving(desk: Desk, *, port: int = 0) -> Iterator[Served]:
    """Serve a desk as long as the block lasts; port 0 is any that is free.

    Raises:
        MaskkitError: The port is taken, or decisions cannot be saved.
    """
    desk.decisions.save()  # what stands in the way is known before anything is decided
    try:
        served = Served(desk, port=port)
    except OSError as error:
        raise MaskkitError(
            f"cannot listen on port {port}",
            why=reason(error),
            fix="leave --port out for any that is free, or use --html for a page that needs none",
        ) from error
    thread = Thread(target=served.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.ended.set()
        served.shutdown()
        served.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Served
    server_version, sys_version = "maskkit", ""
    protocol_version = "HTTP/1.1"
    timeout = WAITED

    def do_GET(self) -> None:
        self._answer(self._GETS)

    def do_POST(self) -> None:
        self._answer(self._POSTS)

    def _answer(self, known: dict[str, Callable[..., None]]) -> None:
        """Answer, or say why not: to a page that has no token, no more than that there is nothing."""
        try:
            name, *words = self._words()
            if name not in known:
                raise _RequestError(HTTPStatus.NOT_FOUND, "there is no such page")
            known[name](self, *words)
        except _RequestError as error:
            self.close_connection = True  # what else was sent is not read
            self._send_json({"error": str(error)}, error.status)
        except (TypeError, ValueError, LookupError):  # other words than an address has
            self.close_connection = True
            self._send_json({"error": "there is no such page"}, HTTPStatus.NOT_FOUND)
        except MaskkitError as error:
            text = f"{error.what}: {error.why}. {error.fix}"
            self._send_json({"error": text}, HTTPStatus.UNPROCESSABLE_ENTITY)

    def _words(self) -> list[str]:
        """Return what stands behind the token, after the request was found to be this machine's own."""
        host = urlsplit(f"//{self.headers.get('Host', '')}")
        if host.hostname not in THIS_MACHINE:
            raise _RequestError(HTTPStatus.MISDIRECTED_REQUEST, "this is another machine than the one asked")
        _, token, *words = urlsplit(self.path).path.split("/")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()) or not words:
            raise _RequestError(HTTPStatus.NOT_FOUND, "the address has no token, or that of another review")
        if self.server.ended.is_set():  # connections of other windows may last longer
            raise _RequestError(HTTPStatus.GONE, "This review is finished. Start it again with --resume.")
        return words

    def _sent(self) -> bytes:
        """Return what a page has posted, if it is ours."""
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != self.headers["Host"]:
            raise _RequestError(HTTPStatus.FORBIDDEN, "another page has sent this")
        if self.headers.get_content_type() != "application/json":
            raise _RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "decisions are sent as JSON")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            raise _RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a decision is shorter than this")
        return self.rfile.read(int(length))

    def _send_page(self) -> None:
        self._send(linked_page().encode(), "text/html; charset=utf-8")

    def _send_script(self) -> None:
        self._send(script().encode(), "text/javascript; charset=utf-8")

    def _send_style(self) -> None:
        self._send(style().encode(), "text/css; charset=utf-8")

    def _send_desk(self) -> None:
        desk = self.server.desk
        self._send_json(desk.to_json(saved_as=str(desk.decisions.path)))

    def _send_changes(self, since: str) -> None:
        self._send_json(self.server.desk.decisions.changes(int(since)))

    def _send_photo(self, row: str, size: str = "small") -> None:
        height = {"small": SMALL, "large": LARGE}[size]
        self._send(self.server.desk.picture(int(row), height), "image/jpeg")

    def _decide(self) -> None:
        decisions = self.server.desk.decisions
        try:
            sent = msgspec.json.decode(self._sent(), type=DecisionSent)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:  # which of them depends on its version
            raise _RequestError(HTTPStatus.BAD_REQUEST, reason(error)) from error
        status = HTTPStatus.OK
        try:
            decisions.decide(sent.question, sent.value, seen=sent.seen)
        except ConflictError:
            status = HTTPStatus.CONFLICT
        self._send_json(decisions.changes(sent.seen), status)

    def _end(self) -> None:
        self._sent()
        self._send_json({})
        self.server.ended.set()

    def _send_json(self, data: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(data, ensure_ascii=False).encode(), "application/json; charset=utf-8", status)

    def _send(self, data: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the library
        """Say nothing: the terminal is for people."""

    _GETS: ClassVar[dict[str, Callable[..., None]]] = {
        "": _send_page, "review.js": _send_script, "review.css": _send_style, "desk.json": _send_desk,
        "changes": _send_changes, "photo": _send_photo,
    }  # fmt: skip
    _POSTS: ClassVar[dict[str, Callable[..., None]]] = {"decision": _decide, "end": _end}
