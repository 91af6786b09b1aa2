"""Wait for a condition of the page instead of a time: its run has ended, a computation goes on."""

import time

from playwright.sync_api import Locator, Page, expect

STALLED = 60.0  # seconds without any change of the page after which a computation counts as stuck


def settled(page: Page) -> None:
    """Wait for the end of the page's run: nothing is redrawn under the next click."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')")


def computed(page: Page, shown: Locator) -> None:
    """Wait for the result of a computation for as long as its progress moves, however busy the machine is."""
    main = page.get_by_test_id("stMain")
    text, changed = main.inner_text(), time.monotonic()
    while not shown.is_visible():
        page.wait_for_timeout(200)
        if (now := main.inner_text()) != text:
            text, changed = now, time.monotonic()
        assert time.monotonic() - changed < STALLED, f"nothing has changed for {STALLED} s:\n{text}"
