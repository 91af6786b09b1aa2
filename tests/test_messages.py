"""Message: an English text that keeps its template and values; every error has one."""

import copy
import doctest
import json
import pickle

import pytest

import camviz
from camviz import errors, messages
from camviz.messages import SEMICOLON, Message, join, listed


def test_message_keeps_template_and_values():
    inner = Message("the choices of {owner}", owner="rise")
    outer = Message("{name!r} took {seconds:.1f} s in {where}", name="luck", seconds=2.25, where=inner)
    assert outer == "'luck' took 2.2 s in the choices of rise"
    assert outer.template == "{name!r} took {seconds:.1f} s in {where}"
    assert outer.values["where"] is inner and inner.values == {"owner": "rise"}
    assert type(str(outer)) is str and json.dumps([outer]) == "[\"'luck' took 2.2 s in the choices of rise\"]"


def test_braces_without_values_are_text():
    assert Message("a list, {index: name}") == "a list, {index: name}"
    assert Message("{{{a}}}", a=1) == "{1}"


def test_message_is_immutable_and_can_be_copied():
    one, same = Message("{a} b", a=1), Message("{a} b", a=1)
    assert one == same and hash(one) == hash(same) and Message(one) is one
    with pytest.raises(AttributeError, match="template"):
        one.template = "other"
    for other in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert (other, other.template, other.values) == (one, one.template, one.values)


@pytest.mark.parametrize(
    "error", [errors.CamvizError("{a} is {{b}}", a=3), errors.CamvizError(Message("{a} is {{b}}", a=3))]
)
def test_error_keeps_its_message(error):
    assert str(error) == "3 is {b}" and error.message.values == {"a": 3}
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.message.template, again.message.values) == ("3 is {b}", "{a} is {{b}}", {"a": 3})
    assert errors.message_of(error) is error.message and errors.message_of(OSError("full")) == "full"


def test_error_without_values_is_its_text():
    assert str(camviz.CamvizError("a {mapping}")) == "a {mapping}"


def test_hint_is_a_message_inside_the_error():
    error = errors.unknown(Message("layer"), "layer9", ["layer3", "layer4"], "resnet50")
    assert error.message.values["hint"].values == {"name": "layer4"}
    assert errors.unknown("layer", "x", [], "resnet50").message.values["hint"] == ""


def test_names_are_joined():
    assert join(["a"]) == listed(["a"]) == "a" and listed(["a", "b"]) == "a and b"
    assert join(["a", "b", "c"], SEMICOLON).template == "{first}; {rest}"


def test_docstring_examples():
    assert doctest.testmod(messages).failed == doctest.testmod(errors).failed == 0
