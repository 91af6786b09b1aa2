"""A lesson by keyboard alone: mark a region, check it, hand in."""

from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

import camviz
from camviz import edits
from camviz.teaching import marking
from camviz.teaching.hand_in import read_hand_in
from tests.browser.actions import tab_to
from tests.browser.waiting import settled


def test_lesson_is_answered_and_handed_in_by_keyboard(page: Page, server: str, tmp_path: Path) -> None:
    page.goto(f"{server}/learn?course=first_maps")
    expect(page.locator(".stage.ready")).to_be_visible()
    settled(page)
    tab_to(page, page.get_by_role("button", name="Check my guess"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Mark a region of the image first.")).to_be_visible()
    tab_to(page, page.locator(".stage .screen"))
    for key in (*["Shift+ArrowRight"] * 10, *["ArrowUp"] * 5, "Space"):
        page.keyboard.press(key)
    expect(page.get_by_role("group", name="Shape").get_by_role("button")).to_have_count(3)
    expect(page.get_by_text("Mark it on the image")).to_have_count(0)
    settled(page)
    page.reload()  # a new session, which finds the region that is not checked yet by the visitor's cookie
    expect(page.locator(".stage.ready")).to_be_visible()
    settled(page)
    expect(page.get_by_text("Mark it on the image")).to_have_count(0)
    tab_to(page, page.get_by_role("button", name="Check my guess"))
    page.keyboard.press("Enter")
    region = np.zeros((56, 56), bool)
    region[4:32, 14:42] = True
    fit = marking.overlap(region, camviz.explain("efficientnet_lite0", "assets/samples/coffee.jpg"))
    assert fit is not None
    expect(page.get_by_text(f"Your region holds {fit.mass:.0%} of the heatmap on 25% of the image")).to_be_visible()
    expect(page.get_by_text("Your region by itself, with everything else blurred: espresso,")).to_be_visible()
    settled(page)
    tab_to(page, page.locator("summary", has_text="Hand in (guesses: 1)"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("textbox", name="Your name"))
    page.keyboard.type("Ann")
    page.keyboard.press("Tab")
    button = page.get_by_role("button", name="Download the file to hand in")
    expect(button).to_be_enabled()
    settled(page)
    tab_to(page, button)
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    download.value.save_as(tmp_path / "ann.html")
    work = read_hand_in(tmp_path / "ann.html")
    (guess,) = work.guesses
    assert (work.student, guess.kind, guess.value, guess.score) == ("Ann", "region", edits.pack(region), fit.score)
    page.reload()  # a new session, which finds the guess by the visitor's cookie
    expect(page.get_by_text("Hand in (guesses: 1)")).to_be_visible()
    expect(page.get_by_text(f"Your region holds {fit.mass:.0%} of the heatmap on 25% of the image")).to_be_visible()


def test_sentence_is_found_after_a_reload(page: Page, server: str) -> None:
    page.goto(f"{server}/learn?lesson=7")
    field = page.get_by_role("textbox", name="Which parts of the animal")
    field.press_sequentially("its scales and toes")
    field.press("Tab")
    page.wait_for_function("document.cookie.includes('camviz=')")  # the first guess that is kept
    settled(page)
    page.reload()
    expect(field).to_have_value("its scales and toes")
