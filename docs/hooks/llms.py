"""The mkdocs hook that writes llms.txt and llms-full.txt (https://llmstxt.org): the documentation as plain text."""

import inspect
import re
from pathlib import Path
from pydoc import locate

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

OBJECT = re.compile(r"^::: (\S+)\n(?: +.*\n)*", re.MULTILINE)
CODE = re.compile(r"```.*?```", re.DOTALL)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")

_pages: dict[str, str] = {}  # Markdown by URL
_sections: dict[str, list[Page]] = {}  # by the title of the top section


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Remember the pages in the order of the navigation."""
    _sections.clear()
    for item in nav.items:
        _sections.setdefault(item.title if isinstance(item, Section) else "Start", []).extend(_all_pages(item))
    return nav


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Keep a page's text, with the signatures and docstrings of the objects that it shows."""
    _pages[page.url] = OBJECT.sub(lambda found: _described(found[1]), page.markdown or "")
    return html


def on_post_build(config: MkDocsConfig) -> None:
    """Write both files; remove the source maps of the theme, a sixth of the site that only its developers need."""
    for file in Path(config.site_dir).rglob("*.map"):
        file.unlink()
    lines, texts = [f"# {config.site_name}", "", f"> {config.site_description}"], []
    for title, pages in _sections.items():
        lines += ["", f"## {title}", ""]
        for page in pages:
            lines.append(f"- [{page.title}]({page.url}): {_first_sentence(_pages[page.url])}")
            texts.append(f"<!-- {page.url} -->\n\n{_pages[page.url].strip()}\n")
    (Path(config.site_dir) / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (Path(config.site_dir) / "llms-full.txt").write_text("\n".join(texts), encoding="utf-8")


def _all_pages(item: object) -> list[Page]:
    if isinstance(item, Section):
        return [page for child in item.children for page in _all_pages(child)]
    return [item] if isinstance(item, Page) else []


def _first_sentence(markdown: str) -> str:
    """Return the first sentence of the first paragraph that is no heading, image, table, list or code."""
    paragraphs = (part.strip() for part in CODE.sub("", markdown).split("\n\n"))
    first = next((part for part in paragraphs if part and part[0] not in "#!|<-"), "")
    text = LINK.sub(r"\1", " ".join(first.split()))
    return re.split(r"(?<=[.。])(?:\s|$)", text, maxsplit=1)[0]


def _described(name: str) -> str:
    found = locate(name)
    if found is None:
        raise LookupError(f"a page shows '::: {name}', but there is no such object: correct the name")
    signature = str(inspect.signature(found)) if callable(found) else ""
    return f"### {name}\n\n```text\n{name}{signature}\n\n{inspect.getdoc(found) or ''}\n```\n\n"
