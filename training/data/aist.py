"""AIST++: 3D dance to music, 10 genres, 30 dancers, 60 fps, with the cameras that filmed it.

From https://google.github.io/aistplusplus_dataset (Li et al., ICCV 2021): ``motions/<sequence>.pkl`` (SMPL fitted
to nine views), ``keypoints3d/<sequence>.pkl`` (COCO joints), ``cameras``, ``splits``, ``ignore_list.txt``. Where
AIST's music lies beside it (``music/mBR0.wav``), beats are found in it. The annotations are licensed by
Google under CC BY 4.0; music and videos are not part of them and have AIST's own terms.

Traps handled here: positions are in units of the body (about 94 to a metre), the shape is that of the
male model for everyone, SMPL's two hand joints hold no fingers, a quarter of the sequences is in no
cross-modal split because it would leak, and the badly fitted ones are on a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import rotations as rot
from ...backend.motion.clip import Clip, resample
from ...backend.motion.dialects import SMPLH_J0
from ...backend.motion.fitting.fit import fit_joints
from ...backend.motion.skeleton import J0, NUM_JOINTS
from ..formats.beats import beat_frames, find_beats, onset_strength, read_audio
from ..formats.pickles import read_pickle
from .item import Item, Split
from .job import FPS, Converted, Job
from .metadata import EnhancedMetadata, Music
from .raw import Raw
from .smpl_floor import stand

SOURCE_FPS = 60.0
"""Exactly: the videos were converted to it before they were annotated."""
KEYPOINT_UNIT = 0.01
"""Metres: keypoints are in centimetres of the calibration."""
LICENCE = "CC BY 4.0 (annotations)"
ATTRIBUTION = "AIST++ Dance Motion Dataset, Google LLC, CC BY 4.0; from the AIST Dance Video Database."
FOLDERS = ("aist", "aist++", "aistplusplus", "aist_plusplus_final")
MARKS = ("motions/g*_s*_c*.pkl", "keypoints3d/g*_s*_c*.pkl")

GENRES: dict[str, tuple[str, str]] = {
    "BR": ("break", "break dance"),
    "PO": ("pop", "popping"),
    "LO": ("lock", "locking"),
    "MH": ("middle hip-hop", "middle hip-hop"),
    "LH": ("LA hip-hop", "LA style hip-hop"),
    "HO": ("house", "house dance"),
    "WA": ("waack", "waacking"),
    "KR": ("krump", "krump"),
    "JS": ("street jazz", "street jazz"),
    "JB": ("ballet jazz", "ballet jazz"),
}
"""By the letters in a name: the genre, and how one says what is danced."""

SITUATIONS: dict[str, tuple[str, str]] = {
    "BM": ("basic dance", "a person dances {dance}, basic steps"),
    "FM": ("advanced dance", "a person dances an advanced {dance} choreography"),
    "GR": ("group dance", "a dancer of a group dances {dance}"),
    "MO": ("moving camera", "a person dances {dance}"),
    "SH": ("showcase", "a dancer performs {dance} in a showcase"),
    "CY": ("cypher", "a dancer performs {dance} in a circle of dancers"),
    "BT": ("battle", "a dancer performs {dance} in a dance battle"),
}
"""By the letters in a name: the situation and its caption (AIST++ itself has BM and FM)."""

COCO = (
    "nose", "left_eye_smplhf", "right_eye_smplhf", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
    "left_ankle", "right_ankle",
)  # fmt: skip
"""Columns of the keypoints by our names."""

_NAME = re.compile(
    r"g(?P<genre>[A-Z]{2})_s(?P<situation>[A-Z]{2})_(?P<camera>cAll|c\d\d)_(?P<dancers>d\d\d(?:_d\d\d)*)"
    r"_(?P<music>m[A-Z]{2}\d)_(?P<choreography>ch\d\d)"
)


@dataclass(frozen=True)
class DanceName:
    """What a sequence's name says, ``gBR_sBM_cAll_d04_mBR0_ch01``."""

    genre: str
    situation: str
    camera: str
    dancers: tuple[str, ...]
    music: str
    choreography: str

    @classmethod
    def of(cls, sequence: str) -> DanceName | None:
        match = _NAME.fullmatch(sequence)
        if match is None:
            return None
        parts = match.groupdict()
        return cls(**{**parts, "dancers": tuple(parts["dancers"].split("_"))})  # type: ignore[arg-type]

    @property
    def bpm(self) -> float | None:
        return bpm_of(self.music)

    @property
    def routine(self) -> tuple[str, str, str]:
        """The choreography, which is numbered anew in each genre and situation."""
        return self.genre, self.situation, self.choreography

    def captions(self) -> list[str]:
        if self.genre not in GENRES:
            return []
        dance = GENRES[self.genre][1]
        caption = SITUATIONS.get(self.situation, ("", "a person dances {dance}"))[1].format(dance=dance)
        speed = f" to music at {self.bpm:g} beats a minute" if self.bpm else ""
        return [caption, f"someone is dancing {dance}{speed}"]


def bpm_of(music: str) -> float | None:
    """Tempo of a piece of AIST's music by its name: house starts at 110 in steps of 5, all others at 80 in
    steps of 10; None for a genre that is not known."""
    if len(music) != 4 or music[1:3] not in GENRES or not music[3].isdigit():
        return None
    return 110.0 + 5 * int(music[3]) if music[1:3] == "HO" else 80.0 + 10 * int(music[3])


# ------------------------------------------------------------------------------------------- jobs


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per sequence: its SMPL motion or, where there is none, its 3D keypoints.

    Raises:
        BadInput: AIST++ is not under the root.
    """
    home = _home(raw)
    ignored = set(_words(home / "ignore_list.txt"))
    splits = _Splits(home / "splits")
    environments = dict(_pairs(home / "cameras" / "mapping.txt"))
    motions = {path.stem for path in (home / "motions").glob("*.pkl")}
    keypoints = {path.stem for path in (home / "keypoints3d").glob("*.pkl")}
    for sequence in sorted(motions | keypoints):
        dance = DanceName.of(sequence)
        split, why = splits.of(sequence, dance)
        if sequence in ignored:
            why = "It is on the data set's ignore list: badly reconstructed."
        has_motion = sequence in motions
        camera = environments.get(sequence)
        yield Job(
            set="aist",
            name=sequence,
            convert=convert_motion if has_motion else convert_keypoints,
            path=home / ("motions" if has_motion else "keypoints3d") / f"{sequence}.pkl",
            arguments={
                "cameras": home / "cameras" / f"{camera}.json" if camera else None,
                "music": _music(home, dance.music) if dance else None,
            },
            items=[_item(sequence, dance, split)],
            left_out=why,
        )


def _home(raw: Raw) -> Path:
    for folder in FOLDERS[1:]:
        if (raw.root / folder).is_dir():
            return raw.home(folder, *MARKS)
    return raw.home(FOLDERS[0], *MARKS)


def _words(path: Path) -> list[str]:
    """The words of a list; empty when it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split()
        if len(words) == 2:
            yield words[0], words[1]


def _music(home: Path, name: str) -> Path | None:
    """A recording of the music, where the user has laid one."""
    for folder in ("music", "wav", "audio", "musics"):
        for ending in (".wav", ".mp3", ".flac"):
            path = home / folder / f"{name}{ending}"
            if path.is_file():
                return path
    return None


class _Splits:
    """The cross-modal splits: no music and no choreography of training is in validation or test."""

    def __init__(self, folder: Path) -> None:
        self._of: dict[str, Split] = {}
        kept_back = []
        for split in ("train", "val", "test"):
            for sequence in _words(folder / f"crossmodal_{split}.txt"):
                self._of[sequence] = split  # type: ignore[assignment]
                if split != "train":
                    kept_back.append(DanceName.of(sequence))
        self._music = {dance.music for dance in kept_back if dance}
        self._routines = {dance.routine for dance in kept_back if dance}

    def of(self, sequence: str, dance: DanceName | None) -> tuple[Split, str]:
        """The split, and why the sequence must stay out of all of them; it is then in none of the lists."""
        if sequence in self._of:
            return self._of[sequence], ""
        shared = [
            what
            for what, is_shared in (
                ("music", dance is not None and dance.music in self._music),
                ("choreography", dance is not None and dance.routine in self._routines),
            )
            if is_shared
        ]
        if shared:
            return (
                "train",
                f"It is in no split and shares its {' and '.join(shared)} with validation or test.",
            )
        return "train", ""


def _item(sequence: str, dance: DanceName | None, split: Split) -> Item:
    captions = dance.captions() if dance else []
    return Item(
        dataset="aist", motion_name=sequence, trial=sequence, split=split, kind="whole", actor="Null",
        text=captions, caption_source="aist_names" if captions else "", source=ATTRIBUTION, licence=LICENCE,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------- convert


def convert_motion(path: Path, *, cameras: Path | None = None, music: Path | None = None) -> Converted:
    """A clip of a ``motions`` file.

    Raises:
        BadInput: the file cannot be used, with the reason.
    """
    data = read_pickle(path)
    poses = _numbers(data, "smpl_poses", path)
    trans = _numbers(data, "smpl_trans", path)
    scaling = _numbers(data, "smpl_scaling", path).reshape(-1)
    frames = len(trans)
    if trans.shape != (frames, 3) or not frames or poses.size != frames * 72 or len(poses) != frames:
        raise BadInput(
            f"{path.name}: smpl_poses {poses.shape} and smpl_trans {trans.shape} should be (N, 24, 3) and (N, 3).",
            field="smpl_poses",
        )
    if len(scaling) != 1 or not 1e-3 < scaling[0] < 1e5:
        raise BadInput(f"{path.name}: smpl_scaling is not one number above zero.", field="smpl_scaling")
    for name, values in (("smpl_poses", poses), ("smpl_trans", trans)):
        bad = ~np.isfinite(values.reshape(frames, -1)).all(axis=1)
        if bad.any():
            raise BadInput(
                f"{path.name}: {name} is not finite in {int(bad.sum())} of {frames} frames.", field=name
            )
    full = np.zeros((frames, NUM_JOINTS, 3))
    full[:, :22] = poses.reshape(frames, 24, 3)[:, :22]
    clip = Clip(
        poses=full,
        # world = scaling * SMPL + trans, and SMPL's pelvis rests elsewhere than ours
        trans=trans / scaling[0] + (SMPLH_J0 - J0),
        fps=SOURCE_FPS,
        gender="male",
        known={"lower_trans": True, "upper": True, "hands": False, "face": False},
    )
    loss = data.get("smpl_loss")
    meta: dict[str, Any] = {"smpl_scaling": round(float(scaling[0]), 4)}
    if isinstance(loss, (int, float, np.number, np.ndarray)) and np.size(loss) == 1:
        meta["smpl_loss"] = round(float(np.asarray(loss).reshape(-1)[0]), 6)
    return _finished(clip, meta, path.stem, float(scaling[0]), cameras, music)


def convert_keypoints(path: Path, *, cameras: Path | None = None, music: Path | None = None) -> Converted:
    """A clip fitted to a ``keypoints3d`` file: for sequences without a motion.

    Raises:
        BadInput: the file cannot be used, with the reason.
    """
    data = read_pickle(path)
    keys = [key for key in ("keypoints3d_optim", "keypoints3d") if isinstance(data, dict) and key in data]
    if not keys:
        raise BadInput(f"{path.name} has neither keypoints3d_optim nor keypoints3d.", field="keypoints3d")
    # The optimised points are smoother; whichever has more points that are there.
    points = max((_numbers(data, key, path) for key in keys), key=lambda p: int(np.isfinite(p).sum()))
    if points.ndim != 3 or points.shape[1:] != (len(COCO), 3) or not len(points):
        raise BadInput(
            f"{path.name}: keypoints3d has the shape {points.shape}, not (N, 17, 3).", field="keypoints3d"
        )
    clip = fit_joints(points * KEYPOINT_UNIT, COCO, fps=SOURCE_FPS)
    # The fit brought the dancer to our size: so many of the set's units are a metre of the clip.
    unit = 1.0 / (KEYPOINT_UNIT * clip.meta["scale"])
    return _finished(clip, clip.meta, path.stem, unit, cameras, music)


def _numbers(data: Any, key: str, path: Path) -> np.ndarray:
    value = data.get(key) if isinstance(data, dict) else None
    if value is None:
        raise BadInput(f"{path.name} has no {key}.", field=key)
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise BadInput(f"{path.name}: {key} holds no numbers.", field=key)
    return array.astype(np.float64)


def _finished(
    clip: Clip, meta: dict[str, Any], sequence: str, unit: float, cameras: Path | None, music: Path | None
) -> Converted:
    """The clip at the store's rate on the floor, with its music and cameras.

    Args:
        clip: at 60 fps, metres.
        meta: of the clip.
        sequence: its name.
        unit: of the set's world in the clip's metres: world = unit * clip.
        cameras: the file of its environment.
        music: a recording.
    """
    frames = len(clip)
    clip = resample(clip, FPS)
    standing = stand(clip)
    raised = standing.trans[0] - clip.trans[0]
    dance = DanceName.of(sequence)
    notes: list[str] = []
    about = {**meta, **standing.meta, "original_fps": SOURCE_FPS, "original_frames": frames}
    metadata = None
    if dance is not None:
        bpm, beats, found = _beats(dance, music, len(standing), notes)
        about |= {
            "genre": GENRES.get(dance.genre, ("", ""))[0], "situation": SITUATIONS.get(dance.situation, ("", ""))[0],
            "dancers": list(dance.dancers), "music": dance.music, "choreography": dance.choreography, "beats": found,
        }  # fmt: skip
        metadata = EnhancedMetadata(
            music=Music(bpm=bpm, beat_frames=beats, genre=GENRES.get(dance.genre, (None,))[0])
        )
    files: dict[str, bytes] = {}
    if cameras is not None:
        try:
            placed = place_cameras(read_cameras(cameras), unit, raised)
            text = {"environment": cameras.stem, "world": "as the clip: metres, Y up", "cameras": placed}
            files[".cameras.json"] = json.dumps(text).encode()
        except BadInput as error:
            notes.append(error.message)
    if notes:
        about["notes"] = notes
    return Converted(standing.replace(meta=about), metadata, files)


def _beats(
    dance: DanceName, music: Path | None, frames: int, notes: list[str]
) -> tuple[float | None, list[int] | None, str]:
    """Tempo, beats in frames of the clip, and where they come from: ``audio``, ``tempo`` or nothing.

    Motion and music start together. Without a recording, the first frame is taken for a beat.
    """
    bpm = dance.bpm
    if music is not None:
        try:
            pulse = pulse_of(music, bpm)
        except BadInput as error:
            notes.append(error.message)
            pulse = None
        if pulse is not None:
            return bpm or round(pulse[0], 1), beat_frames(*pulse, frames, FPS), "audio"
    if bpm is None:
        return None, None, ""
    return bpm, beat_frames(bpm, 0.0, frames, FPS), "tempo"


@lru_cache(maxsize=128)
def pulse_of(music: Path, bpm: float | None) -> tuple[float, float] | None:
    """Tempo and first beat of a recording; AIST has 60 pieces for all its sequences, so they are remembered.

    Raises:
        BadInput: it cannot be read.
    """
    return find_beats(onset_strength(*read_audio(music)), bpm)


# ---------------------------------------------------------------------------------------- cameras


def read_cameras(path: Path) -> list[dict[str, Any]]:
    """The cameras of one environment, checked: name, size (2), matrix (3, 3), rotation vector (3),
    translation (3) in the set's units, distortions (5). ``x = matrix (R X + t)``, as OpenCV has it.

    Raises:
        BadInput: the file is missing or not such a list.
    """
    shapes = {"size": 2, "matrix": 9, "rotation": 3, "translation": 3}
    try:
        cameras = json.loads(path.read_text(encoding="utf-8"))
        result = []
        for camera in cameras:
            one: dict[str, Any] = {"name": str(camera["name"])}
            for key, size in shapes.items():
                values = np.asarray(camera[key], dtype=np.float64)
                if values.size != size or not np.isfinite(values).all():
                    raise ValueError(key)
                one[key] = values.reshape(3, 3) if key == "matrix" else values.reshape(-1)
            one["distortions"] = np.asarray(camera.get("distortions", []), dtype=np.float64).reshape(-1)
            result.append(one)
    except OSError as error:
        raise BadInput(
            f"The camera file {path.name} cannot be read ({error.strerror}).", field="cameras"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"The camera file {path.name} is not a list of cameras.", field="cameras") from None
    return result


def place_cameras(cameras: list[dict[str, Any]], unit: float, raised: np.ndarray) -> list[dict[str, Any]]:
    """Cameras that see the clip where they saw the dancer, as plain values.

    The set's world is ``X = unit * (Y - raised)`` with Y in the clip's; pixels do not change when a
    camera's world is scaled, so ``t' = t / unit - R raised``.

    Args:
        cameras: of :func:`read_cameras`.
        unit: of the set's world in metres of the clip.
        raised: (3,) what was added to the clip's positions, metres.
    """
    placed = []
    for camera in cameras:
        turn = rot.axis_angle_to_matrix(camera["rotation"])
        one = {**camera, "translation": camera["translation"] / unit - turn @ raised}
        placed.append({key: value if key == "name" else value.tolist() for key, value in one.items()})
    return placed
