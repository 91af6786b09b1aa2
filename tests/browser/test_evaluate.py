"""The Evaluate page in a real browser: Cancel keeps results, links restore them, a slider shows each step."""

import re

from playwright.sync_api import Locator, Page, expect


def test_ranking_is_canceled_continued_and_downloaded(page: Page, forgetful_server: str) -> None:
    page.goto(
        f"{forgetful_server}/evaluate?test=ranking&ranking_methods=grad_cam&metrics=deletion,average_drop"
        "&images=sample:lemurs,sample:komodo_dragon,sample:moose"
    )
    start = page.get_by_role("button", name="Compute 24 numbers (about")
    expect(start).to_be_visible(timeout=60_000)
    place = start.bounding_box()
    assert place is not None
    start.click()
    expect(page.get_by_text(re.compile("^([3-9]|1[0-9]) of 24 numbers, about .* left"))).to_be_visible()
    cancel = page.get_by_role("button", name="Cancel")
    expect(start).to_be_hidden()
    box = cancel.bounding_box()
    assert box is not None and box["x"] > place["x"] + place["width"]  # not where Start was
    cancel.click()
    again = page.get_by_role("button", name=re.compile(r"Continue with \d+ numbers \(about"))
    expect(again).to_be_visible(timeout=10_000)
    left = int(re.findall(r"\d+", again.inner_text())[0])
    assert 3 <= 24 - left < 24  # finished numbers are kept
    again.click()
    expect(page.get_by_text("Means over 3 images with 95% bootstrap intervals")).to_be_visible()
    expect(again.or_(cancel)).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="Means (CSV)").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("model,weights,layer,method,metric") and len(lines) == 1 + 4 * 2


def gray_share(canvas: Locator) -> float:
    """Return the share of a canvas that has the mean color, (127 or 128) in each channel."""
    share: float = canvas.evaluate(
        """canvas => {
          const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          let gray = 0;
          for (let place = 0; place < pixels.length; place += 4)
            gray += [0, 1, 2].every(channel => Math.abs(pixels[place + channel] - 127.5) < 1);
          return 4 * gray / pixels.length;
        }"""
    )
    return share


def test_slider_shows_the_image_at_each_step_of_deletion(page: Page, server: str) -> None:
    page.goto(f"{server}/evaluate?img=sample:panda&steps=10")
    deletion = page.locator(".st-key-perturbation-deletion")
    canvas, slider = deletion.locator("canvas"), deletion.get_by_role("slider", name="Share of the pixels deleted")
    expect(canvas).to_have_attribute("data-step", "1")
    expect(deletion.get_by_text("10% of the pixels deleted: the probability of giant panda is ")).to_be_visible()
    whole = gray_share(canvas) - 0.1  # what is gray in the image itself
    assert 0 <= whole < 0.05
    slider.focus()
    for _ in range(4):
        slider.press("ArrowRight")
    expect(canvas).to_have_attribute("data-step", "5")
    assert abs(gray_share(canvas) - 0.5) < 0.05
    slider.press("End")
    assert gray_share(canvas) == 1
    expect(
        deletion.get_by_text(re.compile(r"100% of the pixels deleted: the probability of giant panda is <?0\.\d%"))
    ).to_be_visible()
    insertion = page.locator(".st-key-perturbation-insertion")
    expect(insertion.get_by_text("10% of the pixels inserted: ")).to_be_visible()  # each has its own slider


def test_link_names_the_test_and_images_have_alt_text(page: Page, server: str) -> None:
    page.goto(f"{server}/evaluate?steps=4")
    page.get_by_role("radio", name="Randomization test").or_(
        page.get_by_role("button", name="Randomization test")
    ).click()
    expect(page.get_by_text("Heatmaps for randomized weights")).to_be_visible()
    expect(page).to_have_url(re.compile("test=randomization"))
    start = page.get_by_role("button", name=re.compile(r"Run the randomization test \(about"))
    verdict = page.get_by_text("The heatmap changes as soon as the last layers are randomized")
    expect(start.or_(verdict).first).to_be_visible()
    if start.count():
        start.click()
    expect(verdict).to_be_visible()
    expect(page.get_by_role("img", name="Grad-CAM with 100% of the layers randomized")).to_be_visible()
