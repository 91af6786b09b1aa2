"""Wait for a condition of the page: its run has ended, or a computation has finished."""

import time

from playwright.sync_api import Locator, Page, expect

STALLED = 60.0  # seconds without any change of the page after which a computation counts as stuck


def settled(page: Page) -> None:
    """Wait for the end of the page's run, so that the next click meets no redraw."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')")


def computed(page: Page, shown: Locator) -> None:
    """Wait for the result of a computation while its progress changes, even on a busy machine."""
    main = page.get_by_test_id("stMain")
    text, changed = main.inner_text(), time.monotonic()
    while not shown.is_visible():
        page.wait_for_timeout(200)
        if (now := main.inner_text()) != text:
            text, changed = now, time.monotonic()
        assert time.monotonic() - changed < STALLED, f"nothing has changed for {STALLED} s:\n{text}"
