"""The page Explain in a real browser, as a new visitor uses it."""

import re
import time

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.actions import private_image, upload


def test_first_page_shows_a_result_without_a_click(page: Page, server: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(server)
    expect(page.get_by_text("The model predicts espresso (96%).")).to_be_visible()
    for shown in (page.locator(".stage .screen"), page.get_by_text("predicts espresso")):
        box = shown.bounding_box()
        assert box and box["y"] + box["height"] < 900
    expect(page.get_by_role("button", name="espresso")).to_have_attribute("aria-pressed", "true")


def test_click_on_a_prediction_explains_that_class(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("button", name="cup").click()
    expect(page.get_by_text("is evidence for cup")).to_be_visible()
    expect(page).to_have_url(f"{server}/?target=968")


def test_menu_of_all_methods_opens_and_closes(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("button", name="All methods").click()
    page.get_by_role("button", name="Center Gaussian").click()
    expect(page.get_by_text("This heatmap is the same for every class")).to_be_visible()
    expect(page.get_by_role("button", name="Center Gaussian")).to_be_hidden()
    expect(page).to_have_url(f"{server}/?method=center_gaussian")


def test_uploaded_image_is_explained(page: Page, server: str) -> None:
    page.goto(server)
    expect(page.get_by_text("predicts espresso")).to_be_visible()
    upload(page, private_image())
    expect(page.locator(".bars button").first).to_contain_text("macaw")
    expect(page.get_by_text("predicts macaw")).to_be_visible()
    expect(page).to_have_url(re.compile("img=sha"))


def test_upload_finishes_after_its_popover_is_closed(page: Page, server: str) -> None:
    page.route("**/BidiComponent*.js", lambda route: None)  # components come late on a slow line, or never
    page.goto(server)
    expect(page.get_by_text("predicts espresso")).to_be_visible()
    held: list[Route] = []
    page.route("**/_stcore/upload_file/**", lambda route: held.append(route))
    page.get_by_role("button", name="Your image").click()
    page.locator("[data-testid=stFileUploader]:has-text('Your own image') input").set_input_files(private_image())
    expect(page.get_by_role("button", name="Cancel upload of my macaw.png")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Explain").click()
    (on_its_way,) = held
    on_its_way.continue_()
    expect(page.get_by_text("predicts macaw")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_be_hidden()


def test_damaged_image_shows_an_error_and_keeps_the_result(page: Page, server: str) -> None:
    page.goto(server)
    expect(page.get_by_text("predicts espresso")).to_be_visible()
    upload(page, {"name": "broken.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n and no more"})
    expect(page.get_by_role("alert").filter(has_text="broken.png")).to_be_visible()
    expect(page.get_by_text("predicts espresso")).to_be_visible()


def test_link_restores_the_view_in_another_browser(page: Page, server: str, browser: Browser) -> None:
    page.goto(f"{server}/?img=sample:panda&layer=blocks.4")
    expect(page.get_by_text("(layer blocks.4)")).to_be_visible()
    page.get_by_role("radio", name="Guided backpropagation").click()
    expect(page.get_by_text("The lines show structures that activate the model")).to_be_visible()
    expect(page).to_have_url(re.compile("img=sample.*method=guided_backprop"))
    link = page.url
    context = browser.new_context()
    fresh = context.new_page()
    fresh.goto(link)
    expect(fresh.get_by_text("predicts giant panda")).to_be_visible()
    context.close()


def test_link_to_an_uploaded_image_asks_to_upload_it_again(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sha:0123456789ab")
    expect(page.get_by_text("Upload the image to see the same result")).to_be_visible()
    expect(page.get_by_text("predicts espresso")).to_be_visible()


def test_slow_method_shows_its_time_and_can_be_canceled(page: Page, forgetful_server: str) -> None:
    page.goto(f"{forgetful_server}/?method=score_cam&img=sample:rocket")
    page.get_by_role("button", name="Run Score-CAM (about").click()
    expect(page.get_by_text("s left")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    started = time.monotonic()
    expect(page.get_by_role("button", name="Run Score-CAM (about")).to_be_visible()
    expect(page.get_by_text("s left")).to_have_count(0)
    assert time.monotonic() - started < 10
