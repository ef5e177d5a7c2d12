"""An object store on this machine, by moto: it speaks as Amazon's does, and fails as it is asked to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import get_canned_acl
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

# A status; the connection is closed before an answer, or in its middle; or an answer that takes so long.
Fault = Literal[301, 403, 500, "cut", "short"] | float
Faults = Callable[[str, str], Fault | None]  # of a method and a path


def none(_method: str, _path: str) -> None:
    """Let all requests succeed."""


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    is_signed: bool


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # so that connections are kept, and answers without an end are noticed

    def log(self, *args: Any, **how: Any) -> None:
        """Say nothing."""


@dataclass
class ObjectStore:
    """A server of some buckets."""

    faults: Faults = field(default_factory=lambda: none)
    requests: list[Request] = field(default_factory=list)
    most_at_once: int = 0  # requests that were being answered, since somebody watches
    _answering: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: BaseWSGIServer | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which programs find it, with credentials that nothing may show."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing-id",
            "AWS_SECRET_ACCESS_KEY": "testing-secret",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "2",  # whose pause is short
        }

    def start(self) -> None:
        self._answer = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._app, threaded=True, request_handler=_Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def _backend(self) -> Any:
        return get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]

    def empty(self) -> None:
        """Remove all buckets."""
        self._backend.reset()

    def make(self, bucket: str, objects: dict[str, bytes] | None = None, *, is_public: bool = False) -> None:
        """Make a bucket with objects in it, by their keys."""
        if bucket not in self._backend.buckets:
            self._backend.create_bucket(bucket, "us-east-1")
        for key, data in (objects or {}).items():
            self._backend.put_object(bucket, key, data)
            if is_public:
                self._backend.put_object_acl(bucket, key, get_canned_acl("public-read"))

    def fill(self, bucket: str, folder: Path, *, below: str = "") -> None:
        """Make a bucket with the files of a folder."""
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        self.make(bucket, {f"{below}{file.relative_to(folder)}": file.read_bytes() for file in files})

    def remove(self, bucket: str, key: str) -> None:
        self._backend.delete_object(bucket, key)

    def keys(self, bucket: str) -> list[str]:
        return sorted(self._backend.buckets[bucket].keys)

    def data(self, bucket: str, key: str) -> bytes:
        value: bytes = self._backend.get_object(bucket, key).value
        return value

    @contextmanager
    def failing(self, faults: Faults) -> Iterator[list[Request]]:
        """Fail inside the block as asked; give what is asked in it."""
        self.faults = faults
        try:
            with self.watched() as requests:
                yield requests
        finally:
            self.faults = none

    @contextmanager
    def watched(self) -> Iterator[list[Request]]:
        """Give what is asked inside the block."""
        self.requests.clear()
        self.most_at_once = 0
        yield self.requests

    def _app(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append(Request(method, path, "HTTP_AUTHORIZATION" in environ))
        with self._lock:
            self._answering += 1
            self.most_at_once = max(self.most_at_once, self._answering)
        try:
            return self._answered(method, path, environ, start)
        finally:
            with self._lock:
                self._answering -= 1

    def _answered(self, method: str, path: str, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        fault = self.faults(method, f"{path}?{environ['QUERY_STRING']}")
        if isinstance(fault, float):
            time.sleep(fault)
        elif isinstance(fault, int):
            if method in ("PUT", "POST"):
                environ["wsgi.input"].read()
            start(f"{fault} as asked", [("Content-Length", "0")])
            return []
        elif fault is not None:
            return self._torn(environ, start, whole=0 if fault == "cut" else 2)
        answer: Iterable[bytes] = self._answer(environ, start)
        return answer

    def _torn(self, environ: dict[str, Any], start: Any, *, whole: int) -> Iterator[bytes]:
        """Send no byte of an answer, or half of it, and close the connection."""
        body, status, headers = run_wsgi_app(self._answer, environ)
        data = b"".join(body)
        start(status, headers.to_wsgi_list())
        if whole:
            yield data[: len(data) // whole]
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        yield b""


def first(times: int, fault: Fault, *, method: str = "GET", where: str = "") -> Faults:
    """Return faults of the first requests of a method whose path has such a part; the others succeed."""
    seen = count()
    return lambda asked, path: fault if asked == method and where in path and next(seen) < times else None


def always(fault: Fault, *, method: str = "GET", where: str = "") -> Faults:
    """Return faults of all requests of a method whose path has such a part."""
    return first(1_000_000, fault, method=method, where=where)
