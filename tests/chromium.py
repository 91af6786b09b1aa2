"""Fixtures of a real Chromium. Playwright is imported by the first test that uses one."""

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def program(name: str) -> str:
    """Return the path of a program; without it the test is skipped, or fails where CI is set."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found:
        return found
    skip(f"{name} is not installed: `make test` installs Debian's as root, or `sudo apt-get install {name}`")


def skip(reason: str) -> NoReturn:
    """Skip the test because something is missing; fail where CI is set, which has everything."""
    if os.environ.get("CI") in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def playwright() -> "Iterator[Playwright]":
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)  # the first page imports torch
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    return program("chromium")


@pytest.fixture(scope="session")
def browser(chromium: str, playwright: "Playwright") -> "Iterator[Browser]":
    """A real Chromium."""
    opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
    yield opened
    opened.close()


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(30_000)
    opened = context.new_page()
    yield opened
    boxes = opened.locator("[data-testid=stException]").all_inner_texts()
    context.close()
    assert not boxes, f"the page shows an exception: {boxes}"
