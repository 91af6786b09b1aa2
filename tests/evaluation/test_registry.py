"""The registry of metrics: the contract of every metric; bootstrap intervals."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from camviz import CamvizError
from camviz.evaluation.bootstrap import bootstrap_interval, bootstrap_win_rate
from camviz.evaluation.registry import METRICS, Subject, metric
from tests.evaluation.subjects import example, gradient, subject
from tests.methods.nets import Interrupt, state

FOLDER = Path(__file__).parents[2] / "camviz" / "evaluation" / "metrics"
ALL = pytest.mark.parametrize("one", METRICS.values(), ids=METRICS)


@ALL
def test_metric_is_one_documented_file(one):
    source = (FOLDER / f"{one.key}.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 150 and source.count("\n@metric(") == 1
    assert one.tooltip.endswith(".") and 40 <= len(one.tooltip) <= 130
    assert re.fullmatch(r"https://\S+", one.paper)
    assert one.limitation.endswith(".") and len(one.limitation) > 60
    assert all(knob.help for knob in one.knobs.values())
    assert set(one.takes) <= {*Subject.__dataclass_fields__, "heatmap"}


@ALL
def test_measure_equals_the_function_and_leaves_the_network_unchanged(one):
    given = subject(gradient)
    before = state(given.net)
    number = float(one.measure(given))
    assert np.isfinite(number)
    assert number == float(one(*(getattr(given, name) for name in one.takes)))
    assert state(given.net) == before


@ALL
def test_progress_rises_to_the_total_and_can_cancel(one):
    if not one.many_passes:
        assert "progress" not in inspect.signature(one.function).parameters
        return
    marks = []
    given = subject(gradient)
    one.measure(given, progress=lambda done, total: marks.append((done, total)))
    assert len(marks) >= 3 and marks == sorted(marks) and marks[-1][0] == marks[-1][1]
    before = state(given.net)

    def interrupt(done, total):
        raise Interrupt

    with pytest.raises(Interrupt):
        one.measure(given, progress=interrupt)
    assert state(given.net) == before


@ALL
def test_every_setting_of_a_metric_works_at_its_ends(one):
    given = subject(gradient)
    for name, knob in one.knobs.items():
        for value in knob.choices or (knob.range.low, min(knob.range.high, 12)):
            assert np.isfinite(float(one.measure(given, **{name: knob.type(value)})))


def test_wrong_settings_and_missing_parts_are_refused():
    given = subject()
    with pytest.raises(CamvizError, match="did you mean 'steps'"):
        METRICS["deletion"].measure(given, step=3)
    with pytest.raises(CamvizError, match="filler"):
        METRICS["deletion"].measure(given, filler="holes")
    net, x, _ = example()
    bare = Subject(net, x, given.score, given.attribution)
    with pytest.raises(CamvizError, match="Randomization needs a subject with 'explain'"):
        METRICS["randomization"].measure(bare)
    assert METRICS["deletion"].measure(bare).values == METRICS["deletion"].measure(given).values


def test_two_metrics_of_one_name_are_refused():
    def deletion(heatmap):
        """Another."""

    with pytest.raises(CamvizError, match="two functions have the name 'deletion'"):
        metric("Deletion", better="low", cost=1, paper="", limitation="")(deletion)


def test_metrics_that_run_the_method_again_are_marked():
    assert {key for key, one in METRICS.items() if one.explains_again} == {
        *("arcc", "class_contrast", "max_sensitivity", "pointing_game", "randomization"),
        *(f"relative_{of}_stability" for of in ("input", "output", "representation")),
    }
    assert [key for key, one in METRICS.items() if one.of_mosaics] == ["pointing_game"]


# ---------------------------------------------------------------------------------------------------------- bootstrap


def test_bootstrap_interval_of_many_values_is_normal():
    values = np.random.default_rng(1).normal(3, 2, 400)
    found = bootstrap_interval(values.tolist())
    error = values.std() / 20
    assert found.mean == pytest.approx(values.mean()) and found.count == 400
    assert (found.low, found.high) == pytest.approx((found.mean - 1.96 * error, found.mean + 1.96 * error), abs=0.03)
    assert bootstrap_interval(values.tolist()) == found and bootstrap_interval(values.tolist(), seed=1) != found


def test_bootstrap_interval_of_few_values():
    assert (bootstrap_interval([0.5] * 3).low, bootstrap_interval([0.5] * 3).high) == (0.5, 0.5)
    two = bootstrap_interval([0.0, 1.0])  # a quarter of the samples are (0, 0), a quarter (1, 1)
    assert (two.low, two.mean, two.high) == (0, 0.5, 1)
    one = bootstrap_interval([0.3])
    assert (one.low, one.mean, one.high, one.count) == (0.3, 0.3, 0.3, 1)
    with pytest.raises(CamvizError, match="at least one"):
        bootstrap_interval([])


def test_win_rate_is_paired_and_follows_the_metric_s_direction():
    a, b = [0.1, 0.5, 0.9, 0.2], [0.2, 0.6, 1.0, 0.3]
    assert bootstrap_win_rate(a, b, "low") == 1 and bootstrap_win_rate(a, b, "high") == 0
    assert bootstrap_win_rate(a, a, "low") == 0.5
    # Of two images one is better and one worse by as much: 1/4 better twice, 1/4 worse twice, 1/2 even.
    assert bootstrap_win_rate([0.0, 1.0], [1.0, 0.0], "low") == pytest.approx(0.5, abs=0.03)
    assert bootstrap_win_rate([0.0, 1.0], [3.0, 0.0], "low") == pytest.approx(0.75, abs=0.04)
    assert bootstrap_win_rate([1.0], [2.0], "low") == 1 and bootstrap_win_rate([1.0], [1.0], "low") == 0.5
    with pytest.raises(CamvizError, match="got 4 and 3"):
        bootstrap_win_rate(a, b[:3], "low")


def test_metrics_do_not_depend_on_the_global_seed():
    given = subject(gradient)
    numbers = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        numbers.append([float(METRICS[key].measure(given)) for key in ("road", "infidelity", "randomization")])
    assert numbers[0] == numbers[1]
