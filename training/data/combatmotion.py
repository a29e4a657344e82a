"""CombatMotion (AnimationGPT): fights of video games in HumanML3D's layout, with all its broken files.

CMP (8,700 motions, three captions each), CMR (14,883, one each) and the older "soul" releases whose ids are
words. Known faults, each survived: features of one frame or of another length than the joints, joints
without a frame axis, tokens without part of speech or of punctuation, characters outside ASCII, captions
given several times, statistics that leave the mirror images out.

Licence: the repository is MIT, but the motion was taken from commercial games; treat it as not free to use.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from . import humanml3d, t2m_layout
from .captions import Caption, mirror_caption, parse_captions
from .humanml3d_texts import read_splits
from .item import Split
from .job import Job
from .raw import Raw

SET = "combatmotion"
FPS = 20.0
"""The rate is stated nowhere; the features are HumanML3D's, whose constants mean 20."""
LICENCE = "CombatMotion: repository MIT; motion from commercial games, rights unclear"
ATTRIBUTION = "CombatMotion, AnimationGPT (fyyakaxyy)"


def jobs(raw: Raw, *, mirrored: bool = True) -> Iterator[Job]:
    """One job per id of every release under the set's folder (``CMP/``, ``CMR/``, or their files in it).

    Args:
        raw: ``CombatMotion/`` (or such a folder as the root).
        mirrored: without it, mirror images are left out by name.
    """
    folders = t2m_layout.homes(raw, "CombatMotion", "combatmotion")
    for folder in folders:
        prefix = f"{folder.name}/" if len(folders) > 1 else ""
        splits = _splits(folder)
        for entry in t2m_layout.entries(folder):
            name = prefix + entry.name
            left_out = ""
            if entry.mirror_of and not mirrored:
                left_out = f"The mirror image of {entry.mirror_of}."
            elif splits and entry.name not in splits:
                left_out = "CombatMotion has it in no split."
            items = t2m_layout.items_of(
                SET,
                name,
                captions_of(entry, folder),
                split=splits.get(entry.name, "train"),
                common={
                    "trial": prefix + entry.original,
                    "source": ATTRIBUTION,
                    "licence": LICENCE,
                    "caption_source": SET,
                },
            )
            arguments = {"joints": entry.joints, "vectors": entry.vectors, "folder": folder, "fps": FPS}
            yield Job(SET, name, humanml3d.convert, entry.path, arguments, items, left_out)


def _splits(folder: Path) -> dict[str, Split]:
    """Split lists, some of which name files instead of ids."""
    return {name.removesuffix(".npy"): split for name, split in read_splits(folder).items()}


def captions_of(entry: t2m_layout.Entry, folder: Path) -> list[Caption]:
    """Each different caption once; those of a mirror image without a text file are mirrored ones."""
    content = _text(folder / "texts" / f"{entry.name}.txt")
    if content or not entry.mirror_of:
        return read_captions(content)
    original = read_captions(_text(folder / "texts" / f"{entry.mirror_of}.txt"))
    return [
        caption._replace(text=mirror_caption(caption.text), tokens=mirror_caption(caption.tokens))
        for caption in original
    ]


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError:
        return ""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def read_captions(content: str) -> list[Caption]:
    """Captions of a text file, those included whose line lacks tokens or times.

    Characters are brought to ASCII (``'忍义手'``, a name that no English caption model knows, goes);
    tokens without a word, without a part of speech or of punctuation are dropped.
    """
    found: dict[tuple[str, float, float | None], Caption] = {}
    for line in content.splitlines():
        parsed = parse_captions(line)
        caption = parsed[0] if parsed else Caption(line.split("#")[0].strip().rstrip("."), "", 0.0, None)
        caption = caption._replace(text=plain(caption.text), tokens=sound_tokens(caption.tokens))
        if re.search("[a-zA-Z]", caption.text):
            found.setdefault((caption.text.casefold(), caption.start, caption.end), caption)
    return list(found.values())


_TYPOGRAPHY = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "。": ".", "，": ",", "、": ","}
)


def plain(text: str) -> str:
    """The text in ASCII: typography and accents made plain, other scripts left out with their quotes."""
    text = unicodedata.normalize("NFKD", text.translate(_TYPOGRAPHY)).encode("ascii", "ignore").decode()
    text = re.sub(r"""(['"(\[])\s*(['")\]])""", " ", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\s+", " ", text))
    return text.strip().rstrip(".").strip()


def sound_tokens(tokens: str) -> str:
    """Only ``word/POS`` tokens of words."""
    good = []
    for token in plain(tokens).split():
        word, slash, tag = token.rpartition("/")
        if slash and tag.isalpha() and tag != "PUNCT" and word.isalpha():
            good.append(f"{word}/{tag}")
    return " ".join(good)
