"""The page Inspect in a real browser: clicks on the strip and on a map, the first screen, and slow parts."""

import re

from playwright.sync_api import Page, expect

from tests.browser.waiting import settled


def test_click_chooses_a_layer_and_a_feature_map(page: Page, server: str) -> None:
    page.goto(f"{server}/inspect")
    step = page.locator(".strip [role=button]", has_text=re.compile("^blocks.2"))
    step.hover()
    expect(page.locator(".description")).to_have_text("blocks.2: Sequential, 40 x 28 x 28, 39,712 parameters, depth 15")
    step.click()
    expect(page).to_have_url(f"{server}/inspect?layer=blocks.2")
    expect(page.get_by_role("heading", name="Feature maps of blocks.2")).to_be_visible()
    expect(page.locator(".strip [aria-pressed=true]")).to_have_attribute("aria-label", re.compile("^blocks.2:"))
    tiles = page.locator(".tiles button")
    expect(tiles).to_have_count(24)
    number = tiles.nth(5).inner_text().split()[0]
    tiles.nth(5).click()
    expect(page.get_by_role("heading", name=f"Feature map {number}", exact=True)).to_be_visible()
    expect(page).to_have_url(f"{server}/inspect?layer=blocks.2&map={number}")
    page.get_by_role("button", name=re.compile("next", re.IGNORECASE)).click()
    expect(page).to_have_url(re.compile("maps=2"))
    expect(tiles).to_have_count(16)
    page.locator(".strip [role=button]", has_text=re.compile("^blocks.0")).press("Enter")
    expect(page).to_have_url(f"{server}/inspect?layer=blocks.0")


def test_synthesis_waits_for_a_click_and_can_be_canceled(page: Page, forgetful_server: str) -> None:
    page.goto(f"{forgetful_server}/inspect?layer=blocks.1&map=3")
    page.get_by_role("button", name="Open in Feature visualization").click()
    expect(page).to_have_url(re.compile("/inspect.*layer=blocks.1.*inside=visualization.*map=3"))
    expect(page.get_by_role("spinbutton", name="Channel of blocks.1")).to_have_value("3")
    slow = "inside=visualization&layer=blocks.1&activation_maximization.channel=3&activation_maximization.steps=1024"
    page.goto(f"{forgetful_server}/inspect?{slow}")
    start = page.get_by_role("button", name=re.compile(r"Synthesize the image \(about"))
    start.click()
    expect(page.get_by_text(re.compile("about .* left"))).to_be_visible()
    page.get_by_role("button", name="Cancel").first.click()
    expect(start).to_be_visible()


def test_strongest_images_are_kept_for_the_next_visit(page: Page, server: str) -> None:
    page.goto(f"{server}/inspect?layer=blocks.0&map=5")
    start = page.get_by_role("button", name=re.compile("Find the 9 strongest of 12 images"))  # where it takes over 5 s
    found = page.get_by_role("img", name=re.compile("the patch with the strongest response of feature map 5"))
    expect(start.or_(found).first).to_be_visible()
    if start.is_visible():
        start.click()
    expect(found).to_have_count(9)
    page.goto(f"{server}/inspect?layer=blocks.0&map=5")
    expect(found).to_have_count(9)


def test_first_screen_shows_strip_maps_and_channel(page: Page, server: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{server}/inspect?img=sample:koala")
    first = [
        page.locator(".strip svg"),
        page.locator(".tiles button").nth(11),
        page.locator("figure.stage .screen"),
        page.get_by_role("img", name=re.compile("Synthesized image for feature map")),
    ]
    settled(page)
    for one in first:
        box = one.bounding_box()
        assert box is not None and box["y"] + box["height"] <= 900, (one, box)
