"""Training of a last layer: probabilities, the unchanged network, its file, and refused arguments."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import camviz
from camviz.models.checkpoints.saved_names import saved_architecture, saved_class_names
from camviz.training import to_file, train_head
from camviz.training.head import find_head, head_features
from tests.models.nets import Small

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
MAMMALS = [SAMPLES / f"{name}.jpg" for name in ("cat", "koala", "panda", "polar_bear")]
OTHERS = [SAMPLES / f"{name}.jpg" for name in ("chameleon", "komodo_dragon", "macaw")]


def colored(red: int, count: int, seed: int) -> list[np.ndarray]:
    """Images of noise around one color."""
    noise = np.random.default_rng(seed).integers(0, 120, (count, 24, 24, 3))
    return list((noise + np.array([red, 120 - red, 30])).astype(np.uint8))


@pytest.fixture(scope="module")
def small() -> camviz.Model:
    return camviz.load_model(Small(), input_size=24)


@pytest.fixture(scope="module")
def classes() -> dict[str, list[np.ndarray]]:
    return {"red": colored(110, 12, 0), "olive": colored(60, 9, 1), "green": colored(10, 7, 2)}


def test_trained_probabilities_are_the_softmax_of_the_new_layer(small, classes) -> None:
    found = train_head(small, classes)
    images = [image for some in classes.values() for image in some]
    features = head_features(small, images)
    head = found.model.net.get_submodule(find_head(small))
    scores = features @ head.weight.numpy().T + head.bias.numpy()
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    for image, wanted in zip(images[::9], expected[::9], strict=True):
        given = {one.label: one.probability for one in found.model.predict(image)}
        assert np.allclose([given[name] for name in classes], wanted, atol=1e-5)
    assert found.training_accuracy == (expected.argmax(axis=1) == found.labels).mean()


def test_held_out_accuracy_uses_unseen_images(small, classes) -> None:
    found, again, other = train_head(small, classes), train_head(small, classes), train_head(small, classes, seed=1)
    assert (found.folds, found.count, found.confusion.sum(axis=1).tolist()) == (5, 28, [12, 9, 7])
    assert found.correct == np.trace(found.confusion) and found.held_out_accuracy == found.correct / 28 > 0.8
    assert np.array_equal(found.held_out, again.held_out) and found.model.key == again.model.key
    assert not np.array_equal(found.held_out, other.held_out)
    # Classes without a difference are told apart in training, and not where the accuracy is measured.
    noise = colored(60, 40, 3)
    noise_head = train_head(small, {"a": noise[:20], "b": noise[20:]})
    assert noise_head.training_accuracy > noise_head.held_out_accuracy and noise_head.held_out_accuracy < 0.7
    assert train_head(small, {"a": noise[:3], "b": noise[3:20]}).folds == 3


def test_trained_model_shares_the_tensors_of_the_network(small, classes) -> None:
    before = {name: tensor.clone() for name, tensor in small.net.state_dict().items()}
    found = train_head(small, classes, name="colors")
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.net.state_dict().items())
    assert len(small.categories) == 4 and small.net.classifier.out_features == 4
    shared = {name for name, tensor in found.model.net.state_dict().items() if name in before}
    own = {
        name
        for name, tensor in found.model.net.state_dict().items()
        if tensor.data_ptr() != small.net.state_dict()[name].data_ptr()
    }
    assert shared == before.keys() and own == {"classifier.weight", "classifier.bias"}
    assert found.model.name == "colors" and found.model.key != small.key
    assert not any(parameter.requires_grad for parameter in found.model.net.parameters())


def test_trained_model_can_be_explained_and_measured(small, classes) -> None:
    model = train_head(small, classes).model
    image = classes["green"][0]
    e = camviz.explain(model, image, "cam")
    score, bias = float(model.net(model.preprocess(image))[0, 2]), float(model.net.classifier.bias[2])
    assert (e.label, e.layer, model.layers) == ("green", "last_relu", small.layers)
    assert e.attribution.mean() == pytest.approx(score - bias, abs=1e-4)
    grad_cam = camviz.explain(model, image, "grad_cam", target="green").attribution
    assert np.allclose(grad_cam * e.attribution.size, np.maximum(e.attribution, 0), atol=1e-3)
    assert 0 <= float(camviz.measure(e, "deletion", steps=4)) <= 1


def test_saved_model_is_loaded_with_equal_predictions(lite0, tmp_path) -> None:
    found = train_head(lite0, {"mammal": MAMMALS, "爬行动物": OTHERS})
    found.save(tmp_path / "zoo.safetensors")
    model = camviz.load_model("efficientnet_lite0", weights=tmp_path / "zoo.safetensors")
    assert model.categories == ("mammal", "爬行动物") == found.class_names and model.layers == found.model.layers
    for image in (MAMMALS[0], OTHERS[0]):
        assert model.predict(image) == found.model.predict(image)
    given = camviz.load_model("efficientnet_lite0", weights=tmp_path / "zoo.safetensors", categories=["a", "b"])
    assert given.categories == ("a", "b")
    content = to_file(found.model, "efficientnet_lite0")
    assert saved_class_names(content) == found.class_names and saved_architecture(content) == "efficientnet_lite0"
    assert saved_class_names(b"\xff" * 20) is None and saved_class_names(tmp_path / "none.pth") is None


class Convolutional(nn.Module):
    """Class scores without a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x).relu()).mean(dim=(2, 3))


def test_wrong_training_sets_are_refused(small, classes) -> None:
    red = classes["red"]
    for given, reason in [
        ({"red": red}, "must have 2 to 5 classes"),
        ({str(number): red[:3] for number in range(6)}, "must have 2 to 5 classes"),
        ({"a": red[:2], "b": red[3:6]}, "class 'a' needs a list of at least 3 images; got 2"),
        ({"a": red[:3], "b": red[2:6]}, "an image of the class 'b' is in the class 'a' already"),
        ({"a": red[:3], "A ": red[3:6]}, "same name"),
        ({"a": red[:3], "": red[3:6]}, "name of class 1"),
        ({"a": red[:3], "b": "red.jpg"}, "class 'b' needs a list"),
        ({"a": red[:3], "b": [red[3]] * 498}, "at most 500 images"),
    ]:
        with pytest.raises(camviz.CamvizError, match=reason):
            train_head(small, given)
    with pytest.raises(camviz.CamvizError, match="at least 2; got 1"):
        train_head(small, classes, folds=1)
    with pytest.raises(camviz.CamvizError, match="does not end in a linear layer"):
        train_head(camviz.load_model(Convolutional(), input_size=24), classes)
