"""Class names from files in common formats, and errors of other files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import camviz
from camviz.models.class_names import LARGEST, read_class_names

FORMS = {
    "lines.txt": "wren\nrobin\r\n  blue tit \n\n",
    "bom.txt": "\ufeffwren\nrobin\nblue tit",
    "list.json": '["wren", "robin", "blue tit"]',
    "index.json": '{"1": "robin", "0": "wren", "2": "blue  tit"}',
    "class_index.json": '{"0": ["n01", "wren"], "1": ["n02", "robin"], "2": ["n03", "blue tit"]}',
    "clsidx_to_labels.txt": "{0: 'wren',\n 1: 'robin',\n 2: 'blue tit'}",
    "config.json": '{"model": "x", "id2label": {"0": "wren", "1": "robin", "2": "blue tit"}, "label2id": {"wren": 0}}',
    "pairs.json": '[[2, "blue tit"], [0, "wren"], [1, "robin"]]',
    "synset_words.txt": "n01440764 wren\nn01443537 robin\nn01484850 blue tit",
    "index.csv": "index,name\n0,wren\n2,blue tit\n1,robin\n\n",
    "no_header.tsv": "0\twren\n1\trobin\n2\tblue tit\n",
    "names.csv": "name,latin\nwren,T. troglodytes\nrobin,E. rubecula\nblue tit,C. caeruleus",
    "spaces.txt": "0 wren\n1 robin\n2 blue tit",
    "names.yaml": "names:\n  0: wren\n  1: robin\n  2: blue tit\n",
    "list.yaml": "names:\n- wren\n- robin\n- blue tit\n",
    "lines.jsonl": '{"id": 0, "name": "wren"}\n{"id": 1, "name": "robin"}\n{"id": 2, "name": "blue tit"}\n',
    "coco.json": '[{"id": 1, "name": "wren"}, {"id": 2, "name": "robin"}, {"id": 3, "name": "blue tit"}]',
    "pairs of text.json": '[["n01440764", "wren"], ["n01443537", "robin"], ["n01484850", "blue tit"]]',
    "class_to_idx.json": '{"robin": 1, "blue tit": 2, "wren": 0}',
}


@pytest.mark.parametrize("name", FORMS)
def test_every_format_gives_the_same_names(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FORMS[name], encoding="utf-8")
    assert read_class_names(tmp_path / name) == ("wren", "robin", "blue tit")
    assert read_class_names(FORMS[name].encode()) == ("wren", "robin", "blue tit")


def test_numeric_folder_names_are_sorted_by_index() -> None:
    assert read_class_names({"7": "seven", "0": "zero"} | {str(i): f"n{i}" for i in range(1, 7)})[7] == "seven"
    assert read_class_names({"10": 1, "2": 0, "x": 2}) == ("2", "10", "x")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "there are none"),
        (b"[]", "there are none"),
        (b"wren\n\nrobin", "line 2 is empty, so the names after it would be shifted"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (b"0: wren\n2: robin", "class 1 is missing; the 2 indices"),
        (b"0: wren\n0: robin", "class 0 occurs twice, as 'wren' and 'robin'"),
        (b"{0: 'wren', 2: 'robin'}", "class 1 is missing; the 2 indices"),
        (b'["wren",', "line 1 is no JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'["wren", 3]', "the name of class 1 must be text of 1 to 200 characters; got 3"),
        (b'["wren", " "]', "the name of class 1 must be text"),
        (b'["' + b"w" * 201 + b'"]', "the name of class 0 must be text"),
        (b'{"0": "wren", "2": "robin"}', "class 1 is missing; the 2 indices must count from 0"),
        (b'{"0": "wren", "0": "robin"}', "'0' occurs twice"),
        (b'{"0": "wren", "00": "robin"}', "class 0 occurs twice, as 'wren' and 'robin'"),
        (b'{"wren": 0, "robin": 0}', "class 0 occurs twice, as 'wren' and 'robin'"),
        (b'{"wren": 0, "robin": "1"}', "a mapping is {index: name} or {name: index}; got 'wren': 0"),
        (b'{"wren": true, "robin": false}', "a mapping is"),
        (b"x" * (LARGEST + 1), "the file has 4.2 MB, and at most 4 MB are accepted"),
    ],
)
def test_wrong_files_are_refused_with_a_reason(content: bytes, sentence: str) -> None:
    with pytest.raises(camviz.CamvizError) as caught:
        read_class_names(content)
    assert sentence in str(caught.value)


def test_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "birds.txt").write_text("")
    with pytest.raises(camviz.CamvizError, match=r"the class names in birds\.txt: there are none"):
        read_class_names(tmp_path / "birds.txt")
    with pytest.raises(camviz.CamvizError, match=r"there is no file of class names .*none\.txt"):
        read_class_names(str(tmp_path / "none.txt"))


def flat() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def test_load_model_takes_a_file(tmp_path: Path) -> None:
    (tmp_path / "birds.json").write_text(json.dumps({"wren": 2, "robin": 1, "tit": 0}))
    model = camviz.load_model(flat(), input_size=(16, 16), categories=tmp_path / "birds.json")
    assert model.categories == ("tit", "robin", "wren")
    assert (
        camviz.load_model(flat(), input_size=(16, 16), categories=str(tmp_path / "birds.json")).categories[2] == "wren"
    )
    (tmp_path / "two.txt").write_text("wren\nrobin")
    with pytest.raises(camviz.CamvizError, match="Sequential has 3 classes; got 2 categories"):
        camviz.load_model(flat(), input_size=(16, 16), categories=tmp_path / "two.txt")


def test_load_model_accepts_names_as_list_or_dict() -> None:
    given: Any = ["wren", "robin", "tit"]
    torch.manual_seed(0)
    assert camviz.load_model(flat(), input_size=(16, 16), categories=given).categories == tuple(given)
    assert camviz.load_model(flat(), input_size=(16, 16), categories=dict(enumerate(given))).categories == tuple(given)


def test_ordered_objects_are_accepted_and_sets_refused() -> None:
    names = ("wren", "robin", "tit")
    given: list[Any] = [
        names,
        iter(names),
        np.array(names),
        dict(enumerate(names)).values(),
        [(1, "robin"), (0, "wren"), (2, "tit")],
    ]
    for one in given:
        assert read_class_names(one) == names
    for one in (set(names), frozenset(names)):
        with pytest.raises(camviz.CamvizError, match="a set has no order"):
            read_class_names(one)
    number: Any = 3
    with pytest.raises(camviz.CamvizError, match="expected a list of names"):
        read_class_names(number)


def test_utf_16_and_names_with_commas_are_read() -> None:
    assert read_class_names("wren\nrobin".encode("utf-16")) == ("wren", "robin")
    assert read_class_names(b"tench, Tinca tinca\ngoldfish, Carassius auratus") == (
        "tench, Tinca tinca",
        "goldfish, Carassius auratus",
    )
