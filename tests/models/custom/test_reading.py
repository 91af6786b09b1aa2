"""Networks that return a probability or a value, compared with torch alone."""

import copy
import json
import math
import re
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import camviz
from camviz import CamvizError, captions, report
from camviz.explanation.recipe import recipe_json, settings_json
from tests.models.nets import FEW, SIDE, Small, images, load, relative

IMAGE = images(1)[0]


class WithEnding(nn.Module):
    """The small network with an ending; `classes` keeps the first ones."""

    def __init__(self, end, classes=4):
        super().__init__()
        self.net, self.end = Small(), end
        self.net.classifier = nn.Linear(8, classes)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            for parameter in self.net.parameters():
                nn.init.normal_(parameter, std=0.3)
        self.eval()

    def forward(self, x):
        return self.end(self.net(x))


def output_of(net, model, take=lambda output: output):
    with torch.no_grad():
        return take(copy.deepcopy(net).double()(model.preprocess(IMAGE).double()))[0].numpy()


def predicted(model, count=4):
    return np.array([one.probability for one in sorted(model.predict(IMAGE, k=count), key=lambda one: one.index)])


def gradient_of_logit(net, model, target, sign=1):
    """Gradient of a logit before the ending, in float64."""
    x = model.preprocess(IMAGE).double().requires_grad_()
    score = sign * copy.deepcopy(net.net).double()(x)[0, target]
    return torch.autograd.grad(score, x)[0][0].numpy()


class OwnSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores):
        ctx.save_for_backward(result := scores.softmax(dim=1))
        return result

    @staticmethod
    def backward(ctx, gradient):
        (p,) = ctx.saved_tensors
        return p * (gradient - (gradient * p).sum(dim=1, keepdim=True))


def scripted(source):
    return torch.jit.CompilationUnit(f"def end(z: Tensor):\n    return {source}\n").end


SOFTMAXES = {
    "method": lambda z: z.softmax(1),
    "function": lambda z: F.softmax(z, dim=-1),
    "input by name": lambda z: torch.softmax(input=z, dim=1),
    "module": nn.Softmax(dim=1),
    "own function": OwnSoftmax.apply,
    "exp of log": lambda z: F.log_softmax(z, dim=1).exp(),
    "view after it": lambda z: z.softmax(1).view(-1, 4),
    "on (B, K, 1, 1)": lambda z: z[:, :, None, None].softmax(1).flatten(1),
    "in a dictionary": lambda z: {"probabilities": z.softmax(1)},
}
LOGARITHMS = {
    "log_softmax": lambda z: F.log_softmax(z, dim=1),
    "module": nn.LogSoftmax(dim=1),
    "log of it": lambda z: torch.log(z.softmax(1)),
}
SIGMOIDS = {
    "function": torch.sigmoid,
    "module": nn.Sigmoid(),
    "in place": lambda z: z.clone().sigmoid_(),
    "expit": torch.special.expit,
    "clamped": lambda z: z.sigmoid().clamp(1e-6, 1 - 1e-6),
    "spelled out": lambda z: 1 / (1 + torch.exp(-z)),
    "in other digits": lambda z: z.double().sigmoid().to(z.dtype),
    "scripted": lambda z: scripted("torch.sigmoid(z)")(z),
}


def check(net, model, expected, head):
    assert model.head == head and model.has_probabilities
    np.testing.assert_allclose(predicted(model), expected, atol=1e-6)
    for target in (0, 2):
        found = camviz.explain(model, IMAGE, "vanilla_backprop", target=target)
        assert relative(found.attribution, gradient_of_logit(net, model, target)) < 1e-4
        assert found.probability == pytest.approx(expected[target], abs=1e-6)


@pytest.mark.parametrize("form", SOFTMAXES)
def test_final_softmax_is_not_applied_twice(form):
    model = load(net := WithEnding(SOFTMAXES[form]))
    expected = output_of(
        net, model, lambda output: output if isinstance(output, torch.Tensor) else output[next(iter(output))]
    )
    check(net, model, expected, "softmax")
    assert not model.notes


@pytest.mark.parametrize("form", LOGARITHMS)
def test_final_log_softmax_is_recognized(form):
    model = load(net := WithEnding(LOGARITHMS[form]))
    check(net, model, np.exp(output_of(net, model)), "softmax")


@pytest.mark.parametrize("form", SIGMOIDS)
def test_final_sigmoid_is_not_applied_twice(form):
    model = load(net := WithEnding(SIGMOIDS[form]))
    check(net, model, output_of(net, model), "sigmoid")
    assert not model.notes


@pytest.mark.parametrize(
    "end", [torch.sigmoid, nn.Sequential(nn.Sigmoid(), nn.Flatten(0)), lambda z: z.sigmoid()[:, 0]]
)
def test_single_output_with_a_final_sigmoid(end):
    model = load(net := WithEnding(end, classes=1))
    (one,) = model.predict(IMAGE)
    assert one.probability == pytest.approx(output_of(net, model).item(), abs=1e-6)
    found = camviz.explain(model, IMAGE, "vanilla_backprop").attribution
    assert relative(found, gradient_of_logit(net, model, 0)) < 1e-4


def test_every_method_explains_the_logits_before_a_softmax():
    for key, method in camviz.METHODS.items():
        knobs = {name: value for name, value in FEW.items() if name in method.knobs}
        layer = "net.last_relu" if method.layer == "required" else None
        if key == "cam":
            continue
        found, expected = (
            camviz.explain(load(WithEnding(end)), IMAGE, key, target=1, layer=layer, **knobs).attribution
            for end in (lambda z: z.softmax(1), lambda z: z)
        )
        np.testing.assert_allclose(found, expected, atol=1e-6 * abs(expected).max(), err_msg=key)


@pytest.mark.parametrize(
    "end",
    [
        lambda z: (z.softmax(1) + (2 * z).softmax(1)) / 2,
        lambda z: F.normalize(z.exp(), p=1, dim=1),
        lambda z: torch.cat([1 - z[:, :1].sigmoid(), z[:, :1].sigmoid()], dim=1),
    ],
)
def test_probabilities_without_known_logits_have_a_note(end):
    model = load(net := WithEnding(end))
    expected = output_of(net, model)
    np.testing.assert_allclose(predicted(model), expected, atol=1e-6)
    assert len(model.notes) == 1 and "the gradient is that of the squashed score" in str(model.notes[0])
    x = model.preprocess(IMAGE).double().requires_grad_()
    (gradient,) = torch.autograd.grad(copy.deepcopy(net).double()(x)[0, 1], x)
    explained = camviz.explain(model, IMAGE, "vanilla_backprop", target=1)
    assert relative(explained.attribution, gradient[0].numpy()) < 1e-4
    assert model.notes[0] in explained.notes


def compiled(net, way):
    x = torch.rand(2, 3, SIDE, SIDE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if way == "trace":
            return torch.jit.trace(net, x)
        return torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))


@pytest.mark.parametrize("way", ["trace", "export"])
def test_softmax_in_a_compiled_network_has_a_note(way):
    net = WithEnding(lambda z: z.softmax(1))
    model = load(compiled(net, way))
    np.testing.assert_allclose(predicted(model), output_of(net, model), atol=1e-6)
    assert model.head == "none" and len(model.notes) == 1 and "cannot reach the class scores" in str(model.notes[0])


@pytest.mark.parametrize("way", ["trace", "export"])
def test_sigmoid_in_a_compiled_network_is_inverted(way):
    net = WithEnding(torch.sigmoid)
    model = load(compiled(net, way))
    check(net, model, output_of(net, model), "sigmoid")
    certain = load(compiled(WithEnding(lambda z: (1000 * z).sigmoid()), way))  # 0 and 1 in float32
    assert sorted(set(predicted(certain).round(6))) == [0, 1]
    assert np.isfinite(camviz.explain(certain, IMAGE, "occlusion").attribution).all()


def test_head_that_contradicts_the_last_step_is_refused():
    with pytest.raises(CamvizError, match="ends in softmax, so its head cannot be 'sigmoid'"):
        load(WithEnding(lambda z: z.softmax(1)), head="sigmoid")
    with pytest.raises(CamvizError, match="head 'tanh'"):
        load(WithEnding(lambda z: z), head="tanh")
    model = load(net := WithEnding(lambda z: z), head="sigmoid")
    np.testing.assert_allclose(predicted(model), 1 / (1 + np.exp(-output_of(net, model))), atol=1e-6)


@pytest.mark.parametrize("end", [lambda z: z, lambda z: z.relu(), lambda z: z * z.sigmoid(), lambda z: z * 0])
def test_logits_get_a_softmax(end):
    model = load(net := WithEnding(end))
    scores = output_of(net, model)
    np.testing.assert_allclose(predicted(model), np.exp(scores) / np.exp(scores).sum(), atol=1e-6)
    assert not model.notes


# ------------------------------------------------------------------------------------------------ one output, two names


@pytest.mark.parametrize("end", [lambda z: z, torch.sigmoid, lambda z: 1 / (1 + torch.exp(-z))])
def test_single_output_with_two_names_has_two_classes(end):
    model = load(net := WithEnding(end, classes=1), categories=["normal", "sick"])
    score = copy.deepcopy(net.net).double()(model.preprocess(IMAGE).double()).item()
    sick = 1 / (1 + math.exp(-score))
    found = {one.label: one.probability for one in model.predict(IMAGE)}
    assert found == pytest.approx({"sick": sick, "normal": 1 - sick}, abs=1e-6)
    for target, sign in (("sick", 1), ("normal", -1), (1, 1), (0, -1)):
        explained = camviz.explain(model, IMAGE, "vanilla_backprop", target=target)
        assert relative(explained.attribution, gradient_of_logit(net, model, 0, sign)) < 1e-4
        assert explained.label == ("sick" if sign > 0 else "normal")


@pytest.mark.parametrize("key", ["rise", "occlusion", "score_cam", "lrp", "full_grad", "integrated_gradients"])
def test_methods_explain_both_classes_of_a_single_output(key):
    model = load(WithEnding(lambda z: z, classes=1), categories=["normal", "sick"])
    knobs = {name: value for name, value in FEW.items() if name in camviz.METHODS[key].knobs}
    maps = [camviz.explain(model, IMAGE, key, target=target, **knobs).attribution for target in ("normal", "sick")]
    assert all(np.isfinite(one).all() and np.ptp(one) > 0 for one in maps)
    if key in ("lrp", "integrated_gradients"):  # both are linear in the score
        np.testing.assert_allclose(maps[0], -maps[1], atol=1e-5 * abs(maps[0]).max())


def test_cam_explains_both_classes_of_a_single_output():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)).eval()
    model = load(net, categories=["normal", "sick"])
    with torch.no_grad():
        maps = net[1](net[0](model.preprocess(IMAGE)))[0]
        expected = torch.einsum("c,chw->hw", net[4].weight[0], maps).numpy()
    for target, sign in (("sick", 1), ("normal", -1)):
        found = camviz.explain(model, IMAGE, "cam", target=target, layer="1").attribution
        np.testing.assert_allclose(found, sign * expected, atol=1e-5 * abs(expected).max())


def test_wrong_number_of_names_is_refused():
    with pytest.raises(CamvizError, match="1 classes; got 3"):
        load(WithEnding(lambda z: z, classes=1), categories=["a", "b", "c"])


# ------------------------------------------------------------------------------------------------------ regression


@pytest.mark.parametrize("head", ["none", None])
def test_regression_has_a_value_with_a_unit_and_no_probability(head):
    model = load(net := WithEnding(lambda z: z + 41.3, classes=1), head=head, unit="years", categories=["age"])
    (one,) = model.predict(IMAGE)
    expected = output_of(net, model).item()
    assert one.value == pytest.approx(expected, rel=1e-5) and math.isnan(one.probability)
    assert one.shown() == f"{expected:.3g} years" and not model.has_probabilities
    explained = camviz.explain(model, IMAGE, "vanilla_backprop")
    assert relative(explained.attribution, gradient_of_logit(net, model, 0)) < 1e-4
    assert math.isnan(explained.probability) and explained.shown == one.shown()
    texts = [
        explained.facts,
        explained._repr_html_().split("<p>")[1],
        str(captions.reading(explained, one)),
        str(captions.caution(explained)),
        json.dumps({key: str(value) for key, value in report.facts(explained).items()}),
        recipe_json(explained.question, "x.png"),
        settings_json(explained).replace('"probability": null,', ""),
    ]
    assert json.loads(texts[-1])["value"] == pytest.approx(expected, rel=1e-5) and '"unit": "years"' in texts[-1]
    sections = report.explanation_sections(explained, [one], "x.png")
    assert sections[0].table == [("class", "value"), ("age", one.shown())]
    assert one.shown() in texts[0] and one.shown() in texts[4]
    for text in texts:
        assert not re.search(r"\bnan\b|%|probability", text, re.IGNORECASE), text


def test_several_values_are_no_probabilities():
    model = load(net := WithEnding(lambda z: z * 100, classes=2), head="none", categories=["width", "height"])
    found = {one.index: one.value for one in model.predict(IMAGE)}
    assert [found[0], found[1]] == pytest.approx(output_of(net, model).tolist(), rel=1e-5)
    assert all(math.isnan(one.probability) for one in model.predict(IMAGE))
