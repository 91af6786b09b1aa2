"""Each synthesis compared with its formula on a tiny network, and the contract of all syntheses."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import camviz
from camviz import CamvizError, scores
from camviz.feature_visualization import SYNTHESES, find_synthesis, synthesize
from camviz.feature_visualization.class_image import class_image
from camviz.feature_visualization.deep_dream import deep_dream
from camviz.feature_visualization.features import FeatureFunction
from camviz.feature_visualization.inversion import inversion
from camviz.feature_visualization.parametrization import noise
from camviz.feature_visualization.synthesis import channel_mean
from tests.methods.nets import SIZE, ByHand, Functional, Interrupt, Modules, Residual, build, state

FOLDER = Path(camviz.__file__).parent / "feature_visualization"
SHARED = {"__init__", "animation", "features", "optimization", "parametrization", "stored", "synthesis"}
MEAN = torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64).view(1, 3, 1, 1)
STD = torch.tensor([0.2, 0.25, 0.3], dtype=torch.float64).view(1, 3, 1, 1)
EVERY_SYNTHESIS = pytest.mark.parametrize("key", SYNTHESES)
STILL = {"jitter": 0, "rotation": 0.0, "zoom": 0.0}


def feature_function(kind=Modules):
    return FeatureFunction(build(kind), SIZE, MEAN, STD)


def random_image():
    return torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return camviz.load_model(build(Residual, dtype=torch.float32), input_size=SIZE)


@pytest.fixture(scope="module")
def image():
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (*SIZE, 3), dtype=np.uint8))


def run_synthesis(model, key, image, **arguments):
    """Run any synthesis with few steps on the tiny network."""
    arguments = {"layer": "second", "image": image, "steps": 3, **arguments}
    arguments.update({"target": 2} if SYNTHESES[key].layer == "none" else {})
    if key == "activation_maximization":
        arguments.setdefault("channel", 1)
    if key == "deep_dream":
        arguments.setdefault("octaves", 1)
    return synthesize(model, key, **arguments)


# ---------------------------------------------------------------------------------------------------------- phi


@pytest.mark.parametrize("kind", [Modules, Functional, Residual], ids=lambda kind: kind.__name__)
def test_feature_function_returns_the_activation_of_the_normalized_image(kind):
    see = feature_function(kind)
    x = random_image()
    steps = ByHand(see.net.steps(), (x - MEAN) / STD)
    for name, step in kind.layers.items():
        torch.testing.assert_close(see(x, see.net.get_submodule(name)), steps.values[step])
    torch.testing.assert_close(see(x), steps.values[-1])


class Twice(nn.Module):
    """One layer that runs twice, and one after it that must not run."""

    def __init__(self):
        super().__init__()
        self.again, self.after = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)
        self.runs = 0

    def forward(self, x):
        x = self.again(self.again(x).relu_())
        self.runs += 1
        return self.after(x).mean(dim=(2, 3))


def test_feature_function_stops_after_the_last_run_of_the_layer():
    see = feature_function(Twice)
    x = (random_image() - MEAN) / STD
    expected = see.net.again(see.net.again(x).relu())
    for _ in range(3):
        torch.testing.assert_close(see(random_image(), see.net.again), expected)
    assert see.net.runs == 1  # to count how often the layer runs


def test_unused_layer_and_wrong_size_are_refused():
    see = feature_function()
    see.net.spare = nn.Conv2d(3, 3, 1)
    with pytest.raises(CamvizError, match="does not run through this layer"):
        see(random_image(), see.net.spare)
    fixed = FeatureFunction(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE[0] * SIZE[1], 4)).double(), SIZE, MEAN, STD)
    assert fixed(random_image()).shape == (1, 4)
    with pytest.raises(CamvizError, match="only images of 20 x 28 pixels, not of 10 x 14"):
        fixed(random_image()[:, :, ::2, ::2])


# ------------------------------------------------------------------------------------------------------ formulas


def one_step(goal, row, column):
    """Return the value and the image of the first step of activation maximization, computed by hand."""
    see = feature_function()
    start = noise(see, "pixels", seed=4)
    steps = ByHand(see.net.steps(), start.z)
    place = Modules.layers["features.6"] if goal == "channel" else -1
    seed = torch.zeros_like(steps.values[place])
    if goal == "class":
        seed[:, 3] = 1
    else:
        rows = slice(None) if row is None else slice(row, row + 1)
        columns = slice(None) if column is None else slice(column, column + 1)
        seed[:, 3, rows, columns] = 1 / seed[0, 3, rows, columns].numel()
    gradient = steps.back(lambda _: seed, start=place)[1]
    # Adam's first step is as long as its rate wherever there is a gradient.
    z = start.z + 0.01 * gradient / (gradient.abs() + 1e-8)
    return float((steps.values[place] * seed).sum()), (MEAN + STD * z).clamp(0, 1)


@pytest.mark.parametrize(("goal", "row", "column"), [("class", None, None), ("channel", None, None), ("channel", 1, 2)])
def test_first_step_of_activation_maximization(goal, row, column):
    see, values = feature_function(), []
    made = SYNTHESES["activation_maximization"](
        see,
        scores.logit(3) if goal == "class" else channel_mean(3),
        None if goal == "class" else see.net.get_submodule("features.6"),
        row=row,
        column=column,
        parametrization="pixels",
        steps=1,
        rate=0.01,
        seed=4,
        progress=lambda done, total, picture, value: values.append(value),
        **STILL,
    )
    value, expected = one_step(goal, row, column)
    assert values == [pytest.approx(value)]
    torch.testing.assert_close(made, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("regularized", [True, False])
def test_two_steps_of_the_class_image(regularized):
    see = feature_function()
    z = noise(see, "pixels", seed=0).z
    for _ in range(2):
        seed = torch.zeros(1, 7, dtype=torch.float64)
        seed[:, 5] = 1
        gradient = ByHand(see.net.steps(), z).back(lambda _, seed=seed: seed)[1]
        if regularized:
            gradient = gradient * min(1, 0.001 / float(gradient.norm()))
        z = z + 2 * (gradient - 0.1 * regularized * z)
    made = class_image(
        see, scores.logit(5), regularized=regularized, weight_decay=0.1, blur=0.0, clipping=0.001, steps=2
    )
    torch.testing.assert_close(made, (MEAN + STD * z).clamp(0, 1), atol=1e-9, rtol=0)


@pytest.mark.parametrize("channel", [None, 2])
def test_two_steps_of_deep_dream(channel):
    see, x, place = feature_function(), random_image(), Modules.layers["features.6"]
    expected = x
    for _ in range(2):
        steps = ByHand(see.net.steps(), (expected - MEAN) / STD)
        activation = steps.values[place]
        seed = 2 * activation / activation.numel()
        if channel is not None:
            seed = torch.zeros_like(activation)
            seed[:, channel] = 1 / activation[0, channel].numel()
        gradient = steps.back(lambda _, seed=seed: seed, start=place)[1] / STD
        expected = (expected + 0.02 * gradient / gradient.abs().mean()).clamp(0, 1)
    score = None if channel is None else channel_mean(channel)
    made = deep_dream(see, x, see.net.get_submodule("features.6"), score, octaves=1, steps=2, strength=0.02, jitter=0)
    torch.testing.assert_close(made, expected, atol=1e-9, rtol=0)


def test_octaves_grow_to_the_image_size_and_jitter_is_undone():
    class Watching(FeatureFunction):
        def __call__(self, picture, layer=None):
            sizes.append(tuple(picture.shape[2:]))
            return super().__call__(picture, layer)

    sizes = []
    net = nn.Conv2d(3, 2, 1).double().eval()
    x = torch.rand(1, 3, 90, 120, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    see = Watching(nn.Sequential(net, nn.AdaptiveAvgPool2d(1), nn.Flatten()), (90, 120), MEAN, STD)
    moved = deep_dream(see, x, net, octaves=3, ratio=1.5, steps=1, jitter=9)
    assert sizes == [(40, 53), (60, 80), (90, 120)]
    # A 1 x 1 convolution does not depend on the position of the image.
    torch.testing.assert_close(moved, deep_dream(see, x, net, octaves=3, ratio=1.5, steps=1, jitter=0))


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_objective_of_the_inversion(beta):
    see, x, values = feature_function(), random_image(), []
    layer, place = see.net.get_submodule("features.2"), Modules.layers["features.2"]
    inversion(
        see,
        x,
        layer,
        parametrization="pixels",
        alpha=0.2,
        variation=0.3,
        beta=beta,
        steps=1,
        progress=lambda done, total, picture, value: values.append(value),
    )
    guess = noise(see, "pixels").z
    phi, wanted = (ByHand(see.net.steps(), z).values[place].numpy() for z in (guess, (x - MEAN) / STD))
    z = guess.numpy()
    distance = ((phi - wanted) ** 2).sum() / (wanted**2).sum()
    height, width = np.diff(z, axis=2)[:, :, :, :-1], np.diff(z, axis=3)[:, :, :-1]
    expected = distance + 0.2 * (z**6).mean() + 0.3 * ((height**2 + width**2) ** (beta / 2)).mean()
    assert values == [pytest.approx(expected, rel=1e-6)]


# --------------------------------------------------------------------------------------------------- the contract


def test_synthesis_is_one_short_documented_file():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(SYNTHESES) | SHARED
    for key, method in SYNTHESES.items():
        source = (FOLDER / f"{key}.py").read_text(encoding="utf-8")
        assert len(source.splitlines()) <= 90 and source.count("\n@synthesis(") == 1
        assert method.tooltip.endswith(".") and 20 <= len(method.tooltip) <= 120
        assert re.fullmatch(r"https://\S+", method.paper)
        assert "progress" in inspect.signature(method.function).parameters
        assert "steps" in method.knobs and "seed" in method.knobs
        assert all(knob.help for knob in method.knobs.values())
        assert key not in camviz.METHODS


@EVERY_SYNTHESIS
def test_synthesis_depends_on_its_seed_only(model, image, key):
    first, same, other = (run_synthesis(model, key, image, seed=seed) for seed in (1, 1, 2))
    assert first.image.dtype == np.uint8 and first.image.shape == (*SIZE, 3)
    assert np.array_equal(first.image, same.image) and first.objective == same.objective
    assert not np.array_equal(first.image, other.image)
    assert len(first.objective) == 3 and np.isfinite(first.objective).all()
    assert first.frames and np.array_equal(first.frames[-1], first.image)


@EVERY_SYNTHESIS
def test_synthesis_leaves_the_network_unchanged_even_if_canceled(model, image, key):
    before = state(model.net)
    run_synthesis(model, key, image)

    def cancel(done, total, frame):
        raise Interrupt

    with pytest.raises(Interrupt):
        run_synthesis(model, key, image, progress=cancel)
    assert state(model.net) == before


@EVERY_SYNTHESIS
def test_progress_ends_with_the_finished_image(model, image, key):
    reports = []
    made = run_synthesis(model, key, image, progress=lambda *what: reports.append(what))
    done, total, frame = reports[-1]
    assert done == total == len(made.objective)
    assert np.array_equal(frame, made.image)


def test_frames_approach_the_final_image(model, image):
    made = run_synthesis(model, "activation_maximization", image, steps=100, channel=0)
    assert len(made.frames) == 32 and made.forward_passes == 101 and made.backward_passes == 100
    away = [np.abs(frame.astype(float) - made.image).mean() for frame in made.frames]
    assert away[0] > away[15] > away[30] > away[31] == 0


def test_target_may_be_a_label_a_score_or_the_predicted_class(model, image):
    by_index, by_label = (synthesize(model, "class_image", target=t, steps=2) for t in (2, model.categories[2]))
    assert np.array_equal(by_index.image, by_label.image) and by_index.target == by_label.target == 2
    against = synthesize(model, "class_image", target=scores.contrast(2, 3), steps=2)
    assert against.objective[0] != by_index.objective[0] and "rather than" in against.label
    predicted = synthesize(model, "class_image", image=image, steps=1)
    assert predicted.target == model.predict(image, 1)[0].index


@pytest.mark.parametrize(
    ("key", "arguments", "sentence"),
    [
        ("activation_maximizaton", {}, "did you mean 'activation_maximization'"),
        ("deep_dream", {"layer": "second"}, "starts from an image"),
        ("activation_maximization", {"layer": "second"}, "there is nothing to synthesize: give a channel of the layer"),
        ("activation_maximization", {"layer": "second", "channel": 6}, "channels 0 to 5; got 6"),
        ("activation_maximization", {"layer": "secnd", "channel": 1}, "did you mean 'second'"),
        ("activation_maximization", {"layer": "second", "channel": 1, "row": 99}, "rows 0 to 4; got 99"),
        ("activation_maximization", {"target": 1, "column": 0}, "a class has no column"),
        ("class_image", {}, "there is no class to synthesize"),
        ("class_image", {"target": 7}, "classes 0 to 6; got 7"),
        ("class_image", {"target": scores.logit(7)}, "classes 0 to 6; got 7"),
        ("class_image", {"target": scores.probability(-1)}, "classes 0 to 6; got -1"),
        ("class_image", {"target": scores.contrast(2, 7)}, "classes 0 to 6; got 7"),
        ("class_image", {"target": {"logit": 7}}, "classes 0 to 6; got 7"),
        ("class_image", {"target": 1.5}, "a target is the index of a class, its label, or a score; got 1.5"),
        ("class_image", {"target": 1, "steps": 0}, "steps of class_image must lie in"),
    ],
)
def test_wrong_input_is_refused(model, key, arguments, sentence):
    with pytest.raises(CamvizError, match=re.escape(sentence)):
        synthesize(model, key, **arguments)


def test_unknown_synthesis_is_refused():
    with pytest.raises(CamvizError, match="did you mean 'inversion'"):
        find_synthesis("invertion")


def test_synthesis_has_an_html_representation(model):
    shown = synthesize(model, "class_image", target=1, steps=1)._repr_html_()
    assert "data:image/png;base64," in shown and "1 forward pass and 1 backward pass" in shown
