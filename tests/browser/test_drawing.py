"""Draw on the image of Explain in a real browser: the bars, the link and the heatmaps follow."""

import re

import numpy as np
from playwright.sync_api import Browser, Page, expect

import camviz
from camviz import edits
from tests.browser.waiting import settled

LINK = "?img=sample:koala"


def drag(page: Page, *cells: tuple[float, float]) -> None:
    """Drag the pointer over the image from cell to cell (column, row) of the mask."""
    box = page.locator(".stage .screen").first.bounding_box()
    assert box is not None
    for number, (column, row) in enumerate(cells):
        page.mouse.move(box["x"] + box["width"] * column / 56, box["y"] + box["height"] * row / 56, steps=3)
        if not number:
            page.mouse.down()
    page.mouse.up()


def probabilities_without(mask: np.ndarray, fill: str = "blur") -> dict[str, float]:
    """Compute the probabilities of two classes for the koala with the cells of a mask replaced."""
    model = camviz.load_model("efficientnet_lite0")
    view = edits.apply(model.view("assets/samples/koala.jpg"), mask, fill)
    found = edits.answers_of(model, [view])[0]
    return {label: float(found[model.class_index(label)]) for label in ("koala", "wombat")}


def expect_bars(page: Page, expected: dict[str, float]) -> None:
    for label, probability in expected.items():
        row = page.locator(".bars button").filter(has=page.locator(".name", has_text=re.compile(f"{label}$")))
        shown = "<0.1%" if probability < 0.001 else f"{probability:.1%}"
        expect(row.locator(".value")).to_have_text(re.compile(f"^{re.escape(shown)}"))


def tried_pixels(page: Page) -> list[int]:
    """Return the pixels of the map of tried windows, as soon as some are colored."""
    return page.locator(".stage .mask").first.evaluate(
        """canvas => new Promise(done => {
             const look = () => {
               const pixels = [...canvas.getContext('2d').getImageData(0, 0, 56, 56).data];
               const colored = pixels.some((value, place) => place % 2 == 0 && value > 200); // red or blue
               if (colored) done(pixels); else setTimeout(look, 50);
             };
             look();
           })"""
    )


def test_hidden_rectangle_is_restored_by_its_link(page: Page, server: str, browser: Browser) -> None:
    page.goto(f"{server}/{LINK}")
    expect(page.get_by_text("predicts koala")).to_be_visible()
    settled(page)
    modes = page.get_by_role("group", name="Change the image")
    modes.get_by_role("button", name="Hide", exact=True).click()
    page.get_by_role("button", name="Rectangle").click()
    drag(page, (14.2, 8.2), (30, 20), (38.8, 29.8))
    mask = np.zeros((56, 56), bool)
    mask[8:30, 14:39] = True
    expected = probabilities_without(mask)
    expect_bars(page, expected)
    expect(page).to_have_url(re.compile(f"edit=hide\\.blur\\.{edits.pack(mask)}$"))
    settled(page)
    answer = page.locator(".st-key-answer").inner_text()
    share = f"{mask.mean():.0%}"
    assert answer.startswith(f"{share} of the image replaced (blur): koala goes from 93% to {expected['koala']:.0%}")
    assert page.locator(".st-key-edit_maps .stage.ready").count() == 3
    fresh = browser.new_context()
    other = fresh.new_page()
    other.goto(page.url)
    expect(other.locator(".st-key-answer")).to_have_text(answer)
    expect_bars(other, expected)
    expect(other.get_by_role("button", name="Hide", exact=True)).to_have_attribute("aria-pressed", "true")
    fresh.close()
    page.get_by_role("combobox", name="Replace by").select_option("gray")
    expect_bars(page, probabilities_without(mask, "gray"))
    page.get_by_role("button", name="Keep only").click()
    expect_bars(page, probabilities_without(~mask, "gray"))
    page.locator(".drawing-tools").get_by_role("button", name="Undo").click()
    expect_bars(page, probabilities_without(np.zeros((56, 56), bool)))
    expect(page).to_have_url(re.compile("koala$"))


def test_guess_hide_by_keyboard_and_occlude(page: Page, server: str, browser: Browser) -> None:
    page.goto(f"{server}/{LINK}&guess_first=1")
    expect(page.get_by_text("predicts koala")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Hide", exact=True).press("Enter")
    screen = page.locator(".stage .screen").first
    screen.focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".stage .readout").first).to_have_text("Rectangle at row 26, column 28, size 14")
    page.keyboard.press("Space")
    expect(page.locator(".bars .value").first).to_have_text("93.4%")  # not before the guess
    expect(page.locator(".stage .question").first).to_contain_text("What will happen to the explained class?")
    page.keyboard.press("Enter")  # "It stays"
    mask = np.zeros((56, 56), bool)
    mask[19:33, 21:35] = True
    expect_bars(page, probabilities_without(mask))
    settled(page)
    assert probabilities_without(mask)["koala"] > 0.84
    expect(page.get_by_text("Your guess was right: the class stays.")).to_be_visible()
    expect(page).to_have_url(re.compile("guess=stays"))
    link = page.url
    page.get_by_role("button", name="Occlude").click()
    drag(page, (20, 12), (22, 14), (24, 16))
    expect(page.locator(".stage .readout").first).to_have_text(re.compile(r"^koala: \d"))
    expect(page).to_have_url(re.compile("tried=blur"))
    settled(page)
    tried = tried_pixels(page)
    assert sum(tried[3::4]) > 0 and page.url.split("&tried")[0] == link
    with browser.new_context() as fresh:
        other = fresh.new_page()
        other.goto(page.url)
        expect(other.get_by_text("goes from 93%")).to_be_visible()
        settled(other)
        other.get_by_role("button", name="Occlude").click()
        assert tried_pixels(other) == tried
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Look")).to_have_attribute("aria-pressed", "true")
