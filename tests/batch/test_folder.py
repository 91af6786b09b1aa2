"""`camviz explain` on a folder of images: what it writes, how it continues, and its messages."""

import io
import json
import math
import os
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import camviz
from camviz.batch import Item, Job, Worker
from camviz.batch import output_folder as folders
from camviz.evaluation.metrics.sparseness import sparseness
from camviz.evaluation.pixel_ranking import pixel_values
from camviz.explanation import explain
from tests.conftest import SAMPLES

GOOD = ("coffee.jpg", "koala.JPG", "more/macaw.jpg")


@pytest.fixture
def batches(monkeypatch):
    """Record the method and the number of images of each batch."""
    calls = []

    def batch(questions):
        calls.append((questions[0].method.key, len(questions)))
        return original(questions)

    original = explain.answer_batch
    monkeypatch.setattr("camviz.batch.worker.answer_batch", batch)
    return calls


def test_every_image_and_method_has_a_row_and_its_files(command, table, images, tmp_path, monkeypatch, lite0):
    assert command("--methods", "grad_cam,vanilla_backprop") == 0
    rows = table()
    assert list(rows) == sorted(
        (name, key) for name in (*GOOD, "broken.png") for key in ("grad_cam", "vanilla_backprop")
    )
    monkeypatch.chdir(images)
    for (name, key), row in rows.items():
        if name == "broken.png":
            assert "truncated or damaged" in row["error"] or "not an image" in row["error"]
            assert row["map"] is row["predicted"] is row["sparseness"] is None
            continue
        e = camviz.explain(lite0, name, key)
        archive = np.load(tmp_path / "out" / row["map"])
        scale = float(np.abs(e.attribution).max())
        np.testing.assert_allclose(archive["attribution"], e.attribution, atol=2e-5 * scale)
        assert json.loads(str(archive["settings"]))["image_sha256"] == e.question.image.digest == row["digest"]
        overlay = np.asarray(Image.open(tmp_path / "out" / row["overlay"])).astype(int)
        expected = Image.open(io.BytesIO(camviz.encode.jpeg(camviz.render.overlay(e.view, e.heatmap))))
        assert np.abs(overlay - np.asarray(expected)).mean() < 0.5
        assert (row["predicted"], row["predicted_class"]) == (row["target"], row["target_class"]) == (e.label, e.target)
        assert row["target_probability"] == row["predicted_probability"] == pytest.approx(e.probability, rel=1e-4)
        assert (row["layer"], row["forward_passes"], row["backward_passes"], row["error"]) == (e.layer, 1, 1, None)
        expected = sparseness(pixel_values(torch.from_numpy(e.attribution), (224, 224)))
        assert row["sparseness"] == pytest.approx(expected, abs=1e-4)
        again = camviz.explain(**json.loads(row["recipe"]))
        np.testing.assert_allclose(again.attribution, archive["attribution"], atol=2e-5 * scale)
    # Grad-CAM, vanilla: two images beside each other, so six of the eight tiles in a row of six, two in the next.
    sheet = Image.open(tmp_path / "out" / "contact-0001.jpg")
    assert sheet.width == 2 * 24 + 6 * 236 - 12 and not (tmp_path / "out" / "contact-0002.jpg").exists()


@pytest.mark.parametrize("batch", ["1", "3", "8"])
def test_every_image_has_a_row_at_any_batch_size(command, table, batch):
    command("--methods", "edge_detector", "--batch", batch)
    assert [name for name, _ in table()] == ["broken.png", *GOOD]


def test_repeated_command_computes_nothing(command, table, batches, capsys):
    command("--methods", "grad_cam", "--batch", "2")
    assert batches == [("grad_cam", 1), ("grad_cam", 2)]  # broken.png and coffee.jpg; koala.JPG and macaw.jpg
    before = table()
    capsys.readouterr()
    assert command("--methods", "grad_cam", "--batch", "2") == 0
    assert len(batches) == 2 and table() == before
    assert "4 images: 0 maps to compute, 4 already computed." in capsys.readouterr().out


def test_only_missing_or_changed_results_are_computed(command, table, batches, images, tmp_path):
    command("--methods", "grad_cam")
    rows = table()
    (tmp_path / "out" / rows["coffee.jpg", "grad_cam"]["map"]).unlink()
    Image.open(images / "koala.JPG").rotate(180).save(images / "koala.JPG")
    os.utime(images / "koala.JPG", ns=(1, 1))
    batches.clear()
    command("--methods", "grad_cam,layer_cam")
    assert batches == [("grad_cam", 2), ("layer_cam", 3)]
    assert (tmp_path / "out" / rows["coffee.jpg", "grad_cam"]["map"]).exists()
    after = table()
    assert len(after) == 8 and after["koala.JPG", "grad_cam"]["digest"] != rows["koala.JPG", "grad_cam"]["digest"]
    assert after["more/macaw.jpg", "grad_cam"] == rows["more/macaw.jpg", "grad_cam"]
    batches.clear()
    command("--methods", "grad_cam", "--set", "grad_cam.counterfactual=on")
    assert batches == [("grad_cam", 3)]
    assert '"counterfactual": true' in table()["coffee.jpg", "grad_cam"]["recipe"] and len(table()) == 8


def test_interrupted_command_continues(command, table, batches, capsys, monkeypatch):
    original = folders.OutputFolder.append

    def interrupted(self, rows):
        original(self, rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(folders.OutputFolder, "append", interrupted)
    assert command("--methods", "grad_cam", "--batch", "2") == 130
    assert len(table()) == 2  # one batch
    assert "continues the run" in capsys.readouterr().err
    monkeypatch.setattr(folders.OutputFolder, "append", original)
    batches.clear()
    assert command("--methods", "grad_cam", "--batch", "2") == 0
    assert batches == [("grad_cam", 2)] and len(table()) == 4


def test_truncated_journal_line_costs_only_its_row(command, table, batches, tmp_path):
    command("--methods", "grad_cam", "--batch", "1")
    journal = tmp_path / "out" / "journal.jsonl"
    text = journal.read_text()
    journal.write_text(text[: len(text) - 40])  # the row of more/macaw.jpg
    batches.clear()
    command("--methods", "grad_cam", "--batch", "1")
    assert batches == [("grad_cam", 1)]
    assert len(table()) == 4 and not list((tmp_path / "out").rglob("*.part"))


def test_results_inside_the_folder_are_not_explained(command, table, images):
    out = images / "results"
    for _ in range(2):
        command("--methods", "grad_cam", out=out)
    assert len(table(out)) == 4


def test_similar_file_names_get_different_files(command, table, images, tmp_path):
    (images / "more" / "Coffee!.jpg").write_bytes((images / "koala.JPG").read_bytes())
    (images / "more" / "coffee.jpg").write_bytes((images / "more" / "macaw.jpg").read_bytes())
    command("--methods", "grad_cam")
    rows = [row for row in table().values() if row["map"]]
    assert len({row["map"] for row in rows}) == len({row["overlay"] for row in rows}) == 5
    for row in rows:
        assert json.loads(str(np.load(tmp_path / "out" / row["map"])["settings"]))["image_sha256"] == row["digest"]


def test_settings_reach_the_method_and_the_metrics(command, table, lite0, images):
    settings = ("--set", "score_cam.mode=fast", "--set", "deletion.steps=2", "--layer", "blocks.0", "--fit", "pad")
    command("--methods", "score_cam,grad_cam", "--metrics", "deletion", "--target", "espresso", *settings)
    row = table()["koala.JPG", "score_cam"]
    e = camviz.explain(lite0, images / "koala.JPG", "score_cam", "espresso", "blocks.0", fit="pad", mode="fast")
    assert (row["target"], row["predicted"], row["layer"]) == ("espresso", "koala", "blocks.0")
    assert row["target_probability"] == pytest.approx(e.probability, rel=1e-4)
    assert row["predicted_probability"] > 0.5
    score = camviz.scores.probability(e.target)
    x = lite0.preprocess(images / "koala.JPG", "pad")
    heat = pixel_values(torch.from_numpy(e.attribution), (224, 224))
    from camviz.evaluation.registry import METRICS

    expected = float(METRICS["deletion"](lite0.net, x, score, heat, steps=2))
    assert row["deletion"] == pytest.approx(expected, rel=1e-4)
    assert "sparseness" not in row


def test_rather_than_explains_a_contrast(command, table, lite0, images):
    command("--methods", "grad_cam", "--target", "967", "--rather-than", "cup")
    row = table()["coffee.jpg", "grad_cam"]
    assert row["target"] == "espresso rather than cup"
    assert json.loads(row["recipe"])["target"] == {"contrast": [967, 968]}


def test_unsuitable_method_is_an_error_in_its_rows(command, table):
    arguments = ("--model", "efficientnet_b0", "--weights", "random", "--methods", "grad_cam,guided_backprop")
    assert command(*arguments) == 0
    row = table()["coffee.jpg", "guided_backprop"]
    assert "defined by what it does at a ReLU" in row["error"] and row["predicted"] is not None
    assert table()["coffee.jpg", "grad_cam"]["error"] is None


def test_failing_metric_is_a_note(command, table, monkeypatch):
    from camviz.evaluation.registry import METRICS

    def refuse(*_, **__):
        raise camviz.CamvizError("not on this map")

    monkeypatch.setitem(
        METRICS, "sparseness", METRICS["sparseness"].__class__(**{**vars(METRICS["sparseness"]), "function": refuse})
    )
    command("--methods", "grad_cam")
    row = table()["coffee.jpg", "grad_cam"]
    assert row["notes"] == "Sparseness: not on this map." and row["error"] is None and row["map"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--methods", "grad_camm"), "Method 'grad_camm' is not in CamViz; did you mean 'grad_cam'?"),
        (("--methods", ""), "There is no method to compute: name at least one"),
        (("--metrics", "deletoin"), "Metric 'deletoin' is not in CamViz; did you mean 'deletion'"),
        (("--metrics", "pointing_game"), "is measured on mosaics of four images"),
        (("--model", "efficientnet_lite9"), "Model 'efficientnet_lite9' is not in the catalog"),
        (("--layer", "blocks.99"), "Layer 'blocks.99' is not in efficientnet_lite0"),
        (("--target", "espreso"), "Class 'espreso' is not in efficientnet_lite0; did you mean 'espresso'"),
        (("--target", "4000"), "efficientnet_lite0 has the classes 0 to 999; got 4000"),
        (("--rather-than", "3"), "--rather-than needs a class to contrast with"),
        (("--batch", "0"), "A batch holds at least 1 image; got 0"),
        (("--engine", "rays"), "Engine 'rays' is not in local, ray; did you mean 'ray'"),
        (("--set", "score_cam.mode=fast"), "A setting is for 'score_cam', which is not computed"),
        (("--weights", "nowhere.pth"), "there is no file nowhere.pth"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(command, capsys, tmp_path, arguments, sentence):
    assert command(*arguments) == 2
    assert sentence.lower() in capsys.readouterr().err.lower()
    assert not (tmp_path / "out" / "table.parquet").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("score_cam.mode", "a setting is given as method.setting=value; got 'score_cam.mode'"),
        ("score_can.mode=fast", "method 'score_can' is not in CamViz"),
        ("score_cam.mod=fast", "setting 'mod' is not in the settings of score_cam"),
        ("score_cam.mode=quick", "mode 'quick' is not in the choices of score_cam"),
        ("grad_cam.counterfactual=perhaps", "counterfactual of grad_cam is one of on, off"),
        ("smooth_grad.samples=0", "samples of smooth_grad must lie in"),
        ("smooth_grad.samples=many", "samples of smooth_grad must be int; got 'many'"),
    ],
)
def test_wrong_setting_is_refused(command, capsys, text, sentence):
    assert command("--set", text) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_settings_are_parsed_by_type():
    from camviz.batch.job import setting

    assert setting("smooth_grad.samples=7") == ("smooth_grad", "samples", 7)
    assert setting("smooth_grad.level=0.25") == ("smooth_grad", "level", 0.25)
    assert setting("deconvnet.feature_map=") == ("deconvnet", "feature_map", None)
    assert setting("grad_cam.counterfactual=off") == ("grad_cam", "counterfactual", False)
    assert setting("deletion.steps=5") == ("deletion", "steps", 5)


def test_missing_or_empty_folder_is_refused(command, capsys, tmp_path, monkeypatch):
    for arguments, sentence in (((), "There is no folder"), (("x",), "There are no images in")):
        folder = tmp_path / "empty"
        if arguments:
            folder.mkdir()
        monkeypatch.setattr("sys.argv", ["camviz", "explain", str(folder), "--out", str(tmp_path / "o")])
        with pytest.raises(SystemExit) as ended:
            camviz.__main__.main()
        assert ended.value.code == 2 and sentence in capsys.readouterr().err


def test_few_images_are_read_ahead(monkeypatch, tmp_path, images):
    """While the first batch is computed, the next two at most are in memory."""
    from camviz.batch import engines

    job = Job(metrics=(), batch=1)
    read = []

    def read_ahead(self, items):
        read.extend(items)
        return []

    monkeypatch.setattr(Worker, "read", read_ahead)
    batches = [[Item(str(number), b"", ("grad_cam",))] for number in range(20)]
    rows = engines.local(order, folders.OutputFolder(images, tmp_path / "out"), batches, 1)
    next(rows)
    time.sleep(0.3)
    assert 1 <= len(read) <= 3
    rows.close()
    assert len(read) <= 3


def test_table_is_written_in_row_groups_and_sheets_in_pages(command, table, monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(folders, "DOWN", 1)
    command("--methods", "grad_cam,layer_cam,hires_cam,eigen_cam")
    assert len(table()) == 16
    assert pq.ParquetFile(tmp_path / "out" / "table.parquet").num_row_groups == math.ceil(16 / 3)
    assert len(list((tmp_path / "out").glob("contact-*.jpg"))) == 4  # four methods in a row: one image each
    monkeypatch.setattr(folders, "DOWN", 5)
    command("--methods", "grad_cam")
    assert [file.name for file in (tmp_path / "out").glob("contact-*.jpg")] == ["contact-0001.jpg"]


def test_unreadable_photographs_are_listed(tmp_path):
    for name in ("a.heic", "b.HEIF", "c.avif", "notes.txt"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert folders.images_in(tmp_path, tmp_path / "out") == ["a.heic", "b.HEIF", "c.avif"]


def test_heic_photograph_is_explained(command, table, images, tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is missing: pip install camviz[heic]")
    for path in images.rglob("*.*"):
        path.unlink()
    coffee = Image.open(SAMPLES / "coffee.jpg")
    heif.from_pillow(coffee).save(images / "IMG_0001.HEIC", quality=90)
    assert command("--methods", "grad_cam") == 0
    row = table()["IMG_0001.HEIC", "grad_cam"]
    assert (row["predicted"], row["error"]) == ("espresso", None) and (tmp_path / "out" / row["map"]).exists()
