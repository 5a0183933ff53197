"""A headless Chromium driven over its DevTools pipe: JSON messages ended by NUL on file descriptors 3 and 4.

Own code, as it is this short: the packages that do this (playwright, selenium) bring a driver process or a browser of their own.
Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

__all__ = ["Browser", "Page", "program"]

_FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--disable-gpu",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-extensions",
    "--force-device-scale-factor=1", "--hide-scrollbars", "about:blank",
)  # fmt: skip
_PATIENCE = 120.0

#: key -> (code, Windows key code), for keys that are no character
_KEYS = {
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "PageUp": 33, "PageDown": 34,
    "Enter": 13, "Escape": 27, "Backspace": 8, "Tab": 9,
}  # fmt: skip


def program() -> str | None:
    """The browser to drive, None where there is none."""
    names = (os.environ.get("SPARSEMEM_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Browser:
    """One Chromium with a profile of its own; ``close`` ends it and removes the profile."""

    def __init__(self, path: str) -> None:
        self._profile = tempfile.mkdtemp(prefix="sparsemem-chromium-")
        theirs_in, self._write = os.pipe()
        self._read, theirs_out = os.pipe()
        argv = [path, *_FLAGS[:-1], f"--user-data-dir={self._profile}"]
        argv += [*(["--no-sandbox"] if os.geteuid() == 0 else []), _FLAGS[-1]]
        self._log = os.open(f"{self._profile}/log", os.O_CREAT | os.O_WRONLY)
        # 3 and 4 may be in use here as either end: both go far away first.
        files = [(os.POSIX_SPAWN_DUP2, theirs_in, 103), (os.POSIX_SPAWN_DUP2, theirs_out, 104)]
        files += [(os.POSIX_SPAWN_DUP2, 103, 3), (os.POSIX_SPAWN_DUP2, 104, 4)]
        files += [(os.POSIX_SPAWN_CLOSE, 103), (os.POSIX_SPAWN_CLOSE, 104)]
        files += [(os.POSIX_SPAWN_DUP2, self._log, 1), (os.POSIX_SPAWN_DUP2, self._log, 2)]
        self._pid = os.posix_spawn(path, argv, os.environ, file_actions=files, setpgroup=0)
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise TimeoutError(f"chromium says nothing; {Path(self._profile, 'log').read_text()[-2000:]}")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise ConnectionError(f"chromium ended; {Path(self._profile, 'log').read_text()[-2000:]}")
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """The result of a command. Raises RuntimeError with the browser's words where it refuses."""
        self._number += 1
        message = {
            "id": self._number,
            "method": method,
            "params": params,
            **({"sessionId": session} if session else {}),
        }
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def page(self, url: str, *, width: int = 1440, height: int = 900, dark: bool = False, script: bool = True) -> Page:
        """Opens ``url`` in a new tab and waits until it is painted."""
        return Page(self, url, width, height, dark, script)

    def close(self) -> None:
        """Ends the browser that this object started, with its children."""
        try:
            self.call("Browser.close")
        except (OSError, RuntimeError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        for handle in (self._read, self._write, self._log):
            os.close(handle)
        shutil.rmtree(self._profile, ignore_errors=True)


class Page:
    """A tab: what it asked the network for is in ``requests``, what its scripts complained of in ``complaints``."""

    def __init__(self, browser: Browser, url: str, width: int, height: int, dark: bool, script: bool) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._target = target
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.prefer(dark)
        if not script:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.call("Page.navigate", url=url)
        # The picture is painted when the root has data-ready; without a script, when the document is complete.
        self.wait(
            "document.documentElement?.dataset.ready"
            if script
            else "document.readyState === 'complete' && location.href !== 'about:blank'"
        )

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command for this tab."""
        return self._browser.call(method, self._session, **params)

    def prefer(self, dark: bool) -> None:
        """As if the system were set to dark or light."""
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )

    def run(self, expression: str) -> Any:
        """The value of an expression in the page. Raises RuntimeError with its exception."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until the condition holds. Raises TimeoutError."""
        deadline = time.monotonic() + _PATIENCE
        while not self.run(condition):
            if self.complaints:
                raise RuntimeError(f"waiting for {condition}: {self.complaints}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"never: {condition}; {self.complaints}")
            time.sleep(0.02)

    def painted(self) -> None:
        """Until what was asked for is on the screen: two frames."""
        self.call("Page.bringToFront")  # a tab behind another has no frames
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def press(self, *keys: str) -> None:
        """Key events as a keyboard makes them, one after another: ``n``, ``ArrowLeft``, ``Shift+Tab``."""
        for each in keys:
            shift = each.startswith("Shift+")
            key = each.removeprefix("Shift+")
            event: dict[str, Any] = {"key": key, "modifiers": 8 if shift else 0}
            if key in _KEYS:
                event |= {"code": key, "windowsVirtualKeyCode": _KEYS[key]}
                if key == "Enter":
                    event["text"] = "\r"
            else:
                event["text"] = key
            self.call("Input.dispatchKeyEvent", type="keyDown", **event)
            self.call("Input.dispatchKeyEvent", type="keyUp", **{k: v for k, v in event.items() if k != "text"})
        self.painted()

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """``mouseMoved``, ``mousePressed``, ``mouseReleased`` or ``mouseWheel`` at a point of the window."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
        self.painted()

    def screenshot(self, path: Path) -> None:
        """What is on the screen, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def accessibility(self) -> list[dict[str, Any]]:
        """The accessibility tree, as a screen reader gets it: nodes in document order."""
        self.call("Accessibility.enable")
        nodes: list[dict[str, Any]] = self.call("Accessibility.getFullAXTree")["nodes"]
        return nodes

    @property
    def requests(self) -> list[str]:
        """The addresses that the page asked for."""
        return [e["params"]["request"]["url"] for e in self._mine("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[str]:
        """Exceptions, and errors of the console (a violated security policy, say)."""
        thrown = [str(e["params"]["exceptionDetails"]) for e in self._mine("Runtime.exceptionThrown")]
        return thrown + [
            e["params"]["entry"]["text"]
            for e in self._mine("Log.entryAdded")
            if e["params"]["entry"]["level"] == "error"
        ]

    def _mine(self, method: str) -> list[dict[str, Any]]:
        return [e for e in self._browser.events if e.get("sessionId") == self._session and e["method"] == method]

    def close(self) -> None:
        """Closes the tab."""
        self._browser.call("Target.closeTarget", targetId=self._target)
