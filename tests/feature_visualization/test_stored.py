"""The stored feature visualizations: what the file holds, and that each image activates its channel."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import camviz
from camviz.feature_visualization import stored
from camviz.tape import activations

SAMPLES = sorted((stored.ASSETS / "samples").glob("*.jpg"))


def strength(model: camviz.Model, image, channel: int) -> float:
    """Return the mean of a channel of blocks.6 for an image."""
    return float(
        activations(model.net, model.preprocess(image, "stretch"), model.module("blocks.6"))[0][0, channel].mean()
    )


@pytest.mark.parametrize(("name", "samples"), zip(stored.EMBEDDED, (SAMPLES, SAMPLES[:3], SAMPLES[3:6]), strict=True))
def test_strongest_channel_of_a_sample_has_a_stored_image(name: str, samples: list[Path]) -> None:
    model = camviz.load_model(name)
    first = [(layer, channel) for rank, layer, channel in stored.chosen_channels(model, samples, 1) if rank == 0]
    assert len(first) >= len(samples) - 1 and {layer for layer, _ in first} == {"blocks.6"}
    for layer, channel in first:
        image = stored.stored_image(model, layer, channel)
        assert image is not None and image.shape == (stored.SIZE, stored.SIZE, 3), channel
    channel = first[0][1]
    assert strength(model, stored.stored_image(model, "blocks.6", channel), channel) > 1.5 * max(
        strength(model, sample, channel) for sample in samples
    )


def test_other_channels_models_and_weights_have_no_stored_image(lite0) -> None:
    assert stored.stored_image(lite0, "blocks.6", 320) is None and stored.stored_image(lite0, "blocks.5", 99) is None
    random = replace(lite0, weights=camviz.load_model("efficientnet_lite0", weights="random").weights)
    assert stored.stored_image(lite0, "blocks.6", 99) is not None
    assert stored.stored_image(random, "blocks.6", 99) is None
    assert stored.stored_image(replace(lite0, name="mine"), "blocks.6", 99) is None


def test_command_adds_only_missing_images(tmp_path, monkeypatch) -> None:
    assert stored.FILE.stat().st_size < 1_000_000
    file, lines = tmp_path / "images.zip", []
    monkeypatch.setattr(stored, "STEPS", 1)
    monkeypatch.setattr(stored, "EMBEDDED", ("efficientnet_lite0",))
    monkeypatch.setattr(stored, "chosen_channels", lambda *_: ((0, "blocks.1", 3), (1, "blocks.0", 2)))
    stored.write(file, lines.append)
    assert [line.partition(":")[0] for line in lines] == [
        f"efficientnet_lite0/{name}.webp" for name in ("blocks.1/3", "blocks.0/2")
    ]
    before = file.read_bytes()
    stored.write(file, lines.append)
    assert len(lines) == 2 and file.read_bytes() == before
    assert zipfile.ZipFile(file).namelist() == [line.partition(":")[0] for line in lines]
