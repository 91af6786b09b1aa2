"""The address of a view in a real browser: each Back restores the view before."""

import re

from playwright.sync_api import Page, expect

from tests.browser.waiting import settled

PREDICTED = {"coffee": "espresso", "koala": "koala", "panda": "giant panda"}


def shows(page: Page, sample: str) -> None:
    """Wait for the answer on a sample."""
    expect(page.get_by_text(f"The model predicts {PREDICTED[sample]} (")).to_be_visible()


def test_back_restores_the_view_before(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sample:panda")
    shows(page, "panda")
    for name in ("koala", "coffee"):
        page.locator(f".gallery button[title={name}]").click()
        shows(page, name)
        settled(page)
    page.locator(".bars button").nth(2).click()
    expect(page.locator(".bars button").nth(2)).to_have_attribute("aria-pressed", "true")
    settled(page)
    page.go_back()
    expect(page.locator(".bars button").first).to_have_attribute("aria-pressed", "true")
    for name in ("koala", "panda"):
        settled(page)
        page.go_back()
        shows(page, name)
        expect(page).to_have_url(re.compile(f"img=sample(:|%3A){name}$"))
