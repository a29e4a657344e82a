"""The action and expression labels of the canonical schema, and which action a caption names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum


class ActionType(StrEnum):
    """What a figure does; the order gives the index that samples store."""

    IDLE = "idle"
    WALK = "walk"
    RUN = "run"
    SPRINT = "sprint"
    JUMP = "jump"
    WAVE = "wave"
    TALK = "talk"
    SHOUT = "shout"
    WHISPER = "whisper"
    SING = "sing"
    POINT = "point"
    CLAP = "clap"
    BATTING = "batting"
    PITCHING = "pitching"
    CATCHING = "catching"
    RUNNING_BASES = "running_bases"
    FIELDING = "fielding"
    THROWING = "throwing"
    KICKING = "kicking"
    DRIBBLING = "dribbling"
    SHOOTING = "shooting"
    FIGHT = "fight"
    PUNCH = "punch"
    KICK = "kick"
    DODGE = "dodge"
    SIT = "sit"
    STAND = "stand"
    KNEEL = "kneel"
    LIE_DOWN = "lie_down"
    EATING = "eating"
    DRINKING = "drinking"
    READING = "reading"
    TYPING = "typing"
    LOOKING_AROUND = "looking_around"
    CLIMBING = "climbing"
    CRAWLING = "crawling"
    SWIMMING = "swimming"
    FLYING = "flying"
    CELEBRATE = "celebrate"
    DANCE = "dance"
    CRY = "cry"
    LAUGH = "laugh"
    HANDSHAKE = "handshake"
    HUG = "hug"
    HIGH_FIVE = "high_five"
    FIGHT_STANCE = "fight_stance"


class FacialExpression(StrEnum):
    """Expressions of a figure's face."""

    NEUTRAL = "neutral"
    HAPPY = "happy"
    SAD = "sad"
    SURPRISED = "surprised"
    ANGRY = "angry"
    EXCITED = "excited"


ACTION_TO_IDX: dict[ActionType, int] = {action: i for i, action in enumerate(ActionType)}
IDX_TO_ACTION: tuple[ActionType, ...] = tuple(ActionType)

# The order decides where a caption names several: the rarer, more telling action first, standing last.
_WORDS: dict[ActionType, str] = {
    ActionType.HIGH_FIVE: r"high[- ]?fiv\w*",
    ActionType.HANDSHAKE: r"handshak\w*|shak\w+ (?:\w+ )?hands?",
    ActionType.HUG: r"hug(?:s|ged|ging)?|embrac\w+|cuddl\w+",
    ActionType.FIGHT_STANCE: r"(?:fight\w*|box\w*|combat) (?:stance|pose|position)",
    ActionType.RUNNING_BASES: r"run\w* (?:the |around )*bases",
    ActionType.FIELDING: r"fielding|fields? (?:a|the) ball",
    ActionType.BATTING: r"bat(?:s|ting)|swing\w* (?:a|the) (?:baseball )?bat|baseball bat",
    ActionType.PITCHING: r"pitch(?:es|ing|ed)?",
    ActionType.CATCHING: r"catch(?:es|ing)?|caught",
    ActionType.DRIBBLING: r"dribbl\w+|bounc\w+ (?:a|the) (?:basket)?ball",
    ActionType.SHOOTING: r"shoot(?:s|ing)?|shot (?:a|the) \w*ball|free throws?",
    ActionType.KICKING: r"kick\w* (?:\w+ ){0,2}\w*ball|soccer kick",
    ActionType.KICK: r"\w*kick(?:s|ed|ing|boxing)?",
    ActionType.PUNCH: r"punch\w*|jab(?:s|bing|bed)?|uppercut\w*",
    ActionType.THROWING: r"throw(?:s|ing|n)?|threw|toss\w*|hurl\w*",
    ActionType.DODGE: r"dodg\w+|duck(?:s|ing|ed)?|evad\w+",
    ActionType.FIGHT: r"fight\w*|fought|box(?:ing|er)|spar(?:s|ring)|attack\w*|sword\w*|slash\w*|martial arts?|karate",
    ActionType.CLIMBING: r"climb\w*",
    ActionType.CRAWLING: r"crawl\w*|all fours",
    ActionType.SWIMMING: r"sw[ia]m(?:s|ming)?|breaststroke|backstroke|freestyle",
    ActionType.FLYING: r"fl(?:y|ies|ying)|flaps?|flapping",
    ActionType.DANCE: r"danc\w+|ballet|waltz\w*|salsa|pirouett\w*|breakdanc\w*|tango",
    ActionType.CELEBRATE: r"celebrat\w+|cheer(?:s|ing)?|victory",
    ActionType.CLAP: r"clap(?:s|ped|ping)?|applau\w+",
    ActionType.WAVE: r"wav(?:es|ed|ing)(?! an? )|wave",
    ActionType.POINT: r"point(?:s|ed|ing)?",
    ActionType.CRY: r"cr(?:y|ies|ying)|weep\w*|sob(?:s|bing)?",
    ActionType.LAUGH: r"laugh\w*|giggl\w+|chuckl\w+",
    ActionType.EATING: r"eat(?:s|ing)?|ate|bit(?:es|ing)",
    ActionType.DRINKING: r"dr[ia]nk(?:s|ing)?|sip(?:s|ping)?",
    ActionType.READING: r"read(?:s|ing)",
    ActionType.TYPING: r"typ(?:es|ing)|keyboard",
    ActionType.SING: r"sing(?:s|ing)|sang",
    ActionType.WHISPER: r"whisper\w*",
    ActionType.SHOUT: r"shout\w*|yell\w*|scream\w*",
    ActionType.TALK: r"talk\w*|speak\w*|convers\w+|chat\w*|gestur\w+|explain\w*",
    ActionType.JUMP: r"jump\w*|hop(?:s|ped|ping)?|leap\w*|skip(?:s|ped|ping)?",
    ActionType.SPRINT: r"sprint\w*",
    ActionType.RUN: r"r[ua]n(?:s|ning)?|jog(?:s|ged|ging)?",
    ActionType.LIE_DOWN: r"l(?:ie|ies|ying|ay|ays|aying) (?:down|on)|lies|lying",
    ActionType.KNEEL: r"kneel\w*|knelt",
    ActionType.WALK: r"walk\w*|stroll\w*|march\w*|strid\w+|pac(?:es|ing)|step(?:s|ped|ping)|limp\w*|sneak\w*|tiptoe\w*|wander\w*",
    ActionType.SIT: r"sit(?:s|ting)?|sat|seated",
    ActionType.LOOKING_AROUND: r"look\w* (?:all )?around|look(?:s|ing) (?:left|right|to (?:the|his|her|their))",
    ActionType.STAND: r"st(?:and|ands|anding|ood)",
    ActionType.IDLE: r"idl\w+|still|wait\w*|rest(?:s|ing)?",
}  # fmt: skip

_PATTERNS = {action: re.compile(rf"\b(?:{words})\b") for action, words in _WORDS.items()}


def action_of(text: str | Sequence[str]) -> ActionType:
    """The action that a caption, or most of several, names; :attr:`ActionType.IDLE` when none does."""
    captions = [text] if isinstance(text, str) else list(text)
    found = Counter(
        named
        for caption in captions
        if (named := next((a for a, p in _PATTERNS.items() if p.search(caption.lower())), None))
    )
    return found.most_common(1)[0][0] if found else ActionType.IDLE
