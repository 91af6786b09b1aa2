"""Train in a real browser: an image removed, trained again, the model in Explain, also after a reload."""

from playwright.sync_api import Page, expect

from tests.browser.test_accessibility import settled


def test_retrained_model_is_explained(page: Page, forgetful_server: str) -> None:
    page.goto(f"{forgetful_server}/train")
    metric = page.get_by_test_id("stMetricValue")
    expect(metric).to_have_text("78% (n = 9)")
    predictions = page.locator(".st-key-train_predictions .tiles button")
    expect(predictions).to_have_count(9)
    settled(page)
    remove = page.get_by_role("button", name="Remove cat.jpg")
    remove.focus()
    page.keyboard.press("Enter")
    expect(remove).to_have_count(0)
    expect(page.get_by_text("the classes before your changes")).to_be_visible()
    page.get_by_role("button", name="Train again").click()
    expect(metric).to_have_text(["78% (n = 9)", "75% (n = 8)"])
    expect(page.get_by_role("img", name="Heatmap of reptile or bird over macaw.jpg")).to_have_count(2)
    settled(page)
    page.get_by_role("button", name="Open in Explain").click()
    answer = page.locator(".st-key-answer")
    expect(answer).to_contain_text("The model predicts reptile or bird")
    settled(page)
    page.reload()  # a new session, which finds the model by the visitor's cookie
    expect(answer).to_contain_text("The model predicts reptile or bird")
    expect(page.locator(".st-key-model input")).to_have_value("mammal - reptile or bird 1 (yours)")
    page.get_by_role("link", name="Train").first.click()
    expect(metric).to_have_text(["78% (n = 9)", "75% (n = 8)"])
