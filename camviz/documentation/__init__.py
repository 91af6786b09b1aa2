"""The built documentation: `make site` writes it to this folder, and the wheel contains it."""

from pathlib import Path

FOLDER = Path(__file__).with_name("site")
URL = "docs"  # the path at which the dashboard serves it, relative to its own address


def site() -> Path | None:
    """Return the folder of the built pages; None if it is not there."""
    return FOLDER if (FOLDER / "index.html").is_file() else None


def method_page(key: str) -> str:
    """Return the path of a method's page in the site."""
    return f"reference/methods/{key}.html"


def metric_page(key: str) -> str:
    """Return the path of a metric's page in the site."""
    return f"reference/metrics/{key}.html"


def error_section(code: str) -> str:
    """Return the path in the site of the section on an error code."""
    return f"reference/errors.html#{code}"


def error_address(code: str) -> str:
    """Return the address of the section on an error code: in the built page on this machine, or else in its source."""
    built = site()
    return f"{built.as_uri()}/{error_section(code)}" if built else f"docs/reference/errors.md#{code}"


def link(page: str) -> str | None:
    """Return the address of a page, relative to a page of the dashboard; None if the site is not there."""
    return f"{URL}/{page}" if site() else None
