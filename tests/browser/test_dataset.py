"""The page Dataset in a browser: a ZIP, a click on a tile, the link to Explain; a recipe and a report as files."""

import json
import re
import zipfile
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps
from playwright.sync_api import Page, expect

from tests.browser.waiting import settled

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


def flipped(name: str) -> bytes:
    """Return an image that the server has not seen."""
    buffer = BytesIO()
    ImageOps.flip(Image.open(SAMPLES / f"{name}.jpg")).resize((256, 256)).save(buffer, "PNG")
    return buffer.getvalue()


def test_images_of_a_zip_are_tiles_that_open_in_explain(page: Page, server: str) -> None:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for name in ("macaw", "panda"):
            made.writestr(f"my/{name} 1.png", flipped(name))
        made.writestr("my/broken.png", b"no image")
    page.goto(f"{server}/dataset")
    files = {"name": "my.zip", "mimeType": "application/zip", "buffer": archive.getvalue()}
    page.locator("[data-testid=stMain] input[type=file]").set_input_files(files)
    tiles = page.locator(".tiles button")
    expect(page.get_by_role("alert").filter(has_text="my/broken.png")).to_be_visible()
    expect(tiles).to_have_count(2)
    tiles.filter(has_text="my/panda 1.png").click()
    expect(page.get_by_text("my/panda 1.png, by Grad-CAM")).to_be_visible()
    page.get_by_role("button", name="Open in Explain").click()
    expect(page.get_by_role("heading", name="Explain", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/\?img=sha"))
    assert page.locator(".gallery button[aria-pressed=true]").get_attribute("title") == "my/panda 1"


def test_first_screen_shows_all_tiles_and_former_links_open_it(page: Page, server: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{server}/gallery?by=unsure&colors=cividis")
    expect(page).to_have_url(re.compile(r"/dataset\?.*by=unsure"))
    tiles = page.locator(".tiles button")
    expect(tiles).to_have_count(12)
    expect(tiles.first).to_contain_text("astronaut.jpg")
    expect(page.get_by_role("combobox", name="Color map")).to_have_value("cividis")
    settled(page)
    boxes = [tile.bounding_box() for tile in tiles.all()]
    assert all(box is not None and box["y"] + box["height"] < 900 for box in boxes)


def test_downloaded_recipe_restores_the_view(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sample:panda&layer=blocks.4&rather_than=3")
    expect(page.get_by_text("(layer blocks.4)")).to_be_visible()
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Recipe (JSON)").click()
    recipe = Path(download.value.path()).read_bytes()
    assert json.loads(recipe)["target"] == {"contrast": [388, 3]}
    page.goto(server)
    expect(page.get_by_text("predicts espresso")).to_be_visible()
    page.get_by_text("Load a recipe").click()
    files = {"name": "recipe.json", "mimeType": "application/json", "buffer": recipe}
    page.locator("[data-testid=stMain] input[type=file]").set_input_files(files)
    expect(page.get_by_text("rather than tiger shark (layer blocks.4)")).to_be_visible()
    expect(page).to_have_url(re.compile("img=sample.*panda.*layer=blocks.4.*target=388.*rather_than=3"))


def test_report_opens_offline(page: Page, server: str, tmp_path: Path) -> None:
    page.goto(f"{server}/?img=sample:cat")
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (HTML)").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    page.goto("about:blank")
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", name="Why: Grad-CAM of Egyptian cat")).to_be_visible()
    widths = page.locator("img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert widths == [224] * 4
    assert [url for url in fetched if not url.startswith("data:")] == [file.as_uri()]
    link = page.locator("footer a").get_attribute("href")
    assert link == f"{server}?img=sample%3Acat"
    page.goto(link)
    expect(page.get_by_text("predicts Egyptian cat")).to_be_visible()
