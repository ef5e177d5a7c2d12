"""A page in headless Chromium: what a reader clicks and types, and what they then see.

Chromium is driven by its own protocol, over a pipe, so that no driver, port or package is needed. Tests take
the fixture `browser`, and are skipped where there is no Chromium.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60  # seconds until a page that does not answer is given up, however busy the machine is
# Chromium reads commands from descriptor 3 and answers on 4: this puts ours there, and becomes Chromium.
BECOME = (
    "import os, sys; from fcntl import F_DUPFD, fcntl; "
    "read, write = (fcntl(int(one), F_DUPFD, 10) for one in sys.argv[1:3]); "
    "os.dup2(read, 3); os.dup2(write, 4); os.execv(sys.argv[3], sys.argv[3:])"
)
KEYS = {  # that type no character: name -> code
    "Enter": 13, "Escape": 27, "Backspace": 8, "Tab": 9, "Delete": 46, "Home": 36, "End": 35,
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}  # fmt: skip
MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}


def chromium() -> str | None:
    """Return the path of Chromium or Chrome, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class PageError(AssertionError):
    """A page did what it should not, or did not do what was waited for."""


class Browser:
    """One Chromium, with any number of tabs."""

    def __init__(self, program: str, folder: Path) -> None:
        """Start `program`; it keeps its profile, and what it downloads, in `folder`."""
        read_commands, self._to = os.pipe()
        self._from, write_answers = os.pipe()
        self.downloads = folder / "downloads"
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", BECOME, str(read_commands), str(write_answers), program, *OPTIONS,
             f"--user-data-dir={folder / 'profile'}"],
            pass_fds=(read_commands, write_answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read_commands)
        os.close(write_answers)
        os.set_blocking(self._from, False)
        self._count, self._left = 0, b""
        self._events: list[dict[str, Any]] = []
        self.send(
            "Browser.setDownloadBehavior",
            behavior="allow",
            downloadPath=str(self.downloads),
            eventsEnabled=True,
        )

    def close(self) -> None:
        """End it."""
        with suppress(PageError, OSError):
            self.send("Browser.close")
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def open(self, address: str | Path, *, width: int = 1280, height: int = 900) -> Tab:
        """Open a page, a file by its path, in a tab of its own, and wait until it is loaded."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.send(f"{domain}.enable")
        tab.resize(width, height)
        tab.go(address)
        return tab

    def send(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Send a command, and return what it answers."""
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": parameters}
        self._write(json.dumps({**message, "sessionId": session} if session else message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while True:
            answer = self._read(until)
            if answer.get("id") == number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def events(self) -> list[dict[str, Any]]:
        """Return what has happened since the browser was started."""
        with suppress(BlockingIOError):
            while True:
                self._fill()
        while b"\0" in self._left:
            self._next()
        return self._events

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._to, data) :]

    def _read(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._left:
            try:
                self._fill()
            except BlockingIOError:
                if time.monotonic() > until:
                    raise PageError("the browser does not answer") from None
                time.sleep(0.002)
        return self._next()

    def _fill(self) -> None:
        found = os.read(self._from, 1 << 20)
        if not found:
            raise PageError("the browser has ended")
        self._left += found

    def _next(self) -> dict[str, Any]:
        message, _, self._left = self._left.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        if "method" in answer:
            self._events.append(answer)
        return answer


class Tab:
    """One page that is open."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the browser's protocol for this page."""
        return self._browser.send(method, self._session, **parameters)

    def close(self) -> None:
        """Close it."""
        self._browser.send("Target.closeTarget", targetId=self._target)

    def go(self, address: str | Path) -> None:
        """Open another page here, and wait until it is loaded."""
        self.send("Page.navigate", url=address.as_uri() if isinstance(address, Path) else address)
        self.wait_for("document.readyState === 'complete'")

    def resize(self, width: int, height: int = 900) -> None:
        """Make the window so many CSS pixels wide and high."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=False,
        )  # fmt: skip

    def prefer(self, *, scheme: str = "light", media: str = "") -> None:
        """Show it as to somebody who prefers light or dark, on a screen or in print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", media=media, features=features)

    def without_script(self) -> None:
        """Run no script of the page, and load it again."""
        self.send("Emulation.setScriptExecutionDisabled", value=True)
        self.send("Page.reload")
        self.wait_for("document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """Return what JavaScript comes to, awaited; what it throws is an error."""
        found = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in found:
            raise PageError(f"{expression}: {found['exceptionDetails']['exception'].get('description')}")
        return found["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until JavaScript comes to something true."""
        until = time.monotonic() + PATIENCE
        while not self._holds(expression):
            if time.monotonic() > until:
                raise PageError(f"waited in vain for {expression}")
            time.sleep(0.01)

    def _holds(self, expression: str) -> bool:
        try:
            return bool(self.run(expression))
        except PageError as error:
            if "context" in str(error) or "navigat" in str(error):  # the page is just being left
                return False
            raise

    def text(self, selector: str) -> str:
        """Return the text that is seen of the first element."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def texts(self, selector: str) -> list[str]:
        """Return the text of each such element that is seen."""
        found: list[str] = self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})]"
            ".filter(one => one.checkVisibility()).map(one => one.innerText.trim())"
        )
        return found

    def place(self, selector: str) -> tuple[float, float]:
        """Scroll to the first such element, and return where its middle is."""
        found = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); if (!one) return null; "
            "one.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'}); "
            "const at = one.getBoundingClientRect(); "
            "return [at.x + at.width / 2, at.y + at.height / 2]; })()"
        )
        if found is None:
            raise PageError(f"there is no {selector}")
        return found[0], found[1]

    def point_at(self, selector: str) -> None:
        """Move the mouse there."""
        x, y = self.place(selector)
        self._mouse("mouseMoved", x, y)

    def click(self, selector: str) -> None:
        """Click there with the mouse."""
        x, y = self.place(selector)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self._mouse(kind, x, y)

    def _mouse(self, kind: str, x: float, y: float) -> None:
        pressed: Mapping[str, Any] = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)

    def press(self, key: str) -> None:
        """Press a key, as `a`, `Enter` or `Control+z`."""
        *held, name = key.split("+") if len(key) > 1 else [key]
        modifiers = sum(MODIFIERS[one] for one in held)
        code = KEYS.get(name, ord(name.upper()[0]))
        what = {"key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        typed = "\r" if name == "Enter" else name if name not in KEYS and not held else ""
        self.send("Input.dispatchKeyEvent", type="keyDown", **what, **({"text": typed} if typed else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **what)

    def type(self, text: str) -> None:
        """Press the keys of a text, one by one."""
        for letter in text:
            self.press(letter)

    def picture(self, *, whole: bool = False) -> bytes:
        """Return a PNG of what is seen, or of the whole page."""
        found = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        return b64decode(found["data"])

    def printed(self) -> bytes:
        """Return the page as a PDF."""
        return b64decode(self.send("Page.printToPDF", printBackground=False)["data"])

    def complaints(self) -> list[str]:
        """Return what the page was refused or failed at: errors, uncaught exceptions, blocked scripts."""
        found = []
        for event in self._browser.events():
            if event.get("sessionId") != self._session:
                continue
            what = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(what["exceptionDetails"]))
            elif event["method"] == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
                found.append(what["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning"):
                found.append(str(what["args"]))
        return found

    def asked_for(self) -> list[str]:
        """Return the addresses that were asked for, but those of data."""
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events()
            if event.get("sessionId") == self._session
            and event["method"] == "Network.requestWillBeSent"
            and not event["params"]["request"]["url"].startswith("data:")
        ]
