"""The tour in a real browser: four steps by mouse or keys, shown once, and again on request."""

import re

from playwright.sync_api import Page, expect

STEPS = ("Choose an image.", "Read the predictions.", "Choose a method.", "Check the heatmap.")
REACHED = "predicts espresso"


def step(number: int) -> re.Pattern[str]:
    """Match the name of a step's card."""
    return re.compile(f"Tour, step {number} of 4")


def test_tour_has_four_steps_and_is_shown_once(page: Page, server: str) -> None:
    page.goto(server)
    expect(page.get_by_text(REACHED)).to_be_visible()
    cards = page.get_by_role("region", name=re.compile("^Tour, step"))
    expect(cards).to_have_count(1)
    assert page.evaluate("document.activeElement.tagName") == "BODY"  # it asks for nothing
    for number, title in enumerate(STEPS, 1):
        card = page.get_by_role("region", name=step(number))
        expect(card).to_contain_text(f"{number}/4 {title}")
        expect(cards).to_have_count(1)
        marked = page.evaluate(
            "() => [...document.querySelectorAll('[class*=st-key-]')]"
            ".filter(e => getComputedStyle(e).outlineStyle === 'solid' && getComputedStyle(e).outlineWidth === '3px')"
            ".map(e => [...e.classList].find(name => name.startsWith('st-key-')))"
        )
        assert marked == [f"st-key-{('image_strip', 'bars', 'methods', 'quick_check')[number - 1]}"]
        for box in BOXES:
            expect(page.locator(box).first).to_be_visible()
        assert page.evaluate(COVERED, BOXES) == []
        if number == 1:
            card.get_by_role("button", name="Next").focus()
        page.keyboard.press("Enter")
    expect(cards).to_have_count(0)
    assert page.url == f"{server}/"
    page.reload()
    expect(page.get_by_text(REACHED)).to_be_visible()
    expect(page.locator("[class*=st-key-tour_]")).to_have_count(4)
    expect(cards).to_have_count(0)
    # the small button asks for it again, from any page
    page.get_by_role("link", name="Learn").click()
    expect(page.get_by_role("heading", name="Learn")).to_be_visible()
    page.get_by_role("button", name="Tour", exact=True).click()
    expect(page.get_by_role("region", name=step(1))).to_be_visible()
    expect(page.get_by_role("heading", name="Explain", exact=True)).to_be_visible()
    page.get_by_role("button", name="Next").press("Escape")
    expect(cards).to_have_count(0)


# Elements that a card covers: the image, the answer and the map must be free of it.
# picture, the answer and the map must be free of it.
BOXES = [".st-key-bars", ".st-key-stage", ".st-key-methods", ".st-key-image_strip"]
COVERED = """boxes => {
  const cards = [...document.querySelectorAll('[class*=st-key-tour_]')].filter(e => e.checkVisibility())
    .map(e => e.getBoundingClientRect());
  return boxes.filter(name => { const r = document.querySelector(name).getBoundingClientRect();
    return cards.some(c => Math.min(c.right, r.right) - Math.max(c.left, r.left) > 1
      && Math.min(c.bottom, r.bottom) - Math.max(c.top, r.top) > 1); });
}"""


def test_tour_can_be_skipped_and_is_not_offered_with_a_link(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sample:koala")
    expect(page.get_by_text("predicts koala")).to_be_visible()
    expect(page.locator("[class*=st-key-tour_]")).to_have_count(0)
    page.goto(f"{server}/compare?present=1&columns.methods=grad_cam&rows.layers=bn2")
    expect(page.get_by_role("heading", name="coffee.jpg")).to_be_visible()
    expect(page.locator("[class*=st-key-tour_]")).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server)
    expect(page.get_by_text(REACHED)).to_be_visible()
    expect(page.get_by_role("region", name=re.compile("^Tour, step"))).to_have_count(0)  # it would cover the answer
    page.set_viewport_size({"width": 1000, "height": 844})
    page.get_by_role("button", name="Tour", exact=True).click()
    card = page.get_by_role("region", name=step(1))
    expect(card).to_be_visible()
    expect(page.get_by_text(REACHED)).to_be_visible()
    box = card.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 1000
    card.get_by_role("button", name="Skip the tour").click()
    expect(card).to_have_count(0)
    # a click that the page goes on from does not bring it back
    page.get_by_role("button", name="cup").click()
    expect(page.get_by_text("is evidence for cup")).to_be_visible()
    expect(page.get_by_role("region", name=re.compile("^Tour, step"))).to_have_count(0)
