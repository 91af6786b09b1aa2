"""The Explain page without a browser: its texts, links and images."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

import camviz
from camviz import edits, models, report, scores
from camviz.evaluation.rank_correlation import rank_correlation
from camviz.evaluation.registry import METRICS, Subject
from camviz.methods.grad_cam import grad_cam
from camviz.ui.explain import map_views, occlusion
from camviz.ui.server import tasks
from camviz.ui.server.singletons import clear_singletons

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


def text(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.warning, *app.error, *app.info])


def png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_explain_opens_with_an_explained_sample(start) -> None:
    app = start()
    assert not app.exception and not app.warning
    assert "predicts espresso (96%). The highlighted region is evidence for espresso (layer bn2)" in text(app)
    assert "Limitations." in text(app)


def test_link_restores_all_settings(start) -> None:
    app = start(img="sample:macaw", method="layer_cam", layer="blocks.3", target="89", fit="pad", colors="jet")
    assert not app.exception and not app.warning
    assert app.selectbox(key="method").value == "layer_cam"
    assert app.selectbox(key="fit").value == "pad"
    assert "evidence for sulphur-crested cockatoo (layer blocks.3)" in text(app)
    assert dict(app.query_params) == {
        "img": "sample:macaw",
        "method": "layer_cam",
        "layer": "blocks.3",
        "target": "89",
        "fit": "pad",
        "colors": "jet",
    }


def test_link_may_name_any_layer(start) -> None:
    app = start(layer="blocks.1.0.bn3")
    assert not app.exception and not app.warning
    assert "(layer blocks.1.0.bn3)" in text(app)


def test_link_may_set_a_method_s_setting(start) -> None:
    app = start(**{"grad_cam.counterfactual": "1"})
    assert app.toggle(key="grad_cam.counterfactual").value is True
    assert "is evidence against espresso" in text(app)


def test_unknown_values_in_a_link_fall_back_with_a_note(start) -> None:
    app = start(method="nonsense", target="4000", layer="blocks.99", opacity="x", model="../../etc")
    assert not app.exception
    assert len(app.warning) == 5
    assert app.selectbox(key="method").value == "grad_cam"
    assert "predicts espresso" in text(app)


def test_changed_setting_is_written_into_the_link(start) -> None:
    app = start()
    app.selectbox(key="method").set_value("vanilla_backprop").run()
    assert "Small changes of the highlighted pixels change this score most" in text(app)
    assert app.query_params["method"] == "vanilla_backprop"


def test_rather_than_explains_a_contrast(start) -> None:
    app = start(img="sample:cat")
    app.selectbox(key="rather_than").set_value(282).run()
    assert not app.exception
    assert "is evidence for Egyptian cat rather than tiger-striped cat" in text(app)


def test_uploaded_image_is_explained(start) -> None:
    app = start()
    picture = Image.open(SAMPLES / "panda.jpg").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    app.file_uploader(key="upload").upload("<b>my</b> panda.png", png(picture), "image/png").run()
    assert not app.exception and not app.error
    assert "predicts giant panda" in text(app)
    assert app.query_params["img"].startswith("sha:")


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("empty.png", b"", "empty"),
        ("text.jpg", b"this is no image at all", "not an image"),
        ("small.png", png(Image.fromarray(np.zeros((8, 8, 3), np.uint8))), "16"),
    ],
)
def test_damaged_image_shows_an_error_and_keeps_the_settings(start, name, data, sentence) -> None:
    app = start(method="layer_cam")
    app.file_uploader(key="upload").upload(name, data, "image/png").run()
    assert not app.exception
    assert len(app.error) == 1 and name in app.error[0].value and sentence in app.error[0].value
    assert app.selectbox(key="method").value == "layer_cam"
    assert "predicts espresso" in text(app)


def test_missing_weights_show_a_message_and_the_page_works(start, monkeypatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    app = start(model="resnet18")
    assert not app.exception
    assert app.warning[0].value.startswith("ResNet18 could not be downloaded: no internet connection.")
    assert "predicts espresso" in text(app)


def test_untrained_network_has_a_warning(start, code) -> None:
    app = start(model="squeezenet1_1", untrained="1")
    assert not app.exception
    assert "This model is untrained" in app.warning[0].value
    assert "weights='random'" in code(app)


def test_menu_offers_all_methods_and_disables_unsuitable_ones(start) -> None:
    app = start(model="efficientnet_b0", untrained="1")
    assert not app.exception and not [button for button in app.button if str(button.key).startswith("menu.")]
    app.session_state["menu"] = True
    app.run()
    assert app.button(key="menu.guided_backprop").disabled and not app.button(key="menu.grad_cam").disabled
    assert "ReLU" in app.button(key="menu.guided_backprop").help
    app.button(key="menu.edge_detector").click().run()
    assert app.selectbox(key="method").value == "edge_detector" and app.session_state["menu"] is False
    assert "This heatmap is the same for every class" in text(app)


def test_several_layers_are_fused(start, code) -> None:
    app = start(several="1", layers="blocks.4,bn2", fuse="max")
    assert not app.exception and not app.warning
    assert "evidence for espresso (layers blocks.4, bn2)." in text(app)
    assert "fuse='max'" in code(app)


def test_slow_method_shows_its_time_and_waits(start, monkeypatch) -> None:
    monkeypatch.setattr("camviz.ui.results.cost.estimate", lambda _: 42.0)
    app = start(method="score_cam")
    assert not app.exception
    assert app.button(key="explanation.start").label == "Run Score-CAM (about 42 s)"
    assert "The highlighted region" not in text(app)


def test_too_long_estimate_is_corrected(start, monkeypatch) -> None:
    monkeypatch.setattr("camviz.ui.results.cost.estimate", lambda _: 43.0)
    link = {"method": "score_cam", "layer": "blocks.1", "img": "sample:panda"}
    assert start(**link).button(key="explanation.start").label == "Run Score-CAM (about 43 s)"
    monkeypatch.setattr(tasks, "PATIENCE", 100.0)
    assert "The highlighted region" in text(start(**link))
    monkeypatch.undo()
    app = start(method="score_cam", layer="blocks.1", img="sample:moose")
    assert not any("about 43 s" in button.label for button in app.button)


def test_invalid_setting_shows_an_error_and_the_page_works(start) -> None:
    app = start(method="deconvnet", layer="blocks.0", **{"deconvnet.feature_map": "99"})
    assert not app.exception
    assert "This layer has feature maps 0 to 15; got feature map 99." in app.error[0].value
    app.number_input(key="deconvnet.feature_map").set_value(3).run()
    assert not app.error and "activate feature map 3 of layer blocks.0 most" in text(app)


def test_fast_mode_is_compared_with_exact_after_a_click(start, monkeypatch) -> None:
    monkeypatch.setattr(tasks, "PATIENCE", 0.0)
    app = start(method="score_cam", layer="blocks.0", **{"score_cam.mode": "fast"})
    app.button(key="explanation.start").click().run()
    assert not any("rank correlation" in caption.value for caption in app.caption)
    app.button(key="exact.start").click().run()
    (found,) = [caption.value for caption in app.caption if "fast and the exact" in caption.value]
    layer = {"layer": "blocks.0", "method": "score_cam"}
    model = camviz.load_model("efficientnet_lite0")
    maps = [camviz.explain(model, SAMPLES / "coffee.jpg", mode=mode, **layer).attribution for mode in ("fast", "exact")]
    assert f"exact heatmap: {rank_correlation(*maps):.3f} " in found


def test_occlusion_shows_the_predicted_classes(start, charts, monkeypatch) -> None:
    monkeypatch.setattr(tasks, "PATIENCE", 0.0)
    link = {"method": "occlusion", "occlusion.size": "112", "occlusion.stride": "112"}
    app = start(**link)
    app.button(key="explanation.start").click().run()
    assert charts(app) == []
    app.button(key="places.start").click().run()
    (chart,) = charts(app)
    assert "espresso" in chart["legend"][0][1] and not any("other classes" in name for _, name in chart["legend"])
    app.run()
    assert charts(app) == [chart]  # kept


def test_device_is_a_setting_if_there_are_several(start, monkeypatch) -> None:
    monkeypatch.setattr(models, "available_devices", lambda: ("cpu",))
    assert not any(box.key == "device" for box in start().selectbox)
    monkeypatch.setattr(models, "available_devices", lambda: ("cpu:0", "cpu"))
    app = start()
    assert app.session_state["experiment"].model.device == torch.device("cpu:0")
    app.selectbox(key="device").set_value("cpu").run()
    assert app.session_state["experiment"].model.device == torch.device("cpu")
    assert app.query_params["device"] == "cpu"


def test_button_tests_the_heatmap(start) -> None:
    app = start(img="sample:koala")
    assert "Deletion" not in text(app)
    app.button(key="proof.start").click().run()
    (found,) = [element.value for element in app.markdown if element.value.startswith("Deletion")]
    model = camviz.load_model("efficientnet_lite0")
    e = camviz.explain(model, SAMPLES / "koala.jpg")
    x, heat = model.preprocess(SAMPLES / "koala.jpg"), torch.from_numpy(e.attribution)
    subject = Subject(
        model.net,
        x,
        scores.probability(105),
        heat,
        explain=lambda net, x: grad_cam(net, x, scores.logit(105), net.get_submodule("bn2")),
    )
    numbers = {key: float(METRICS[key].measure(subject)) for key in ("deletion", "insertion", "randomization")}
    assert found == (
        f"Deletion {numbers['deletion']:.2f} · Insertion {numbers['insertion']:.2f} · "
        f"Similarity after randomization {numbers['randomization']:.2f}"
    )
    assert numbers["insertion"] > numbers["deletion"]


@pytest.fixture
def reports(monkeypatch) -> list:
    """Collect the sections of the reports that the page offers."""
    found: list = []
    monkeypatch.setattr(map_views.report, "to_html", lambda title, sections, *_: found.append(sections))
    monkeypatch.setattr(
        DeltaGenerator, "download_button", lambda self, label, data, *_, **__: "Report" in label and data()
    )
    return found


def test_highlighted_region_is_hidden_and_explained_again(start, code, lite0, reports) -> None:
    app = start(img="sample:panda")
    e = camviz.explain(lite0, SAMPLES / "panda.jpg", "grad_cam")
    expected, steps = camviz.hide_highlighted(e), camviz.hide_and_ask_again(e)
    assert str(expected.sentence) not in text(app)
    app.button(key="hide.start").click().run()
    assert str(expected.sentence) in text(app).replace("giant panda", e.label)
    for title, one in (("Highlighted", expected.highlighted), ("Random", expected.random)):
        assert f"{title} region hidden  \ngiant panda {one.predictions[0].shown(0)}" in text(app)
    app.button(key="hide_again.start").click().run()
    assert not app.exception and len(steps) == 5
    assert f"Round 5  \n{steps[4].result.predictions[0].label} {steps[4].result.predictions[0].shown(0)}" in text(app)
    assert not [button.key for button in app.button if str(button.key).startswith("hide")]
    assert app.query_params["hide"] == "again"
    clear_singletons()  # as on a server without visitors
    fresh = start(img="sample:panda", hide="again", guess_first="1", hide_guess="stays")
    assert text(fresh).count(str(expected.sentence)) == 1 and "Round 5" in text(fresh)
    assert dict(fresh.query_params) == {
        "img": "sample:panda",
        "hide": "again",
        "guess_first": "1",
        "hide_guess": "stays",
    }
    once, again = (one for one in reports[-1] if one.title in ("Hide it and see", "Hide it and ask again"))
    assert once.text[0] == expected.sentence and "our guess" in once.text[1]
    assert [len(once.images), len(again.images)] == [3, 5]
    assert "camviz.hide_highlighted(explanation)" in code(fresh)


def test_link_restores_an_edit_and_a_guess(start, code, lite0, reports) -> None:
    mask = np.zeros((56, 56), bool)
    mask[:28] = True
    text_of = edits.pack(mask)
    app = start(img="sample:panda", edit=f"hide.blur.{text_of}", guess="falls", guess_first="1")
    e = camviz.explain(lite0, SAMPLES / "panda.jpg", target="giant panda", edit={"mask": text_of})
    assert not app.exception and not app.warning
    sentence = (
        f"50% of the image replaced (blur): giant panda goes from 97% to {e.probability:.0%}; the model now predicts"
    )
    assert sentence in text(app)
    assert "Your guess: the class falls. What happened: another class comes first." in text(app)
    assert f"edit={{'mask': '{text_of}'}}" in code(app)
    (section,) = [one for one in reports[-1] if one.title == "Edit"]
    assert sentence in section.text[0] and "What happened: another class comes first." in section.text[1]
    app.segmented_control(key="hide_guess").set_value("stays").run()
    app.button(key="hide.start").click().run()
    assert "Your guess was right: the class stays." in text(app) or "Your guess: the class stays." in text(app)
    app = start(img="sample:panda", edit="hide.blur.xx")
    assert "Unknown edit" in text(app) and "predicts giant panda (97%)" in text(app)
    app = start(img="sample:panda", edit=f"paste.sha:0123456789ab.{text_of}")
    assert "The image that was pasted is not stored here" in text(app)


def test_link_restores_tried_windows(start, code, lite0) -> None:
    windows = [(4, 8, 20, 24), (6, 8, 22, 24), (30, 30, 50, 50)]
    app = start(img="sample:panda", tried=f"gray.{edits.pack_windows(windows)}")
    assert not app.exception and not app.warning
    names: dict = {"lite0": lite0}
    lines = code(app).replace("camviz.load_model('efficientnet_lite0')", "lite0")
    exec(lines.replace("'panda.jpg'", repr(str(SAMPLES / "panda.jpg"))), names)
    found = names["tried"]
    assert found.windows == tuple(windows) and found.target == 388
    experiment = app.session_state["experiment"]
    tried = occlusion.Windows.parse(f"gray.{edits.pack_windows(windows)}")
    changes = occlusion.changes(lite0, experiment.image.decoded, "crop", 388, tried)
    assert changes == pytest.approx(found.changes, abs=1e-6) and abs(changes).max() > 0.001
    section = occlusion.section(experiment, tried)
    assert "3 windows were tried (gray). Red: the answer for giant panda fell" in section.text[0]
    changed = (section.images[0].rgb != experiment.view).any(axis=2).mean()
    assert (~np.isnan(found.map)).mean() == pytest.approx(changed, abs=0.01)
    app.session_state["img"] = "sample:koala"
    assert "tried" not in app.run().query_params
    app = start(img="sample:panda", tried="gray.xx")
    assert "Unknown tried" in text(app)


def test_report_shows_the_heatmap_before_and_after_an_edit(lite0) -> None:
    edit = {"mask": edits.pack(np.eye(56, dtype=bool))}
    after = camviz.explain(lite0, SAMPLES / "panda.jpg", edit=edit)
    before = camviz.explain(lite0, SAMPLES / "panda.jpg")
    sections = report.explanation_sections(after, lite0.predict(SAMPLES / "panda.jpg"), "panda.jpg", untouched=before)
    (found,) = [one for one in sections if one.title == "Edit"]
    assert [str(one.caption) for one in found.images] == [
        f"Before: giant panda {before.shown}",
        f"After: giant panda {after.shown}",
    ]
    assert found.text == ["2% of the image replaced (blur)"]
