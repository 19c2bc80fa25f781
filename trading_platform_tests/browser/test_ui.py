"""The Dagster UI in a real browser: the graph, a materialisation, its picture, a job and a sensor, all by clicking."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, Route, expect, sync_playwright

from trading_platform_tests.browser.small_platform import SESSION, small_platform

GROUPS = ("reference", "market_data", "volume", "indicators", "patterns", "operations")
PICTURES = os.environ.get("SCREENSHOTS")
LONG = 240_000
"""Milliseconds: a run starts an interpreter, and the machine may be busy."""

ZOOM_OUT = 4
GRAPH = FloatRect(x=634, y=110, width=1000, height=880)
"""Where the graph is in the window; what is around it says nothing."""

_SETTLED = 2_000
_COLORS = 128


def chromium() -> str:
    """Return where the system's browser is; without one the test fails: what nobody looked at is not tested."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "there is no chromium: `apt-get install chromium` (Debian), or `brew install chromium`"
    return found


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    path = chromium()
    with small_platform(tmp_path) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(
            base_url=address, viewport={"width": 1500, "height": 950}, color_scheme="light", reduced_motion="reduce"
        )
        page = context.new_page()
        page.set_default_timeout(LONG)
        expect.set_options(timeout=LONG)
        yield page
        browser.close()


def test_without_a_browser_it_fails_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AssertionError, match="apt-get install chromium"):
        chromium()


@pytest.mark.timeout(600)
def test_a_person_finds_everything_by_clicking(page: Page) -> None:
    foreign = _refused_elsewhere(page)
    _graph_has_all_groups(page)
    materialised = _materialise_a_baseline(page)
    launched = _launch_a_job(page)
    _sensor_has_ticked(page)
    for run in (materialised, launched):
        page.goto(run)
        expect(_shown(page, "Success")).to_be_visible()
    _picture_is_on_the_page(page)
    _job_is_told_on_its_asset(page)
    assert foreign == []


def _refused_elsewhere(page: Page) -> list[str]:
    """Refuse whatever is not asked of this machine; return the list to which it is added."""
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(re.compile(r"^(?!https?://127\.0\.0\.1:|data:|blob:)"), refuse)
    return asked


def _graph_has_all_groups(page: Page) -> None:
    page.goto("/asset-groups")
    for group in GROUPS:
        expect(_shown(page, group)).to_be_visible()
    page.get_by_text("Hide navigation").click()
    page.set_viewport_size({"width": 1900, "height": 1000})
    page.goto("/asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in GROUPS))
    expect(_shown(page, "minute_bars")).to_be_visible()
    # what lies outside of the window is not drawn
    for _ in range(ZOOM_OUT):
        page.get_by_role("button", name="zoom_out").click()
    for asset in ("instruments", "frames_journal", "volume_baselines", "live_signals", "backups"):
        expect(_shown(page, asset)).to_be_visible()
    _keep(page, "lineage", GRAPH)
    page.set_viewport_size({"width": 1500, "height": 950})


def _materialise_a_baseline(page: Page) -> str:
    """Choose a partition in the dialog and launch it; return the address of the run."""
    page.goto("/assets/volume_baselines")
    page.get_by_role("button", name=re.compile("Materialize")).first.click()
    dialog = page.get_by_role("dialog")
    older, chosen = dialog.get_by_text("Show all partitions"), dialog.locator("input[placeholder^='ex: ']").first
    expect(older.or_(chosen).first).to_be_visible()
    if older.is_visible():  # the dialog begins with the last 90 days
        older.click()
    chosen.fill(str(SESSION))
    chosen.press("Enter")
    dialog.get_by_role("button", name="Launch 1 run").click()
    address = page.locator("a[href*='/runs/']").first.get_attribute("href")
    assert address
    return address


def _launch_a_job(page: Page) -> str:
    page.goto("/locations/trading_platform/jobs/backup_data/playground")
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    return page.url


def _sensor_has_ticked(page: Page) -> None:
    page.goto("/locations/trading_platform/sensors/closed_bars")
    expect(page.get_by_role("button", name="View logs").first).to_be_visible()


def _picture_is_on_the_page(page: Page) -> None:
    page.set_viewport_size({"width": 1500, "height": 1300})
    page.goto("/assets/volume_baselines")
    expect(_shown(page, "sessions_used_count")).to_be_visible()
    page.get_by_text("[Show Markdown]").first.click()
    picture = page.get_by_role("dialog").locator("img[src^='data:image/png']")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 500
    _keep(page, "volume_baselines")


def _job_is_told_on_its_asset(page: Page) -> None:
    page.goto("/assets/backups")
    expect(_shown(page, "stored_bytes")).to_be_visible()


def _shown(page: Page, text: str) -> Locator:
    return page.get_by_text(text, exact=True).first


def _keep(page: Page, name: str, clip: FloatRect | None = None) -> None:
    """Keep what is on the screen for the docs, when that is asked for."""
    if not PICTURES:
        return
    page.wait_for_timeout(_SETTLED)
    path = Path(PICTURES) / f"{name}.png"
    page.screenshot(path=path, clip=clip)
    with Image.open(path) as drawn:
        drawn.convert("RGB").quantize(_COLORS).save(path, optimize=True)
