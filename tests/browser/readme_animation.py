"""Write the animation of the README from the running dashboard: python -m tests.browser.readme_animation ADDRESS."""

import shutil
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.waiting import settled
from tests.chromium import FLAGS

FILE = Path(__file__).parents[2] / "assets" / "explain.webp"
SIZE = (1440, 900)  # pixels of the browser
WIDTH = 1080  # pixels of the animation
SECONDS = 1.4  # of each view


def views(page: Page, address: str) -> Iterator[None]:
    """Go through the page Explain; stop at each view that the animation shows."""
    page.goto(f"{address}/?img=sample:koala")
    expect(page.get_by_text("predicts koala")).to_be_visible()
    settled(page)
    page.wait_for_timeout(1500)
    yield
    box = page.locator("figure.stage .screen").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.35 * box["height"])
    yield
    page.mouse.move(5, 5)
    for name in ("Contour", "Spotlight", "Overlay"):
        page.locator(".views").get_by_role("button", name=name).click()
        page.wait_for_timeout(300)
        yield
    for name in ("Guided backpropagation", "Occlusion", "Grad-CAM"):
        page.locator(".st-key-favorite").get_by_text(name, exact=True).click()
        expect(page.get_by_role("img", name=f"{name} of koala over the image")).to_be_visible()
        settled(page)
        page.wait_for_timeout(600)
        yield
    page.locator(".gallery button[title=panda]").click()
    expect(page.get_by_text("predicts giant panda")).to_be_visible()
    settled(page)
    page.wait_for_timeout(800)
    yield


def record(address: str) -> None:
    """Write the animation."""
    frames = []
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.add_init_script("localStorage.setItem('camviz.tour', 'yes')")
        for _ in views(page, address):
            image = Image.open(BytesIO(page.screenshot()))
            frames.append(image.convert("RGB").resize((WIDTH, WIDTH * SIZE[1] // SIZE[0]), Image.Resampling.LANCZOS))
        browser.close()
    first, *others = frames
    milliseconds = round(1000 * SECONDS)
    first.save(FILE, save_all=True, append_images=others, duration=milliseconds, loop=0, quality=70, method=6)


if __name__ == "__main__":
    record(sys.argv[1])
