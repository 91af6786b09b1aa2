"""The stage in a real browser: its controls work without the server."""

import base64
import re
from io import BytesIO

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

import camviz
from camviz import render
from camviz.inspection.cell_fields import cell_fields
from tests.browser.waiting import settled

LINK = "?img=sample:koala"


def opened(page: Page, server: str) -> tuple[list[object], dict[str, float]]:
    """Open the stage; return the messages that the page sends from now on, and the place of the image."""
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.goto(f"{server}/{LINK}")
    expect(page.get_by_text("predicts koala")).to_be_visible()
    settled(page)
    page.wait_for_timeout(300)
    sent.clear()
    box = page.locator(".stage .screen").bounding_box()
    assert box is not None
    return sent, box


def test_pointer_keys_swipe_and_zoom_send_nothing(page: Page, server: str) -> None:
    sent, box = opened(page, server)
    model = camviz.load_model("efficientnet_lite0")
    values = camviz.explain(model, "assets/samples/koala.jpg", "grad_cam").attribution
    screen, readout = page.locator(".stage .screen"), page.locator(".stage .readout")
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    expect(readout).to_have_text(re.compile(f"Value {values[3, 3]:.3g}.*row 4, column 4"))
    screen.focus()
    page.keyboard.press("ArrowLeft")
    expect(readout).to_have_text(re.compile(f"Value {values[3, 2]:.3g}.*row 4, column 3 of bn2.*field: whole image$"))
    expect(page.locator(".stage .field")).to_be_hidden()
    page.keyboard.press("+")
    expect(page.locator(".stage .world")).to_have_css("transform", re.compile("matrix\\(1.5, 0, 0, 1.5"))
    page.keyboard.press("0")
    for _ in range(8):
        page.keyboard.press("]")
    assert page.locator(".stage canvas.heat").evaluate("heat => heat.style.clipPath") == "inset(0px 0px 0px 40%)"
    handle = page.locator(".stage .swipe").bounding_box()
    assert handle is not None
    page.mouse.move(handle["x"] + 16, handle["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, handle["y"] + 40, steps=4)
    page.mouse.up()
    assert "75" in page.locator(".stage canvas.heat").evaluate("heat => heat.style.clipPath")
    page.get_by_role("slider", name="Strength").evaluate(
        "slider => { slider.value = 40; slider.dispatchEvent(new Event('input')); }"
    )
    assert sent == []


def test_receptive_field_of_a_cell_is_framed(page: Page, server: str) -> None:
    page.goto(f"{server}/{LINK}&layer=blocks.3")
    settled(page)
    model = camviz.load_model("efficientnet_lite0")
    fields = cell_fields(model.net, model.preprocess("assets/samples/koala.jpg"), model.module("blocks.3"), 14, 14)
    assert fields is not None
    box = page.locator(".stage .base").bounding_box()
    assert box is not None
    for row, column in ((2, 11), (7, 6), (13, 0)):
        page.mouse.move(box["x"] + box["width"] * (column + 0.5) / 14, box["y"] + box["height"] * (row + 0.5) / 14)
        top, left, bottom, right = fields.box(row, column)
        shown = (
            f"row {row + 1}, column {column + 1} of blocks.3; receptive field {bottom - top} × {right - left} pixels"
        )
        expect(page.locator(".stage .readout")).to_have_text(re.compile(f"{shown}$"))
        frame = page.locator(".stage .field").bounding_box()
        assert frame is not None
        scale = box["width"] / 224
        expected = box["x"] + left * scale, box["y"] + top * scale, (right - left) * scale, (bottom - top) * scale
        np.testing.assert_allclose([frame[name] for name in ("x", "y", "width", "height")], expected, atol=1)
    page.goto(f"{server}/{LINK}&method=vanilla_backprop")
    expect(page.locator(".stage.ready canvas.heat")).to_be_visible()
    settled(page)
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    expect(page.locator(".stage .readout")).to_have_text(re.compile(r"row \d+, column \d+$"))
    expect(page.locator(".stage .field")).to_be_hidden()


def test_finished_gesture_changes_the_link_and_keeps_the_focus(page: Page, server: str) -> None:
    opened(page, server)
    spotlight = page.get_by_role("button", name="Spotlight")
    spotlight.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("view=spotlight"))
    settled(page)
    expect(spotlight).to_be_focused()
    page.get_by_role("slider", name=re.compile("Threshold")).fill("50")
    expect(page).to_have_url(re.compile("threshold=0.5"))
    settled(page)
    page.reload()
    expect(spotlight).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("slider", name=re.compile("Threshold"))).to_have_value("50")


def test_stage_colors_equal_the_downloads(page: Page, server: str) -> None:
    opened(page, server)
    source = page.locator(".stage canvas.heat").evaluate("heat => heat.toDataURL()")
    drawn = np.asarray(Image.open(BytesIO(base64.b64decode(source.partition(",")[2])))).astype(float)
    model = camviz.load_model("efficientnet_lite0")
    values = camviz.explain(model, "assets/samples/koala.jpg", "grad_cam").attribution.clip(min=0)
    heat = render.upsample(values / values.max(), drawn.shape[:2])
    np.testing.assert_allclose(drawn[:, :, 3], 255 * 0.8 * heat**1.3, atol=1)
    warm = heat > 0.5  # where the browser's premultiplied colors keep their precision
    expected = render.colorize(0.35 + 0.65 * heat, "inferno")
    assert np.abs(drawn[:, :, :3] - expected)[warm].max() <= 4
