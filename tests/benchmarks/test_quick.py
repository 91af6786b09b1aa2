"""The table of `bench --quick`, with given times."""

import argparse

import torch

import camviz
from camviz.runtime.precision import current_mode
from tests.benchmarks import quick


def test_methods_are_compared_with_the_quickest_peer_in_the_same_precision(monkeypatch, capsys, lite0):
    seen = set()

    def rows(model, x):
        def ours():
            seen.add((current_mode(), torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
            return torch.full((1, 2, 2), 1.0 if current_mode() == "exact" else 1.1)

        for row in ("grad_cam", "rise, 64 masks", "score_cam at blocks.5", "occlusion, 7 x 7 places"):
            who = "camviz exact" if row.startswith("score_cam") else "camviz"
            yield row, {who: ours, "camviz fast": ours, "slow": ours, "quick": ours}

    def measure(runs, device, most):
        assert most == 2 and "camviz fast" not in runs
        given = {"bare": 1.0, "slow": 9.0, "quick": 2.0, "noise": 0.1}
        return given | {"camviz": 1.4 if current_mode() == "exact" else 0.8}

    monkeypatch.setattr(quick, "measure", measure)
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    chosen = argparse.Namespace(networks=["efficientnet_lite0"], device="cpu", only="", repeats=2)
    quick.tables(chosen, lambda name, device: (lite0, torch.zeros(1, 3, 8, 8)), rows)
    lines = capsys.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---")) + 1
    assert lines[start:] == [
        "| grad_cam | exact | 1.4e+03 ms | 1.40 | quick 2e+03 ms | 0.70 | 1.0; 1.3 forwards | no |  |",
        "| score_cam at blocks.5 | exact | 1.4e+03 ms | 1.40 | quick 2e+03 ms | 0.70 | 0.5 | no |  |",
        "| score_cam at blocks.5 | fast | 800 ms | 0.80 | quick 2e+03 ms | 0.40 | 0.5 | yes | 10.0% |",
        "| occlusion, 7 x 7 places | exact | 1.4e+03 ms | 1.40 | quick 2e+03 ms | 0.70 | 0.5 | no |  |",
        "| occlusion, 7 x 7 places | fast | 800 ms | 0.80 | quick 2e+03 ms | 0.40 | 0.5 | yes | 10.0% |",
        "",
        lines[-1],
    ]
    assert lines[-1].startswith("2 of 5 goals met; ")
    assert seen == {("exact", False, False), ("fast", True, True)}
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before


def test_every_goal_belongs_to_a_method():
    assert set(quick.GOALS) <= set(camviz.METHODS)
