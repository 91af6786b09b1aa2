"""Accessibility: axe-core on every page, light and dark; 390 pixels; layout shifts; keyboard only; screen readers."""

import re
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).parents[2]
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
SERIOUS = ("serious", "critical")
# page: what is on it last; without a computation that waits for a click
PAGES = {
    "?img=sample:cat": "Load a recipe",
    "compare?columns.methods=grad_cam,layer_cam&rows.layers=blocks.4": "Download",
    "dataset": "Download",
    "train": "Pretrained model",
    "inspect": "Images with the strongest response",
    "inspect?inside=visualization&dream.for=class": "Inspect",
    "inspect?inside=depths": "Heatmaps by layer",
    "learn?part=methods": "Paper",
    "room": "Open a room",
    "learn?course=first_maps": "First heatmaps",
    "evaluate?steps=4": "Other metrics of this heatmap",
    "perturb": "Python code",
    "perturb?perturb=attack&attack=fgsm": "Python code",
    "compare?present=1&columns.methods=grad_cam&rows.layers=blocks.4": "coffee.jpg",
}
PRESENTED = "present=1"  # its style comes with its first run: rarely the header is painted before
LARGEST_SHIFT = 0.1  # "good" in Web Vitals
SHIFTS = """() => {
  window.shift = 0;
  new PerformanceObserver(list => list.getEntries().forEach(entry => {
    if (!entry.hadRecentInput) window.shift += entry.value;
  })).observe({ type: 'layout-shift', buffered: true });
}"""
# Violations of Streamlit itself, rule: (part of the selector, why). None at present.
STREAMLITS: dict[str, tuple[str, str]] = {}

# Everything visible that sticks out of the screen, unless it lies in a box that scrolls by itself.
OUTSIDE = """() => {
  const scrolls = e => { for (; e && e !== document.body; e = e.parentElement)
    if (/auto|scroll|hidden/.test(getComputedStyle(e).overflowX) && e.dataset.testid !== 'stMain') return true; };
  return [...document.querySelectorAll('[data-testid=stMain] :is(button, input, img, p, h1, h2, h3, label, a)')]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e))
    .map(e => e.outerHTML.slice(0, 120));
}"""
# Buttons of the page that lie on each other.
COVERED = """() => {
  const boxes = [...document.querySelectorAll('[data-testid=stMain] button')].filter(e => e.checkVisibility())
    .map(e => [e, e.getBoundingClientRect()]).filter(([, r]) => r.width && r.height);
  return boxes.flatMap(([a, r], i) => boxes.slice(i + 1).filter(([b, s]) =>
    !a.contains(b) && !b.contains(a) && Math.min(r.right, s.right) - Math.max(r.left, s.left) > 2
    && Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top) > 2)
    .map(([b]) => a.textContent + ' / ' + b.textContent));
}"""


def settled(page: Page) -> None:
    """Wait for the end of the page's run, and for the images and texts of our components."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')")
    for image in page.locator(".stack .base").all():
        expect(image).to_have_attribute("alt", re.compile(".+"))


def findings(page: Page, rules: str = "") -> list[str]:
    """Return serious violations that axe finds, as rule, selector and reason."""
    found = page.evaluate(f"axe.run(document, {{resultTypes: ['violations'], {rules}}})")
    return [
        f"{rule['id']} {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
        if STREAMLITS.get(rule["id"], (None,))[0] is None or STREAMLITS[rule["id"]][0] not in str(node["target"])
    ]


def layout_shift(page: Page) -> float:
    """Return the cumulative layout shift since the page was opened."""
    page.wait_for_load_state("networkidle")
    return float(page.evaluate("window.shift"))


def test_every_page_is_checked() -> None:
    listed = {re.split(r"[?]", path)[0] or "explain" for path in PAGES}
    assert listed == {path.stem.lstrip("_") for path in (ROOT / "pages").glob("*.py")}


@pytest.mark.parametrize("path", PAGES)
def test_page_has_no_serious_axe_violations_no_overflow_and_no_layout_shift(
    page: Page, forgetful_server: str, path: str
) -> None:
    page.add_init_script(f"({SHIFTS})()")
    page.emulate_media(color_scheme="light")
    page.goto(f"{forgetful_server}/{path}")
    last = (
        page.get_by_role("heading", name=PAGES[path], exact=True).or_(page.get_by_text(PAGES[path], exact=True)).first
    )
    expect(last).to_be_visible()
    settled(page)
    assert layout_shift(page) < LARGEST_SHIFT or PRESENTED in path
    page.evaluate(AXE)
    assert findings(page) == []
    page.emulate_media(color_scheme="dark")
    expect(page.locator("[data-testid=stApp]")).to_have_css("color-scheme", "dark")
    settled(page)
    assert findings(page, "runOnly: ['color-contrast']") == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    expect(last).to_be_attached()
    settled(page)
    assert layout_shift(page) < LARGEST_SHIFT
    wide = "() => [document.scrollingElement, document.querySelector('[data-testid=stMain]')].map(e => e.scrollWidth)"
    assert max(page.evaluate(wide)) <= 390
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(COVERED) == []
    page.evaluate(AXE)
    assert findings(page, "runOnly: ['scrollable-region-focusable', 'target-size']") == []


def test_attack_on_a_phone_causes_no_layout_shift(page: Page, forgetful_server: str) -> None:
    page.add_init_script(f"({SHIFTS})()")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{forgetful_server}/perturb?perturb=attack&attack=fgsm")
    expect(page.get_by_text("Python code", exact=True)).to_be_attached()
    settled(page)
    assert layout_shift(page) < LARGEST_SHIFT


FOCUS = """() => {
  let e = document.activeElement;
  while (e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement;
  return e;
}"""


class Keys:
    """Keyboard navigation."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def present(self) -> Any:
        """Return the focused element, through all shadow roots."""
        return self.page.evaluate_handle(FOCUS).as_element()

    def reach(self, target: Locator, most: int = 90, key: str = "Tab") -> None:
        """Press Tab until the target has the focus, and check that the focus is visible."""
        element = target.element_handle()
        for _ in range(most):
            self.page.keyboard.press(key)
            if self.page.evaluate(f"wanted => ({FOCUS})() === wanted", element):
                break
        else:
            raise AssertionError(f"{key} does not reach {target} in {most} presses")
        assert self.page.evaluate(VISIBLE, element), f"the focus on {target} cannot be seen"

    def choose_method(self, title: str, key: str = "Tab") -> None:
        """Pick a method in the list of all of them."""
        press = self.page.keyboard.press
        self.reach(self.page.get_by_role("button", name="All methods"), key=key)
        press("Enter")
        self.reach(self.page.get_by_role("combobox", name="Method", exact=True))
        self.pick(title)
        press("Escape")

    def pick(self, text: str) -> None:
        """Type into the focused list of options, and choose the first match."""
        self.page.keyboard.type(text)
        expect(self.page.get_by_role("option").first).to_contain_text(text)  # the list follows what is typed
        self.page.keyboard.press("Enter")


# The focus shows as an outline, or as another style of the element or its ancestors.
VISIBLE = """async element => {
  const drawn = getComputedStyle(element);
  if (drawn.outlineStyle !== 'none' && parseFloat(drawn.outlineWidth) > 0) return true;
  const seen = [element, ...element.querySelectorAll('.bar')];
  for (let e = element; seen.length < 7 && e.parentElement; e = e.parentElement) seen.push(e.parentElement);
  const look = async () => {
    await new Promise(done => setTimeout(done, 50));
    document.getAnimations().forEach(one => { try { one.finish(); } catch { } });
    return seen.map(e => {
      const s = getComputedStyle(e);
      return [s.outlineStyle + s.outlineWidth, s.boxShadow, s.borderColor, s.backgroundColor, s.strokeWidth].join();
    });
  };
  const focused = await look();
  element.blur();
  const without = await look();
  element.focus({ focusVisible: true });
  return focused.some((one, i) => one !== without[i]);
}"""


def test_explain_works_by_keyboard(page: Page, forgetful_server: str) -> None:
    page.goto(f"{forgetful_server}/?layer=blocks.4")
    expect(page.get_by_text("predicts espresso")).to_be_visible()
    settled(page)
    keys, press = Keys(page), page.keyboard.press
    # an image, among the samples
    keys.reach(page.get_by_role("group", name="Available images").get_by_role("button", name="koala"))
    press("Enter")
    expect(page.get_by_text("predicts koala")).to_be_visible()
    # a layer and a class, in their select boxes
    keys.reach(page.get_by_role("combobox", name="Layer").first)
    keys.pick("bn2")
    expect(page.get_by_text("(layer bn2)")).to_be_visible()
    keys.reach(page.get_by_role("combobox", name="Class").first)
    keys.pick("teddy")
    expect(page.get_by_text("is evidence for teddy")).to_be_visible()
    # a prediction, the method and its opacity
    keys.reach(page.get_by_role("group", name=re.compile("predictions")).get_by_role("button").first)
    press("Space")
    expect(page.locator(".bars button").first).to_have_attribute("aria-pressed", "true")
    keys.choose_method("Layer-CAM")
    expect(page).to_have_url(re.compile("method=layer_cam"))
    settled(page)
    keys.reach(page.get_by_role("slider", name="Strength"), key="Shift+Tab")
    press("ArrowRight")
    expect(page).to_have_url(re.compile("opacity=0.81"))
    settled(page)
    keys.reach(page.get_by_role("button", name="Download"))
    press("Enter")
    with page.expect_download():
        keys.reach(page.get_by_role("button", name="Raw values (NPZ)"))
        press("Enter")
    # back to a slow method: run it and cancel it
    keys.choose_method("Score-CAM", key="Shift+Tab")
    start = page.get_by_role("button", name="Run Score-CAM")
    expect(start).to_be_visible()
    settled(page)
    keys.reach(start, key="Shift+Tab")
    press("Enter")
    stop = page.get_by_role("button", name="Cancel")
    expect(stop).to_be_visible()
    press("Escape")
    expect(start).to_be_visible()
    expect(stop).to_have_count(0)
    # and on to Compare, by the links at the top
    keys.reach(page.get_by_role("link", name="Compare"), key="Shift+Tab", most=90)
    press("Enter")
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()


def test_focus_stays_on_the_chosen_element(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sample:cat")
    expect(page.get_by_text("predicts Egyptian cat")).to_be_visible()
    settled(page)
    chosen = page.locator(".gallery button[title=koala]")
    chosen.press("Enter")
    expect(page.get_by_text("predicts koala")).to_be_visible()
    settled(page)
    expect(chosen).to_be_focused()
    bar = page.locator(".bars button").nth(2)
    bar.press("Enter")
    expect(bar).to_have_attribute("aria-pressed", "true")
    settled(page)
    expect(bar).to_be_focused()
    page.goto(f"{server}/inspect")
    step = page.locator(".strip [role=button]", has_text=re.compile("^blocks.2"))
    step.press("Enter")
    expect(step).to_have_attribute("aria-pressed", "true")
    settled(page)
    expect(step).to_be_focused()
    tile = page.locator(".tiles button").nth(3)
    tile.press("Enter")
    expect(tile).to_have_attribute("aria-pressed", "true")
    settled(page)
    expect(tile).to_be_focused()
    page.goto(f"{server}/dataset")
    tile = page.locator(".tiles button", has_text="koala.jpg")
    expect(page.locator(".tiles button")).to_have_count(12)
    settled(page)
    tile.press("Enter")
    expect(page.get_by_text("koala.jpg, by Grad-CAM")).to_be_visible()
    settled(page)
    expect(tile).to_be_focused()


def test_compare_works_by_keyboard_without_a_focus_trap(page: Page, server: str) -> None:
    page.goto(f"{server}/compare?columns.methods=grad_cam,layer_cam&rows.layers=bn2")
    expect(page.get_by_role("heading", name="Download")).to_be_visible()
    settled(page)
    keys = Keys(page)
    keys.reach(page.get_by_role("combobox", name="Methods"))
    page.keyboard.press("Backspace")
    expect(page).to_have_url(re.compile("columns.methods=grad_cam($|&)"))
    settled(page)
    keys.reach(page.locator(".bare").get_by_role("slider", name="Strength"))
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("opacity=0.79"))
    settled(page)
    keys.reach(page.get_by_role("button", name="Grid (PNG)"))
    seen = set()
    for _ in range(80):  # on to the end, and round again: the focus never stays
        page.keyboard.press("Tab")
        seen.add(page.evaluate(f"({FOCUS})().tagName + ({FOCUS})().textContent.slice(0, 40)"))
    assert len(seen) > 20 and any(one.startswith("BODY") or "Explain" in one for one in seen)


def test_components_have_accessible_names(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sample:cat")
    expect(page.get_by_text("predicts Egyptian cat")).to_be_visible()
    gallery = page.locator(".gallery")
    assert gallery.aria_snapshot().startswith('- group "Available images":\n  - button "coffee"')
    assert '- button "cat" [pressed]' in gallery.aria_snapshot()
    bars = page.locator(".bars").aria_snapshot()
    assert bars.startswith(
        """- 'group "Top-5 predictions: choose a class to explain"':\n  - button "▸ Egyptian cat """
    ), bars
    assert "[pressed]" in bars
    figure = page.locator("figure.stage").aria_snapshot()
    assert '- img "Grad-CAM of Egyptian cat over the image"' in figure
    for part in ('slider "Strength"', 'slider "Threshold: hide weaker values"', 'button "Overlay" [pressed]'):
        assert part in figure, figure
    page.goto(f"{server}/inspect?layer=blocks.4&img=sample:cat")
    expect(page.get_by_role("heading", name="Feature maps of blocks.4")).to_be_visible()
    expect(page.locator(".tiles button")).to_have_count(24)
    strip = page.locator(".strip").aria_snapshot()
    assert strip.startswith('- group "EfficientNet-Lite0 from image to class scores, to scale":'), strip[:200]
    assert re.search(r"\n  - 'button \"blocks\.4: Sequential, .*\" \[pressed\]'", strip), strip
    tiles = page.locator(".tiles").aria_snapshot()
    assert re.match(r'- group "Feature maps of blocks\.4":\n  - button "Feature map \d+, maximum ', tiles), tiles[:200]
    page.goto(f"{server}/compare?present=1&columns.methods=grad_cam&rows.layers=blocks.4&img=sample:cat")
    expect(page.get_by_role("heading", name="cat.jpg")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="Grad-CAM: Egyptian cat")).to_be_visible()
    slides = page.locator("section", has=page.locator("nav")).aria_snapshot()
    for part in (
        '- button "Previous"',
        '- button "Next"',
        '- slider "Strength"',
        '- button "Leave presentation"',
        'img "Grad-CAM: ',
    ):
        assert part in slides, slides


def test_page_declares_its_language(page: Page, server: str) -> None:
    page.goto(f"{server}/learn?lang=zh&part=glossary")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
