"""Headless Chromium, driven as far as these tests need it.

The protocol is plain HTTP and JSON (https://www.w3.org/TR/webdriver2/), so no package is needed for it.
"""

from __future__ import annotations

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
    "--no-sandbox",  # it runs as root in CI
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how the protocol spells "a reference to an element"
_PATIENCE = 30.0


def missing() -> list[str]:
    """The programs that are not there."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


class Chromium:
    """A browser.

    Args:
        profile: an empty folder for its own files.
    """

    def __init__(self, profile: Path) -> None:
        self._log = profile / "chromedriver.log"
        with self._log.open("wb") as log:
            self._driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=log, stderr=log)
        try:
            self._client = httpx.Client(base_url=self._address(), trust_env=False, timeout=_PATIENCE)
            options = {"binary": shutil.which("chromium"), "args": [*_ARGUMENTS, f"--user-data-dir={profile}/profile"]}
            wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
            self._session = f"/session/{self._ask('POST', '/session', capabilities=wanted)['sessionId']}"
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
            self._ask("DELETE", self._session)
        finally:
            self._client.close()
            self._driver.kill()
            self._driver.wait()

    @property
    def text(self) -> str:
        """What it shows."""
        return str(self.run("return document.body.innerText"))

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded, its images too."""
        self._ask("POST", f"{self._session}/url", url=url)

    def arrive(self, url: str) -> None:
        """Wait until it is at a page to which a click leads, and the page is loaded."""
        until = time.monotonic() + _PATIENCE
        while (here := self.run("return [location.href, document.readyState]")) != [url, "complete"]:
            if time.monotonic() > until:
                raise AssertionError(f"It is at {here}, not at {url}.")
            time.sleep(0.02)

    def run(self, script: str) -> Any:
        """Run JavaScript in the page."""
        return self._ask("POST", f"{self._session}/execute/sync", script=script, args=[])

    def type(self, selector: str, text: str) -> None:
        """Type into a field; the path of a file into one for files."""
        self._ask("POST", f"{self._find(selector)}/value", text=text)

    def click(self, selector: str) -> None:
        """Click on something."""
        self._ask("POST", f"{self._find(selector)}/click")

    def forget(self) -> None:
        """Lose the cookies of the page."""
        self._ask("DELETE", f"{self._session}/cookie")

    def _find(self, selector: str) -> str:
        found = self._ask("POST", f"{self._session}/element", using="css selector", value=selector)
        return f"{self._session}/element/{found[_ELEMENT]}"

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        answer = self._client.request(method, path, json=content if method == "POST" else None)
        value = answer.json()["value"]
        if answer.is_error:
            raise AssertionError(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    def _address(self) -> str:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self._driver.poll() is None:
            if found := re.search(r"started successfully on port (\d+)", self._log.read_text()):
                return f"http://127.0.0.1:{found[1]}"
            time.sleep(0.02)
        raise AssertionError(f"chromedriver did not start:\n{self._log.read_text()}")
