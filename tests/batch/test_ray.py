"""The Ray engine with two local workers."""

import importlib.util
import sys

import numpy as np
import pytest

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: requirements-ray.txt"),
    pytest.mark.filterwarnings("ignore"),
]


def test_ray_results_equal_the_local_engine(command, table, tmp_path):
    settings = ("--methods", "grad_cam,vanilla_backprop", "--batch", "2")
    assert command(*settings) == 0
    assert command(*settings, "--engine", "ray", "--workers", "2", out=tmp_path / "ray") == 0
    local, by_ray = table(), table(tmp_path / "ray")
    assert list(local) == list(by_ray) and len(local) == 8
    for key, row in local.items():
        other = by_ray[key]
        for name, value in row.items():
            same = pytest.approx(value, rel=1e-5) if isinstance(value, float) else value
            assert name == "seconds" or other[name] == same
        if row["map"]:
            maps = [np.load(place / row["map"])["attribution"] for place in (tmp_path / "out", tmp_path / "ray")]
            np.testing.assert_allclose(*maps, atol=1e-6 * np.abs(maps[0]).max())


def test_missing_ray_names_the_command_that_installs_it(command, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert command("--engine", "ray") == 2
    assert 'pip install "camviz[ray]"' in capsys.readouterr().err
