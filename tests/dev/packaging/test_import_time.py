"""``bridge package --import-time``: what the imports of the application take."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging.flame_graph import flame_graph_page
from bridge.dev.packaging.imported_modules import ImportedModule, ImportTimes, parse_import_time
from bridge.dev.packaging.project_files import choose_files
from bridge.dev.packaging.report import import_table
from tests.dev.cli.packages import PLAIN, other_python, run_package, write_files
from tests.dev.cli.webdriver import Chromium, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUT = """import time: self [us] | cumulative | imported package
import time:       100 |        100 |     tea.leaves
import time:        20 |         20 |       json.decoder
import time:        30 |         50 |     json
The application prints this.
import time:        40 |        190 |   tea
import time:        10 |        200 | app
import time:         5 |          5 | cup
"""
HOSTILE = "</script><img src=x onerror=alert(1)>&amp;"
ENTER, ESCAPE, DOWN, RIGHT = "\ue007", "\ue00c", "\ue015", "\ue014"


def test_modules_are_below_those_that_import_them() -> None:
    times = parse_import_time(OUTPUT)
    (app, cup), (tea,) = times.modules, times.modules[0].imports
    assert (app.name, app.own, app.total, cup.name, cup.total) == ("app", 10, 200, "cup", 5)
    assert [(module.name, module.total) for module in tea.imports] == [("tea.leaves", 100), ("json", 50)]
    assert [module.name for module in tea.imports[1].imports] == ["json.decoder"]
    assert (times.total, times.count) == (205, 6)


def test_the_packages_that_take_the_longest_come_first() -> None:
    times = parse_import_time(OUTPUT)
    packages = [(each.name, each.own, each.total) for each in times.most_expensive()]
    assert packages == [("tea", 140, 190), ("json", 50, 50), ("app", 10, 200), ("cup", 5, 5)]
    assert [each.name for each in times.most_expensive(2)] == ["tea", "json"]
    header, first, *_ = import_table(times)
    assert header.split(None, 2) == ["itself", "share", "with all that it imports"]
    assert first.split() == ["tea", "0.1", "ms", "68.3", "%", "0.2", "ms"]


def test_a_name_cannot_become_a_part_of_the_page() -> None:
    page = flame_graph_page(ImportTimes([ImportedModule(HOSTILE, 1, 1)]), HOSTILE, HOSTILE)
    assert "<img" not in page
    assert page.count("</script>") == 2


def test_the_page_makes_no_requests() -> None:
    page = flame_graph_page(parse_import_time(OUTPUT), "app:app", "")
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?:|fetch", page)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project whose application imports a module that takes a while."""
    files = {"app.py": f"import slow\n{PLAIN}", "slow.py": "import time\ntime.sleep(0.05)\n"}
    return write_files(tmp_path / "shop", files)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["--layer"], ["--image"]], ids=" ".join)
def test_the_imports_of_the_artifact_are_measured(arguments: list[str], shop: Path, cache: Path) -> None:
    status, out, err = run_package(shop, cache, "app:app", "--import-time", *arguments)
    assert status == 0, out + err
    name = "build/image-imports.html" if "--image" in arguments else "build/function-imports.html"
    assert name in out.splitlines()[-1]
    assert f"with Python 3.{sys.version_info.minor} on this machine" in out
    rows = [line.split() for line in out.splitlines() if line.endswith(" ms")]
    assert rows[0][0] == "slow"
    assert float(rows[0][1]) >= 50
    assert "bridge" in {row[0] for row in rows}
    page = (shop / name).read_text()
    assert '["app",' in page  # the module of the application, which importlib imports
    assert page not in choose_files(shop).files
    assert name in choose_files(shop).artifacts


@pytest.mark.slow
def test_without_an_interpreter_of_that_version_there_is_an_error_and_no_artifact(
    shop: Path, cache: Path, tmp_path: Path
) -> None:
    version, environment = other_python(tmp_path / "machine")
    arguments = ["app:app", "--import-time", "--no-bytecode", "--python", version]
    status, out, err = run_package(shop, cache, *arguments, **environment)
    assert (status, out) == (1, "")
    assert f"`uv python install {version}`" in err
    assert not (shop / "build").exists()


@pytest.mark.slow
def test_an_application_that_cannot_be_imported_is_an_error(shop: Path, cache: Path) -> None:
    write_files(shop, {"slow.py": "import os\nos.environ['TEA_SHOP_KEY']\n"})
    status, _, err = run_package(shop, cache, "app:app", "--import-time")
    assert status == 1
    assert "The application cannot be imported, so its imports are not measured:" in err
    assert "KeyError: 'TEA_SHOP_KEY'" in err


@pytest.mark.parametrize("option", ["--no-app", "--add-to=x.zip"])
def test_it_needs_an_application_and_an_artifact(option: str, shop: Path, cache: Path) -> None:
    words = [] if option == "--no-app" else ["app:app"]
    status, out, err = run_package(shop, cache, *words, "--import-time", option)
    assert (status, out) == (2, "")
    assert "--import-time imports the application of a new artifact" in err


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    if programs := missing():
        pytest.skip(f"No {' and no '.join(programs)} here; scripts/browser installs them.")
    page = flame_graph_page(
        parse_import_time(f"{OUTPUT}import time: 3 | 3 | {HOSTILE.split()[0]}\n"), "app:app", "Facts."
    )
    (tmp_path / "page.html").write_text(page)
    (tmp_path / "chromium").mkdir()
    with Chromium(tmp_path / "chromium") as opened:
        opened.set_size(1200, 900)
        opened.open((tmp_path / "page.html").as_uri())
        yield opened


def bars(browser: Chromium) -> dict[str, int]:
    """Return the width in pixels of each bar by its text."""
    script = "return [...document.querySelectorAll('[role=treeitem]')].map(e => [e.textContent, e.offsetWidth])"
    return dict(browser.run(script))


@pytest.mark.slow
def test_a_browser_shows_the_graph_and_enlarges_a_bar(browser: Chromium) -> None:
    browser.run("document.styleSheets[0].insertRule('* { transition: none !important }', 0)")
    widths = bars(browser)
    assert {"all imports", "app", "tea", "tea.leaves", "json", "json.decoder", "cup"} <= widths.keys()
    assert widths["all imports"] > widths["app"] > widths["tea"] > widths["tea.leaves"] > widths["json"]
    assert "</script><img" in widths
    browser.run("document.querySelector('[role=treeitem]').focus()")
    for key in (DOWN, DOWN, DOWN, RIGHT, ENTER):
        browser.press(key)
    assert browser.run("return document.activeElement.textContent") == "json"
    assert "json: 0.05 ms (24.0 %) with all that it imports, itself 0.03 ms" in browser.text
    widths = bars(browser)
    assert widths["json"] == widths["all imports"]
    assert "tea.leaves" not in widths
    for _ in range(3):
        browser.press(ESCAPE)
    assert "tea.leaves" in bars(browser)
    browser.type("#search", "tea")
    assert "2 modules found" in browser.text


AXE = sorted(Path(__file__).parents[3].glob(".cache/axe-core-*/axe.min.js"))


@pytest.mark.slow
@pytest.mark.skipif(not AXE, reason="axe-core is not installed; scripts/axe installs it.")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(scheme: str, browser: Chromium) -> None:
    browser.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.run(AXE[-1].read_text())
    browser.run("window.axeResult = null; axe.run().then(result => { window.axeResult = result.violations })")
    deadline = time.monotonic() + 30
    while (violations := browser.run("return window.axeResult")) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert violations == []
