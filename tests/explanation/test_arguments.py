"""Arguments of explain, measure and synthesize: accepted forms give equal results, others are refused."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import camviz
from camviz import METHODS, CamvizError, scores
from camviz.evaluation.registry import METRICS
from camviz.feature_visualization import synthesize
from tests.models.nets import Small, images, load

NET = Small().eval()
MODEL = load(NET)
(IMAGE,) = images(1)
PIXELS = np.asarray(IMAGE)
PLAIN = {"model": MODEL, "image": IMAGE, "method": "grad_cam", "target": 1, "layer": "second"}


def png() -> bytes:
    file = io.BytesIO()
    IMAGE.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """Compute Grad-CAM by torch.autograd alone."""
    activation = NET.second(NET.pool(NET.relu(NET.norm(NET.first(MODEL.preprocess(IMAGE)))))).detach()
    activation.requires_grad_()
    score = NET.classifier(NET.last_relu(activation).mean(dim=(2, 3)))[0, 1]
    (gradient,) = torch.autograd.grad(score, activation)
    return (gradient.mean(dim=(2, 3), keepdim=True) * activation.detach()).sum(dim=1).relu()[0].numpy()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"image": png()},
        {"image": bytearray(png())},
        {"image": io.BytesIO(png())},
        {"image": PIXELS},
        {"image": PIXELS / 255},
        {"image": torch.from_numpy(PIXELS).permute(2, 0, 1)},
        {"image": IMAGE.convert("RGBA")},
        {"method": METHODS["grad_cam"]},
        {"method": METHODS["grad_cam"].function},
        {"method": np.str_("grad_cam")},
        {"target": "class 1"},
        {"target": "Class 1"},
        {"target": np.int64(1)},
        {"target": np.array(1)},
        {"target": torch.tensor(1)},
        {"target": scores.logit(1)},
        {"target": scores.logit("class 1")},
        {"target": scores.logit(np.int8(1))},
        {"target": {"logit": 1}},
        {"target": lambda z: z[:, 1]},
        {"target": lambda z: z[:, 1:2]},
        {"target": lambda z: z[0, 1]},
        {"layer": NET.second},
        {"layer": MODEL.net.second},
        {"layer": MODEL.layer("second")},
        {"layer": ["second"]},
        {"layer": (NET.second,)},
        {"progress": lambda done, total: None},
        {"counterfactual": np.False_},
        {"fit": np.str_("crop")},
    ],
    ids=lambda given: ", ".join(f"{name} {type(one).__name__}" for name, one in given.items()),
)
def test_accepted_forms_of_arguments_give_equal_maps(given, plain) -> None:
    np.testing.assert_allclose(camviz.explain(**PLAIN | given).attribution, plain, rtol=1e-5, atol=1e-7)


def test_paths_of_an_image_are_accepted(tmp_path, plain) -> None:
    (tmp_path / "a.png").write_bytes(png())
    for image in (tmp_path / "a.png", str(tmp_path / "a.png"), {"file": str(tmp_path / "a.png")}):
        np.testing.assert_allclose(camviz.explain(**PLAIN | {"image": image}).attribution, plain, rtol=1e-5, atol=1e-7)


def test_bare_network_is_loaded_once_with_defaults() -> None:
    net = Small().eval()
    ours = camviz.explain(net, IMAGE, target=1, layer=net.second)
    theirs = camviz.explain(camviz.load_model(net), IMAGE, target=1, layer="second")
    np.testing.assert_array_equal(ours.attribution, theirs.attribution)
    assert camviz.explain(net, IMAGE).question.model is ours.question.model


@pytest.mark.parametrize("layers", [["first", NET.second], "first,second", [MODEL.net.first, MODEL.layer("second")]])
@pytest.mark.parametrize("fuse", ["mean", "max"])
def test_forms_of_several_layers_give_equal_maps(layers, fuse) -> None:
    found = camviz.explain(**PLAIN | {"layer": layers}, fuse=fuse).attribution
    plain = camviz.explain(**PLAIN | {"layer": ("first", "second")}, fuse=fuse).attribution
    np.testing.assert_array_equal(found, plain)


class Raising:
    """An image file whose content cannot be read."""

    def read(self, _: int) -> bytes:
        raise OSError("unplugged")

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        *(
            ({"model": one}, "a model is what camviz.load_model returns, .*; got ")
            for one in (None, 3, True, [], Small, b"x")
        ),
        ({"model": "resnet19"}, "'resnet19' is not in"),
        ({"model": ""}, "needs a 'name', as text"),
        ({"model": {}}, "needs a 'name', as text"),
        ({"model": {"name": 3}}, "needs a 'name', as text; got '3'"),
        ({"model": {"net": "x"}}, "field 'net' is not in"),
        *(
            ({"image": one}, "expected an image as a path, .*; got ")
            for one in (None, 3, True, [IMAGE], NET, MODEL, 1j)
        ),
        ({"image": "https://example.org/a.jpg"}, "is an address, and CamViz reads only files"),
        ({"image": "no.png"}, "cannot read the image 'no.png': No such file"),
        ({"image": "."}, "cannot read the image '.': (Is a directory|Permission denied)"),
        ({"image": ""}, "cannot read the image"),
        ({"image": "x" * 5000}, "cannot read the image"),
        ({"image": "a\0b"}, "image"),
        ({"image": Path("no.png")}, "No such file"),
        ({"image": b""}, "this file is empty"),
        ({"image": b"text"}, "this file is not an image"),
        ({"image": png()[:50]}, "truncated or damaged"),
        ({"image": io.StringIO("x")}, "binary mode"),
        ({"image": Raising()}, "truncated or damaged|cannot read"),
        ({"image": {}}, "image"),
        ({"image": {"path": "x"}}, "field 'path' is not in"),
        ({"image": MODEL.preprocess(IMAGE)}, "has values of 0 to 1; got .*: give the image itself"),
        *(
            ({"method": one}, "a method is given by its key, .*; got ")
            for one in (None, 3, [], ["grad_cam"], print, Small)
        ),
        ({"method": "gradcam"}, "method 'gradcam' is not in CamViz; did you mean 'grad_cam'"),
        ({"method": ""}, "method '' is not in CamViz"),
        *(
            ({"target": one}, "a target is the index of a class, .*; got ")
            for one in (True, 1.0, [1], (1,), b"a", {1}, 1j)
        ),
        *(({"target": one}, "a target is the index of a class") for one in (np.ones(2), torch.eye(4)[1], np.True_)),
        *(({"target": one}, "Small has the classes 0 to 3; got ") for one in (4, -1, 10**30, scores.logit(4))),
        ({"target": "cat"}, "class 'cat' is not in Small"),
        ({"target": scores.contrast(0, "cat")}, "class 'cat' is not in Small"),
        ({"target": scores.probability(1.5)}, "a class is an index or a label; got 1.5"),
        ({"target": {}}, "a score must have one name"),
        ({"target": {"logits": 1}}, "score 'logits' is not in CamViz; did you mean 'logit'"),
        ({"target": {"logit": "x"}}, "the score 'logit' takes the index of a class; got x"),
        ({"target": {"contrast": [1]}}, "takes the indices of 2 classes"),
        ({"target": lambda z: None}, r"a score must return one number for each sample, shape \(1,\); got NoneType"),
        ({"target": lambda z: "x"}, "got str"),
        ({"target": lambda z: z}, r"got \(1, 4\)"),
        ({"target": lambda z: 3.0}, "does not depend on the class scores"),
        ({"target": lambda z: z[:, 1].detach().numpy()}, "without NumPy"),
        ({"target": lambda z: z[:, 99]}, "the explained score fails"),
        ({"target": lambda: 1}, "the explained score fails"),
        ({"target": lambda z: z[:, 1] * float("nan")}, "nan"),
        ({"target": lambda z: torch.empty(1, device="meta")}, "."),
        ({"layer": 3}, "a layer is a dotted name, such as '.*', or a module of the network; got 3"),
        ({"layer": []}, "the list of layers is empty"),
        ({"layer": [None]}, "a layer is a dotted name"),
        ({"layer": [["second"]]}, "a layer is a dotted name"),
        ({"layer": np.zeros(2)}, "a layer is a dotted name"),
        ({"layer": nn.ReLU()}, r"this layer \(ReLU\) is not a module of Small"),
        ({"layer": NET}, "layer '' is not in Small"),
        ({"layer": NET.classifier}, "layer 'classifier' is not in Small"),
        ({"layer": "secnd"}, "layer 'secnd' is not in Small; did you mean 'second'"),
        ({"layer": "second,"}, "layer '' is not in Small"),
        ({"layer": ""}, "layer '' is not in Small"),
        *(({"fit": one}, "fit '.*' is not in crop, pad, stretch") for one in ("zoom", None, 3, [], np.zeros(2))),
        *(({"fuse": one}, "fuse '.*' is not in mean, max") for one in ("min", None, 3, {}, np.zeros(2))),
        *(({"progress": one}, "progress must be a function .*; got ") for one in (3, True, "x", [], np.zeros(2))),
        ({"steps": 3}, "setting 'steps' is not in the settings of grad_cam"),
        *(
            ({"counterfactual": one}, "counterfactual of grad_cam must be bool; got ")
            for one in (1, "yes", None, np.ones(2))
        ),
    ],
)
def test_wrong_arguments_of_explain_are_refused(given, sentence) -> None:
    with pytest.raises(CamvizError, match=sentence):
        camviz.explain(**PLAIN | given)


# ------------------------------------------------------------------------------------------------------------ measure

EXPLANATION = camviz.explain(**PLAIN)


@pytest.mark.parametrize("steps", [5, 5.0, np.int64(5), torch.tensor(5)])
@pytest.mark.parametrize("metric", ["deletion", METRICS["deletion"]], ids=["key", "record"])
def test_accepted_forms_of_measure_give_equal_numbers(metric, steps) -> None:
    assert float(camviz.measure(EXPLANATION, metric, steps=steps)) == float(
        camviz.measure(EXPLANATION, "deletion", steps=5)
    )


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        *(((one, "deletion"), {}, "measure takes an explanation, .*; got ") for one in (None, 3, IMAGE, [EXPLANATION])),
        *(((EXPLANATION, one), {}, "metric must be a key of METRICS") for one in (None, 3, [], ["deletion"], print)),
        ((EXPLANATION, "deletions"), {}, "metric 'deletions' is not in CamViz; did you mean 'deletion'"),
        ((EXPLANATION, "deletion"), {"foo": 1}, "setting 'foo' is not in the settings of deletion"),
        ((EXPLANATION, "deletion"), {"steps": "x"}, "steps of deletion must be int; got 'x'"),
        ((EXPLANATION, "deletion"), {"steps": True}, "steps of deletion must be int"),
        ((EXPLANATION, "deletion"), {"steps": 10**9}, "steps of deletion must lie in"),
        ((EXPLANATION, "deletion"), {"progress": 3}, "progress must be a function"),
        ((EXPLANATION, "deletion"), {"progress": 0}, "progress must be a function"),
    ],
)
def test_wrong_arguments_of_measure_are_refused(arguments, settings, sentence) -> None:
    with pytest.raises(CamvizError, match=sentence):
        camviz.measure(*arguments, **settings)


# --------------------------------------------------------------------------------------------------------- synthesize


@pytest.mark.parametrize(
    ("plain", "given"),
    [
        ({"channel": 3}, {"channel": np.int64(3)}),
        ({"channel": 3}, {"channel": torch.tensor(3)}),
        ({"target": 1}, {"target": "class 1"}),
        ({"target": 1}, {"target": np.int64(1)}),
        ({"target": 1}, {"target": lambda z: z[:, 1]}),
        ({"target": 1}, {"target": lambda z: z[0, 1]}),
        ({"target": 1, "steps": 2}, {"target": 1, "steps": np.int64(2)}),
    ],
)
def test_accepted_forms_of_synthesize_give_equal_images(plain, given) -> None:
    ours, theirs = (synthesize(MODEL, **{"steps": 2} | one) for one in (given, plain))
    np.testing.assert_array_equal(ours.image, theirs.image)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        *(({"model": one}, "synthesize takes a Model, .*; got ") for one in (None, 3, NET, "resnet18")),
        *(({"method": one}, "synthesis '.*' is not in CamViz") for one in (None, 3, [], "dream")),
        *(
            ({"channel": one}, "layer .* has channels 0 to 7; got ")
            for one in (-1, 8, True, 1.5, "x", [], np.zeros(2), 10**30)
        ),
        *(({"layer": one, "channel": 1}, "layer '.*' is not in Small") for one in ("x", "", 3, [], np.zeros(2))),
        *(({"target": one}, "a target is|has the classes|class 'x'") for one in (True, 9, "x", [1], 1.5)),
        ({}, "there is nothing to synthesize|there is no class to synthesize"),
        ({"target": lambda z: None}, "a score must return one number"),
        ({"target": lambda z: z[:, 9]}, "the explained score fails"),
        ({"target": lambda z: z.detach()[:, 1]}, "does not depend on the class scores"),
        *(({"target": 1, "progress": one}, "progress must be a function") for one in (3, True, "x")),
        *(
            ({"target": 1, "steps": one}, "steps of activation_maximization must")
            for one in (0, 1.5, "x", True, np.ones(2))
        ),
        ({"method": "deep_dream"}, "starts from an image"),
        ({"method": "deep_dream", "image": 3}, "expected an image"),
        ({"method": "deep_dream", "image": IMAGE, "fit": []}, "fit '.*' is not in"),
    ],
)
def test_wrong_arguments_of_synthesize_are_refused(given, sentence) -> None:
    with pytest.raises(CamvizError, match=sentence):
        synthesize(**{"model": MODEL, "steps": 2} | given)


# -------------------------------------------------------------------------------------------------------------- serve


@pytest.mark.parametrize(
    ("network", "settings", "sentence"),
    [
        (None, {}, "load_model takes .*; got NoneType"),
        (Small, {}, r"call it first, as in Small\(\)"),
        (MODEL, {"head": "none"}, "a loaded model has its settings already"),
        (MODEL, {"name": 3}, "name must be text"),
        *((MODEL, {"port": one}, "port must be a whole number of 0 to 65535") for one in (-1, "x", 10**30, True, 1.5)),
        (MODEL, {"host": 3}, "host must be an address as text"),
        (MODEL, {"host": "x" * 300}, "x{300} can be used"),
        (MODEL, {"host": "no.such.host.invalid"}, "no port of the host no.such.host.invalid can be used"),
        (NET, {"input_size": "x"}, "the input size"),
        (NET, {"mean": "x"}, "mean must be numbers"),
    ],
)
def test_wrong_arguments_of_serve_are_refused(network, settings, sentence) -> None:
    with pytest.raises(CamvizError, match=sentence):
        camviz.serve(network, browser=False, block=False, **settings)
