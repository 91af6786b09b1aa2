"""The address of a view in a real browser: each Back restores the view before."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.slow_line import slow_line
from tests.browser.waiting import settled

PREDICTED = {"coffee": "espresso", "koala": "koala", "panda": "giant panda"}


def wait_for_prediction(page: Page, sample: str) -> None:
    """Wait for the answer on a sample."""
    expect(page.get_by_text(f"The model predicts {PREDICTED[sample]} (")).to_be_visible()


def test_back_restores_the_previous_view(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sample:panda")
    wait_for_prediction(page, "panda")
    for name in ("koala", "coffee"):
        page.locator(f".gallery button[title={name}]").click()
        wait_for_prediction(page, name)
        settled(page)
    page.locator(".bars button").nth(2).click()
    expect(page.locator(".bars button").nth(2)).to_have_attribute("aria-pressed", "true")
    settled(page)
    page.go_back()
    expect(page.locator(".bars button").first).to_have_attribute("aria-pressed", "true")
    for name in ("koala", "panda"):
        settled(page)
        page.go_back()
        wait_for_prediction(page, name)
        expect(page).to_have_url(re.compile(f"img=sample(:|%3A){name}$"))


def test_back_and_forward_across_pages_take_one_press(page: Page, server: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{server}/?img=sample:panda")
    wait_for_prediction(page, "panda")
    third = page.locator(".bars button").nth(2)
    third.click()
    expect(third).to_have_attribute("aria-pressed", "true")
    settled(page)
    page.get_by_role("link", name="Compare", exact=True).first.click()
    expect(page.get_by_role("img", name="heatmap of")).to_have_count(3)
    settled(page)
    page.locator(".gallery button[title=koala]").click()
    expect(page.get_by_role("img", name="heatmap of koala")).to_have_count(3)
    settled(page)
    addresses = []
    for step in (page.go_back, page.go_back, page.go_back, page.go_forward, page.go_forward):
        step()
        settled(page)
        addresses.append(page.evaluate("decodeURIComponent(location.pathname + location.search)"))
    explained = "/?img=sample:panda&target=166"
    compared = "/compare?img=sample:panda&target=166"
    assert addresses == [compared, explained, "/?img=sample:panda", explained, compared]
    expect(page.get_by_role("img", name="heatmap of Treeing Walker coonhound")).to_have_count(3)


def test_undo_and_redo_restore_views(page: Page, server: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{server}/?img=sample:panda")
    wait_for_prediction(page, "panda")
    undo, redo = page.get_by_role("button", name="Undo"), page.get_by_role("button", name="Redo")
    page.locator(".gallery button[title=koala]").click()
    wait_for_prediction(page, "koala")
    settled(page)
    expect(redo).to_be_disabled()
    undo.click()
    wait_for_prediction(page, "panda")
    settled(page)
    redo.click()
    wait_for_prediction(page, "koala")
    expect(page).to_have_url(re.compile("img=sample(:|%3A)koala$"))


def test_share_shows_the_link_and_its_qr_code(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sample:panda")
    wait_for_prediction(page, "panda")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("textbox", name="Link to this view")).to_have_value(
        re.compile(r"^http://[0-9.]+:\d+/?\?img=sample%3Apanda$")
    )
    expect(page.get_by_alt_text("QR code of the link")).to_be_visible()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()


def test_pinned_heatmaps_are_compared_and_reopened(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sample:panda")
    wait_for_prediction(page, "panda")
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.get_by_role("button", name="Unpin")).to_be_visible()
    page.locator(".gallery button[title=koala]").click()
    wait_for_prediction(page, "koala")
    settled(page)
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_role("button", name="Compare 2 pins").click()
    expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
    expect(page.get_by_role("img", name="heatmap of")).to_have_count(2)
    page.get_by_role("button", name="Open in Explain").first.click()
    wait_for_prediction(page, "panda")


@pytest.mark.parametrize(
    ("former", "link", "title", "shown"),
    [
        ("gallery", "by=unsure&method=layer_cam", "Dataset", "dataset?method=layer_cam&by=unsure"),
        ("layers", "map=700", "Inspect", "inspect?layer=bn2&map=700"),
        (
            "dream",
            "layer=blocks.4",
            "Inspect",
            "inspect?layer=blocks.4&inside=visualization&activation_maximization.channel=0",
        ),
    ],
)
def test_links_to_a_former_page_open_its_successor(
    page: Page, server: str, former: str, link: str, title: str, shown: str
) -> None:
    page.goto(f"{server}/?img=sample:panda")
    wait_for_prediction(page, "panda")
    page.goto(f"{server}/{former}?{link}")
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    path, _, settings = shown.partition("?")
    expect(page).to_have_url(re.compile(f"/{path}($|\\?)"))
    settled(page)
    given = dict(part.split("=") for part in settings.split("&") if part)
    assert given.items() <= dict(parse_qsl(urlsplit(page.url).query)).items()
    page.go_back()
    wait_for_prediction(page, "panda")


def test_last_of_quick_clicks_wins_on_a_slow_connection(page: Page, server: str) -> None:
    # Known results: the runs end sooner than their messages arrive.
    page.goto(server)
    for name in ("cat", "macaw", "koala", "panda"):
        page.locator(f".gallery button[title={name}]").click()
        expect(page).to_have_url(re.compile(name))
        settled(page)
    with slow_line(server, 0.075) as address:  # 150 ms there and back
        page.goto(f"{address}/?img=sample:moose")
        expect(page.get_by_text("The model predicts ")).to_be_visible()
        settled(page)
        for pause, last in ((40, "koala"), (250, "panda")):
            for name in ("cat", "macaw", "koala", "panda", "cat", last):
                page.locator(f".gallery button[title={name}]").click()
                page.wait_for_timeout(pause)
            wait_for_prediction(page, last)
