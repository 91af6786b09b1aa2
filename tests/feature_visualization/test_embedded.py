"""Synthesized images on the embedded network: probability, activation and similarity that they must reach."""

from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from camviz.feature_visualization import estimate, synthesize
from camviz.feature_visualization.animation import gif, webp
from camviz.feature_visualization.features import FeatureFunction
from camviz.feature_visualization.inversion import correlation


@pytest.mark.parametrize(
    ("method", "knobs"),
    [
        ("activation_maximization", {"steps": 24}),
        ("activation_maximization", {"steps": 48, "parametrization": "pixels"}),
        ("class_image", {"steps": 48}),
        ("class_image", {"steps": 48, "regularized": False}),
    ],
    ids=["fourier", "pixels", "class image", "class image, plain"],
)
def test_synthesized_image_is_predicted_as_its_class(lite0, method, knobs):
    made = synthesize(lite0, method, target="koala", **knobs)
    says = lite0.predict(Image.fromarray(made.image), 1, "stretch")[0]  # the very bytes, through preprocess
    assert says.label == "koala" and says.probability > 0.9
    third = len(made.objective) // 3
    begin, middle, end = (np.mean(made.objective[part * third : (part + 1) * third]) for part in range(3))
    assert begin < middle < end


def test_random_transforms_make_an_image_robust_to_cropping(lite0):
    moved = synthesize(lite0, "activation_maximization", target="koala", steps=24)
    seen = lite0.predict(Image.fromarray(moved.image), 1, "crop")[0]  # enlarged and cut
    assert seen.label == "koala" and seen.probability > 0.5


def test_optimization_raises_the_activation_of_a_channel(lite0, coffee):
    made = synthesize(lite0, "activation_maximization", layer="blocks.2", channel=7, steps=24)
    assert made.objective[-1] > made.objective[0] + 5
    neuron = synthesize(lite0, "activation_maximization", layer="blocks.2", channel=7, row=14, column=14, steps=24)
    gray = neuron.image[:40].std() / neuron.image[90:134, 90:134].std()
    assert neuron.objective[-1] > made.objective[-1] and gray < 0.8  # one neuron changes only what it can see


@pytest.mark.parametrize("parametrization", ["fourier", "pixels"])
def test_inversion_of_an_early_layer_restores_the_image(lite0, coffee, parametrization):
    made = synthesize(
        lite0, "inversion", image=coffee, layer="blocks.0", steps=100, rate=0.1, parametrization=parametrization
    )
    assert correlation(lite0.view(coffee), made.image) > 0.9
    assert made.objective[-1] < 0.1 * made.objective[0]
    assert np.mean(np.diff(made.objective) < 0) > 0.9


def test_deep_dream_raises_the_activation_of_the_layer(lite0, coffee):
    made = synthesize(lite0, "deep_dream", image=coffee, layer="blocks.2", octaves=2, steps=4)
    first, second = made.objective[:4], made.objective[4:]
    assert first[-1] > 1.1 * first[0] and second[-1] > 1.1 * second[0]
    view = lite0.view(coffee)
    assert 0.5 < correlation(view, made.image) < 0.995 and {frame.shape for frame in made.frames} == {view.shape}


def test_early_layer_costs_less_than_the_whole_network(lite0):
    work = {}
    for layer in ("blocks.0", "bn2"):
        with FlopCounterMode(display=False) as counter:
            synthesize(lite0, "activation_maximization", layer=layer, channel=0, steps=2)
        work[layer] = counter.get_total_flops()
    assert 0 < work["blocks.0"] < 0.3 * work["bn2"]


def test_estimate_equals_the_duration_if_passes_take_equal_time(lite0, monkeypatch):
    seconds = [0.0]
    original = FeatureFunction.__call__

    def slow(self, *arguments, **named):
        seconds[0] += 1
        return original(self, *arguments, **named)

    monkeypatch.setattr(FeatureFunction, "__call__", slow)
    clock = SimpleNamespace(perf_counter=lambda: seconds[0])
    monkeypatch.setattr("camviz.feature_visualization.synthesis.time", clock)
    monkeypatch.setattr("camviz.runtime.devices.time", SimpleNamespace(thread_time=lambda: seconds[0]))
    arguments = {"layer": "blocks.0", "channel": 0, "steps": 12}
    guess = estimate(lite0, "activation_maximization", **arguments)
    made = synthesize(lite0, "activation_maximization", **arguments)
    assert guess == pytest.approx(made.seconds, abs=1)
    assert made.seconds >= 12


def test_frames_are_written_as_gif_and_webp(lite0):
    made = synthesize(lite0, "activation_maximization", layer="blocks.0", channel=0, steps=8)
    for data, kind in ((gif(made.frames), "GIF"), (webp(made.frames), "WEBP")):
        animation = Image.open(BytesIO(data))
        assert animation.format == kind and animation.n_frames == 8 and animation.size == (224, 224)
        animation.seek(7)
        last = np.asarray(animation.convert("RGB"))
        assert correlation(last, made.image) > 0.9
