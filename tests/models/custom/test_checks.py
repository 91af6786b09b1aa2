"""Checks of a network when it is loaded, and their consequences."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import transforms

import camviz
from camviz import CamvizError, tape
from camviz.errors import ModelError
from camviz.explanation.explain import answer_batch, ask
from camviz.models import FixedInputs
from tests.models.nets import ALONE, SIDE, Small, images, load, maps, relative

IMAGE, OTHER = images(2)


@pytest.mark.parametrize("kind", ["", *ALONE])
def test_batch_dependent_networks_run_one_image_at_a_time(kind):
    given = Small(kind)
    model = load(given)
    assert tape.needs_batches_of_one(model.net) is bool(kind)
    exact = Small(kind).eval().double()
    questions = [ask(model, image, "grad_cam", target=1, layer="last_relu") for image in (IMAGE, OTHER)]
    explanations, found = answer_batch(questions)
    for number, image in enumerate((IMAGE, OTHER)):
        x = model.preprocess(image).double()
        assert relative(found[number].numpy(), exact(x)[0].detach().numpy()) < 1e-4
        activation, gradient = tape.record(exact, x, camviz.scores.logit(1), exact.last_relu)
        expected = (gradient.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1).relu()[0]
        assert relative(explanations[number].attribution, expected.numpy()) < 1e-4


def test_deletion_of_a_network_without_running_statistics():
    explanation = camviz.explain(load(Small("norm")), IMAGE, "occlusion", size=6, stride=6)
    curve = camviz.measure(explanation, "deletion", steps=4)
    exact = Small("norm").eval().double()
    order = torch.from_numpy(explanation.heatmap).flatten().argsort(descending=True, stable=True)
    x = load(Small("norm")).preprocess(IMAGE).double()
    first, last = curve.values[0], curve.values[-1]
    assert first == pytest.approx(float(exact(x).softmax(dim=1)[0, explanation.target]), rel=1e-4)
    assert 0 < last < 1 and len(order) == SIDE**2


@pytest.mark.parametrize("kind", ["dropout", "depth", "noise"])
def test_random_networks_are_seeded_and_noted(kind):
    state = torch.get_rng_state()
    model = load(Small(kind))
    assert "draws random numbers" in model.notes[0] and model.draws_random_numbers
    # These run a part of the network again, which draws other numbers then.
    for key in (refusing := ("ablation_cam", "recipro_cam", "cam")):
        with pytest.raises(CamvizError, match=r"cannot be run from this|CAM needs a layer"):
            camviz.explain(model, IMAGE, key)
    first, again = (maps(model, IMAGE, without=refusing) for _ in range(2))
    for key, found in first.items():
        np.testing.assert_array_equal(found, again[key])
    assert model.predict(IMAGE) == model.predict(IMAGE)
    assert model.notes[0] in camviz.explain(model, IMAGE).notes
    assert torch.equal(torch.get_rng_state(), state)  # the process's own generator is not used


def test_random_numbers_of_numpy_are_noted():
    (note,) = load(Small("numpy noise")).notes
    assert "cannot seed" in note


class Attends(Small):
    """Attention with dropout, which is off in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)

    def pooled(self, x):
        return self.attention(x[:, None], x[:, None], x[:, None], need_weights=False)[0][:, 0]


@pytest.mark.parametrize("kind", [Small, Attends])
def test_ordinary_network_has_no_notes(kind):
    model = load(kind())
    assert model.notes == () and not model.draws_random_numbers


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", ["classifier.weight", "second.bias", "norm.running_mean", "norm.running_var"])
def test_weights_that_are_not_finite_are_refused(name, value):
    net = Small()
    with torch.no_grad():
        net.state_dict()[name].view(-1)[0] = value
    kind = "buffer" if "running" in name else "parameter"
    with pytest.raises(CamvizError, match=f"the {kind} '{name}' of this network holds {value}"):
        load(net)


def test_error_names_the_layer_that_returns_nan():
    with pytest.raises(
        CamvizError, match=r"returns nan for this input; it begins in the layer 'classifier' \(Linear\)"
    ):
        load(Small("log"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weights_are_computed_in_float32(dtype):
    model = load(Small().to(dtype))
    expected = maps(load(Small().to(dtype).float()), IMAGE)
    for key, found in maps(model, IMAGE).items():
        np.testing.assert_array_equal(found, expected[key])
    name = str(dtype).removeprefix("torch.")
    assert model.notes == (f"The network's weights are {name}; CamViz computes with them in float32.",)


class OwnTrain(Small):
    """A train() that returns nothing and does not change the modules."""

    def train(self, mode=True):
        self.requested_mode = mode


class NoMode(Small):
    def train(self):
        return self


@pytest.mark.parametrize("kind", [OwnTrain, NoMode])
def test_networks_with_their_own_train_are_loaded(kind):
    model = load(kind())
    assert not any(module.training for module in model.net.modules())
    expected = Small().eval()(model.preprocess(IMAGE)).softmax(dim=1)
    assert model.predict(IMAGE)[0].probability == pytest.approx(float(expected.max()), rel=1e-5)


def test_meta_and_lazy_weights_are_refused():
    with pytest.raises(CamvizError, match="on the meta device"):
        load(Small().to("meta"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lazy = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(2))
    with pytest.raises(CamvizError, match="have no shape yet"):
        load(lazy)


class Two(nn.Module):
    """A network of an image and a vector."""

    def __init__(self):
        super().__init__()
        self.net = Small()

    def forward(self, image, age):
        return self.net(image) + age.sum(dim=1, keepdim=True)


class AgeFirst(Two):
    def forward(self, age, image):
        return super().forward(image, age)


class ByName(Two):
    def forward(self, image, *, age):
        return super().forward(image, age)


class Starred(Two):
    def forward(self, *inputs):
        image, age = inputs
        return super().forward(image, age)


class Optional(Two):
    def forward(self, image, age=None):
        return super().forward(image, age)


AGE = torch.tensor([[0.25, 0.5]])


@pytest.mark.parametrize("kind", [Two, AgeFirst, ByName, Starred, Optional])
def test_networks_of_several_inputs_need_fixed_inputs(kind):
    with pytest.raises(
        CamvizError, match=f"{kind.__name__} takes several inputs .*FixedInputs\\(net, (age=)?torch"
    ) as raised:
        load(kind())
    assert raised.value.__class__ is ModelError
    net = kind()
    model = load(FixedInputs(net, AGE) if kind is Starred else FixedInputs(net, age=AGE))
    assert not tape.needs_batches_of_one(model.net)
    with torch.no_grad():
        expected = net.net.eval()(model.preprocess(IMAGE)) + 0.75
        assert relative(tape.forward(model.net, model.preprocess(IMAGE)), expected) < 1e-6
    plain = camviz.explain(load(net.net), IMAGE, layer="last_relu", target=2)
    np.testing.assert_allclose(
        camviz.explain(model, IMAGE, layer="net.net.last_relu", target=2).attribution, plain.attribution, rtol=1e-5
    )


def test_fixed_inputs_change_the_digest():
    net = Two()
    digests = {
        camviz.models.with_digest(load(FixedInputs(net, age=age), name="two")).weights for age in (AGE, AGE + 1)
    } | {camviz.models.with_digest(load(FixedInputs(AgeScaled(), age=AGE, scale=scale))).weights for scale in (1, 2)}
    assert len(digests) == 4
    model = load(FixedInputs(AgeScaled(), age=AGE, scale=2))
    x = torch.cat([model.preprocess(image) for image in (IMAGE, OTHER)])
    with torch.no_grad():
        expected = model.net.net.net(x) + 1.5
        assert relative(tape.forward(model.net, x), expected) < 1e-6


class AgeScaled(Two):
    def forward(self, age, image, scale=0):
        return self.net(image) + scale * age.sum(dim=1, keepdim=True)


def test_network_of_a_dictionary_is_refused():
    class OfADictionary(Small):
        def forward(self, inputs):
            return super().forward(inputs["image"])

    with pytest.raises(CamvizError, match=r"does not run on a batch of one image.*an nn.Module whose forward"):
        load(OfADictionary())


KEEPS_RATIO = transforms.Compose(
    [transforms.Resize(SIDE), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)]
)


def test_preprocessing_without_a_fixed_size():
    model = camviz.load_model(Small(), preprocess=KEEPS_RATIO)
    mixed = [*images(1, 30, 50), *images(1, 50, 30), IMAGE]
    explanations, found = answer_batch([ask(model, image, "grad_cam", target=1) for image in mixed])
    exact = Small().eval().double()
    for image, explanation, scores in zip(mixed, explanations, found, strict=True):
        x = KEEPS_RATIO(image)[None].double()
        assert explanation.heatmap.shape == explanation.view.shape[:2] == x.shape[2:]
        assert relative(scores.numpy(), exact(x)[0].detach().numpy()) < 1e-2  # the view has whole gray levels
        np.testing.assert_allclose(
            camviz.explain(model, image, target=1).attribution, explanation.attribution, atol=1e-7
        )


def test_preprocessing_without_a_fixed_size_is_refused_for_a_fixed_network():
    fixed = nn.Sequential(Small().first, nn.Flatten(), nn.Linear(6 * SIDE**2, 3))
    with pytest.raises(CamvizError, match=rf"add CenterCrop\(\({SIDE}, {SIDE}\)\) after the resizing"):
        camviz.load_model(fixed, preprocess=KEEPS_RATIO)


def test_network_exported_for_one_image_runs_one_image_at_a_time():
    given = Small().eval()
    model = camviz.load_model(torch.export.export(given, (torch.rand(1, 3, SIDE, SIDE),)))
    assert tape.needs_batches_of_one(model.net) and model.input_size == (SIDE, SIDE)
    found = camviz.explain(model, IMAGE, "occlusion", target=1, size=6, stride=6).attribution
    np.testing.assert_allclose(
        found,
        camviz.explain(load(given), IMAGE, "occlusion", target=1, size=6, stride=6).attribution,
        rtol=1e-3,
        atol=1e-6,
    )


def quantized() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(Small().eval(), {nn.Linear})


@pytest.mark.parametrize("key", [key for key, one in camviz.METHODS.items() if one.family in ("gradient", "relevance")])
def test_gradient_methods_refuse_a_quantized_network(key):
    with pytest.raises(CamvizError, match="this network is quantized, and no gradient passes"):
        camviz.explain(load(quantized()), IMAGE, key)


def test_occlusion_of_a_quantized_network():
    given = quantized()
    model = load(given)
    found = camviz.explain(model, IMAGE, "occlusion", target=1, size=12, stride=12).attribution
    x = model.preprocess(IMAGE)
    expected = np.empty((2, 2))
    for row in range(2):
        for column in range(2):
            hidden = x.clone()
            hidden[:, :, 12 * row : 12 * row + 12, 12 * column : 12 * column + 12] = 0
            expected[row, column] = float(given(x)[0, 1] - given(hidden)[0, 1])
    assert relative(found, expected) < 1e-2
    assert camviz.models.with_digest(model).weights.kind == "custom"


def test_layer_that_runs_on_parts_of_the_image_has_a_note():
    net = Small("halves").eval()
    x = load(net).preprocess(IMAGE)
    for layer, notes in ((net.second, 1), (net.last_relu, 0)):
        for key in ("grad_cam", "eigen_cam"):
            with tape.counting_passes() as counts:
                found = camviz.METHODS[key](net, x, camviz.scores.logit(1), layer)
            assert found.shape[2] == (6 if notes else 12)
            assert [note[:45] for note in counts.notes] == ["The layer runs 2 times in one forward pass. T"] * notes
