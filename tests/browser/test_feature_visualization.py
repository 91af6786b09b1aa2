"""Feature visualization in a real browser: frames, Cancel, downloads."""

import re
import time

from playwright.sync_api import Page, expect

from tests.browser.waiting import settled

SYNTHESIZE = re.compile(r"Synthesize the image \(about")


def test_former_link_opens_it_and_the_image_is_downloaded(page: Page, server: str) -> None:
    page.goto(f"{server}/dream?layer=blocks.2&activation_maximization.channel=7&activation_maximization.steps=24")
    expect(page).to_have_url(re.compile("/inspect.*inside=visualization.*activation_maximization.steps=24"))
    settled(page)
    made = page.get_by_role("img", name="Activation maximization: image for channel 7")
    if not made.is_visible():  # where it takes over 5 s
        page.get_by_role("button", name=SYNTHESIZE).click()
    expect(made).to_be_visible()
    expect(page.get_by_text("The pattern with the strongest response of channel 7 of blocks.2")).to_be_visible()
    for name, start in (("Image (PNG)", b"\x89PNG"), ("Animation (GIF)", b"GIF89a"), ("Animation (WebP)", b"RIFF")):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        assert download.value.path().read_bytes().startswith(start)


def test_cancel_keeps_the_last_frame(page: Page, server: str) -> None:
    page.goto(f"{server}/inspect?inside=visualization&dream.for=class&activation_maximization.steps=1024")
    page.get_by_role("button", name=SYNTHESIZE).click()
    frame = page.get_by_role("img", name=re.compile(r"Image for espresso at step \d+"))
    expect(frame).to_be_visible()
    first = frame.get_attribute("src")
    page.wait_for_function("([old]) => document.querySelector('[data-testid=stMain] img').src !== old", arg=[first])
    started = time.monotonic()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text(re.compile(r"Stopped at step \d+ of 1024\."))).to_be_visible()
    assert time.monotonic() - started < 10
    expect(frame).to_be_visible()
    expect(page.get_by_role("button", name=SYNTHESIZE)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Image (PNG)").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
