"""Size of the first load, compression, the start notice, and a navigation that covers nothing."""

import gzip
import re
import urllib.request

from playwright.sync_api import Page, expect

from tests.browser.waiting import settled

LARGEST_LOAD = 2.5e6  # bytes of the first page in an empty cache


def response_of(url: str, **headers: str) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a response."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return {name.lower(): value for name, value in answer.headers.items()}, answer.read()


def test_first_load_is_small(page: Page, server: str) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    urls, sizes = dict[str, str](), dict[str, float]()
    devtools.on("Network.requestWillBeSent", lambda event: urls.update({event["requestId"]: event["request"]["url"]}))
    devtools.on("Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}))
    page.goto(server)
    expect(page.get_by_text("Numbers and Python code")).to_be_visible()
    settled(page)
    page.wait_for_load_state("networkidle")
    loaded = {url: sizes.get(request, 0) for request, url in urls.items() if url.startswith("http")}
    assert not [url for url in loaded if re.search("Highlighter|Plotly", url)]
    assert 5e5 < sum(loaded.values()) < LARGEST_LOAD
    page.get_by_text("Numbers and Python code").click()
    expect(page.get_by_text("import camviz").first).to_be_visible()
    assert any("Highlighter" in url for url in urls.values())


def test_scripts_are_compressed_for_clients_that_accept_gzip(server: str) -> None:
    _, page = response_of(server)
    script = re.search(rb"static/js/index\.[\w-]+\.js", page)
    assert script
    url = f"{server}/{script[0].decode()}"
    plain_headers, plain = response_of(url)
    headers, packed = response_of(url, **{"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain_headers and headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == plain and len(packed) < len(plain) / 2
    assert headers["content-type"] == plain_headers["content-type"]
    assert headers["cache-control"] == plain_headers["cache-control"]
    part, _ = response_of(url, **{"Accept-Encoding": "gzip", "Range": "bytes=0-9"})
    assert part["content-length"] == "10" and "content-encoding" not in part
    unknown, body = response_of(f"{server}/static/js/none.js", **{"Accept-Encoding": "gzip"})
    assert unknown["content-type"].startswith("text/html") and b'<div id="root">' in gzip.decompress(body)


def test_start_notice_appears_before_any_script(page: Page, server: str) -> None:
    page.route("**/*.js", lambda route: None)  # a connection on which no script ever arrives
    page.goto(f"{server}/compare", wait_until="commit")
    expect(page.get_by_role("status")).to_have_text("CamViz is starting…", timeout=1000)
    page.goto(f"{server}/?lang=zh", wait_until="commit")
    expect(page.get_by_role("status")).to_have_text("CamViz 正在启动…", timeout=1000)
    page.unroute_all()
    page.goto(server)
    expect(page.get_by_text("Numbers and Python code")).to_be_visible()
    expect(page.locator("#starting")).to_be_hidden()


def test_a_reload_gets_the_style_and_the_notice_again(server: str) -> None:
    headers, first = response_of(server, **{"Accept-Encoding": "gzip"})
    page = gzip.decompress(first)
    assert "etag" not in headers and b'id="starting"' in page and b"Cancel upload" in page
    conditions = {"If-None-Match": '"1"', "If-Modified-Since": "Sat, 28 Nov 2099 00:00:00 GMT", "Range": "bytes=0-9"}
    assert response_of(server, **{"Accept-Encoding": "gzip", **conditions})[1] == first


def test_navigation_does_not_overlap_the_actions(page: Page, server: str) -> None:
    page.goto(f"{server}/learn")
    settled(page)
    for width in (820, 1024, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 700})
        actions = page.locator(".st-key-actions").bounding_box()
        navigation = page.get_by_test_id("stTopNav").bounding_box()
        assert actions is not None and navigation is not None
        assert navigation["x"] + navigation["width"] <= actions["x"], width
