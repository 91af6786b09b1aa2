"""Two rows of docs/reference/compatibility.md, computed again."""

import pytest

from tests.benchmarks import sweep


@pytest.mark.parametrize("name", ["squeezenet1_1", "timm/fasternet_t0"])
def test_a_row_of_the_table_is_what_the_methods_give(name: str) -> None:
    row = sweep.explained(name, sweep.METHODS_RUN)
    assert not row.faults
    lines = sweep.PAGE.read_text(encoding="utf-8").splitlines()
    numbers = {template: index for template, text in row.refused.values() for index in [reason(lines, text)]}
    assert sweep.table_row(row, sweep.METHODS_RUN, numbers) in lines


def reason(lines: list[str], text: str) -> int:
    """The number of a sentence on the page."""
    return next(int(line.partition(".")[0]) for line in lines if line.partition(". ")[2] == text)
