"""Files that cannot be used: each gives one sentence that names the file and the fault."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion.npz import clip_from_bytes, clip_to_bytes, read_clip

from .synthetic import random_clip


class Armed:
    """Runs code when it is unpickled."""

    fired = False

    def __reduce__(self) -> tuple:
        return (setattr, (Armed, "fired", True))


def good() -> dict:
    return {
        "poses": np.zeros((5, 165)),
        "trans": np.zeros((5, 3)),
        "mocap_frame_rate": 30.0,
        "surface_model_type": "smplx",
    }


def changed(**changes: object) -> dict:
    """A good file's keys with some replaced; None removes a key."""
    return {key: value for key, value in {**good(), **changes}.items() if value is not None}


def with_nan(shape: tuple[int, ...], value: float = np.nan) -> np.ndarray:
    array = np.zeros(shape)
    array[2, 1] = value
    return array


def test_the_good_file_is_good(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **good())
    assert len(read_clip(tmp_path / "a.npz")) == 5


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (changed(poses=None), "key poses (or root_orient and pose_body) is missing"),
        (changed(trans=None), "key trans is missing"),
        (changed(poses=None, root_orient=np.zeros((5, 3))), "key pose_body is missing"),
        (changed(poses=None, pose_body=np.zeros((5, 63))), "key root_orient is missing"),
        (changed(poses=np.zeros((5, 100))), "poses has the shape (5, 100); expected (frames, 165)"),
        (changed(poses=np.zeros((5, 54, 3))), "poses has the shape (5, 54, 3)"),
        (changed(poses=np.zeros(165)), "poses has the shape (165,)"),
        (changed(poses=np.zeros((0, 165)), trans=np.zeros((0, 3))), "poses has no frames"),
        (changed(trans=np.zeros((4, 3))), "trans has the shape (4, 3); expected (5, 3)"),
        (changed(trans=np.zeros((5, 2))), "trans has the shape (5, 2)"),
        (changed(trans=np.zeros(3)), "trans has the shape (3,)"),
        (changed(poses=with_nan((5, 165))), "poses holds numbers that are not finite"),
        (changed(trans=with_nan((5, 3), np.inf)), "trans holds numbers that are not finite"),
        (changed(expressions=np.zeros((4, 100))), "expressions has the shape (4, 100); expected (5, 100)"),
        (changed(expressions=np.zeros(100)), "expressions has the shape (100,)"),
        (changed(betas=np.zeros((2, 3, 4))), "betas has the shape (2, 3, 4)"),
        (changed(poses=np.full((5, 165), "x")), "poses must hold numbers"),
        (changed(poses=np.zeros((5, 165), complex)), "poses must hold numbers"),
        (changed(mocap_frame_rate=0.0), "mocap_frame_rate is 0 frames per second"),
        (changed(mocap_frame_rate=-30.0), "mocap_frame_rate is -30"),
        (changed(mocap_frame_rate=1e9), "mocap_frame_rate is 1e+09"),
        (changed(mocap_frame_rate=np.nan), "mocap_frame_rate is nan"),
        (changed(mocap_frame_rate="fast"), "mocap_frame_rate is not a frame rate"),
        (changed(mocap_frame_rate=np.zeros(0)), "mocap_frame_rate is not a frame rate"),
        (changed(mocap_frame_rate=None, mocap_time_length=1e-9), "mocap_time_length is"),
        (changed(understudy="not json"), "understudy is not the JSON text"),
        (changed(understudy="[1]"), "understudy is not the JSON text"),
        (changed(understudy='{"version": 1, "up": "x"}'), "understudy is not the JSON text"),
        (
            changed(understudy='{"version": 1, "up": "y", "num_betas": "x"}'),
            "understudy is not the JSON text",
        ),
        (changed(understudy='{"version": 99, "up": "y"}'), "newer version"),
        (changed(flat_hand_mean=False), "hands_mean is missing"),
        (changed(flat_hand_mean=False, hands_mean=np.zeros(10)), "hands_mean has the shape (10,)"),
        (
            changed(poses=None, root_orient=np.zeros((5, 3)), pose_body=np.zeros((4, 63))),
            "pose_body has the shape (4, 63); expected (5, 63)",
        ),
        (
            changed(poses=None, root_orient=np.zeros((0, 3)), pose_body=np.zeros((0, 63))),
            "root_orient has no frames",
        ),
    ],
)
def test_one_sentence_names_the_fault(tmp_path: Path, keys: dict, sentence: str) -> None:
    path = tmp_path / "motion.npz"
    np.savez(path, **keys)
    with pytest.raises(BadInput) as caught:
        read_clip(path)
    message = caught.value.message
    assert sentence in message
    assert "motion.npz" in message
    assert "\n" not in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("key", ["poses", "trans", "mocap_frame_rate", "betas", "gender", "expressions"])
def test_object_arrays_are_refused_and_never_unpickled(tmp_path: Path, key: str) -> None:
    Armed.fired = False
    np.savez(tmp_path / "a.npz", **changed(**{key: np.array([Armed()] * 5, dtype=object)}))
    with pytest.raises(BadInput, match=f"array {key} holds Python objects"):
        read_clip(tmp_path / "a.npz")
    assert not Armed.fired


def test_a_bare_pickle_is_not_opened(tmp_path: Path) -> None:
    Armed.fired = False
    (tmp_path / "a.npz").write_bytes(pickle.dumps({"poses": Armed()}))
    with pytest.raises(BadInput, match=r"not an \.npz file"):
        read_clip(tmp_path / "a.npz")
    assert not Armed.fired


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"a person walks forward\n", "not an .npz file"),
        (b"PK", "cut short"),
        (b"\x93NUMPY\x01\x00", "single numpy array"),
        (bytes(range(256)) * 20, "not an .npz file"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_clip(tmp_path / "a.npz")
    assert sentence in caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_clip(tmp_path / "a.npz")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        read_clip(tmp_path)


def test_every_truncation_is_noticed() -> None:
    data = clip_to_bytes(random_clip(3))
    for length in [*range(0, 200, 20), *range(200, len(data) - 1, len(data) // 25), len(data) - 1]:
        with pytest.raises(BadInput):
            clip_from_bytes(data[:length])


def test_flipped_bytes_never_escape_as_anything_else() -> None:
    data = clip_to_bytes(random_clip(3))
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        spoilt = bytearray(data)
        spoilt[rng.integers(len(data))] ^= int(rng.integers(1, 256))
        try:
            clip_from_bytes(bytes(spoilt))
        except BadInput:
            refused += 1
    assert refused > 100  # the rest hit bytes that nobody reads


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BadInput, match="without numpy arrays"):
        read_clip(tmp_path / "a.npz")


def test_an_array_that_announces_a_terabyte() -> None:
    """The header alone decides: nothing of that size is ever reserved."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 165)}
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("poses.npy", header.getvalue())
    with pytest.raises(BadInput, match="more than 512 MB"):
        clip_from_bytes(buffer.getvalue())


def test_an_array_shorter_than_it_says() -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (50, 165)})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("poses.npy", header.getvalue() + bytes(100))
    with pytest.raises(BadInput, match="cut short"):
        clip_from_bytes(buffer.getvalue())


def test_files_stay_closed_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(BadInput):
        read_clip(path)
    path.rename(tmp_path / "b.npz")  # fails on Windows while a handle is open
