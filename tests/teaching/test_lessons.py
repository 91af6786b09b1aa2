"""The lessons: each computes what its answer claims; and what a file must be like."""

import shutil
from functools import cache
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

import camviz
from camviz.errors import CamvizError
from camviz.evaluation.rank_correlation import rank_correlation
from camviz.scores import contrast
from camviz.teaching.lessons import FOLDER, FORMER_PAGES, PAGES, lessons, read
from camviz.ui.learn.lessons import address

SAMPLES = FOLDER.parent / "samples"


@cache
def network(name="efficientnet_lite0", weights="default"):
    return camviz.load_model(name, weights=weights)


def explain(picture, method="grad_cam", model=None, **settings):
    return camviz.explain(model or network(), SAMPLES / f"{picture}.jpg", method, **settings)


def share(e, top=0.0, left=0.0, bottom=1.0, right=1.0):
    """How much of the heatmap lies in a box, given in shares of the image."""
    heat = e.heatmap
    height, width = heat.shape
    box = heat[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return float(box.sum() / heat.sum())


def sizes(e):
    return np.abs(e.attribution).sum(axis=0)


def espresso():
    e = explain("coffee")
    assert e.label == "espresso" and e.probability > 0.95
    assert share(e, bottom=0.65) > 0.75 and share(e, top=0.8) < 0.06
    assert e.attribution.shape == (7, 7)


def football_helmet():
    e = explain("astronaut")
    assert e.label == "football helmet" and e.probability < 0.2
    assert share(e, top=0.5, left=0.5) > 0.65 and share(e, bottom=0.4, right=0.8) < 0.15
    assert not any("astronaut" in label or "space helmet" in label for label in network().categories)


def koala_in_a_macaw():
    there, not_there = explain("macaw"), explain("macaw", target=105)
    assert (there.label, not_there.label) == ("macaw", "koala")
    assert not_there.heatmap.max() == 1  # it shines all the same
    assert 0 < not_there.attribution.max() < there.attribution.max() / 10


def untrained():
    trained, other = explain("panda"), explain("panda", model=network(weights="random"))
    assert rank_correlation(trained.attribution, other.attribution) < 0.4
    assert share(trained, bottom=0.6, right=0.7) > 0.7  # the face


def same_lines():
    koala, cab = (explain("koala", "guided_backprop", target=target) for target in (105, 468))
    assert network().categories[468] == "cab"
    assert rank_correlation(sizes(koala), sizes(cab)) > 0.99
    regions = [explain("koala", target=target).attribution for target in (105, 468)]
    assert rank_correlation(*regions) < 0.8


def depth():
    on_animal = {layer: share(explain("koala", layer=layer), left=0.2, right=0.8) for layer in ("blocks.1", "bn2")}
    assert on_animal["bn2"] > 0.85 > 0.75 > on_animal["blocks.1"]


def rather_than():
    one, other = (explain("chameleon", target=contrast(*pair)) for pair in ((42, 47), (47, 42)))
    assert network().predict(SAMPLES / "chameleon.jpg")[0].label == "agama"
    assert one.label == "agama rather than African chameleon"
    assert share(one, right=0.6) > 0.75 and share(other, left=0.6) > 0.6


def no_moose():
    assert not any("moose" in label or label == "elk" for label in network().categories)
    e = explain("moose")
    assert e.probability < 0.25
    assert share(e, top=0.4) > 0.8


def edges():
    maps = [explain("panda", method) for method in ("guided_backprop", "vanilla_backprop", "edge_detector")]
    assert maps[2].attribution.max() > 0
    again = camviz.explain(network(weights="random"), SAMPLES / "panda.jpg", "edge_detector", target=388)
    np.testing.assert_array_equal(maps[2].attribution, again.attribution)  # it never saw the network


def complete():
    few, many = (explain("coffee", "integrated_gradients", steps=steps) for steps in (32, 128))
    model = network()
    x = model.preprocess(SAMPLES / "coffee.jpg")
    rise = float(model.net(x)[0, 967] - model.net(x * 0)[0, 967])
    gaps = [abs(float(e.attribution.sum()) - rise) / rise for e in (few, many)]
    assert 0.01 < gaps[0] < 0.3 and gaps[1] < gaps[0]


def noise():
    one, mean = (sizes(explain("coffee", method)) for method in ("vanilla_backprop", "smooth_grad"))

    def outside(values):
        return float(1 - values[30:-30, 30:-30].sum() / values.sum())

    assert outside(mean) < outside(one) - 0.05
    assert rank_correlation(one, mean) < 0.95


def three_networks():
    found = [explain("rocket", model=network(f"efficientnet_lite{number}")) for number in range(3)]
    assert [e.label for e in found] == ["missile", "space shuttle", "drilling platform"]
    assert all(e.probability < 0.5 for e in found)
    assert all(share(e, left=0.2, right=0.8) > 0.75 for e in found)


CHECKS = (
    espresso,
    football_helmet,
    koala_in_a_macaw,
    untrained,
    same_lines,
    depth,
    rather_than,
    no_moose,
    edges,
    complete,
    noise,
    three_networks,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_shows_what_it_claims(check):
    check()


def test_every_lesson_has_its_check():
    names = [path.stem.partition("-")[2].replace("-", "_") for path in sorted(FOLDER.glob("*.toml"))]
    assert names == [check.__name__ for check in CHECKS]
    assert [lesson.number for lesson in lessons()] == list(range(1, len(CHECKS) + 1))


def test_every_link_is_taken_as_it_is(start) -> None:
    for lesson in lessons():
        for view in lesson.views:
            app = start("" if view.page == "explain" else f"pages/{view.page}.py", **view.settings)
            assert not app.exception and not app.error, lesson.title
            assert [w.value for w in app.warning if "link asks" in w.value] == [], lesson.title
            for key, value in view.settings.items():
                found = app.session_state[key]
                expected = value.split(",") if isinstance(found, list) else value
                assert found == expected or str(found) == value or (found is True and value == "1"), (lesson.title, key)


def test_an_address_is_read_back_as_the_settings():
    for lesson in lessons():
        for view in lesson.views:
            query = {key: values[0] for key, values in parse_qs(urlsplit(address(view)).query).items()}
            assert query == dict(view.settings)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("first.toml", "", "named by its number"),
        ("1-a.toml", "title = ", "is not a TOML file"),
        ("1-a.toml", 'title = "A"\nquestion = "B?"', "lacks answer"),
        ("1-a.toml", 'title = "A"\nquestion = "B?"\nanswer = "C"', "lacks a [[view]]"),
        ("1-a.toml", 'title = "A"\nquestion = "B?"\nanswer = "C"\n[[view]]\npage = "home"', "no page 'home'"),
        ("1-a.toml", 'title = "A"\nquestion = "B?"\nanswer = "C"\n[[view]]\nset = {"a b" = 1}', "'a b' is not"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, name, text, sentence):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CamvizError) as raised:
        read(path)
    assert sentence in str(raised.value) and name in str(raised.value)


def test_a_number_stands_for_one_lesson(tmp_path):
    first = sorted(FOLDER.glob("*.toml"))[0]
    shutil.copy(first, tmp_path / "03-a.toml")
    shutil.copy(first, tmp_path / "03-b.toml")
    with pytest.raises(CamvizError, match="two lessons have the number 3"):
        lessons(tmp_path)


def test_a_lesson_can_link_to_every_page(tmp_path):
    pages = sorted([*(path.stem.lstrip("_") for path in (FOLDER.parents[1] / "pages").glob("*.py")), *FORMER_PAGES])
    assert sorted(PAGES) == pages and {"dataset", "gallery"} < set(pages)
    for page in pages:
        (tmp_path / "01-a.toml").write_text(
            f'title = "a"\nquestion = "b"\nanswer = "c"\n[[view]]\npage = "{page}"\n', encoding="utf-8"
        )
        assert read(tmp_path / "01-a.toml").views[0].page == page
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"# {', '.join(pages[:-1])} or {pages[-1]}" in readme
