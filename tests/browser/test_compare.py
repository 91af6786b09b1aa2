"""The Compare page in a real browser: cells one by one, and Cancel that keeps them."""

import re

from playwright.sync_api import Page, expect


def test_the_grid_fills_without_a_click_and_shows_the_agreement(page: Page, server: str) -> None:
    page.goto(f"{server}/compare?columns.methods=grad_cam,layer_cam&rows.layers=blocks.4,bn2")
    expect(page.get_by_role("img", name="bn2 · Layer-CAM: heatmap of espresso over the image")).to_be_visible()
    expect(page.locator(".stage canvas.heat")).to_have_count(4)
    expect(page.get_by_text("Agreement")).to_be_visible()
    cells = page.locator(".stage .screen")
    cells.nth(0).focus()  # what one cell is asked, all answer
    page.keyboard.press("ArrowLeft")
    for readout in page.locator(".stage .readout").all():
        expect(readout).to_have_text(re.compile("Value .* row .*, column "))
    page.keyboard.press("+")
    for world in page.locator(".stage .world").all():
        expect(world).to_have_css("transform", re.compile(r"matrix\(1.5, 0, 0, 1.5"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Grid (PNG)").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_cancel_keeps_the_finished_cells_and_goes_on_later(page: Page, server: str) -> None:
    page.goto(f"{server}/compare?img=sample:koala&columns.methods=grad_cam,score_cam&rows.layers=bn2,blocks.5")
    expect(page.get_by_role("img", name="bn2 · Grad-CAM: heatmap of koala over the image")).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    page.get_by_role("button", name="Compute the slow heatmaps: 2 (about").click()
    expect(page.get_by_text("of 2 heatmaps, about")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Compute the slow heatmaps: 2 (about")).to_be_visible(timeout=10_000)
    expect(page.get_by_role("img", name="bn2 · Grad-CAM: heatmap of koala over the image")).to_be_visible()
    expect(page.get_by_text("bn2 · Score-CAM: not computed yet")).to_be_visible()


def test_one_method_by_networks(page: Page, server: str) -> None:
    page.goto(f"{server}/compare?rows=networks&columns=classes&rows.networks=efficientnet_lite0,efficientnet_lite1")
    expect(page.locator(".stage canvas.heat")).to_have_count(6)
    expect(page.get_by_role("img", name="EfficientNet-Lite1 · cup: heatmap of cup over the image")).to_be_visible()
