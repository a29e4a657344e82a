"""Pickles of data sets: numbers come out, nothing is ever run."""

from __future__ import annotations

import collections
import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from understudy.backend.errors import BadInput
from understudy.training.formats import pickles
from understudy.training.formats.pickles import loads, read_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Reduced:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that tries to run something here leaves a trace."""
    import builtins  # exec itself is left alone: imports need it
    import os
    import subprocess

    calls: list[str] = []
    monkeypatch.setattr(os, "system", lambda *a: calls.append("system"))
    monkeypatch.setattr(builtins, "eval", lambda *a: calls.append("eval"))
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: calls.append("Popen"))
    return calls


def _global(module: str, name: str, argument: str) -> bytes:
    """Protocol 0: call ``module.name(argument)``."""
    return f"c{module}\n{name}\n(S'{argument}'\ntR.".encode()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"), ("posix", "system"), ("nt", "system"), ("builtins", "eval"), ("__builtin__", "eval"),
        ("builtins", "exec"), ("builtins", "getattr"), ("subprocess", "Popen"), ("importlib", "import_module"),
        ("numpy", "load"), ("numpy", "fromfile"), ("numpy.core.multiarray", "fromstring"),
        ("numpy.testing._private.utils", "runstring"), ("collections", "namedtuple"), ("copyreg", "_reconstructor"),
        ("torch", "load"), ("torch._utils", "_rebuild_tensor_v2"), ("joblib.numpy_pickle", "NumpyArrayWrapper"),
        ("understudy.training.formats.pickles", "read_pickle"), ("collections", "OrderedDict.fromkeys"),
    ],
)  # fmt: skip
def test_no_name_but_data_is_looked_up(module: str, name: str, ran: list[str]) -> None:
    with pytest.raises(BadInput, match="not data"):
        loads(_global(module, name, "true"))
    stack_global = b"\x80\x04" + b"".join(
        b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name)
    )
    with pytest.raises(BadInput, match="not data"):
        loads(stack_global + b"\x93\x8c\x04true\x85R.")
    assert ran == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_is_refused_wherever_it_hides(protocol: int, request: pytest.FixtureRequest) -> None:
    import os

    bomb = Reduced(os.system, "true")
    inside = np.empty(2, object)
    inside[0] = np.array([None, bomb], object)
    values = (bomb, {"poses": bomb}, [(1, [bomb])], inside, {"a": inside}, {("k", 1): {"b": [bomb]}})
    files = [pickle.dumps(value, protocol) for value in values]
    ran: list[str] = request.getfixturevalue("ran")
    for data in files:
        with pytest.raises(BadInput, match="system"):
            loads(data)
    assert ran == []


def test_a_torch_file_is_named_and_refused(tmp_path: Path) -> None:
    import torch

    old, new = tmp_path / "old.pkl", tmp_path / "new.pkl"
    torch.save({"poses": torch.zeros(3)}, old, _use_new_zipfile_serialization=False)
    torch.save({"poses": torch.zeros(3)}, new)
    for path in (old, new):
        with pytest.raises(BadInput, match=path.name):
            read_pickle(path)
    with pytest.raises(BadInput, match=r"torch\._utils"):
        loads(pickle.dumps(torch.zeros(3)))
    with pytest.raises(BadInput, match="outside of itself"):
        loads(b"\x80\x02X\x01\x00\x00\x00aQ.")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_come_out_as_they_went_in(protocol: int) -> None:
    value = {
        "smpl_poses": np.linspace(0, 1, 24 * 3 * 4).reshape(4, 24, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        "big_endian": np.arange(3, dtype=">i4"),
        "flags": np.array([True, False]),
        "names": np.array(["left", "right"]),
        "raw": np.array([b"ab", b"c"]),
        "records": np.array([(1, 2.5), (3, 4.5)], dtype=[("a", "<i2"), ("b", "<f8")]),
        "grid": np.zeros(2, dtype=[("m", "<f4", (2, 2))]),
        "ragged": np.array([np.zeros(2), np.ones((3, 1)), None], dtype=object),
        "empty": np.zeros((0, 24, 3)),
        "scalar": np.float32(94.5),
        "whole": np.int64(-3),
        "gender": "male",
        "bytes": b"\x00\xff",
        "nested": [1, (2.5, None, True), {"k": {1, 2}}, frozenset({3}), 1 + 2j],
        "ordered": collections.OrderedDict([("b", 1), ("a", np.ones(2))]),
        "long": 1 << 80,
    }
    read = loads(pickle.dumps(value, protocol))
    assert list(read) == list(value)
    for key, expected in value.items():
        found = read[key]
        assert type(found) is type(expected), key
        if isinstance(expected, np.ndarray) and expected.dtype != object:
            # numpy itself brings some arrays to the machine's byte order
            assert found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("="), key
            assert found.shape == expected.shape, key
            np.testing.assert_array_equal(found, expected)
    assert read["ragged"][1].shape == (3, 1) and type(read["ragged"][1]) is np.ndarray
    assert read["nested"] == value["nested"] and read["gender"] == "male" and read["long"] == 1 << 80
    assert type(read["ordered"]["a"]) is np.ndarray
    read["smpl_poses"][0] = 1  # writable, as numpy's own


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("core", ["core", "_core"])
def test_numpy_1_and_numpy_2_spellings(protocol: int, core: str) -> None:
    """The module that holds numpy's helpers changed its name; the other name's length is adjusted."""
    value = {"poses": np.arange(12, dtype=np.float64).reshape(3, 4), "scale": np.float64(94.0)}
    data = pickle.dumps(value, protocol)
    mine = "_core" if b"numpy._core" in data else "core"
    for module in ("multiarray", "numeric"):
        old, new = f"numpy.{mine}.{module}".encode(), f"numpy.{core}.{module}".encode()
        data = data.replace(b"\x8c" + bytes([len(old)]) + old, b"\x8c" + bytes([len(new)]) + new)
        data = data.replace(b"c" + old + b"\n", b"c" + new + b"\n")
    if protocol >= 4:  # the frame's length changed with the name
        assert data[2:3] == b"\x95"
        data = data[:2] + data[11:]
    read = loads(data)
    np.testing.assert_array_equal(read["poses"], value["poses"])
    assert read["scale"] == 94.0


def test_a_pickle_of_python_2() -> None:
    """Written by hand as cPickle (protocol 2) of Python 2 writes it: byte strings for keys and for the data."""

    def text(word: bytes) -> bytes:
        return b"U" + bytes([len(word)]) + word

    numbers = np.array([1.5, -2.0, 1e-3])
    dtype = (
        b"cnumpy\ndtype\n" + text(b"f8") + b"K\x00K\x01\x87R(K\x03" + text(b"<")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )  # fmt: skip
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
        + b"(K\x01K\x03\x85" + dtype + b"\x89" + text(numbers.tobytes()) + b"tb"
    )  # fmt: skip
    data = b"\x80\x02}(" + text(b"trans") + array + text(b"gender") + text(b"f\xe9male") + b"u."
    read = loads(data)
    np.testing.assert_array_equal(read["trans"], numbers)
    assert read["gender"] == "f\xe9male"


@given(
    arrays.arrays(
        dtype=st.sampled_from([np.float64, np.float32, np.int16, np.bool_, np.dtype("U3"), np.dtype("S2")]),
        shape=arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    st.sampled_from(list(PROTOCOLS)),
)
@settings(max_examples=60, deadline=None)
def test_any_array_survives(array: np.ndarray, protocol: int) -> None:
    read = loads(pickle.dumps({"a": array}, protocol))["a"]
    assert read.dtype == array.dtype and read.shape == array.shape
    np.testing.assert_array_equal(read, array)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_one_sentence(data: st.DataObject) -> None:
    whole = pickle.dumps({"poses": np.arange(30.0).reshape(5, 6), "trans": np.zeros((5, 3)), "g": "male"}, 2)
    if data.draw(st.booleans()):
        broken = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        place = data.draw(st.integers(0, len(whole) - 1))
        broken = whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
    try:
        loads(broken)
    except BadInput as error:
        assert error.message and "\n" not in error.message and len(error.message) < 300


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_rubbish_is_one_sentence(data: bytes) -> None:
    try:
        loads(data)
    except BadInput as error:
        assert error.message


def test_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "12.pkl"
    for content in (b"", b"hello", _global("os", "system", "true"), pickle.dumps(np.ones(9))[:-20]):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"12\.pkl"):
            read_pickle(path)
    with pytest.raises(BadInput, match=r"13\.pkl cannot be read"):
        read_pickle(tmp_path / "13.pkl")
    path.write_bytes(pickle.dumps(np.ones(9)))
    np.testing.assert_array_equal(read_pickle(path), np.ones(9))
    monkeypatch.setattr(pickles, "LARGEST", 100)
    with pytest.raises(BadInput, match="too large"):
        read_pickle(path)


def _array(shape: Any, dtype: str, data: Any, *, flags: int = 0, byteorder: str = "<") -> bytes:
    """An array whose description is forged, as numpy itself would accept it."""

    class Forged:
        def __reduce__(self) -> Any:
            kind = Reduced(np.dtype, dtype, False, True)
            kind.call = (*kind.call, (3, byteorder, None, None, None, -1, -1, flags))  # type: ignore[assignment]
            rebuild = np.zeros(0).__reduce__()[0]
            return rebuild, (np.ndarray, (0,), b"b"), (1, shape, kind, False, data)

    return pickle.dumps(Forged(), 2)


def test_forged_arrays() -> None:
    with pytest.raises(
        BadInput
    ):  # pointers in disguise: an object type whose flags say that it has no objects
        loads(_array((1,), "O", b"\x41" * 8, byteorder="|"))
    for shape in ((10**12,), (-1,), (2, 10**10), (1 << 62, 1 << 62)):
        with pytest.raises(BadInput):
            loads(_array(shape, "f8", b"\0" * 8))
    with pytest.raises(BadInput):
        loads(_array((10**12,), "S0", b""))
    with pytest.raises(BadInput, match="type"):
        loads(_array((1,), "f8,O", b"\0" * 16))
    with pytest.raises(BadInput):
        loads(_array((3,), "O", [1, 2], byteorder="|"))
    np.testing.assert_array_equal(loads(_array((1,), "f8", b"\0" * 8)), [0.0])


def test_forged_calls() -> None:
    with pytest.raises(BadInput):  # numpy.ndarray((10**12,)) would reserve terabytes
        loads(pickle.dumps(Reduced(np.ndarray, (10**12,)), 2))
    with pytest.raises(BadInput):
        loads(b"c_codecs\nencode\n(S'aa'\nS'zip'\ntR.")
    with pytest.raises(BadInput, match="code"):
        loads(b"cnumpy\ndtype\n.")
    before = dict(vars(pickles._Make))
    with pytest.raises(BadInput):  # BUILD sets attributes of what it finds
        loads(b"\x80\x02cnumpy\ndtype\nN}X\x06\x00\x00\x00encodeK\x01s\x86b.")
    assert dict(vars(pickles._Make)) == before


def test_ten_bytes_do_not_reserve_memory() -> None:
    import tracemalloc

    memo = b"\x80\x02Nr" + struct.pack("<I", 0xFFFFFFF0) + b"."
    long = b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc."
    tracemalloc.start()
    loads(memo)
    with pytest.raises(BadInput):
        loads(long)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_shared_and_circular_values_end() -> None:
    loop: list[Any] = [np.ones(1)]
    loop.append(loop)
    read = loads(pickle.dumps(loop))
    assert read[1] is read and type(read[0]) is np.ndarray
    laughs: list[Any] = ["ha"]
    for _ in range(60):
        laughs = [laughs, laughs]
    assert len(loads(pickle.dumps(laughs))) == 2
    deep = io.BytesIO()
    deep.write(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")
    with pytest.raises(BadInput, match="nested"):
        loads(deep.getvalue())
