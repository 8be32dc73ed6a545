"""The safetensors format, against bytes that are written here by hand, from its description."""

import json
import os
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn


def file_of(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A file as the format's description has it: length, header, elements."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def loaded(content: bytes, folder: Path) -> dict[str, lucid.Tensor]:
    (folder / "x.safetensors").write_bytes(content)
    return lucid.load_safetensors(folder / "x.safetensors")


def parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and elements of a file that was written."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


@pytest.mark.parametrize(
    "code, data, values, dtype",
    [
        ("F64", struct.pack("<2d", 1.5, -0.1), [1.5, -0.1], "float64"),
        ("F32", struct.pack("<2f", 1.5, -2), [1.5, -2], "float32"),
        ("F16", struct.pack("<2e", 1.5, -2), [1.5, -2], "float16"),
        ("BF16", bytes([0xC0, 0x3F, 0x49, 0xC0]), [1.5, -3.140625], "float32"),
        ("I64", struct.pack("<2q", -1, 2**40), [-1, 2**40], "int64"),
        ("I32", struct.pack("<2i", -1, 2**20), [-1, 2**20], "int32"),
        ("I16", struct.pack("<2h", -1, 300), [-1, 300], "int16"),
        ("I8", struct.pack("<2b", -1, 7), [-1, 7], "int8"),
        ("U8", bytes([255, 7]), [255, 7], "uint8"),
        ("BOOL", bytes([1, 0]), [True, False], "bool"),
    ],
)
def test_every_dtype(code: str, data: bytes, values: list[Any], dtype: str, tmp_path: Path) -> None:
    found = loaded(file_of({"x": entry(code, [2], 0, len(data))}, data), tmp_path)["x"]
    assert type(found) is lucid.Tensor and found.dtype == dtype and found.tolist() == values
    assert not found.requires_grad
    found.fill_(1)  # its memory is its own
    if code != "BF16":
        lucid.save_safetensors({"x": lucid.tensor(values, dtype=dtype)}, tmp_path / "y")
        header, elements = parts((tmp_path / "y").read_bytes())
        assert header == {"x": entry(code, [2], 0, len(data))} and elements == data


def test_bfloat16_is_widened_exactly(tmp_path: Path) -> None:
    upper = np.arange(2**16, dtype="<u2")  # every bfloat16 there is
    found = loaded(file_of({"x": entry("BF16", [256, 256], 0, 2**17)}, upper.tobytes()), tmp_path)["x"]
    assert (found.numpy().view("uint32") >> 16).ravel().tolist() == upper.tolist()
    assert not (found.numpy().view("uint32") & 0xFFFF).any()


def test_a_byte_that_is_no_bool_becomes_one(tmp_path: Path) -> None:
    found = loaded(file_of({"x": entry("BOOL", [3], 0, 3)}, bytes([0, 2, 255])), tmp_path)["x"].numpy()
    assert found.view("u1").tolist() == [0, 1, 1]


def test_the_file_is_as_described(tmp_path: Path) -> None:
    tensors = {
        "half": lucid.ones(3, dtype="float16"), "w": lucid.tensor([[1.0, 2.0], [3.0, 4.0]]).T,
        "empty": np.zeros((0, 3), "int8"),
        "scalar": nn.Parameter(2.5), "number": np.float32(0.5), "big": np.array([1.0, 2.0], ">f8"),
        "naïve": np.arange(12, dtype="int32")[::5], "host": lucid.ones(2, requires_grad=True) * 2,
    }  # fmt: skip
    lucid.save_safetensors(tensors, tmp_path / "x", metadata={"format": "pt", "é": ""})
    content = (tmp_path / "x").read_bytes()
    header, data = parts(content)
    assert header.pop("__metadata__") == {"format": "pt", "é": ""}
    assert (len(content) - len(data)) % 8 == 0  # so that mapped elements are aligned
    assert set(header) == set(tensors)
    at = {name: data[slice(*field["data_offsets"])] for name, field in header.items()}
    assert at["w"] == struct.pack("<4f", 1, 3, 2, 4) and header["w"]["shape"] == [2, 2]
    assert at["big"] == struct.pack("<2d", 1, 2) and header["big"]["dtype"] == "F64"
    assert at["scalar"] == struct.pack("<f", 2.5) and header["scalar"]["shape"] == []
    assert at["naïve"] == struct.pack("<3i", 0, 5, 10) and at["empty"] == b"" and header["empty"]["shape"] == [0, 3]
    spans = sorted(field["data_offsets"] for field in header.values())
    assert spans[0][0] == 0 and spans[-1][1] == len(data) and all(a[1] == b[0] for a, b in pairwise(spans))
    width = {"F64": 8, "F32": 4, "I32": 4, "F16": 2, "I8": 1}
    assert all(field["data_offsets"][0] % width[field["dtype"]] == 0 for field in header.values())
    back = lucid.load_safetensors(tmp_path / "x")
    assert set(back) == set(tensors)
    for name, value in tensors.items():
        expected = value.detach().numpy() if isinstance(value, lucid.Tensor) else np.asarray(value)
        np.testing.assert_array_equal(back[name].numpy(), expected)
        assert back[name].dtype == expected.dtype.newbyteorder("=")


def test_no_tensors_and_no_file(tmp_path: Path) -> None:
    lucid.save_safetensors({}, tmp_path / "x")
    assert lucid.load_safetensors(tmp_path / "x") == {} and parts((tmp_path / "x").read_bytes()) == ({}, b"")
    with pytest.raises(FileNotFoundError):
        lucid.load_safetensors(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"save_safetensors: there is no directory .*create it first"):
        lucid.save_safetensors({}, tmp_path / "nowhere" / "x")


def test_a_model_goes_out_and_comes_back(tmp_path: Path) -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))

    model, other, x = make(), make(), lucid.randn(5, 3)
    lucid.save_safetensors(model.state_dict(), tmp_path / "model.safetensors")
    assert not np.array_equal(model(x).tolist(), other(x).tolist())
    other.load_state_dict(lucid.load_safetensors(tmp_path / "model.safetensors"))
    assert model(x).tolist() == other(x).tolist()


def test_equal_tensors_are_equal_files_and_a_refusal_writes_none(tmp_path: Path) -> None:
    for name in "ab":
        lucid.save_safetensors({"w": lucid.ones(2), "b": lucid.zeros(1)}, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(TypeError):
        lucid.save_safetensors({"w": lucid.ones(3), "bad": "text"}, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_an_interrupted_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lucid.save_safetensors({"w": lucid.ones(2)}, tmp_path / "x")
    before = (tmp_path / "x").read_bytes()

    def fail(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        lucid.save_safetensors({"w": lucid.zeros(200)}, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == before and os.listdir(tmp_path) == ["x"]


ONE = entry("F32", [1], 0, 4)
FOUR = struct.pack("<f", 1)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "it should begin with the length of its header, and says 0 where it has 0 more bytes; it is truncated"),
        (b"\1\2\3", "is truncated, or no safetensors file"),
        (file_of({"x": ONE}, FOUR, length=1000), "says 1000 where it has"),
        (file_of({"x": ONE}, FOUR, length=2**63), "says 9223372036854775808 where it has"),
        (file_of({"x": ONE}, FOUR, length=0), "its header should begin with '{', and begins with b''"),
        (b"PK\3\4\0\0\0\0 a zip archive, such as lucid.save writes", "it is truncated, or no safetensors file"),
        (file_of(b' {"x": 1}'), "its header should begin with '{', and begins with b' {\"x\": 1}'"),
        (file_of(b"[]"), "its header should begin with '{'"),
        (file_of(b'{"x": '), "Expecting value"),
        (file_of(b'{"\xff": 1}'), "can't decode"),
        (file_of(b'{"x":' * 100_000), "recursion"),
        (file_of(b'{"x": {}, "x": {}}'), "its header has a name twice"),
        (file_of({"x": 1}), "'x' should have dtype, shape and data_offsets, and has 1"),
        (file_of({"x": {"dtype": "F32"}}), "'x' should have dtype, shape and data_offsets, and has {'dtype'"),
        (file_of({"x": {**ONE, "more": 1}}, FOUR), "'x' should have dtype, shape and data_offsets"),
        (file_of({"x": entry("F8_E4M3", [4], 0, 4)}, FOUR),
         "'x' has dtype 'F8_E4M3', which lucid has not; it reads F64, F32"),
        (file_of({"x": entry("U16", [2], 0, 4)}, FOUR), "'x' has dtype 'U16'"),
        (file_of({"x": {**ONE, "dtype": ["F32"]}}, FOUR), "'x' has dtype ['F32']"),
        (file_of({"x": entry("F32", [1.0], 0, 4)}, FOUR), "'x' has [1.0] where a list of numbers from 0 is expected"),
        (file_of({"x": entry("F32", [-1], 0, 4)}, FOUR), "'x' has [-1] where"),
        (file_of({"x": entry("F32", [True], 0, 4)}, FOUR), "'x' has [True] where"),
        (file_of({"x": {**ONE, "shape": 1}}, FOUR), "'x' has 1 where"),
        (file_of({"x": {**ONE, "data_offsets": [0, 2, 4]}}, FOUR),
         "'x' has data_offsets [0, 2, 4]; expected a first and a last"),
        (file_of({"x": entry("F32", [2], 0, 4)}, FOUR), "'x' has 4 bytes, which is not what F32 of shape [2] takes"),
        (file_of({"x": entry("F32", [2**62, 2**62], 0, 4)}, FOUR), "'x' has 4 bytes, which is not what"),
        (file_of({"x": entry("F32", [1], 4, 0)}, FOUR), "'x' has -4 bytes"),
        (file_of({"x": entry("F32", [1], 4, 8)}, FOUR * 2),
         "the elements of 'x' begin at byte 4, those before it end at 0"),
        (file_of({"x": ONE, "y": ONE}, FOUR), "the elements of 'y' begin at byte 0, those before it end at 4"),
        (file_of({"x": ONE, "y": entry("F32", [1], 2, 6)}, FOUR * 2),
         "the elements of 'y' begin at byte 2, those before it end at 4"),
        (file_of({"x": ONE}, FOUR[:3]), "the header tells of 4 bytes of elements, and there are 3"),
        (file_of({"x": ONE}, FOUR + b"!"), "the header tells of 4 bytes of elements, and there are 5"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_right_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as raised:
        loaded(content, tmp_path)
    assert str(raised.value).startswith(f"load_safetensors: {str(tmp_path / 'x.safetensors')!r} cannot be read: ")
    assert words in str(raised.value)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    lucid.save_safetensors({"w": lucid.arange(4), "b": lucid.ones(2, 2)}, tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="cannot be read"):
            loaded(whole[:length], tmp_path)


def test_damage_is_refused_or_reads_as_something_else_but_never_breaks(tmp_path: Path) -> None:
    lucid.save_safetensors({"w": lucid.arange(4), "b": lucid.ones(2, 2)}, tmp_path / "x", {"format": "pt"})
    whole, refused = (tmp_path / "x").read_bytes(), 0
    for place in range(len(whole) - len(parts(whole)[1])):
        for flip in (0x01, 0x20, 0x80):
            try:
                loaded(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :], tmp_path)
            except ValueError as error:
                assert "cannot be read" in str(error)
                refused += 1
    assert refused > place


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda p: lucid.save_safetensors(nn.Linear(1, 1), p), TypeError,
         "save_safetensors: expected a dict for 'tensors', got Linear("),
        (lambda p: lucid.save_safetensors({"a": {"b": lucid.ones(1)}}, p), TypeError,
         "'a' is of type dict; expected a Tensor or an array (lucid.save keeps nests"),
        (lambda p: lucid.save_safetensors({"a": 1.0}, p), TypeError,
         "'a' is of type float; expected a Tensor or an array"),
        (lambda p: lucid.save_safetensors({1: lucid.ones(1)}, p), TypeError, "a name must be a str, got 1"),
        (lambda p: lucid.save_safetensors({"__metadata__": lucid.ones(1)}, p), ValueError,
         "'__metadata__' cannot be the name of a tensor; strings go into metadata="),
        (lambda p: lucid.save_safetensors({"a": np.ones(1, "complex64")}, p), TypeError,
         "'a' is an array of complex64; expected one of float16"),
        (lambda p: lucid.save_safetensors({"a": np.ones(1, "uint16")}, p), TypeError,
         "'a' is an array of uint16; expected one of float16"),
        (lambda p: lucid.save_safetensors({}, p, metadata={"epoch": 3}), TypeError,
         "metadata must be a dict of strings by name, got {'epoch': 3}"),
        (lambda p: lucid.save_safetensors({}, p, metadata="pt"), TypeError,
         "metadata must be a dict of strings by name, got 'pt'"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(
    call: Callable[[Path], None], error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as raised:
        call(tmp_path / "x")
    assert str(raised.value).startswith("save_safetensors: ") and words in str(raised.value)
    assert not list(tmp_path.iterdir())
