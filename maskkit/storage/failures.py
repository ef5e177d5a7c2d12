"""What went wrong with a request: of the store or the way to it, never of what was asked for."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from maskkit.errors import MaskkitError, reason
from maskkit.storage.address import Address
from maskkit.storage.clients import ANONYMOUS, CREDENTIALS, RETRYING, attempts

# Of Amazon's library: a name of the error, the status if that has no name, and the store's own words.
OF_AMAZON: Final = re.compile(
    r"AWS Error (\w+)(?: \((HTTP status \d+)\))? during \w+ operation: ?(.*)", re.DOTALL
)
NO_WORDS: Final = "No response body."
OF_GOOGLE: Final = re.compile(r"google::cloud::Status\((\w+): ?(.*)", re.DOTALL)
DENIED: Final = re.compile(
    "ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|EXPIRED|TOKEN|CREDENTIAL|UNRECOGNIZED_CLIENT|AUTHENTICAT|"
    "PERMISSION_DENIED|HTTP status 40[13]"
)
ELSEWHERE: Final = re.compile("HTTP status 30[17]|PERMANENT_REDIRECT|authorization header is malformed")


class StoreError(MaskkitError):
    """A store could not be reached, or did not let us; that says nothing of the object."""

    is_denied = False  # whether it did not let us


@contextmanager
def translated(address: Address, doing: str = "read") -> Iterator[None]:
    """Turn what Arrow raises into a FileNotFoundError or a StoreError, which name the address."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(address)) from error
    except (OSError, ValueError, NotImplementedError) as error:  # Arrow's are so
        raise _explained(address, doing, str(error) or repr(error)) from error


def _explained(address: Address, doing: str, text: str) -> StoreError:
    """Return the error of a request, with a fix by what Amazon's library, or Google's, says of it."""
    what = f"cannot {doing} {address}"
    if (amazon := OF_AMAZON.search(text)) is not None:
        name, status, words = amazon[1], amazon[2] or "", amazon[3].removeprefix(NO_WORDS).strip()
        tried = f"{attempts()} attempts"
    elif (google := OF_GOOGLE.search(text)) is not None:
        name, status, words = google[1], "", google[2].strip()
        tried = f"{RETRYING.seconds} seconds"
    else:
        return StoreError(what, why=reason(ValueError(text)), fix="check the address")
    if name == "NO_SUCH_BUCKET":
        return no_bucket(address, doing)
    if DENIED.search(f"{name} {status}"):
        return _denied(address, what, name)
    if ELSEWHERE.search(f"{name} {status} {words}"):
        return StoreError(
            what,
            why=f"the bucket {address.bucket} is in another region than is asked",
            fix="set AWS_REGION to the region of the bucket",
        )
    return StoreError(
        what,
        why=f"no answer but an error after {tried}: {reason(ValueError(words or status or name))}",
        fix="check the network, and AWS_ENDPOINT_URL if the store is not Amazon's own; then run it again",
    )


def no_bucket(address: Address, doing: str) -> StoreError:
    """Return the error of an address whose bucket does not exist."""
    return StoreError(
        f"cannot {doing} {address}",
        why=f"there is no bucket {address.bucket}",
        fix="make it, or check its name",
    )


def _denied(address: Address, what: str, code: str) -> StoreError:
    """Return the error of a request that the store has refused; it names variables, not their values."""
    names = CREDENTIALS[address.store]
    used = [name for name in names if os.environ.get(name)]
    by = ", ".join(used) or "no variable, so from a configuration file or the machine's role, if there is one"
    otherwise = f"for a public bucket set {ANONYMOUS}=YES" if address.store == "s3" else "or log in by gcloud"
    if ANONYMOUS in used:
        by, otherwise = f"nobody, as {ANONYMOUS} is set", f"and unset {ANONYMOUS}"
    error = StoreError(
        what,
        why=f"the store refuses it ({code.lower().replace('_', ' ')}); its credentials come from {by}",
        fix=f"set {' and '.join(names[:2])} for somebody who may do that, listing included; {otherwise}",
    )
    error.is_denied = True
    return error


def changed(address: Address) -> StoreError:
    """Return the error of an object that is another than when it was opened."""
    return StoreError(
        f"cannot read {address}",
        why="it was replaced while it was read",
        fix="wait until whatever writes there has ended, and run it again",
    )
