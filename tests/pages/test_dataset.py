"""The page Dataset without a browser: samples, uploads, a ZIP; sorting, filtering, downloads."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

import camviz
from camviz import batch
from camviz.evaluation.metrics.sparseness import sparseness
from camviz.explanation import explain
from camviz.ui.components import browser
from camviz.ui.dataset import downloads, tiles
from camviz.ui.inputs import dataset_input
from camviz.ui.server import store, tasks
from camviz.ui.session.markdown import escaped

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


def text(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.warning, *app.error, *app.info])


@pytest.fixture
def shown(monkeypatch):
    """The tiles that the page has drawn last, as (alt text, caption, JPEG), and its downloads."""
    held = {}
    original = DeltaGenerator.download_button

    def keep(self, label, data, *arguments, **settings):
        held[label] = data
        return original(self, label, data, *arguments, **settings)

    def tiles(label, items, chosen, picked, width, gaps, key):
        held["tiles"] = [item[1:] for item in items]
        held["picked"] = picked
        held.setdefault("steps", []).append((len(items), gaps))

    monkeypatch.setattr(DeltaGenerator, "download_button", keep)
    monkeypatch.setattr(browser, "tiles", tiles)
    monkeypatch.setattr(tasks, "PATIENCE", 1000.0)
    return held


@pytest.fixture
def batches(monkeypatch):
    calls = []
    original = explain.answer_batch

    def batch(questions):
        calls.append(len(questions))
        return original(questions)

    monkeypatch.setattr("camviz.batch.worker.answer_batch", batch)
    return calls


def photo(name, turned=True):
    """Return an image that the server has not seen, as PNG."""
    buffer = io.BytesIO()
    image = Image.open(SAMPLES / f"{name}.jpg")
    (image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if turned else image).resize((256, 256)).save(buffer, "PNG")
    return buffer.getvalue()


def upload(app, **files):
    values = [(name, data, "image/png") for name, data in files.items()]
    return app.file_uploader(key="album_upload").set_value(values).run()


def captions(shown):
    return [caption for _, caption, _ in shown["tiles"]]


def test_samples_are_explained_without_a_click(start, shown, batches, lite0) -> None:
    app = start("pages/dataset.py")
    assert not app.exception and not app.error
    assert batches == [4, 4, 4]
    assert shown["steps"] == [(0, 12), (4, 8), (8, 4), (12, 0), (12, 0)]  # as they are finished, then all of them
    assert len(shown["tiles"]) == 12 and captions(shown)[2] == "chameleon.jpg\nagama lizard 37.6%"
    e = camviz.explain(lite0, SAMPLES / "coffee.jpg")
    alt, caption, jpeg = shown["tiles"][3]
    assert (alt, caption) == ("Heatmap of espresso over coffee.jpg", "coffee.jpg\nespresso 95.7%")
    expected = Image.open(io.BytesIO(camviz.encode.jpeg(camviz.render.overlay(e.view, e.heatmap))))
    images = [np.asarray(one).astype(int) for one in (Image.open(io.BytesIO(jpeg)), expected)]
    assert np.abs(images[0] - images[1]).mean() < 0.5
    assert not any(button.label.startswith("Explain") for button in app.button)
    app.run()
    assert batches == [4, 4, 4]  # kept
    app.selectbox(key="method").set_value("layer_cam").run()
    assert batches == [4] * 6


def test_link_restores_all_settings(start, shown) -> None:
    app = start("pages/dataset.py", by="unsure", only="koala,cab", method="layer_cam", layer="blocks.4")
    assert not app.exception and app.title[0].value == "Dataset"
    assert dict(app.query_params) == {"by": "unsure", "only": "koala", "method": "layer_cam", "layer": "blocks.4"}
    assert captions(shown) == ["koala.jpg\nkoala 93.4%"]
    assert "Unknown only 'cab' in the link" in text(app)


def test_images_are_sorted_and_filtered(start, shown) -> None:
    start("pages/dataset.py", by="unsure")
    shares = [float(caption.split()[-1].rstrip("%")) for caption in captions(shown)]
    assert shares == sorted(shares) and shares[0] < 20
    app = start("pages/dataset.py", by="sparse", unsure="1")
    assert 0 < len(shown["tiles"]) < 12 and all(
        float(caption.split()[-1].rstrip("%")) < 50 for caption in captions(shown)
    )
    app.toggle(key="unsure").set_value(False).run()
    app.multiselect(key="only").set_value(["koala", "macaw"]).run()
    assert sorted(captions(shown)) == ["koala.jpg\nkoala 93.4%", "macaw.jpg\nmacaw 80.1%"]
    assert dict(app.query_params) == {"by": "sparse", "only": "koala,macaw"}
    app.toggle(key="unsure").set_value(True).run()
    assert "No image matches" in text(app) and not app.exception


def test_images_are_sorted_by_sparseness(start, shown, lite0) -> None:
    start("pages/dataset.py", by="sparse")
    names = [caption.split("\n")[0] for caption in captions(shown)]
    from torch import from_numpy

    from camviz.evaluation.pixel_ranking import pixel_values

    def sparse(name):
        e = camviz.explain(lite0, SAMPLES / name)
        return sparseness(pixel_values(from_numpy(e.attribution), (224, 224)))

    assert names == sorted(names, key=sparse, reverse=True)


def test_uploads_include_zips_and_report_damaged_files(start, shown, batches) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("birds/a.png", photo("macaw"))
        made.writestr("birds/<b>broken</b>.png", b"\x89PNG no more")
    app = upload(start("pages/dataset.py"), **{"a.png": photo("koala"), "pictures.zip": archive.getvalue()})
    assert not app.exception
    assert [caption.split("\n")[0] for caption in captions(shown)] == ["a.png", "birds/a.png"]
    assert ["koala" in captions(shown)[0], "macaw" in captions(shown)[1]] == [True, True]
    (error,) = app.error
    assert error.value.startswith("birds/\\<b\\>broken") and "." in error.value
    assert batches[-1] == 2
    upload(app, **{"a.png": photo("koala"), "b.png": photo("cat"), "again.png": photo("koala")})
    assert batches[-1] == 1  # the cat alone is new
    assert len(shown["tiles"]) == 3


def test_too_many_uploads_show_an_error_and_the_rest_stays(start, shown, monkeypatch) -> None:
    monkeypatch.setattr(dataset_input, "MOST", 2)
    app = start("pages/dataset.py")
    upload(app, **{"a.png": photo("koala"), "b.png": photo("cat"), "c.png": photo("macaw")})
    assert not app.exception
    assert app.error[0].value == "c.png: there is room for 2 images."
    assert len(shown["tiles"]) == 2
    monkeypatch.setattr(dataset_input, "MOST_BYTES", 2**20)
    upload(app, **{"big.png": bytes(2**20 + 1), "no.zip": b"no zip"})
    assert "there is room for 1 MB" in app.error[0].value and "this file is no ZIP" in app.error[1].value


def test_chosen_tile_shows_the_image_and_opens_in_explain(start, shown) -> None:
    app = upload(start("pages/dataset.py"), **{"one.png": photo("koala"), "two [x](y).png": photo("panda")})
    app.session_state["tile"] = "two [x](y).png"
    app.run()
    assert f"**{escaped('two [x](y).png')}**, by Grad-CAM" in text(app)
    assert "predicts giant panda" in text(app).replace("\\", "")
    (button,) = [one for one in app.button if one.label == "Open in Explain"]
    button.click().run()
    assert not app.exception  # that the page changes is for the browser's tests
    assert app.session_state["experiment"].image.name == "two [x](y).png"


def test_slow_method_waits_for_a_click_and_keeps_results(start, shown, monkeypatch) -> None:
    monkeypatch.setattr(tasks, "PATIENCE", 2.0)
    monkeypatch.setattr("camviz.ui.results.cost.estimate", lambda _: 42.0)
    link = {"method": "occlusion", "occlusion.size": "112", "occlusion.stride": "112"}
    app = start("pages/dataset.py", **link)
    shown.clear()
    upload(app, **{"one.png": photo("koala"), "two.png": photo("cat")})
    assert "tiles" not in shown
    (button,) = [one for one in app.button if one.label.startswith("Explain 2 images (about 1.4 min)")]
    button.click().run()
    assert not app.exception and len(shown["tiles"]) == 2
    upload(app, **{"one.png": photo("koala"), "two.png": photo("cat"), "three.png": photo("macaw")})
    assert len(shown["tiles"]) == 2  # and the third after a click
    assert any(one.label.startswith("Explain 1 images (about 42 s)") for one in app.button)


def test_canceled_work_keeps_finished_results(start, shown, monkeypatch) -> None:
    """Cancel raises an exception in the progress callback."""
    reports = []

    def turn(report, *_):
        reports.append(report)
        if len(reports) == 2:
            raise KeyboardInterrupt
        return original(report)

    original = tiles.in_queue
    app = start("pages/learn.py")
    experiment = app.session_state["experiment"]
    job = tiles._job(experiment, experiment.question(camviz.METHODS["grad_cam"]))
    photos = dataset_input._samples()
    keys = {one.name: tiles._key(experiment, job, one) for one in photos}
    monkeypatch.setattr(tiles, "in_queue", turn)
    with pytest.raises(KeyboardInterrupt):
        tiles._work(batch.Worker(job, experiment.model), photos, keys, 0.1, lambda *_, **__: None, lambda: None)
    assert [store.result_store().get(keys[one.name]) is not None for one in photos] == [True] * 4 + [False] * 8


def test_chosen_contrast_is_explained_in_all_images(start, shown) -> None:
    app = start("pages/dataset.py", target="967", rather_than="968", method="vanilla_backprop")
    assert not app.exception
    assert shown["tiles"][0][0] == "Heatmap of espresso rather than cup over astronaut.jpg"
    rows = list(csv.DictReader(io.StringIO(shown["Table (CSV)"]())))
    assert [row["file"] for row in rows] == sorted(path.name for path in SAMPLES.glob("*.jpg"))
    assert rows[0]["predicted"] == "football helmet" and rows[0]["explained"] == "espresso rather than cup"
    archive = zipfile.ZipFile(io.BytesIO(shown["Heatmaps (ZIP)"]()))
    assert archive.namelist()[0] == "astronaut-jpg-vanilla_backprop.jpg" and len(archive.namelist()) == 13
    assert archive.read(archive.namelist()[0]) == shown["tiles"][0][2]


def test_csv_cells_are_no_formulas() -> None:
    found = [(dataset_input.DatasetImage("=cmd.png", b"", ""), tiles.Tile(predicted="+x", probability=0.5))]
    (row,) = csv.DictReader(io.StringIO(downloads.to_csv(found)))
    assert (row["file"], row["predicted"], row["probability"]) == ("'=cmd.png", "'+x", "0.5")
