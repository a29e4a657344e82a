"""Instructions: the ways in which people ask for each task, for the last stage of the language model.

In the manner of MotionGPT's instruction tuning (Jiang et al. 2023): every task has many phrasings, with the
caption filled in. Length, style, rhythm and given frames are told beside the words, not in them.
"""

from __future__ import annotations

import zlib

PHRASINGS: dict[str, tuple[str, ...]] = {
    "text_to_motion": (
        "show {caption}",
        "make a motion in which {caption}",
        "i need an animation where {caption}",
        "generate motion for: {caption}",
        "please animate this: {caption}",
        "can you perform the following? {caption}",
        "act out the sentence {caption}",
        "create a clip of this scene: {caption}",
        "how does it look when {caption}",
        "give me a take in which {caption}",
        "let the character do this: {caption}",
        "turn these words into movement: {caption}",
        "the script says that {caption}",
        "produce a body movement matching the description: {caption}",
        "perform as written: {caption}",
        "animate the scene in which {caption}",
    ),
    "motion_to_text": (
        "describe the motion",
        "what does the person do",
        "tell me what happens in this clip",
        "write a caption for the movement",
        "put the motion into words",
        "what is being performed here",
        "explain what the character is doing",
        "summarise the clip in one sentence",
        "say in words what is shown",
        "which action is this",
    ),
    "continuation": (
        "carry on from here",
        "continue the motion",
        "what happens next",
        "go on with this movement",
        "extend the clip",
        "predict the following frames",
        "keep going in the same way",
        "finish what was begun",
    ),
    "in_between": (
        "fill in what lies between",
        "complete the missing middle",
        "join the beginning and the end",
        "get from the first pose to the last one",
        "make the transition between these frames",
        "bridge the gap in the motion",
    ),
    "in_between_told": (
        "get from the first pose to the last one while {caption}",
        "fill in the middle so that {caption}",
        "between the given frames {caption}",
        "complete the motion, in which {caption}",
    ),
    "speech_to_motion": (
        "gesture along with the voice",
        "move to the rhythm of the speech",
        "act out what is being said",
        "accompany these words with gestures",
        "perform to the audio",
        "let the body follow the speaker",
    ),
}
PER_CAPTION = 3
"""Phrasings that a caption is seen with, out of all, always the same ones."""


def _chosen(task: str, caption: str) -> list[str]:
    phrasings = PHRASINGS[task]
    first = zlib.crc32(f"{task} {caption}".encode())
    # A step without a common divisor with the number of phrasings meets each of them once.
    step = next(s for s in (5, 7, 11, 13) if len(phrasings) % s)
    return [phrasings[(first + i * step) % len(phrasings)] for i in range(min(PER_CAPTION, len(phrasings)))]


def instructions(task: str, caption: str | None) -> list[str]:
    """The sentences that ask for a task; with a caption, a few of all, so that they can be embedded once.

    Args:
        task: one of the language model's tasks.
        caption: what is to happen, where words say it.
    """
    if task in ("motion_to_text", "continuation", "speech_to_motion"):
        return list(PHRASINGS[task])
    if caption is None:
        return list(PHRASINGS["in_between"])
    key = "in_between_told" if task == "in_between" else task
    return [phrase.format(caption=caption.strip().rstrip(".")) for phrase in _chosen(key, caption)]
