"""Feature visualization on the page Inspect without a browser."""

from functools import partial

import pytest

PAGE = "pages/_inspect.py"


@pytest.fixture
def visit(start):
    """Follow a link to the part."""
    return partial(start, PAGE, inside="visualization")


def text(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.warning, *app.error, *app.info])


def synthesize(app):
    return app.button(key="dream.start").click().run()


def test_synthesis_shows_its_time_and_waits_for_a_click(visit) -> None:
    app = visit()
    assert not app.exception and not app.warning and not app.error
    assert app.button(key="dream.start").label.startswith("Synthesize the image (about ")
    assert "Limitations." not in text(app)


def test_synthesized_image_of_a_channel(visit, code) -> None:
    link = {"layer": "blocks.0", "activation_maximization.channel": "5", "activation_maximization.steps": "4"}
    app = synthesize(visit(**link))
    assert not app.exception and not app.error
    assert "The pattern with the strongest response of channel 5 of blocks.0" in text(app)
    assert "channel 5 of blocks.0, efficientnet_lite0" in text(app)
    assert "layer='blocks.0', channel=5, steps=4" in code(app)
    assert len([line for line in text(app).split("\n") if line.startswith("- **")]) == 5


def test_finished_synthesis_is_shown_without_a_click(visit) -> None:
    link = {"layer": "blocks.0", "activation_maximization.steps": "2"}
    synthesize(visit(**link))
    again = visit(**link)
    assert "The pattern with the strongest response of channel 6 of blocks.0" in text(again)
    assert "dream.start" not in [button.key for button in again.button]


@pytest.mark.parametrize("link", [{"dream": "class_image"}, {"dream.for": "class"}], ids=str)
def test_synthesized_image_of_a_class(visit, code, link) -> None:
    key = link.get("dream", "activation_maximization")
    app = synthesize(visit(target="105", **link, **{f"{key}.steps": "2"}))
    assert not app.exception and not app.error
    assert "The pattern with the highest score for koala" in text(app)
    assert "target=105" in code(app)


def test_deep_dream_of_the_image(visit, code) -> None:
    link = {"dream": "deep_dream", "layer": "blocks.1", "deep_dream.steps": "1", "img": "sample:koala"}
    app = synthesize(visit(**link))
    assert not app.exception and not app.error
    assert "to which layer blocks.1 responds" in text(app)
    assert "image='koala.jpg'" in code(app)


def test_inversion_of_one_and_of_several_layers(visit) -> None:
    link = {"dream": "inversion", "layer": "blocks.0", "inversion.steps": "2", "dream.layers": "blocks.0,blocks.1"}
    app = synthesize(visit(**link))
    assert not app.exception and not app.error
    assert "What you can still recognize is still represented at this layer." in text(app)
    assert "blocks.1: not computed yet" in text(app) and "blocks.0: not computed yet" not in text(app)
    app.button(key="dream.depths.start").click().run()
    assert not app.exception and not app.error
    assert "**blocks.1**" in text(app) and "not computed yet" not in text(app)
    assert text(app).count("correlation") == 3


def test_neuron_outside_the_layer_shows_an_error(visit) -> None:
    app = visit(layer="blocks.3", **{"activation_maximization.row": "99"})
    assert not app.exception
    assert "This layer has rows 0 to 13; got 99." in text(app)


def test_unknown_method_in_a_link_falls_back_with_a_note(visit) -> None:
    app = visit(dream="nonsense")
    assert not app.exception and "using the default" in app.warning[0].value
    assert app.selectbox(key="dream").value == "activation_maximization"
