"""Hostile weights files: code, bombs, false sizes, other formats under a false name."""

import io
import json
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models as tv
from torch import nn

import camviz
from camviz import CamvizError
from camviz.models.checkpoints import weights
from camviz.ui.inputs import model_input

ARCHITECTURE = "squeezenet1_1"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return tv.squeezenet1_1(num_classes=3).state_dict()


def saved(value: Any, **more: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **more)
    return buffer.getvalue()


def refusal_message(content: bytes, file: str = "x.pth") -> str:
    """Return the message that refuses the file, within ten seconds."""
    started = time.perf_counter()
    with pytest.raises(CamvizError) as refusal:
        camviz.load_model(ARCHITECTURE, weights=weights.read(content, file))
    assert "\n" not in str(refusal.value) and time.perf_counter() - started < 10
    return str(refusal.value)


class Calls:
    """A pickle that calls something."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> Any:
        return self.reduced


CODE = {
    "a file is written": lambda path: Calls(Path.write_text, path, "here"),
    "a shell": lambda path: Calls(os.system, f"touch '{path}'"),
    "exec": lambda path: Calls(exec, f"open({str(path)!r}, 'w')"),
    "inside a tensor's name": lambda path: {Calls(eval, f"open({str(path)!r}, 'w')"): torch.zeros(1)},
    "beside tensors": lambda path: {"weight": torch.zeros(1), "hook": Calls(open, str(path), "w")},
}


@pytest.mark.parametrize("kind", CODE)
@pytest.mark.parametrize("form", ["archive", "early", "bare"])
def test_code_in_a_pickle_is_not_run(kind: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / "ran"
    value = CODE[kind](path)
    if form == "bare":
        content = pickle.dumps(value, protocol=2)
    else:
        content = saved(value, _use_new_zipfile_serialization=form == "archive")
    assert "and CamViz runs no code of a file" in refusal_message(content)
    assert not path.exists()
    pickle.loads(pickle.dumps(value))
    assert path.exists()  # it would have run


def nested(depth: int) -> bytes:
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def doubled(times: int) -> bytes:
    """A list that holds a list twice, which holds a list twice..."""
    steps = b"".join(b"](h" + bytes([at]) + b"h" + bytes([at]) + b"eq" + bytes([at + 1]) for at in range(times))
    return b"\x80\x02]q\x00" + steps + b"."


@pytest.mark.parametrize(
    "content",
    [
        nested(100_000),
        doubled(100),
        b"\x80\x02\x8b\xff\xff\xff\x7f1.",  # a number of two gigabytes
        b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7fx.",  # a text of more bytes than there are
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"\x80\x02}" + b"r" + b"\xff\xff\xff\x7f" + b".",
        b"PK\3\4" + b"\0" * 100,
        b"",
        b"\x93NUMPY\1\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    ],
    ids=["deep", "doubled", "number", "text", "marks", "memo", "archive's start", "empty", "numpy"],
)
def test_pickles_that_expand_are_refused(content: bytes) -> None:
    message = refusal_message(content)
    assert any(part in message for part in ("cannot be used", "holds no state dict", "or is damaged")), message


def test_tensors_with_false_shapes_are_refused(state: dict[str, torch.Tensor]) -> None:
    head, first = "classifier.1.weight", "features.0.weight"
    for key, shape in [(head, (10**9, 512, 1, 1)), (head, (10**6, 512, 1, 1)), (first, (64, 10**9, 3, 3))]:
        content = saved({**state, key: torch.zeros(1).expand(shape)})
        assert "its tensors claim to be larger than the file" in refusal_message(content)
    # Small for themselves, but the network after them would not be.
    for key, shape in [(head, (200_000, 1)), (head, (200_000, 1, 1, 1)), (first, (1, 200_000, 1, 1))]:
        content = saved({**state, key: torch.zeros(shape, dtype=torch.uint8)})
        assert f"'{key}' has the shape {shape} instead of" in refusal_message(content)
    for other in (torch.zeros(3, device="meta"), torch.eye(3).to_sparse(), torch.zeros(())):
        message = refusal_message(saved({**state, first: other}))
        assert "claim to be larger" in message or "has the shape () instead of" in message


def test_archive_with_two_directories_is_refused(state: dict[str, torch.Tensor]) -> None:
    """Python's reader sees a harmless list of contents, torch's reader another one."""
    good = saved(state)
    assert set(weights.read(good, "x.pth")) == set(state)
    end = good.rfind(b"PK\5\6")
    size, offset = struct.unpack_from("<LL", good, end + 12)
    directory = good[offset : offset + size]
    moved = good[:end] + directory + good[end:]  # the second directly before the end, as Python looks for it
    assert "cannot be used" in refusal_message(moved)
    assert "cannot be used" in refusal_message(good[:-2] + struct.pack("<H", 40) + b"x" * 40)


def safetensors(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(start: int, end: int, shape: tuple[int, ...] = (4,), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "content",
    [
        safetensors({"a": tensor(0, 16)}, bytes(16), length=2**63),
        safetensors({"a": tensor(0, 16)}, bytes(16), length=10**8 + 1),
        safetensors({"a": tensor(0, 16), "b": tensor(0, 16)}, bytes(16)),
        safetensors({"a": tensor(0, 16), "b": tensor(8, 24)}, bytes(24)),
        safetensors({"a": tensor(0, 2**62, (2**60,))}, bytes(16)),
        safetensors({"a": tensor(0, 16, (2**63, 2**63))}, bytes(16)),
        safetensors({"a": tensor(16, 0)}, bytes(16)),
        safetensors({"a": tensor(0, 16, dtype="OBJECT")}, bytes(16)),
        safetensors(b'{"a":' * 100_000),
        safetensors(b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":1}', bytes(16)),
    ],
    ids=["endless", "over 100 MB", "same", "overlap", "huge", "overflow", "backwards", "type", "deep", "twice"],
)
def test_inconsistent_safetensors_are_refused(content: bytes) -> None:
    assert "cannot be used" in refusal_message(content, "x.safetensors")


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_uploaded_programs_are_refused(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script, exported = io.BytesIO(), io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Conv2d(3, 1, 1)), script)
    example = torch.zeros(2, 3, 8, 8)
    torch.export.save(torch.export.export(nn.Conv2d(3, 1, 1), (example,)), exported)
    hostile = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(script.getvalue())) as source, zipfile.ZipFile(hostile, "w") as target:
        for name in source.namelist():
            code = pickle.dumps(Calls(Path.touch, ran)) if name.endswith(".pkl") else source.read(name)
            target.writestr(name, code)
    for content, kind in [(script, "TorchScript"), (hostile, "TorchScript"), (exported, "torch.export")]:
        with pytest.raises(
            CamvizError, match=f"holds a program \\({kind}\\), which could do anything and is not taken"
        ):
            model_input.bring(ARCHITECTURE, "x.pth", content.getvalue(), None, False, "cpu")
        assert f"holds a program ({kind})" in refusal_message(content.getvalue())
    assert not ran.exists()


def test_architecture_must_be_a_name_of_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without a browser can send any name."""
    content = saved(tv.squeezenet1_1(num_classes=3).state_dict())
    program = tmp_path / "x.pt"
    program.write_bytes(content)
    for name in (str(program), "../x.pt", "x.pth", "/etc/passwd", "timm/../../x", "hf-hub:someone/something", ""):
        with pytest.raises(CamvizError, match="is not in the catalog"):
            model_input.bring(name, "x.pth", content, None, False, "cpu")
