"""The browser's language and the language menu, in Chromium."""

import re

from playwright.sync_api import Browser, expect


def test_browser_language_is_the_default_and_the_link_keeps_a_choice(server: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="zh-CN")
    page = context.new_page()
    page.goto(server)
    expect(page.get_by_role("heading", name="解释", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="评估")).to_be_visible()
    expect(page.get_by_role("slider", name="强度")).to_be_visible()  # a component of our own
    classes = page.get_by_role("combobox", name="类别", exact=True)
    expect(classes).to_have_value(re.compile("预测类别"))
    page.get_by_role("button", name="你的图像").click()
    uploader = page.get_by_test_id("stPopoverBody").get_by_test_id(
        "stFileUploaderDropzone"
    )  # where the words are Streamlit's own
    expect(uploader).to_contain_text("上传")
    expect(uploader).to_contain_text("20MB （单个文件上限）")
    assert "lang" not in page.url

    page.get_by_role("button", name="language icon").click()
    page.get_by_role("radio", name="English").click()
    expect(page.get_by_role("heading", name="Explain", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Evaluate")).to_be_visible()
    page.get_by_role("button", name="Your image").click()
    expect(uploader).to_contain_text("Upload")
    expect(uploader).to_contain_text("20MB per file")
    expect(page).to_have_url(re.compile("lang=en"))
    fresh = context.new_page()
    fresh.goto(page.url)
    expect(fresh.get_by_role("heading", name="Explain", exact=True)).to_be_visible()
    assert fresh.locator("[data-testid=stException]").count() == 0
    context.close()
