"""A client for headless Chromium, with the part of the WebDriver protocol that the tests use.

The protocol is JSON over HTTP: https://www.w3.org/TR/webdriver2/
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

PROGRAMS = ("chromium", "chromedriver")
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # the browser runs as root in CI
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's key of a reference to an element
_TIMEOUT_SECONDS = 30.0


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


class StaleElementError(AssertionError):
    """The page has replaced an element after it was found."""


class Chromium:
    """A browser session.

    Args:
        profile: an empty folder for the files of the browser.
    """

    def __init__(self, profile: Path) -> None:
        self._log = profile / "chromedriver.log"
        with self._log.open("wb") as log:
            self._driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=log, stderr=log)
        try:
            self._client = httpx.Client(base_url=self._address(), trust_env=False, timeout=_TIMEOUT_SECONDS)
            options = {"binary": shutil.which("chromium"), "args": [*_ARGUMENTS, f"--user-data-dir={profile}/profile"]}
            capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
            self._session = f"/session/{self._send('POST', '/session', capabilities=capabilities)['sessionId']}"
        except BaseException:
            self._driver.kill()
            self._driver.wait()
            raise

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._send("DELETE", self._session)
        finally:
            self._client.close()
            self._driver.kill()
            self._driver.wait()

    @property
    def text(self) -> str:
        """The visible text of the page."""
        return str(self.run("return document.body.innerText"))

    def open(self, url: str) -> None:
        """Open a page and wait until it is loaded with its images."""
        self._send("POST", f"{self._session}/url", url=url)

    def new_tab(self) -> str:
        """Open a tab and select it; returns its handle."""
        handle = str(self._send("POST", f"{self._session}/window/new", type="tab")["handle"])
        self.select_tab(handle)
        return handle

    def select_tab(self, handle: str) -> None:
        """Direct all that follows to a tab."""
        self._send("POST", f"{self._session}/window", handle=handle)

    def close_tab(self, handle: str) -> None:
        """Close a tab. Another one must be selected afterwards."""
        self.select_tab(handle)
        self._send("DELETE", f"{self._session}/window")

    def wait_for(self, url: str) -> None:
        """Wait until the page that a click leads to is loaded."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while (state := self.run("return [location.href, document.readyState]")) != [url, "complete"]:
            if time.monotonic() > deadline:
                raise AssertionError(f"The page is {state}, not {url}.")
            time.sleep(0.02)

    def run(self, script: str) -> Any:
        """Run JavaScript in the page and return its result."""
        return self._send("POST", f"{self._session}/execute/sync", script=script, args=[])

    def type(self, selector: str, text: str) -> None:
        """Type into a field; for a file field, *text* is a path."""
        self._send("POST", f"{self._find(selector)}/value", text=text)

    def click(self, selector: str) -> None:
        """Click on an element, again if the page has replaced it meanwhile."""
        for _ in range(10):
            try:
                self._send("POST", f"{self._find(selector)}/click")
            except StaleElementError:
                continue
            return
        raise AssertionError(f"The page replaces {selector} all the time.")

    def press(self, key: str) -> None:
        """Press a key; the protocol has a character for each special key, such as ``"\\ue007"`` for Enter."""
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._send("POST", f"{self._session}/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def set_size(self, width: int, height: int, *, scale: float = 1) -> None:
        """Set the size of the page's viewport in CSS pixels, and how many pixels of a screenshot each has."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def screenshot(self) -> bytes:
        """Return a picture of the viewport as PNG."""
        return base64.b64decode(self._send("GET", f"{self._session}/screenshot"))

    def command(self, name: str, **parameters: Any) -> Any:
        """Send a command of Chromium's own protocol: https://chromedevtools.github.io/devtools-protocol/."""
        return self._send("POST", f"{self._session}/goog/cdp/execute", cmd=name, params=parameters)

    def delete_cookies(self) -> None:
        """Delete the cookies of the page."""
        self._send("DELETE", f"{self._session}/cookie")

    def _find(self, selector: str) -> str:
        element = self._send("POST", f"{self._session}/element", using="css selector", value=selector)
        return f"{self._session}/element/{element[_ELEMENT]}"

    def _send(self, method: str, path: str, **content: Any) -> Any:
        answer = self._client.request(method, path, json=content if method == "POST" else None)
        value = answer.json()["value"]
        if answer.is_error:
            error = StaleElementError if value["error"] == "stale element reference" else AssertionError
            raise error(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    def _address(self) -> str:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while time.monotonic() < deadline and self._driver.poll() is None:
            if match := re.search(r"started successfully on port (\d+)", self._log.read_text()):
                return f"http://127.0.0.1:{match[1]}"
            time.sleep(0.02)
        raise AssertionError(f"chromedriver did not start:\n{self._log.read_text()}")
