"""The mkdocs hook for pages of methods, metrics and attacks, for deploy/README.md, and for links out of docs/."""

import posixpath
import re
import tomllib
from functools import partial
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from camviz.adversarial import ATTACKS
from camviz.adversarial.registry import AttackMethod
from camviz.evaluation.registry import METRICS
from camviz.feature_visualization import SYNTHESES
from camviz.registry import FAMILIES, METHODS, Entry
from camviz.teaching.record_pages import record_pages, short_page
from camviz.teaching.samples import SAMPLE

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"deployment.md": "deploy/README.md"}  # pages whose text is outside of docs/
ASSETS = ("assets/icon.png", "assets/explain.webp")
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Homepage"]
CODE = re.compile(r"(```.*?```)", re.DOTALL)
LINK = re.compile(r"(\]\()([^)#\s]+)")
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add a line to the navigation for each method, each metric and each attack."""
    (reference,) = (part["Reference"] for part in config.nav if "Reference" in part)
    methods, metrics = reference[0]["Methods"], reference[1]["Metrics"]
    for family, title in FAMILIES.items():
        ours = [one for one in METHODS.values() if one.family == family]
        methods.append({str(title).capitalize(): _lines(ours, "methods")})
    methods.append({"Feature visualization": _lines(list(SYNTHESES.values()), "methods")})
    metrics.extend(_lines(list(METRICS.values()), "metrics"))
    reference.insert(2, {"Adversarial attacks": _lines(list(ATTACKS.values()), "attacks")})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and images that are not files of docs/."""
    pages = {f"reference/{path}": text for path, text in record_pages(ROOT / "docs/reference/samples").items()}
    pages |= {f"reference/attacks/{key}.md": _attack_page(one) for key, one in ATTACKS.items()}
    pages |= {page: (ROOT / source).read_text(encoding="utf-8") for page, source in ELSEWHERE.items()}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    for path in ASSETS:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Link the keys of the tables to their pages, and files outside of docs/ to the repository."""
    path = page.file.src_uri
    if path in ("methods.md", "metrics.md"):
        markdown = ROW.sub(partial(_linked, path.removesuffix(".md")), markdown)
    folder = posixpath.dirname(ELSEWHERE.get(path, f"docs/{path}"))
    inside = {source: page for page, source in ELSEWHERE.items()} | {asset: asset for asset in ASSETS}

    def corrected(found: re.Match[str]) -> str:
        start, link = found.groups()
        if ":" in link:
            return found[0]
        target = posixpath.normpath(posixpath.join(folder, link))
        here = target.removeprefix("docs/") if target.startswith("docs/") else inside.get(target)
        if here is None and not (ROOT / target).exists():
            raise PluginError(f"{path} links to {link}, but there is no {target}: correct the link")
        if here is None:
            return f"{start}{REPOSITORY}/blob/main/{target}"
        return f"{start}{posixpath.relpath(here, posixpath.dirname(path) or '.')}"

    parts = CODE.split(markdown)  # text and code in turns
    return "".join(part if number % 2 else LINK.sub(corrected, part) for number, part in enumerate(parts))


def _attack_page(one: AttackMethod) -> str:
    call = f'made = camviz.adversarial.attack(model, "assets/samples/{SAMPLE}", method="{one.key}")'
    example = (call, "print(made.success, made.before[0].label, made.after[0].label)")
    return f"{short_page(one, example)}\nAll settings: [adversarial.attack](../api.md#camviz.adversarial.attack).\n"


def _linked(folder: str, row: re.Match[str]) -> str:
    """Return the start of a table row with its key as a link. A setting has no page and is returned unchanged."""
    key = row[1]
    known = METRICS if folder == "metrics" else {**METHODS, **SYNTHESES}
    return f"| [`{key}`](reference/{folder}/{key}.md) |" if key in known else row[0]


def _lines(records: list[Entry], folder: str) -> list[dict[str, str]]:
    ordered = sorted(records, key=lambda one: one.title)
    return [{one.title: f"reference/{folder}/{one.key}.md"} for one in ordered]
