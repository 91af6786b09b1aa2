"""Clients of a room: sessions whose page refreshes a part of itself, and what a page shows."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from camviz import edits
from tests.load.load import Person

TEXTS = {"markdown": "body", "alert": "body", "progress": "text", "heading": "body"}


class Visitor(Person):
    """A person whose page refreshes a part of itself."""

    fragment = ""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.boxes: dict[str, str] = {}  # label of an expander: its latest widget id

    async def _receive(self) -> ForwardMsg:
        message = await super()._receive()
        kind = message.WhichOneof("type")
        if kind == "auto_rerun":
            self.fragment = message.auto_rerun.fragment_id
        elif kind == "delta" and message.delta.add_block.expandable.id:
            self.boxes[message.delta.add_block.expandable.label] = message.delta.add_block.expandable.id
        return message

    async def refresh(self, *states: WidgetState) -> list[Any]:
        """Run the part of the page that refreshes itself; return its elements."""
        message = BackMsg()
        rerun = message.rerun_script
        rerun.fragment_id, rerun.page_script_hash = self.fragment, self.visit.pages[self.page]
        rerun.widget_states.widgets.extend([*self.states, *states])
        await self.socket.send(message.SerializeToString())
        found = []
        while True:
            answer = await self._receive()
            kind = answer.WhichOneof("type")
            if kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
                found.append(answer.delta.new_element)
            if kind == "script_finished" and answer.script_finished in (0, 3):
                return found

    async def give(self, state: WidgetState) -> None:
        """Run the page with a state that a widget has from now on."""
        self.states = [*self.states, state]
        await self._run(self.page, {})

    async def press(self, label: str, *states: WidgetState) -> list[Any]:
        """Press a button of the whole page, with these states of widgets; return what the page shows then."""
        button = self.clicked(label, self.visit.shown()).id
        self.states = [*self.states, *states]
        await self._run(self.page, {}, button)
        return self.visit.shown()

    async def enter(self, code: str, nickname: str) -> str:
        """Enter a room; return what the page says."""
        await self.open("room", room=code)
        fields = [one for one in of_kind(self.visit.shown(), "text_input") if one.label in ("Code", "Nickname")]
        typed = [WidgetState(id=one.id, string_value=text) for one, text in zip(fields, (code, nickname), strict=True)]
        text = words(await self.press("Enter", *typed))
        self.states = []
        return text

    def clicked(self, label: str, elements: Sequence[Any]) -> WidgetState:
        """Return the state of a button that was just pressed."""
        (button,) = (one for one in of_kind(elements, "button") if one.label == label)
        return WidgetState(id=button.id, trigger_value=True)

    def opened(self, label: str, is_open: bool = True) -> WidgetState:
        """Return the state of an open, or of a closed expander, the last one of that label."""
        return WidgetState(id=self.boxes[label], bool_value=is_open)

    def drawn(self, mask: str) -> WidgetState:
        """Return the state of the stage on which a region was marked, a packed mask."""
        stages = [one for one in of_kind(self.visit.shown(), "bidi_component") if "mark" in one.json]
        (stage,) = (one for one in stages if one.component_name == "camviz_stage")
        cells = edits.to_bits(edits.unpack(mask))
        return WidgetState(id=stage.id, json_value=json.dumps({"edit": {"cells": cells, "number": 1}}))


def words(elements: Sequence[Any]) -> str:
    """Return the texts of elements."""
    found = ((one.WhichOneof("type"), one) for one in elements)
    return "\n".join(str(getattr(getattr(one, kind), TEXTS[kind])) for kind, one in found if kind in TEXTS)


def of_kind(elements: Sequence[Any], kind: str) -> list[Any]:
    """Return the elements of a kind."""
    return [getattr(one, kind) for one in elements if one.WhichOneof("type") == kind]


def bars_of(elements: Sequence[Any]) -> Counter[str]:
    """Return the bars of the first chart that are not zero, by their names."""
    charts = [one for one in of_kind(elements, "bidi_component") if one.component_name == "camviz_chart"]
    rows = json.loads(charts[0].json)["rows"] if charts else []
    return Counter({row["name"]: int(row["value"]) for row in rows if row["value"]})


def counts_of(shown: Sequence[Any]) -> list[list[int]]:
    """Return how often each of 56 x 56 cells was marked: of packed masks, or as the first stage of a page shows it."""
    if shown and isinstance(shown[0], str):
        found: list[list[int]] = sum(edits.unpack(mask).astype(int) for mask in shown).tolist()  # type: ignore[union-attr]
        return found
    stages = [one for one in of_kind(shown, "bidi_component") if one.component_name == "camviz_stage"]
    if not stages:
        return []
    data = json.loads(stages[0].json)
    shares = np.frombuffer(base64.b64decode(data["values"]), "<i2").reshape(56, 56) / 32767
    return np.rint(shares * float(data["top"])).astype(int).tolist()  # type: ignore[no-any-return]
