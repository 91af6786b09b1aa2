"""Actions on several pages in a real browser."""

from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps
from playwright.sync_api import Locator, Page, expect

from tests.browser.waiting import settled

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"

MAX_PRESSES = 80  # presses of Tab through a page

File = dict[str, object]


def private_image(sample: str = "macaw", size: int = 400) -> File:
    """Return a mirrored sample, which the server has not seen."""
    buffer = BytesIO()
    ImageOps.mirror(Image.open(SAMPLES / f"{sample}.jpg")).resize((size, size)).save(buffer, "PNG")
    return {"name": f"my {sample}.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def upload(page: Page, file: File) -> None:
    """Upload an image."""
    page.get_by_role("button", name="Your image").click()
    page.locator("[data-testid=stFileUploader]:has-text('Your own image') input").set_input_files(file)
    expect(page.get_by_role("button", name=f"Remove {file['name']}")).to_be_visible()
    settled(page)
    page.keyboard.press("Escape")


def remove_upload(page: Page, button: str) -> None:
    """Remove an uploaded image by a button of that name."""
    page.get_by_role("button", name="Your image").click()
    page.get_by_role("button", name=button).click()
    page.keyboard.press("Escape")


def choose_method(page: Page, title: str) -> None:
    """Pick a method in the list of all of them."""
    page.get_by_role("button", name="All methods").click()
    page.get_by_role("combobox", name="Method", exact=True).click()
    page.get_by_role("option", name=title, exact=True).click()
    page.keyboard.press("Escape")


def open_settings(page: Page) -> None:
    """Open the settings of the experiment."""
    page.get_by_role("button", name="Settings", exact=True).click()
    expect(page.get_by_text("Untrained model")).to_be_visible()
    settled(page)


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab until an element has the focus."""
    for _ in range(MAX_PRESSES):
        if wanted.evaluate("element => element === element.getRootNode().activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{wanted} cannot be reached by {key}")
