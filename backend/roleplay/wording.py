"""Sentences turned from one person to another, and verbs into their forms: English, by rules and a table of what is irregular."""

from __future__ import annotations

import re

PASTS = {
    "bend": "bent", "bow": "bowed", "come": "came", "creep": "crept", "dance": "danced", "do": "did", "draw": "drew",
    "drink": "drank", "eat": "ate", "fall": "fell", "fight": "fought", "fly": "flew", "get": "got", "give": "gave",
    "go": "went", "hide": "hid", "hit": "hit", "hold": "held", "kneel": "knelt", "lean": "leaned", "leap": "leapt",
    "lie": "lay", "lift": "lifted", "make": "made", "pick": "picked", "point": "pointed", "put": "put", "ride": "rode",
    "ring": "rang", "rise": "rose", "run": "ran", "shake": "shook", "show": "showed", "sing": "sang", "sit": "sat",
    "sneak": "sneaked", "spin": "spun", "stand": "stood", "strike": "struck", "sweep": "swept", "swim": "swam",
    "swing": "swung", "take": "took", "throw": "threw", "turn": "turned", "weep": "wept",
}  # fmt: skip
_SUBJECTS = {
    "i": "you", "you": "I", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "your": "my",
    "yours": "mine", "yourself": "myself", "i'm": "you are", "i've": "you have", "i'll": "you will", "i'd": "you would",
    "you're": "I am", "you've": "I have", "you'll": "I will", "am": "are", "was": "were",
}  # fmt: skip
_PRESENT = {"is": "am", "are": "am", "has": "have", "does": "do", "was": "was", "were": "was", "isn't": "am not",
            "doesn't": "don't", "hasn't": "haven't", "wasn't": "wasn't", "aren't": "am not"}  # fmt: skip
_KEEP = {
    "always", "also", "often", "never", "still", "sometimes", "now", "usually", "once", "only", "just", "really", "secretly",
}  # fmt: skip
_THIRD = re.compile(r"^(he|she)$", re.IGNORECASE)


def third(verb: str) -> str:
    """A verb as somebody else does it: ``walk`` is ``walks``, ``carry`` is ``carries``."""
    if re.search(r"(s|x|z|ch|sh|o)$", verb):
        return verb + "es"
    return (verb[:-1] + "ies") if re.search(r"[^aeiou]y$", verb) else verb + "s"


def base(verb: str) -> str:
    """The other way round: ``washes`` is ``wash``."""
    if re.search(r"(ss|x|z|ch|sh|o)es$", verb):
        return verb[:-2]
    if re.search(r"[^aeiou]ies$", verb) and len(verb) > 4:
        return verb[:-3] + "y"
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def past(verb: str) -> str:
    """What was done: ``walk`` is ``walked``, ``sit`` is ``sat``."""
    if verb in PASTS:
        return PASTS[verb]
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    if re.fullmatch(r"[^aeiou]*[aeiou][bdgklmnprt]", verb):
        return verb + verb[-1] + "ed"
    return verb + "ed"


def turned(sentence: str) -> str:
    """What a user says as the character repeats it: ``I live near my sister`` is ``you live near your sister``."""
    words = re.findall(r"[\w'’]+|[^\w'’]+", sentence)
    lows = [word.lower().replace("’", "'") for word in words]
    result = []
    for index, (word, low) in enumerate(zip(words, lows, strict=True)):
        last = not any(re.match(r"[\w']", later) for later in lows[index + 1 :])
        before = next((lows[i] for i in range(index - 1, -1, -1) if re.match(r"[\w']", lows[i])), "")
        if low in ("am", "was") and before != "i":
            result.append(word)
        elif low == "are" and before == "you":
            result.append("am")
        elif low == "you" and (last or before in _PREPOSITIONS):
            result.append("me")
        else:
            result.append(_SUBJECTS.get(low, word))
    return "".join(result)


_PREPOSITIONS = {
    "to", "for", "with", "at", "of", "about", "from", "on", "by", "like", "love", "see", "meet", "tell", "hate", "told", "without",
}  # fmt: skip

_NO_NOUN = _PREPOSITIONS | {"and", "but", "in", "when", "the", "a", "an"}


def first_person(sentence: str, name: str) -> str:
    """A sentence about a character, as it says it itself; what is in the first person stays.

    ``She keeps the light``, ``You keep the light`` and ``Mara keeps the light`` are ``I keep the light``.
    """
    if re.search(r"\b(i|i'm|my|me|we|our)\b", sentence.lower()):
        return sentence
    names = {part.lower() for part in name.split()}
    words = re.findall(r"[\w'’]+|[^\w'’]+", sentence)
    result: list[str] = []
    subject = False
    for index, word in enumerate(words):
        low = word.lower().replace("’", "'")
        if not re.match(r"[\w']", low):
            result.append(word)
            continue
        own = low in names or bool(_THIRD.match(low)) or low == "you"
        after = next((later.lower() for later in words[index + 1 :] if re.match(r"\w", later)), "")
        if low in names and result and result[-1].isspace() and len(result) > 1 and result[-2] == "I":
            result.pop()  # the second of two names
        elif own and _is_subject(result):
            result.append("I")
            subject = low != "you"
        elif own or low == "him":
            result.append("me")
        elif low in ("his", "your") or low.removesuffix("'s") in names:
            result.append("my")
        elif low == "her":
            result.append("my" if after and after not in _NO_NOUN else "me")
        elif low in ("herself", "himself", "yourself"):
            result.append("myself")
        elif subject or (result and "".join(result).rstrip().endswith("I")):
            if low in _PRESENT:
                result.append(_PRESENT[low])
                subject = False
            elif low in _KEEP:
                result.append(word)
            else:
                result.append(
                    base(word) if subject and word.endswith("s") and not word.endswith("ss") else word
                )
                subject = False
        else:
            result.append(word)
            subject = low in ("and", "but") and "I" in result and (after in _KEEP or after in _PRESENT)
    return "".join(result)


def _is_subject(before: list[str]) -> bool:
    """Whether a pronoun after these words does something: at the beginning, or after a conjunction or a comma."""
    text = "".join(before).rstrip().lower()
    return not text or bool(
        re.search(
            r"(^|[,;:.!?–-]|\b(and|but|because|when|while|that|so|since|before|after|if|where|until))$", text
        )
    )


def sentences(text: str) -> list[str]:
    """The sentences of a text, with their punctuation."""
    found = re.split(r"(?<=[.!?…])[\"'”’)]*\s+|\n+", text.strip())
    return [part.strip() for part in found if any(c.isalnum() for c in part)]


def ended(sentence: str) -> str:
    """With a capital letter and a full stop."""
    text = " ".join(sentence.split())
    text = text[:1].upper() + text[1:]
    return text if re.search(r"[.!?…][\"'”’)]*$", text) else text.rstrip(",;:") + "."


def article(noun: str) -> str:
    """``a baker``, ``an owl``; nothing where there is one already."""
    if re.match(r"(a|an|the|my|our|one|some)\b", noun.lower()):
        return noun
    return f"{'an' if re.match(r'[aeiou]', noun.lower()) else 'a'} {noun}"
