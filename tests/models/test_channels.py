"""Networks with gray, reordered or additional input channels; custom preprocessing; sigmoid heads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import transforms as T
from torchvision.transforms import v2

import camviz
from camviz import images
from camviz.models.channels import RGB_CHANNELS, in_colors, to_channels, to_image
from camviz.models.preprocessing import infer_preprocessing

SIZE = (24, 32)


def net(channels: int = 3, classes: int = 4) -> nn.Module:
    torch.manual_seed(channels)
    layers = [nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, stride=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))


@pytest.fixture
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (60, 70, 3), np.uint8))


# ----------------------------------------------------------------------------------------------------------- channels


def test_gray_equals_pillow(noise: Image.Image) -> None:
    every = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), axis=-1).reshape(-1, 52, 3).astype(np.uint8)
    expected = np.array(Image.fromarray(every).convert("L"))
    assert torch.equal(to_channels(every, ("gray",))[0] * 255, torch.from_numpy(expected).float())


def test_one_channel_network_gets_gray(noise: Image.Image) -> None:
    model = camviz.load_model(net(1), input_size=SIZE)
    assert (model.input_channels, model.input_shape) == (("gray",), (1, *SIZE))
    assert model.mean == (pytest.approx((0.485 + 0.456 + 0.406) / 3),)
    assert model.std == (pytest.approx((0.229 + 0.224 + 0.225) / 3),)
    view, colors = model.view(noise), camviz.load_model(net(3), input_size=SIZE).view(noise)
    assert np.array_equal(view, np.repeat(np.array(Image.fromarray(colors).convert("L"))[..., None], 3, axis=2))
    x = model.preprocess(noise)
    assert x.shape == (1, 1, *SIZE)
    assert torch.allclose(x[0, 0] * model.std[0] + model.mean[0], torch.from_numpy(view[..., 0]) / 255, atol=1e-6)
    assert np.array_equal(model.denormalize(x[0]), view)


def test_bgr_network_equals_rgb_network(noise: Image.Image) -> None:
    """A network with blue first equals one with red first and flipped weights."""
    usual, reversed_ = net(), net()
    reversed_[0].weight.data = reversed_[0].weight.data.flip(1)
    a = camviz.load_model(usual, input_size=SIZE)
    b = camviz.load_model(reversed_, input_size=SIZE, input_channels=("blue", "green", "red"))
    assert np.array_equal(a.view(noise), b.view(noise))
    assert torch.equal(a.preprocess(noise), b.preprocess(noise).flip(1))
    for method in ("vanilla_backprop", "grad_cam", "integrated_gradients"):
        one, other = (camviz.explain(model, noise, method, 2).attribution for model in (a, b))
        assert np.allclose(one, other, atol=1e-6 * np.abs(one).max())


def test_additional_channels_are_gray_or_black(noise: Image.Image) -> None:
    with pytest.raises(camviz.CamvizError, match="has 5 input channels, but an image has red, green and blue: name"):
        camviz.load_model(net(5), input_size=SIZE)
    model = camviz.load_model(net(5), input_size=SIZE, input_channels=("gray", "red", "black", "blue", "green"))
    x = model.preprocess(noise)[0]
    assert torch.equal(x[2], torch.zeros(SIZE))
    view = torch.from_numpy(model.view(noise)).permute(2, 0, 1) / 255
    for channel, color in ((1, 0), (3, 2), (4, 1)):
        assert torch.allclose(x[channel] * model.std[channel] + model.mean[channel], view[color], atol=1e-6)
    assert np.array_equal(model.denormalize(x), model.view(noise))


def test_attributions_are_mapped_to_colors(noise: Image.Image) -> None:
    channels = ("gray", "red", "black", "blue", "green")
    model = camviz.load_model(net(5), input_size=SIZE, input_channels=channels)
    e = camviz.explain(model, noise, "vanilla_backprop", 1)
    raw = camviz.METHODS["vanilla_backprop"](model.net, model.preprocess(noise), camviz.scores.logit(1))[0]
    assert raw.shape == (5, *SIZE)
    third = raw[0] / 3
    expected = torch.stack([raw[1] + third, raw[4] + third, raw[3] + third])
    assert np.allclose(e.attribution, expected.numpy(), atol=1e-7)
    assert in_colors(raw, RGB_CHANNELS) is raw
    assert e.heatmap.shape == SIZE


@pytest.mark.parametrize("key", camviz.METHODS)
@pytest.mark.parametrize("channels", [("gray",), ("red", "green", "blue", "black")])
def test_every_method_on_other_channels(key: str, channels: tuple[str, ...], noise: Image.Image) -> None:
    model = camviz.load_model(net(len(channels)), input_size=SIZE, input_channels=channels)
    few = {"samples": 3, "steps": 2, "masks": 8}
    knobs = {name: few[name] for name in camviz.METHODS[key].knobs if name in few}
    e = camviz.explain(model, noise, key, **knobs)
    assert e.attribution.shape[-2:] == SIZE or e.attribution.ndim == 2
    assert e.attribution.ndim == 2 or len(e.attribution) == 3
    assert np.isfinite(e.attribution).all() and e.view.shape == (*SIZE, 3)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"input_channels": ("infrared", "green", "blue")},
            "input channel 'infrared' is not in red, green, blue, gray, black",
        ),
        ({"input_channels": ()}, "input_channels must be a list of colors"),
        ({"input_channels": "red"}, "input_channels must be a list of colors"),
        ({"input_channels": ("gray",)}, r"does not run on an image of shape \(1, 1, 24, 32\)"),
        ({"mean": (0.5,)}, "mean must be three numbers, for red, green and blue; got 1"),
        (
            {"input_channels": ("blue", "green", "red"), "std": (1, 1)},
            "std must be three numbers, for blue, green and red; got 2",
        ),
        ({"head": "relu"}, "head 'relu' is not in softmax, sigmoid"),
    ],
)
def test_wrong_channels_and_heads_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(camviz.CamvizError, match=sentence):
        camviz.load_model(net(), input_size=SIZE, **settings)


@pytest.mark.parametrize(
    ("name", "first"), [("resnet18", "conv1"), ("timm/resnet18", "conv1"), ("googlenet", "conv1.conv")]
)
def test_channels_are_inferred_from_the_checkpoint(name: str, first: str, tmp_path: Path) -> None:
    state = dict(camviz.load_model(name, weights="random").net.state_dict())
    state[f"{first}.weight"] = state[f"{first}.weight"].sum(dim=1, keepdim=True)
    torch.save(state, tmp_path / "gray.pth")
    model = camviz.load_model(name, weights=tmp_path / "gray.pth", input_size=(64, 64))
    assert model.input_channels == ("gray",)
    assert torch.equal(model.net.get_submodule(first).weight, state[f"{first}.weight"])
    assert len(model.mean) == 1


# -------------------------------------------------------------------------------------------------------- preprocess


PRESETS = {
    "torchvision": T.Compose(
        [T.Resize(30), T.CenterCrop(SIZE), T.ToTensor(), T.Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])]
    ),
    "v2": v2.Compose(
        [
            v2.ToImage(),
            v2.Resize(30),
            v2.CenterCrop(SIZE),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]),
        ]
    ),
}


@pytest.mark.parametrize("key", PRESETS)
def test_preprocessing_is_inferred(key: str, noise: Image.Image) -> None:
    found = infer_preprocessing(PRESETS[key])
    assert (found.size, found.channels) == (SIZE, RGB_CHANNELS)
    assert found.mean == pytest.approx((0.5, 0.4, 0.3), abs=1e-6)
    assert found.std == pytest.approx((0.2, 0.3, 0.4), abs=1e-6)
    model = camviz.load_model(net(), preprocess=PRESETS[key])
    assert model.input_size == SIZE
    assert torch.allclose(model.preprocess(noise), PRESETS[key](noise)[None], atol=1e-5)


def test_view_is_the_preprocessed_image(noise: Image.Image) -> None:
    model = camviz.load_model(net(), preprocess=PRESETS["torchvision"])
    kept = T.Compose([T.Resize(30), T.CenterCrop(SIZE)])(noise)
    assert np.array_equal(model.view(noise), np.array(kept))
    assert model.view(noise, "stretch").shape == (*SIZE, 3)
    assert np.array_equal(model.view(noise, "stretch"), np.array(noise.resize(SIZE[::-1], Image.Resampling.BILINEAR)))


def test_gray_and_bgr_preprocessing_are_inferred(noise: Image.Image) -> None:
    gray = T.Compose([T.Grayscale(), T.Resize(SIZE), T.ToTensor(), T.Normalize([0.1307], [0.3081])])
    model = camviz.load_model(net(1), preprocess=gray)
    assert (model.input_channels, model.mean[0], model.std[0]) == (
        ("gray",),
        pytest.approx(0.1307),
        pytest.approx(0.3081),
    )
    assert torch.allclose(model.preprocess(noise), gray(noise)[None], atol=1e-5)

    def caffe(image: Image.Image) -> torch.Tensor:
        pixels = np.asarray(image.resize(SIZE[::-1]), np.float32)[..., ::-1] - np.array([103.94, 116.78, 123.68])
        return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32))[None]

    model = camviz.load_model(net(), preprocess=caffe)
    assert model.input_channels == ("blue", "green", "red")
    assert model.mean == pytest.approx((103.94 / 255, 116.78 / 255, 123.68 / 255), abs=1e-6)
    assert torch.allclose(model.preprocess(noise), caffe(noise), atol=1e-3)


def with_constant_channel(image: Image.Image) -> torch.Tensor:
    x = T.functional.to_tensor(image.resize((32, 32)))
    return torch.cat([x[:2], torch.full((1, 32, 32), 0.25)])


def test_constant_channel_is_black() -> None:
    found = infer_preprocessing(with_constant_channel)
    assert found.channels == ("red", "green", "black")
    assert (0 - found.mean[2]) / found.std[2] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("preprocess", "sentence"),
    [
        (lambda image: image.no_such_thing, "preprocess fails on an image .* 'Image' object has no attribute"),
        (lambda image: None, "preprocess fails on an image"),
        (lambda image: image, r"floating point numbers .* got shape \(384, 384, 3\), torch.uint8"),
        (lambda image: np.asarray(image).transpose(2, 0, 1), "floating point numbers .* torch.uint8"),
        (lambda image: T.functional.to_tensor(image)[0], r"got shape \(384, 384\)"),
        (lambda image: T.functional.to_tensor(image) ** 2, "a gray of 40%"),
        (lambda image: torch.zeros(3, 8, 8), "its result is the same for black and for white"),
        (
            lambda image: T.functional.to_tensor(T.functional.autocontrast(image)),
            "depends on the other colors|a gray of 40",
        ),
        (
            lambda image: T.functional.to_tensor(image.resize((32, 32))) + torch.rand(1),
            "must only resize, crop and normalize",
        ),
        (T.Compose([T.RandomResizedCrop(32), T.ToTensor()]), "gives another result for the same image each time"),
        (
            lambda image: T.functional.to_tensor(image)[[0, 1, 2]].cumsum(0),
            "mixes red, green and blue as 0.50, 0.50, 0.00",
        ),
    ],
)
def test_unsuitable_preprocessing_is_refused(preprocess: Any, sentence: str) -> None:
    with pytest.raises(camviz.CamvizError, match=sentence):
        camviz.load_model(net(), preprocess=preprocess)


def test_preprocess_and_mean_exclude_each_other() -> None:
    with pytest.raises(camviz.CamvizError, match="leave these out, or leave out preprocess"):
        camviz.load_model(net(), preprocess=PRESETS["v2"], mean=(0, 0, 0))


# -------------------------------------------------------------------------------------------------------------- heads


def test_sigmoid_head_gives_independent_probabilities(noise: Image.Image) -> None:
    model = camviz.load_model(net(), input_size=SIZE, head="sigmoid", categories=list("abcd"))
    with torch.no_grad():
        expected = model.net(model.preprocess(noise))[0].sigmoid()
    found = model.predict(noise, 4)
    assert [one.probability for one in found] == pytest.approx(expected.sort(descending=True).values.tolist())
    assert sum(one.probability for one in found) > 1.2
    e = camviz.explain(model, noise, "grad_cam", "c")
    assert e.probability == pytest.approx(float(expected[2]))
    softmax = camviz.load_model(net(), input_size=SIZE)
    assert np.array_equal(e.attribution, camviz.explain(softmax, noise, "grad_cam", 2).attribution)


def test_single_class_has_a_sigmoid_head(noise: Image.Image) -> None:
    model = camviz.load_model(net(3, 1), input_size=SIZE)
    assert model.head == "sigmoid"
    assert model.predict(noise)[0].probability == pytest.approx(float(model.net(model.preprocess(noise)).sigmoid()))
    assert 0.05 < model.predict(noise)[0].probability < 0.95
    assert camviz.load_model(net(), input_size=SIZE).head == "softmax"


def test_to_image_inverts_to_channels() -> None:
    view = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    for channels in (RGB_CHANNELS, ("blue", "green", "red"), ("red", "green", "blue", "black")):
        assert np.array_equal(to_image(to_channels(view, channels), channels), view)


def test_decoded_image_is_not_decoded_again(noise: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    model = camviz.load_model(net(), input_size=SIZE)
    expected = model.view(noise), model.preprocess(noise), model.predict(noise)
    decoded = images.decode_image(noise)
    monkeypatch.setattr(images, "decode", None)  # decoding would fail from here on
    assert np.array_equal(model.view(decoded), expected[0])
    assert torch.equal(model.preprocess(decoded), expected[1])
    assert model.predict(decoded) == expected[2]
