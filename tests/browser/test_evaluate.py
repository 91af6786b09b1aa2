"""The Evaluate page in a real browser: Cancel keeps what is computed, and a link brings it back."""

import re

from playwright.sync_api import Page, expect


def test_the_ranking_is_canceled_continued_and_downloaded(page: Page, server: str) -> None:
    page.goto(
        f"{server}/evaluate?test=ranking&ranking_methods=grad_cam&metrics=deletion,average_drop"
        "&images=sample:coffee,sample:koala,sample:panda"
    )
    page.get_by_role("button", name="Compute 24 numbers (about").click()
    expect(page.get_by_text(re.compile("^[3-9] of 24 numbers, "))).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    again = page.get_by_role("button", name=re.compile(r"Compute \d+ numbers \(about"))
    expect(again).to_be_visible(timeout=10_000)
    left = int(re.findall(r"\d+", again.inner_text())[0])
    assert 3 <= 24 - left < 24  # finished numbers are kept
    again.click()
    expect(page.get_by_text("Means over 3 images with 95% bootstrap intervals")).to_be_visible()
    expect(again).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="Means (CSV)").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("model,weights,layer,method,metric") and len(lines) == 1 + 4 * 2


def test_the_link_follows_the_test_and_the_charts_have_alt_text(page: Page, server: str) -> None:
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
