"""The presentation view in a real browser: keys, opacity, and the way back."""

import re

from playwright.sync_api import Page, expect

LINK = "compare?present=1&rows=pictures&rows.pictures=sample:coffee,sample:koala&columns.methods=grad_cam,layer_cam"


def test_arrow_keys_go_through_methods_and_pictures(page: Page, server: str) -> None:
    page.goto(f"{server}/{LINK}")
    title, sentence = page.locator(".words h1"), page.locator(".words p")
    expect(title).to_have_text("Grad-CAM: espresso")
    expect(sentence).to_contain_text("The model predicts espresso (96%).")
    expect(page.get_by_test_id("stHeader")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("Layer-CAM: espresso")
    page.keyboard.press("ArrowDown")
    expect(title).to_have_text("Layer-CAM: koala")
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("Grad-CAM: espresso")  # round again
    expect(page.locator(".place")).to_have_text("1 / 4")


def test_opacity_moves_without_the_server_and_esc_comes_back(page: Page, server: str) -> None:
    page.goto(f"{server}/{LINK}")
    expect(page.locator(".words h1")).to_be_visible()
    heat = page.locator(".stack .heat")
    page.context.set_offline(True)
    page.locator("nav input").fill("60")
    expect(heat).to_have_css("opacity", "0.6")
    page.context.set_offline(False)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    expect(page.get_by_test_id("stHeader")).to_be_visible()
    expect(page).not_to_have_url(re.compile("present"))
    page.get_by_role("button", name="Present").click()
    expect(page.locator(".words h1")).to_have_text("Grad-CAM: espresso")
    expect(page).to_have_url(re.compile("present=1"))
