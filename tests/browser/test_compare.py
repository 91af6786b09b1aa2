"""The Compare page in a real browser: cells appear one by one, Cancel keeps them, and tools work without the server."""

import re

from playwright.sync_api import Page, expect

from tests.browser.waiting import settled


def test_first_screen_shows_all_cells_and_tools_send_nothing(page: Page, server: str) -> None:
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{server}/compare")
    cells = page.locator(".stage .screen:visible")
    expect(cells).to_have_count(4)
    expect(page.get_by_role("img", name="Guided backpropagation: heatmap of espresso over the image")).to_be_visible()
    settled(page)
    boxes = [box for box in (cell.bounding_box() for cell in cells.all()) if box]
    assert len({round(box["y"]) for box in boxes}) == 1  # in one row
    assert max(box["y"] + box["height"] for box in boxes) < 800 and max(box["width"] for box in boxes) < 330
    page.wait_for_timeout(300)
    sent.clear()
    # Pointing at a cell shows how far the others agree with it; the image has no number.
    chips, readouts = page.locator(".stage:not(.bare) .relation"), page.locator(".stage:not(.bare) .readout")
    cells.nth(1).focus()
    page.keyboard.press("ArrowLeft")
    expect(chips.nth(2)).to_have_text("r 0.99")
    expect(chips.nth(3)).to_have_text(re.compile(r"r 0\.\d\d"))
    assert [chip.is_visible() for chip in chips.all()] == [False, False, True, True]
    assert [bool(readout.inner_text()) for readout in readouts.all()] == [False, True, True, True]
    page.keyboard.press("+")
    for world in page.locator(".stage:not(.bare) .world").all():
        expect(world).to_have_css("transform", re.compile(r"matrix\(1.5, 0, 0, 1.5"))
    # One strength for all cells, and one cell large with all tools.
    page.locator(".bare .strength input").evaluate("s => { s.value = 40; s.dispatchEvent(new Event('input')); }")
    assert [box.input_value() for box in page.locator(".stage .strength input").all()] == ["40"] * 5
    assert sent == []
    contour = page.locator(".stage").nth(2).get_by_role("button", name="Contour")
    expect(contour).to_be_hidden()
    page.locator(".stage").nth(2).get_by_role("button", name="Full screen").click()
    expect(contour).to_be_visible()
    box = cells.nth(1).bounding_box()
    assert box is not None and box["width"] > 600
    contour.click()
    expect(page).to_have_url(re.compile("opacity=0.4.*view=contour|view=contour.*opacity=0.4"))
    page.evaluate("document.exitFullscreen()")
    expect(page.locator(".bare").get_by_role("button", name="Contour")).to_have_attribute("aria-pressed", "true")


def test_full_screen_works_without_the_fullscreen_api(page: Page, server: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.add_init_script("delete Element.prototype.requestFullscreen")
    page.goto(f"{server}/compare?rows=none&columns.methods=grad_cam")
    cells = page.locator(".stage .screen:visible")
    expect(cells).to_have_count(2)
    settled(page)
    boxes = [box for box in (cell.bounding_box() for cell in cells.all()) if box]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[1]["width"] > 150  # two side by side
    full = page.locator(".stage").nth(2).get_by_role("button", name="Full screen")
    full.click()
    large = cells.nth(1).bounding_box()
    assert large is not None and large["width"] > 360
    full.click()
    expect(page.locator(".stage.large")).to_have_count(0)


def test_grid_fills_without_a_click_and_a_cell_opens_in_explain(page: Page, server: str) -> None:
    page.goto(f"{server}/compare?columns.methods=grad_cam,layer_cam&rows.layers=blocks.4,bn2")
    expect(page.get_by_role("img", name="bn2 · Layer-CAM: heatmap of espresso over the image")).to_be_visible()
    expect(page.locator(".stage:not(.bare) canvas.heat")).to_have_count(4)
    expect(page.get_by_text("Layer-CAM", exact=True).locator("visible=true")).to_have_count(2)  # picker and column
    with page.expect_download() as download:
        page.get_by_role("button", name="Grid (PNG)").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    settled(page)
    page.get_by_role("button", name="Open in Explain").nth(1).click()
    expect(page.get_by_role("img", name="Layer-CAM of espresso over the image")).to_be_visible()
    expect(page).to_have_url(re.compile("layer=blocks.4"))


def test_cancel_keeps_finished_cells_and_work_continues(page: Page, server: str) -> None:
    page.goto(f"{server}/compare?rows=pictures&rows.pictures=sample:koala,sample:rocket&columns.methods=grad_cam,rise")
    expect(page.get_by_role("img", name="koala.jpg · Grad-CAM: heatmap of koala over the image")).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    page.get_by_role("button", name="Compute 2 slow heatmaps (about").click()
    expect(page.get_by_text("of 2 heatmaps, about")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Compute 2 slow heatmaps (about")).to_be_visible(timeout=10_000)
    expect(page.get_by_role("img", name="koala.jpg · Grad-CAM: heatmap of koala over the image")).to_be_visible()
    expect(page.get_by_text("Not computed yet")).to_have_count(2)


def test_grid_of_networks_and_classes(page: Page, server: str) -> None:
    page.goto(f"{server}/compare?rows=networks&columns=classes&rows.networks=efficientnet_lite0,efficientnet_lite1")
    expect(page.locator(".stage:not(.bare) canvas.heat")).to_have_count(6)
    expect(page.get_by_role("img", name="EfficientNet-Lite1 · cup: heatmap of cup over the image")).to_be_visible()
