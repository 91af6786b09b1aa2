"""Recompute rows of docs/reference/compatibility.md with all methods."""

import pytest

from camviz import METHODS
from tests.benchmarks import sweep


@pytest.mark.parametrize("name", ["squeezenet1_1", "timm/fasternet_t0"])
def test_compatibility_rows_are_up_to_date(name: str) -> None:
    row = sweep.run_methods(name)
    assert not row.faults
    assert {*row.maps, *row.refused} == {*METHODS} == {*row.megabytes}
    lines = sweep.PAGE.read_text(encoding="utf-8").splitlines()
    numbers = {template: index for template, text in row.refused.values() for index in [reason(lines, text)]}
    assert sweep.table_row(row, list(METHODS), numbers) in lines


def reason(lines: list[str], text: str) -> int:
    """Return the number of a reason on the page."""
    return next(int(line.partition(".")[0]) for line in lines if line.partition(". ")[2] == text)


def test_sweep_reports_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign exception, a map that is not finite, a network left in training mode."""

    def explain(model, image, key, *_, **settings):
        if key == "hsic":
            assert settings == {"layer": None, "samples": 3, "cells": 2}
            raise ZeroDivisionError("why")
        model.net.train()
        return type("Found", (), {"attribution": sweep.torch.tensor([float("nan")]).numpy()})

    monkeypatch.setattr(sweep.camviz, "explain", explain)
    row = sweep.run_methods("squeezenet1_1", ["hsic", "grad_cam"])
    assert row.faults == ("hsic: ZeroDivisionError: why", "grad_cam: the map is not finite", "modules changed")
    assert row.maps == ("grad_cam",) and "except squeezenet1_1, hsic: ZeroDivisionError" in sweep.page([row], ["hsic"])
