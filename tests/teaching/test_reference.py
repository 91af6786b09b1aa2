"""docs/methods.md and docs/metrics.md equal the output of `make docs`."""

import warnings
from pathlib import Path

import pytest

from camviz import METHODS, __main__
from camviz.evaluation.registry import METRICS
from camviz.feature_visualization import SYNTHESES
from camviz.teaching import reference

DOCS = Path(__file__).parents[2] / "docs"
RECORDS = {"methods.md": METHODS | SYNTHESES, "metrics.md": METRICS}


def blocks(page: str) -> list[str]:
    """Return the sections of a page, without its overview table."""
    return page.split("\n### ")[1:]


def rows(page: str) -> list[str]:
    return [line for line in page.partition("\n### ")[0].splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("name", reference.PAGES)
def test_reference_pages_are_up_to_date(name: str) -> None:
    """A missing method is no error: a new one is a file and its test, and `make docs` adds it."""
    found, made = (DOCS / name).read_text(encoding="utf-8"), reference.PAGES[name]()
    stale = [row for row in rows(found) if row not in rows(made)]
    stale += [f"### {block}" for block in map(str.strip, blocks(found)) if block not in map(str.strip, blocks(made))]
    assert not stale, f"docs/{name} is out of date, run `make docs`:\n" + "\n".join(stale)
    if found != made:
        warnings.warn(f"docs/{name} lacks a new method or metric: run `make docs`", stacklevel=1)


@pytest.mark.parametrize("name", reference.PAGES)
def test_reference_pages_have_a_row_and_a_section_for_each_record(name: str) -> None:
    page = reference.PAGES[name]()
    assert page == reference.PAGES[name]()
    assert len(rows(page)) == len(blocks(page)) == len(RECORDS[name])
    for record in RECORDS[name].values():
        assert page.count(f"| `{record.key}` | [{record.title}]({record.paper}) |") == 1
        section = next(block for block in blocks(page) if block.startswith(f"{record.title}\n"))
        assert record.doc in section and all(f"\n| `{knob}` |" in section for knob in record.knobs)


def test_commands_print_and_write_the_reference(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in (["methods"], ["docs", str(tmp_path / "new")]):
        with pytest.raises(SystemExit) as end:
            __main__.main(arguments)
        assert not end.value.code
    assert capsys.readouterr().out.startswith(reference.methods_table())
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "new").iterdir()}
    assert written == {name: page() for name, page in reference.PAGES.items()}
