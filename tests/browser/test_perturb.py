"""The page Perturb in a real browser: the slider shows each level without the server, and the link keeps the level."""

import re

from playwright.sync_api import Page, expect

from tests.browser.waiting import settled


def test_slider_shows_each_level_and_the_link_keeps_it(page: Page, server: str) -> None:
    page.goto(f"{server}/perturb?corruption=stripes&img=sample:koala")
    canvas, slider = page.locator(".perturbation canvas"), page.get_by_role("slider", name="Level of the corruption")
    expect(canvas).to_have_attribute("data-step", "4")  # where the prediction breaks
    expect(page.get_by_text("The prediction changes from level 4 on: ")).to_be_visible()
    settled(page)
    gray = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, 1).data]"
    page.get_by_role("checkbox", name="Show the heatmap").uncheck()
    covered = []
    for key, level in (("Home", 0), ("End", 10)):
        slider.press(key)
        expect(canvas).to_have_attribute("data-step", str(level))
        row = canvas.evaluate(gray)
        pixels = [row[place : place + 3] for place in range(0, len(row), 4)]
        covered.append(sum(max(abs(value - 128) for value in pixel) < 16 for pixel in pixels) / len(pixels))
    assert covered[0] < 0.1 and covered[1] > 0.8  # of 90%, less what JPEG blurs
    expect(page.get_by_text("Level 10 (90% covered): ")).to_be_visible()
    expect(page).to_have_url(re.compile("level=10"))
    settled(page)
    expect(canvas).to_have_attribute("data-step", "10")
    page.goto(page.url)  # as in a fresh browser
    expect(canvas).to_have_attribute("data-step", "10")
