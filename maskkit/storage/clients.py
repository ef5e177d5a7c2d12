"""Arrow's client of each store, as the environment sets it: credentials, region, and how often it tries."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Final

from maskkit.storage.address import Address

if TYPE_CHECKING:
    from pyarrow import fs

ATTEMPTS: Final = 5  # of each request, unless AWS_MAX_ATTEMPTS says another number
CONNECTING: Final = 10  # seconds
SILENCE: Final = 30  # seconds without a byte, after which a request has failed
RETRYING: Final = timedelta(seconds=60)  # of Google's store, which bounds retries by time

ANONYMOUS: Final = "AWS_NO_SIGN_REQUEST"  # as GDAL calls it; Amazon's command line has an option instead
ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
EMULATOR: Final = "STORAGE_EMULATOR_HOST"
CREDENTIALS: Final[Mapping[str, tuple[str, ...]]] = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", ANONYMOUS),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS",),
}

_first = Lock()  # the library may only be started once


def client_of(address: Address) -> fs.FileSystem:
    """Return the client of an address, the same for each of its bucket."""
    with _first:
        return _s3(address.bucket) if address.store == "s3" else _gs()


@lru_cache(64)
def _s3(bucket: str) -> fs.FileSystem:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    endpoint = next(filter(None, map(os.environ.get, ENDPOINTS)), None)
    is_anonymous = os.environ.get(ANONYMOUS, "").lower() in ("1", "yes", "true")
    return S3FileSystem(
        anonymous=is_anonymous,
        region=_region(bucket, endpoint),
        endpoint_override=endpoint,
        connect_timeout=CONNECTING,
        request_timeout=SILENCE,
        allow_delayed_open=True,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=attempts()),
    )


def _region(bucket: str, endpoint: str | None) -> str | None:
    """Return the region to ask: that of the environment, or else where Amazon says that a bucket is."""
    from pyarrow.fs import resolve_s3_region

    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if named or endpoint is not None:
        return named or None
    with suppress(OSError):  # then the library guesses, and what is wrong is said of the first request
        return str(resolve_s3_region(bucket))
    return None


@lru_cache(1)
def _gs() -> fs.FileSystem:
    from pyarrow.fs import GcsFileSystem

    scheme, _, host = os.environ.get(EMULATOR, "").rpartition("://")
    emulator = {"endpoint_override": host, "scheme": scheme or "http", "anonymous": True} if host else {}
    return GcsFileSystem(retry_time_limit=RETRYING, **emulator)


def attempts() -> int:
    """Return how often a request is tried."""
    given = os.environ.get("AWS_MAX_ATTEMPTS", "")
    return int(given) if re.fullmatch("[1-9][0-9]?", given) else ATTEMPTS
