"""What a newcomer meets on the first page, in a real browser."""

from playwright.sync_api import Page, expect


def test_first_page_is_filled_without_a_click(page: Page, server: str) -> None:
    page.goto(server)
    expect(page.get_by_text("The network is 96% sure this is an espresso.")).to_be_visible()
    assert page.locator(".stack .heat").evaluate("picture => picture.naturalWidth") == 224
    expect(page.get_by_role("button", name="espresso")).to_have_attribute("aria-pressed", "true")


def test_a_click_on_a_prediction_explains_that_class(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("button", name="cup").click()
    expect(page.get_by_text("is what raised the score of cup most")).to_be_visible()
    expect(page).to_have_url(f"{server}/?target=968")
