"""A planned dialogue becomes two motions in one world: each character talks in its turns and listens in the other's.

Each character's whole scene is one voice that is silent while the other speaks, so its body goes on without a seam. Where its
speeches are said in different moods, the same gestures are made in each and passed over in the pauses between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import BadInput
from ..motion import rotations
from ..motion.clip import Clip
from ..motion.features import FPS
from ..motion.filters import gaussian
from ..motion.skeleton import INDEX
from ..protocol.dialogue import DISTANCE
from ..speech.audio import RATE as HEARD
from ..speech.face import with_face
from ..speech.face_model import FaceMover
from ..speech.features import features_of
from ..speech.gestures import gesture
from ..speech.manner import Manner
from ..speech.rhythm import voice_rhythm
from ..speech.transcripts import transcript_of
from ..speech.voice import Voice
from ..speech.wording import MEANS, Spoken, favour, wording
from . import placing
from .doing import Timed
from .emotions import act_of, style_of
from .laying import laid_over
from .listening import listens
from .reacting import Reaction, reactions, reacts, signs
from .resting import hanging
from .standing import squared, tall
from .touching import Touch, closeness, contact, touched
from .turns import RATE, Turn

CLOSEST = -0.005
"""Metres of two bodies within each other from which they stand further apart."""
ALIVE = 0.003
"""Metres that a living head moves in a second, at least."""
_STEP = 0.1
_PASSING = 0.3  # seconds, from mood to mood
_WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]

Body = Callable[[Voice, int, str], Clip]
"""What a body does without gestures while a voice is heard, as long as it: of a voice, a seed and a speaker."""
Perform = Callable[[str, float, int], Clip]
"""A motion of a prompt, of seconds and of a seed, at 30 fps."""


@dataclass(frozen=True)
class Acted:
    """Two characters in one world (Y up, the first on -X, at 30 fps).

    Attributes:
        clips: one per speaker.
        distance: metres between them, as placed.
        measures: what was measured, by name.
        warnings: sentences for the user.
    """

    clips: tuple[Clip, Clip]
    distance: float
    measures: dict[str, float]
    warnings: list[str]


def act(
    turns: Sequence[Turn],
    speakers: Sequence[str],
    whole: np.ndarray,
    body: Body,
    *,
    seed: int = 0,
    distance: float = placing.USUAL,
    gestures: bool = True,
    arms: bool = True,
    face: FaceMover | None = None,
    done: Sequence[Timed] = (),
    perform: Perform | None = None,
    report: Callable[[str, int, int], None] = lambda stage, step, total: None,
) -> Acted:
    """Perform a dialogue.

    Args:
        turns: when who says what.
        speakers: the two names.
        whole: (2, N) what each is heard saying, at :data:`.turns.RATE`.
        body: makes what lies below the gestures.
        seed: of both performances.
        distance: metres between them; they stand further apart where they would touch.
        gestures: whether the body needs gestures; models that hear a voice gesture of themselves.
        arms: whether these are the arms' too; arms that were found in a library have their own.
        face: of a pack that has one.
        done: what is done besides talk.
        perform: makes the motions of prompts among it; without, there are none.
        report: called with (stage, steps done, steps expected); it may raise to cancel.

    Raises:
        BadInput: there are not two speakers, or the distance is no personal distance.
    """
    if len(speakers) != 2:
        names = ", ".join(speakers[:6])
        raise BadInput(
            f"A dialogue needs two speakers, this one has {len(speakers)}: {names}.", field="script"
        )
    low, high = DISTANCE
    if not low <= distance <= high:
        raise BadInput(
            f"The distance must be {low:g} to {high:g} metres, not {distance:g}.", field="distance"
        )
    voices = [
        _voice([turn for turn in turns if turn.speech.speaker == name], track)
        for name, track in zip(speakers, whole, strict=True)
    ]
    warnings = _warnings(turns)
    active = [_active(turns, name, len(voice)) for name, voice in zip(speakers, voices, strict=True)]
    clips = []
    for index, (name, voice) in enumerate(zip(speakers, voices, strict=True)):
        own = seed + 1000 * index
        mine = [turn for turn in turns if turn.speech.speaker == name]
        base = body(voice, own, name)
        report("act", index, len(speakers))
        felt = reactions(turns, name, own)
        clip = _moods(mine, voice, hanging(base) if gestures and arms else base, own, gestures, arms)
        for number, one in enumerate(done):
            if one.doing.kind == "prompt" and name in one.doing.who and perform is not None:
                part = perform(one.doing.prompt, one.end - one.begin, own + number)
                told = part.meta.get("warnings", ())
                warnings += [f"Line {one.doing.line}: {warning}" for warning in told]
                clip = laid_over(clip, part, one.begin)
        clip = _face(mine, felt, voice, clip, own, face)
        clip = reacts(listens(clip, active[index], active[1 - index], own), felt)
        clip = signs(
            clip,
            [
                (one.begin, one.doing.kind)
                for one in done
                if name in one.doing.who and one.doing.kind in ("nod", "shake")
            ],
        )
        clips.append(
            tall(squared(clip), 1.0 - gaussian(_busy(done, name, len(clip)).astype(float), 0.2 * FPS))
        )
        warnings += [f"{name}: {warning}" for warning in voice.warnings]
    report("place", 0, 1)
    pair, placed = _apart(clips[0], clips[1], distance)
    if placed > distance:
        warnings.append(f"They stand {placed:.1f} m apart, as at {distance:g} m they would touch.")
    pair, touches = touched(pair, done)
    share = 1.0 - closeness(touches, len(clips[0]), FPS)
    pair = (placing.regard(pair[0], pair[1], share), placing.regard(pair[1], pair[0], share))
    pair = tuple(
        clip.replace(meta={**clip.meta, "prompt": name}) for clip, name in zip(pair, speakers, strict=True)
    )  # type: ignore[assignment]
    busy = np.array([_busy(done, name, len(pair[0])) for name in speakers])
    return Acted(pair, placed, measured(pair, active, touches, busy), list(dict.fromkeys(warnings)))


def measured(
    pair: tuple[Clip, Clip],
    active: Sequence[np.ndarray],
    touches: Sequence[Touch] = (),
    busy: np.ndarray | None = None,
) -> dict[str, float]:
    """What a scene must keep: degrees of facing, metres of distance, centimetres within each other, how much faster
    hands are in talk than in listening, the share of listening with the eyes within 8 degrees of the other's, and the
    share of its seconds in which the head moves by more than :data:`ALIVE`.

    Facing, distance and bodies within each other leave touches out, which have measures of their own; hands are left
    out while something else is asked of them (``busy``, (2, T)).
    """
    free = np.ones(len(pair[0]), bool)
    for one in touches:
        free[one.start : one.stop] = False
    distance = np.linalg.norm((pair[0].trans - pair[1].trans)[:, [0, 2]], axis=1)[free]
    turned = [np.degrees(placing.facing(pair[i], pair[1 - i])[free]).max() for i in (0, 1)]
    ratios, looks, alive = [], [], []
    for index, clip in enumerate(pair):
        speed = hand_speed(clip)
        idle = free if busy is None else free & ~busy[index]
        talks, hears = active[index] > 0.5, (active[1 - index] > 0.5) & (active[index] <= 0.5)
        if (talks & idle).any() and (hears & idle).any():
            ratios.append(speed[talks & idle].mean() / max(speed[hears & idle].mean(), 1e-6))
        if (hears & free).any():
            error = placing.gaze_error(clip, pair[1 - index])[hears & free]
            looks.append(float(np.mean(error < np.radians(8.0))))
        head = clip.joints()[:, INDEX["head"]]
        second = round(FPS)
        seconds = [
            slice(at, at + second)
            for at in range(0, len(clip) - second, second)
            if hears[at : at + second].all()
        ]
        alive += [float(np.mean([np.ptp(head[one], axis=0).max() > ALIVE for one in seconds]))] * bool(
            seconds
        )
    found = {
        "facing_degrees": round(float(max(turned)), 2),
        "distance_least_m": round(float(distance.min()), 3),
        "distance_most_m": round(float(distance.max()), 3),
        "within_each_other_cm": round(float(max(-100.0 * placing.apart(*pair)[free].min(), 0.0)), 2),
    }
    # Somebody who never listens has no measures of a listener.
    for name, values in (("gesture_ratio", ratios), ("listener_looks", looks), ("listener_moves", alive)):
        if values:
            found[name] = round(float(min(values)), 2)
    if touches:
        found["touches"] = len(touches)
        found["touch_off_cm"] = round(100.0 * max(contact(pair, one) for one in touches), 2)
        within = [
            placing.apart(*(clip.slice(one.start, one.stop) for clip in pair), trunks=True).min()
            for one in touches
        ]
        found["touch_trunks_within_cm"] = round(float(max(-100.0 * min(within), 0.0)), 2)
    return found


def _busy(done: Sequence[Timed], name: str, frames: int) -> np.ndarray:
    """(T,) whether something besides talk is done by somebody."""
    times = np.arange(frames) / FPS
    found = np.zeros(frames, bool)
    for one in done:
        if name in one.doing.who:
            found |= (times >= one.begin) & (times < one.end)
    return found


def hand_speed(clip: Clip) -> np.ndarray:
    """(T,) mean speed of both wrists as seen from the pelvis, metres a second."""
    joints = clip.joints()
    own = joints[:, _WRISTS] - joints[:, :1]
    return np.asarray(np.linalg.norm(np.gradient(own, 1.0 / clip.fps, axis=0), axis=-1).mean(axis=1))


def _voice(turns: Sequence[Turn], track: np.ndarray) -> Voice:
    """A speaker's track as it is heard, with its words where they are in the screenplay."""
    import soxr

    features = features_of(np.asarray(soxr.resample(track, RATE, HEARD), np.float32))
    said = transcript_of("\n\n".join(_cue(i, turn) for i, turn in enumerate(turns, 1)), features)
    words = list(wording(said.words))
    for turn in turns:
        meaning = act_of(turn.speech.directions)
        first = next((i for i, word in enumerate(words) if word.start >= turn.start - 0.05), None)
        if meaning and first is not None:
            words[first] = replace(words[first], meaning=meaning, weight=MEANS)
    given: tuple[Spoken, ...] = tuple(words)
    rhythm = voice_rhythm(features, favour(given, len(features), features.fps))
    return Voice(features, rhythm, said.words, given, (*features.warnings, *said.warnings))


def _cue(number: int, turn: Turn) -> str:
    """A turn as a subtitle."""

    def clock(seconds: float) -> str:
        milliseconds = round(1000 * seconds)
        minutes, rest = divmod(milliseconds, 60000)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"

    text = turn.speech.text.replace("-->", " ").replace("<", " ").replace("{", " ")
    return f"{number}\n{clock(turn.start)} --> {clock(turn.end)}\n{text}"


def _active(turns: Sequence[Turn], name: str, frames: int) -> np.ndarray:
    """(T,) 1 in the turns of a speaker."""
    times = np.arange(frames) / FPS
    return np.any(
        [(times >= turn.start) & (times < turn.end) for turn in turns if turn.speech.speaker == name], axis=0
    ).astype(float)


def _moods(turns: Sequence[Turn], voice: Voice, base: Clip, seed: int, gestures: bool, arms: bool) -> Clip:
    """A body that talks, in the mood of each turn; the mood lasts until the next one."""
    if not gestures:
        return base
    moods = [(turn.start - 2 * _PASSING, Manner.of(style_of(turn.speech.directions))) for turn in turns]
    different = list(dict.fromkeys(manner for _, manner in moods))
    clips = [gesture(base, voice, seed, manner, arms=arms) for manner in different]
    return _mixed(
        clips, _weights([(at, different.index(manner)) for at, manner in moods], len(different), base)
    )


def _face(
    turns: Sequence[Turn],
    felt: Sequence[tuple[float, float, Reaction]],
    voice: Voice,
    clip: Clip,
    seed: int,
    face: FaceMover | None,
) -> Clip:
    """A face that speaks in the mood of each turn, and shows what it feels about what the other says."""
    looks = [(turn.start - 2 * _PASSING, Manner.of(style_of(turn.speech.directions))) for turn in turns]
    for begin, end, reaction in felt:
        looks += [(begin, Manner.of(reaction.ranks)), (end, Manner())]
    faces = [(at, (manner.smile, manner.brows)) for at, manner in sorted(looks, key=lambda one: one[0])]
    different = list(dict.fromkeys(shown for _, shown in faces))
    clips = [
        with_face(clip, voice.features, seed, smile=smile, brows=brows, model=face)
        for smile, brows in different
    ]
    return _mixed(
        clips, _weights([(at, different.index(shown)) for at, shown in faces], len(different), clip)
    )


def _weights(changes: Sequence[tuple[float, int]], count: int, clip: Clip) -> np.ndarray:
    """(T, count) weights that sum to one: which of them from when on, passing softly."""
    which = np.full(len(clip), changes[0][1] if changes else 0)
    for at, index in changes:
        which[max(round(at * FPS), 0) :] = index
    return gaussian(np.eye(count)[which], _PASSING * FPS)


def _mixed(clips: Sequence[Clip], weights: np.ndarray) -> Clip:
    """Clips of nearly the same motion by weights (T, clips) that sum to one."""
    if len(clips) == 1:
        return clips[0]
    first = rotations.axis_angle_to_quaternion(clips[0].poses)
    total = np.zeros_like(first)
    for index, clip in enumerate(clips):
        own = rotations.axis_angle_to_quaternion(clip.poses)
        own = np.where(np.sum(own * first, axis=-1, keepdims=True) < 0, -own, own)
        total += weights[:, index, None, None] * own
    faces = [clip.expressions for clip in clips]
    expressions = sum(weights[:, i, None] * shown for i, shown in enumerate(faces) if shown is not None)
    return clips[0].replace(
        poses=rotations.quaternion_to_axis_angle(rotations.normalize_quaternion(total)),
        trans=sum(weights[:, i, None] * clip.trans for i, clip in enumerate(clips)),
        expressions=None if faces[0] is None else np.asarray(expressions),
    )


def _apart(first: Clip, second: Clip, distance: float) -> tuple[tuple[Clip, Clip], float]:
    """Both in place, as far from each other as they must."""
    while True:
        pair = placing.opposite(first, second, distance)
        if distance + _STEP > DISTANCE[1] or placing.apart(*pair).min() >= CLOSEST:
            return pair, distance
        distance = round(distance + _STEP, 2)


def _warnings(turns: Sequence[Turn]) -> list[str]:
    return [
        f"Line {turn.speech.line}: {turn.speech.extension} is acted in the scene like the other speeches."
        for turn in turns
        if turn.speech.extension
    ]
