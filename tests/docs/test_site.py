"""The documentation site: it builds without warnings, is complete, and works offline."""

import io
import re
import subprocess
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import camviz
from camviz import encode
from camviz.adversarial import ATTACKS
from camviz.evaluation.registry import METRICS
from camviz.feature_visualization import SYNTHESES
from camviz.registry import METHODS
from camviz.teaching import samples

ROOT = Path(__file__).parents[2]
STORED = ROOT / "docs" / "reference" / "samples"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. mkdocs is strict: a dead link or anchor, or a page outside of the navigation, is an error.

    With -q mkdocs would count no warning.
    """
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


class ResourceParser(HTMLParser):
    """Collect what a browser loads to show a page: scripts, styles, images, frames."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.addresses.append(given["src"] or "")
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.addresses.append(given["href"] or "")


def test_every_method_and_metric_has_a_complete_page(site: Path) -> None:
    for key, method in METHODS.items():
        text = (site / "reference" / "methods" / f"{key}.html").read_text(encoding="utf-8")
        parts = ["Idea and formula", "How to read it", "What it does not show", "Cost", "In Python", "Source"]
        assert all(f">{part}<" in text for part in parts) and method.paper in text, key
        assert all(f"<code>{knob}</code>" in text for knob in method.knobs)
    for key in METRICS:
        text = (site / "reference" / "metrics" / f"{key}.html").read_text(encoding="utf-8")
        assert all(f">{part}<" in text for part in ["How to read it", "What it does not show", "Cost"]), key
    assert all((site / "reference" / "methods" / f"{key}.html").exists() for key in SYNTHESES)
    assert all((site / "reference" / "attacks" / f"{key}.html").exists() for key in ATTACKS)
    assert 'href="reference/methods/grad_cam.html"' in (site / "methods.html").read_text(encoding="utf-8")


def test_pages_load_only_files_of_the_site(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(METHODS) + len(METRICS) + 20
    for page in pages:
        loaded = ResourceParser()
        loaded.feed(page.read_text(encoding="utf-8"))
        for address in loaded.addresses:
            assert not re.match(r"(\w+:)?//", address), f"{page.name} loads {address}"
            local = site / address.lstrip("/") if address.startswith("/") else page.parent / address.partition("?")[0]
            assert local.exists(), f"{page.relative_to(site)} lacks {address}"
    styles = "".join(file.read_text(encoding="utf-8") for file in site.rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()[\"' ]*(?:https?:)?//[^)\"']*", styles)


def test_llms_files_list_every_page(site: Path) -> None:
    short = (site / "llms.txt").read_text(encoding="utf-8")
    full = (site / "llms-full.txt").read_text(encoding="utf-8")
    assert short.startswith("# CamViz\n\n> ")
    named = re.findall(r"^- \[.+?\]\(([^)]+\.html)\): \S", short, re.MULTILINE)
    pages = {page.relative_to(site).as_posix() for page in site.rglob("*.html")} - {"404.html"}
    assert set(named) == pages and len(named) == len(pages)
    assert "Return the result of a metric for an explanation" in full and "relu( sum_c relu(dS_b/dA" in full
    assert "Return an image that the model gets wrong" in full and "camviz.hide_highlighted(" in full
    assert ":::" not in full


def test_search_works_from_disk_and_from_a_server(site: Path, page: Page) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for start in (site.as_uri(), f"http://127.0.0.1:{server.server_port}"):
            page.goto(f"{start}/tutorials/first-map.html?q=randomization")  # as typed into the field
            page.locator(".md-search-result__link").first.click()
            expect(page).to_have_url(re.compile(r"/reference/metrics/randomization\.html"))
            assert page.url.startswith(start)
        server.shutdown()


@pytest.mark.parametrize("key", ["grad_cam", "guided_backprop", "center_gaussian"])
def test_stored_maps_are_up_to_date(lite0: camviz.Model, key: str) -> None:
    made = samples.overlay_of(camviz.explain(lite0, samples.SAMPLES / samples.SAMPLE, key))
    stored, again = (
        np.asarray(Image.open(file).convert("RGB"), float)
        for file in (STORED / f"{key}.jpg", io.BytesIO(encode.jpeg(made, quality=samples.QUALITY)))
    )
    assert stored.shape == (224, 224, 3) and np.abs(stored - again).mean() < 1


def test_every_method_has_a_stored_map() -> None:
    missing = [key for key in METHODS if not (STORED / f"{key}.jpg").exists()]
    assert not missing, f"run `make docs`, which computes them: {missing}"
