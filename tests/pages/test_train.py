"""The page Train without a browser: the example, uploaded images, training again, the model on other pages."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

import camviz
from camviz.training import train_head
from camviz.ui.components import browser
from camviz.ui.inputs import model_input
from camviz.ui.server.holdings import holdings
from camviz.ui.train.training_set import MAMMALS, OTHERS

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


def sample(name: str) -> Path:
    return SAMPLES / f"{name}.jpg"


def photo(name: str) -> bytes:
    """Return an image that the server has not seen, larger than it keeps."""
    buffer = io.BytesIO()
    Image.open(sample(name)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((900, 800)).save(buffer, "JPEG")
    return buffer.getvalue()


def text(app: AppTest) -> str:
    return "\n".join(one.value for one in [*app.markdown, *app.caption, *app.warning, *app.error, *app.info])


def numbers(app: AppTest) -> list[tuple[str, str]]:
    return [(metric.label, metric.value) for metric in app.metric]


def test_custom_classes_become_a_model_on_every_page(
    start: Callable[..., AppTest], downloads: dict[str, Any], lite0, tmp_path, monkeypatch
) -> None:
    drawn: dict[str, Any] = {}
    removed: list[str] = []

    def tiles(label: str, items: Any, chosen: Any, picked: Any, *_: Any, key: str) -> None:
        drawn[key] = items
        if removed and key == "train_images1":  # as if it was clicked, which only a browser can
            picked(removed.pop())

    monkeypatch.setattr(browser, "tiles", tiles)
    app = start("pages/train.py")
    assert not app.exception and not app.error
    # The example: the numbers of the package, wrong images first, and how few images there are.
    expected = train_head(lite0, {"mammal": list(map(sample, MAMMALS)), "other": list(map(sample, OTHERS))})
    assert numbers(app) == [("Accuracy on held-out images", f"{expected.held_out_accuracy:.0%} (n = 9)")]
    assert f"{expected.correct} of 9 images" in text(app) and "These are few images" in text(app)
    captions = [item[2] for item in drawn["train_predictions"]]
    wrong = expected.count - expected.correct
    assert [caption.startswith("✗") for caption in captions] == [True] * wrong + [False] * expected.correct
    token = app.session_state["_visitor"]
    assert token == ""  # nothing of this visitor's is held yet

    # Own images: a damaged file is refused, a photo is reduced, too few images cannot be trained.
    app.button(key="train_anew").click().run()
    assert "has 0 images" in text(app) and numbers(app)  # the result stays until there is another
    for index, names in enumerate((MAMMALS[:3], OTHERS)):
        app.text_input(key=f"train_name{index}").set_value(("fur", "羽毛")[index]).run()
        (uploader,) = [one for one in app.file_uploader if one.key.startswith(f"train_upload{index}")]
        files = [(f"{name}.jpg", photo(name), "image/jpeg") for name in names]
        uploader.set_value([*files, ("broken.png", b"\x89PNG", "image/png")]).run()
        assert len(app.error) == 1 and app.error[0].value.startswith("broken.png")
    token = app.session_state["_visitor"]
    held = holdings().of(token, "files")["training set"]
    assert held.names == ("fur", "羽毛") and held.labels == (0, 0, 0, 1, 1, 1)
    assert Image.open(io.BytesIO(held.images[0].data)).size == (576, 512)

    app.button(key="train.start").click().run()
    assert not app.exception and not app.error
    images = [image.data for image in held.images]
    expected = train_head(lite0, {"fur": images[:3], "羽毛": images[3:]})
    assert numbers(app) == [("Accuracy on held-out images", f"{expected.held_out_accuracy:.0%} (n = 6)")]
    assert app.table[0].value.to_numpy()[:, 1:].astype(int).tolist() == expected.confusion.tolist()

    # Mend the data, train again: before and after.
    removed.append(held.images[3].digest)
    app.run().run()
    assert "has 2 images" in text(app)
    (samples,) = [one for one in app.multiselect if one.key.startswith("train_samples1")]
    samples.set_value(["koala.jpg", "rocket.jpg"]).run()
    app.button(key="train.start").click().run()
    assert [label for label, _ in numbers(app)] == ["Accuracy before", "Accuracy on held-out images"]
    assert "**Before** · " in text(app) and "**Now** · " in text(app)

    # The model is on every page, for this visitor; its file gives it again.
    models = [key for key in holdings().of(token, "network") if key.startswith(model_input.TRAINED)]
    (first, second) = (holdings().of(token, "network")[key] for key in models)
    assert (first.title, second.title) == ("fur - 羽毛 1 (yours)", "fur - 羽毛 2 (yours)")
    same = [name for name, tensor in second.net.state_dict().items() if "classifier" not in name]
    assert all(first.net.state_dict()[name].data_ptr() == second.net.state_dict()[name].data_ptr() for name in same)
    (tmp_path / "own.safetensors").write_bytes(downloads["Download the model"]())
    again = camviz.load_model("efficientnet_lite0", weights=tmp_path / "own.safetensors")
    assert again.categories == ("fur", "羽毛") and again.predict(sample("cat")) == second.predict(sample("cat"))
    app.button(key="train_open").click().run()
    assert not app.exception and app.session_state["model"] == models[-1]
    experiment = app.session_state["experiment"]
    assert experiment.model is second and experiment.image.own
    assert {one.label for one in experiment.predictions} == {"fur", "羽毛"}
    assert np.isclose(experiment.answers.sum(), 1)
    app.switch_page("pages/compare.py").run()
    assert not app.exception and app.session_state["experiment"].model is second
