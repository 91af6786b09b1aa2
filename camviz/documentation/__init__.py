"""Where the built documentation is: `make site` writes it here, and a wheel that is built then carries it."""

from pathlib import Path

FOLDER = Path(__file__).with_name("site")
URL = "docs"  # under which the dashboard serves it, below its own address


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
    """Return the path in the site at which an error's code is explained."""
    return f"reference/errors.html#{code}"


def error_address(code: str) -> str:
    """Return where a code is explained: the built page on this machine, or else its source."""
    built = site()
    return f"{built.as_uri()}/{error_section(code)}" if built else f"docs/reference/errors.md#{code}"


def link(page: str) -> str | None:
    """Return the address of a page, relative to a page of the dashboard; None if the site is not there."""
    return f"{URL}/{page}" if site() else None
