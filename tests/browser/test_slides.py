"""The presentation view in a real browser: keys, strength, and the way back."""

import re

from playwright.sync_api import Page, expect

LINK = "compare?present=1&rows=images&rows.images=sample:coffee,sample:koala&columns.methods=grad_cam,layer_cam"


def test_arrow_keys_change_image_and_method(page: Page, server: str) -> None:
    page.goto(f"{server}/{LINK}")
    title, sentence = page.locator(".words h1"), page.locator(".words p")
    expect(title).to_have_text("coffee.jpg")  # each image comes before its heatmaps
    expect(sentence).to_have_text("The model predicts espresso (96%).")
    expect(page.locator(".stack .heat")).to_be_hidden()
    expect(page.get_by_test_id("stHeader")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("Grad-CAM: espresso")
    expect(page.locator(".stack .heat")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("Layer-CAM: espresso")
    page.keyboard.press("ArrowDown")
    expect(title).to_have_text("Layer-CAM: koala")
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("coffee.jpg")  # round again
    page.keyboard.press("ArrowUp")
    expect(title).to_have_text("koala.jpg")
    expect(page.locator(".place")).to_have_text("4 / 6")


def test_slow_heatmaps_have_no_slide(page: Page, server: str) -> None:
    page.goto(f"{server}/compare?present=1&rows=none&columns.methods=ss_cam,grad_cam")
    expect(page.locator(".place")).to_have_text("1 / 2")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".words h1")).to_have_text("Grad-CAM: espresso")
    expect(page.get_by_role("button", name=re.compile("slow heatmap"))).to_have_count(0)


def test_strength_works_offline_and_escape_leaves(page: Page, server: str) -> None:
    page.goto(f"{server}/{LINK}")
    expect(page.locator(".words h1")).to_be_visible()
    page.keyboard.press("ArrowRight")
    heat = page.locator(".stack .heat")
    expect(heat).to_have_css("opacity", "0.8")
    page.context.set_offline(True)
    page.locator("nav input").fill("60")
    expect(heat).to_have_css("opacity", "0.6")
    page.context.set_offline(False)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    expect(page.get_by_test_id("stHeader")).to_be_visible()
    expect(page).not_to_have_url(re.compile("present"))
    page.get_by_role("button", name="Present").click()
    expect(page.locator(".words h1")).to_have_text("coffee.jpg")
    expect(page).to_have_url(re.compile("present=1"))
