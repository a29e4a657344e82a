"""The offline author: answers without a language model, from the character's file and the memory of the scene.

It understands by rules and by the nearest of known sentences (:mod:`.intents`), and knows nothing that neither the file nor the
user has told it: where it does not know, it says so and asks back. The same seed gives the same conversation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..dialogue.emotions import style_of
from ..protocol.chat import Character, Remembered
from .answers import Words
from .character import Fact, facts_of, listed
from .content import NEGATIVE, content, denies
from .intents import SURE, Guess, Intents
from .manners import ASKS, NO, PHRASES, SAID_BEFORE, UNKNOWN_TOPIC, WEARY, YES, temperament_of
from .remembering import Scene, name_in, recounted, retold, tells
from .requests import Wish, wish_of
from .wording import ended, sentences

RELATED, CLOSE = 0.3, 0.5
"""Cosines from which a fact answers a question, and from which it does without a word in common."""
RECALLED = 0.25
"""The same of what the user told of itself, with a word in common: there is less to choose from."""
PARTS = 3
"""Sentences of a user that are answered; who asks more at once is answered the last of them."""
_QUESTION = re.compile(
    r"^(?:and |but |so |well,? |then |now |oh,? )*(who|whom|whose|what|which|where|when|why|how|do|does|did|is|are|am|was|were|can|"
    r"could|will|would|have|has|had|should|may)\b(?! not\b)",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"^(?:and |but |so |well,? |then |now |oh,? )*(do|does|did|is|are|was|were|can|could|will|would|have|has|had|should)\b",
    re.IGNORECASE,
)
_ABOUT_USER = re.compile(r"\b(my|mine|i|me)\b", re.IGNORECASE)
_OF_USER = re.compile(
    r"\b(?:do|did|am|have|was|can|could) i\b(?! (?:do|ask|help|come|go|sit|see|call|have|get|talk))|\b(?:is|are|was|were) my\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(he|she|it|they|him|her|them|his|its|their|that|this)\b", re.IGNORECASE)
TOPICS = {
    "home": re.compile(
        r"\b(born|grew up|grow up|come from|came from|live (in|on|at|near)|raised|sleep in|native)\b",
        re.IGNORECASE,
    ),
    "family": re.compile(
        r"\b(mother|father|parents?|brothers?|sisters?|wife|husband|married|child|children|sons?|daughters?(?! of)|uncle|aunt|family|twin)\b",
        re.IGNORECASE,
    ),
    "age": re.compile(r"\b(years old|born in \d+|my age|\w+ years of age|turned \w+)\b", re.IGNORECASE),
}
"""Words of facts that answer what everybody asks."""
_LATE = {
    2: "second",
    3: "third",
    4: "fourth",
    5: "fifth",
    6: "sixth",
    7: "seventh",
    8: "eighth",
    9: "ninth",
    10: "tenth",
}
_TO_PLACE = re.compile(
    r"\b(?:to|towards?|over to|up to|into|behind|beside|near) (?:the|a|an|that|my|our) ([a-z][\w -]*?)(?= and\b| then\b|,|$)"
)


@dataclass
class _Answer:
    """An answer in the making."""

    parts: list[str] = field(default_factory=list)
    emotion: str = ""
    motions: list[str] = field(default_factory=list)
    act: str = ""
    moment: str = ""
    asks: str = ""

    def say(self, text: str, *, emotion: str = "", act: str = "", moment: str = "") -> None:
        self.parts.append(text)
        self.emotion = emotion or self.emotion
        self.act = self.act or act
        self.moment = self.moment or moment


class OfflineAuthor:
    """Writes a character's answers.

    Args:
        intents: knows what people say.
        able: whether a body can be asked for a movement that the author has no word for (``juggles``).
    """

    def __init__(self, intents: Intents, able: Callable[[str], bool]) -> None:
        self._intents, self._able = intents, able

    def __call__(self, character: Character, memory: Sequence[Remembered], said: str, seed: int) -> Words:
        """The answer to what a user says."""
        scene = Scene.of(memory)
        return _Turn(self._intents, self._able, character, scene, said, seed).answer()


class _Turn:
    """One answer."""

    def __init__(
        self,
        intents: Intents,
        able: Callable[[str], bool],
        character: Character,
        scene: Scene,
        said: str,
        seed: int,
    ) -> None:
        self.intents, self.able, self.character, self.scene = intents, able, character, scene
        self.said = said
        self.rng = np.random.default_rng([seed, scene.turn, 77])
        self.tone = temperament_of(character.personality)
        self.facts = facts_of(character)
        self.user = name_in(said) or scene.name
        self.made = _Answer()

    def answer(self) -> Words:
        spoken = sentences(self.said) or [self.said]
        greeted = False
        for sentence in spoken[-PARTS:] if len(spoken) > PARTS else spoken:
            greeting = self._greets(sentence)
            if greeting and not greeted:
                self._say("greeting", emotion=self._glad(), act="hello", moment="greeting")
                greeted = True
            rest = sentence[len(greeting) :].strip(" ,!.") if greeting else sentence
            if any(c.isalnum() for c in rest):
                self._sentence(rest)
        made = self.made
        if not made.parts:
            self._say("heard")
            self._ask()
        if made.asks and not made.parts[-1].endswith("?"):
            made.parts.append(made.asks)
        motion = " and then ".join(made.motions)
        if not motion and made.moment:
            motion = self.character.gestures.get(made.moment, "")
        text = " ".join(dict.fromkeys(ended(part) for part in made.parts))
        emotion = made.emotion or self.character.emotion
        return Words(text, emotion, motion, "" if motion else made.act)

    # -- understanding ---------------------------------------------------------------------------------

    def _greets(self, sentence: str) -> str:
        """The greeting that a sentence begins with."""
        names = "|".join(re.escape(part) for part in self.character.name.split())
        name = rf"(?:[, ]+(?:{names}|sir|madam|ma'am|friend|everyone|you|dear))*"
        found = re.match(
            rf"(?:hello|hi|hey|yo|good (?:morning|evening|day|afternoon)|greetings|howdy)\b(?: there| again)?{name}(?=[,!. ]|$)",
            sentence,
            re.IGNORECASE,
        )
        return found[0] if found else ""

    def _sentence(self, sentence: str) -> None:
        wish = wish_of(sentence, [self.character.name, self.character.name.split()[0]])
        if wish is not None and (wish.known or not self._otherwise(sentence)):
            self._do(wish)
            return
        if theirs := name_in(sentence):
            known = theirs == self.scene.name
            if self.made.moment == "greeting" and not known:
                self._fresh([f"I am {self.character.name}.", f"My name is {self.character.name}."])
            elif known:
                self.made.say(f"I know, {theirs}, you told me", emotion=self._glad())
            else:
                self._say("introduced", emotion=self._glad(), theirs=theirs)
            return
        question = sentence.endswith("?") or bool(_QUESTION.match(sentence))
        guess = self.intents.guess(sentence)
        if guess.intent in _OF_OTHERS and (
            question or not re.search(_OF_OTHERS[guess.intent], sentence, re.IGNORECASE)
        ):
            feels = (
                question
                and guess.intent in ("sad", "glad")
                and re.match(r"(and |but )?are you\b", sentence.lower())
            )
            guess = Guess("how", guess.score) if feels else Guess("", 0.0)
        fact, near = self._fact(sentence)
        place = self._place(sentence)
        if place and re.search(r"\bshow (me|us)\b", sentence, re.IGNORECASE):
            self.made.motions.append(f"walks to {_the(place)}")
            self._fresh(
                [
                    f"This way, {_the(place)} is here.",
                    f"I'll show you {_the(place)}.",
                    f"Here is {_the(place)}.",
                ]
            )
            return
        if place and re.search(r"\bwhere\b", sentence, re.IGNORECASE):
            self.made.say(f"{_the(place).capitalize()} is over there", act="there")
            return
        own = question and bool(_OF_USER.search(sentence))
        if own and not guess.intent.startswith("user_") and self._recall(sentence):
            return
        if own and guess.intent not in ("user_name", "user_said", "user_known", "can"):
            self._fresh(
                [
                    "You have not told me that.",
                    "That you have kept to yourself so far.",
                    "How should I know, if you don't say?",
                ]
            )
        elif guess.score >= SURE and (guess.score >= near - 0.05 or fact is None):
            self._intent(guess.intent, sentence)
        elif question and _ABOUT_USER.search(sentence) and self._recall(sentence):
            return
        elif question:
            self._question(sentence, fact)
        elif re.match(r"(?:please )?(tell|talk|speak|explain|describe)\b", sentence, re.IGNORECASE):
            self._tell(fact)
        elif tells(sentence):
            self._note(sentence, guess.intent if guess.score > 0.5 else "")
        elif guess.score > 0.5 and guess.intent in (
            "compliment",
            "insult",
            "sad",
            "glad",
            "okay",
            "thanks",
            "farewell",
        ):
            self._intent(guess.intent, sentence)
        else:
            self._hear(sentence, fact)

    def _place(self, sentence: str) -> str:
        """A place of the scene that a sentence names, or an empty text."""
        low = sentence.lower()
        return next(
            (name for name in self.character.places if re.search(rf"\b{re.escape(name.lower())}\b", low)), ""
        )

    def _otherwise(self, sentence: str) -> bool:
        """Whether a request with a verb that is not known is a question that can be answered."""
        return self.intents.guess(sentence).score >= SURE or self._fact(sentence)[0] is not None

    def _fact(self, sentence: str) -> tuple[Fact | None, float]:
        """What of the file answers a sentence, and how near it is."""
        found, near = self._nearest_fact(sentence)
        if found is None and self.scene.heard and _PRONOUN.search(sentence):
            # Who "she" is was said just before.
            later, _ = self._nearest_fact(f"{sentence} {self.scene.heard[-1]} {self.scene.said[-1]}")
            return later, near
        return found, near

    def _nearest_fact(self, sentence: str) -> tuple[Fact | None, float]:
        if not self.facts:
            return None, 0.0
        wanted = content(sentence)
        scores = self.intents.scores(sentence, [fact.text for fact in self.facts])
        common = np.array([len(wanted & content(fact.text)) for fact in self.facts])
        taste = np.array([fact.kind in ("likes", "dislikes") for fact in self.facts])
        if re.search(r"\b(like|love|enjoy|hate|dislike|care|favou?rite)\b", sentence.lower()):
            taste = -taste.astype(float)
        total = scores + 0.12 * np.minimum(common, 2) - 0.06 * taste
        best = int(np.argmax(total))
        good = scores[best] >= CLOSE or (common[best] > 0 and scores[best] >= RELATED)
        return (self.facts[best] if good else None), float(total[best])

    # -- answering -------------------------------------------------------------------------------------

    def _intent(self, intent: str, sentence: str) -> None:
        character, scene, made = self.character, self.scene, self.made
        if intent == "greeting":
            self._say("greeting", emotion=self._glad(), act="hello", moment="greeting")
        elif intent == "farewell":
            self._say("farewell", emotion=self._glad(), act="hello", moment="farewell")
        elif intent == "thanks":
            self._say("thanks", emotion=self._glad(), moment="thanks")
        elif intent in ("sorry", "joke", "real", "can"):
            self._say(
                {"joke": "no_joke"}.get(intent, intent), emotion=self._glad() if intent == "joke" else ""
            )
        elif intent == "how":
            feeling = scene.emotion or character.emotion
            low = style_of((feeling,)).get("valence", 0.5) < 0.4
            self._say("unwell" if low else "fine", emotion=feeling, emotion_word=feeling)
            self._ask("back")
        elif intent == "name":
            self._fresh(
                [f"My name is {character.name}.", f"I am {character.name}.", f"{character.name}, that's me."]
            )
            if not self.user:
                self._ask("name")
        elif intent == "role":
            fact = next((fact for fact in self.facts if fact.kind == "role"), None)
            self._tell(fact)
        elif intent in TOPICS:
            facts = [
                fact for fact in self.facts if TOPICS[intent].search(fact.text) and _OWN.search(fact.text)
            ]
            first = min(facts, key=lambda fact: self.scene.count(fact.text)) if facts else None
            self._tell(first)
        elif intent in ("self", "story"):
            self._next_fact()
        elif intent in ("likes", "dislikes"):
            self._tastes(intent)
        elif intent == "scene":
            self._around()
        elif intent == "user_name":
            if self.user:
                self._fresh(
                    [f"You are {self.user}.", f"Your name is {self.user}.", f"{self.user}, you told me."]
                )
            else:
                self.made.say("You have not told me your name")
                self._ask("name")
        elif intent == "user_said":
            self._quote(sentence)
        elif intent == "user_known":
            if not self._recall(sentence, everything=True):
                made.say("You have told me nothing about yourself yet")
                self._ask("work")
        elif intent == "done":
            self._recount()
        elif intent == "place":
            self._whereabouts()
        elif intent == "repeat":
            made.say(f"I said: {scene.said[-1]}" if scene.said else "I have not said anything yet")
        elif intent == "compliment":
            self._say("compliment", emotion=self._glad())
        elif intent == "insult":
            self._say("insult", emotion="annoyed" if self.tone in ("gruff", "formal") else "sad")
        elif intent in ("sad", "glad"):
            self._feel_with(intent == "sad")
        else:  # yes, no, okay: it goes on
            self._say("heard")
            self._ask()

    def _do(self, wish: Wish) -> None:
        made, scene = self.made, self.scene
        if wish.again:
            if not scene.done:
                made.say("I have not done anything yet")
                return
            made.motions.append(scene.done[-1])
            self._say("again", emotion=self._glad())
            return
        if wish.verb == "stand" and wish.motion == "stands still":
            made.motions.append(wish.motion)
            self._say("stopped")
            return
        if not wish.known and not self.able(wish.motion):
            self._say("incapable", act="no", moment="refusal", doing=wish.doing)
            return
        place = _TO_PLACE.search(wish.doing)
        known = [name.lower() for name in self.character.places]
        if place and wish.verb in _GOING and not any(name in wish.doing for name in known):
            made.motions.append(re.sub(re.escape(place[0]), "forward", wish.motion, count=1))
            self._say("lost", place=place[1].strip())
            return
        made.motions.append(wish.motion)
        lively = re.search(r"danc|jump|hop|cartwheel|flip|spin|twirl|cheer", wish.motion)
        self._say(
            "gladly", emotion="excited" if lively and self.tone != "gruff" else self._glad(), doing=wish.doing
        )

    def _unknown(self, sentence: str) -> None:
        """Not known: said in a general way at first, later of the very word that was asked about."""
        words = [word for word in re.findall(r"[^\W_]+", sentence) if content(word)]
        said = all(self.scene.count(phrase) for phrase in PHRASES["unknown"][self.tone])
        if said and words:
            made = [
                phrase.format(topic=words[-1].lower() if words[-1].islower() else words[-1])
                for phrase in UNKNOWN_TOPIC
            ]
            self.made.say(self._choice(made), act="doubt", moment="unknown")
        else:
            self._say("unknown", act="doubt", moment="unknown")
        if words and not re.search(r"\byou(r|rs)?\b", sentence.lower()):
            self._ask("more")

    def _question(self, sentence: str, fact: Fact | None) -> None:
        if fact is None:
            self._unknown(sentence)
            return
        yours = re.search(r"\byou(r|rs)?\b", sentence, re.IGNORECASE) or content(sentence) & content(
            fact.text
        )
        if _YES_NO.match(sentence) and yours and not re.search(r"\b(or|i|we)\b", sentence, re.IGNORECASE):
            no = denies(fact.text, sentence) != bool(NEGATIVE.search(sentence))
            if fact.kind == "dislikes":
                no = not re.search(r"hate|dislike|annoy|afraid", sentence.lower())
            if re.search(r"hate|dislike", sentence.lower()) and fact.kind == "likes":
                no = True
            self._fresh(list(NO if no else YES))
            self.made.act = self.made.act or ("no" if no else "yes")
            self.made.moment = self.made.moment or ("no" if no else "yes")
        self._tell(fact)

    def _tell(self, fact: Fact | None) -> None:
        if fact is None:
            self._say("unknown", act="doubt", moment="unknown")
            self._ask("more")
            return
        emotion = {"likes": "happy", "dislikes": "annoyed"}.get(fact.kind, "")
        self._stated(fact.text, emotion)

    def _stated(self, text: str, emotion: str = "") -> None:
        """Say something that may have been said before."""
        times = self.scene.count(text)
        if times >= 2:
            self._fresh([weary.format(count=_LATE.get(times + 1, "umpteenth")) for weary in WEARY])
            return
        lead = f"{self._choice(list(SAID_BEFORE))} " if times else ""
        self.made.say(lead + text, emotion=emotion)

    def _next_fact(self) -> None:
        fresh = [
            fact
            for fact in self.facts
            if not self.scene.count(fact.text) and fact.text not in self.made.parts
        ]
        if not fresh:
            self._say("told_all")
            self._ask()
            return
        order = {"role": 0, "background": 1, "knows": 2, "likes": 3, "dislikes": 4}
        fresh.sort(key=lambda fact: order[fact.kind])
        for fact in fresh[:2] if fresh[0].kind in ("role", "background") else fresh[:1]:
            self.made.say(fact.text)

    def _tastes(self, kind: str) -> None:
        things = getattr(self.character, kind)
        if not things:
            self._say("unknown", act="doubt", moment="unknown")
            self._ask("likes")
            return
        start = "I like" if kind == "likes" else "I don't care for"
        self._stated(f"{start} {listed(things)}.", "happy" if kind == "likes" else "annoyed")
        if kind == "likes":
            self._ask("likes")

    def _around(self) -> None:
        scene = self.character.scene
        if scene:
            self._stated(_surroundings(scene))
        if self.character.places:
            self.made.say(f"I see {listed([_the(name) for name in self.character.places])}")
        elif not scene:
            self.made.say("We are on an empty stage, you and I")

    def _quote(self, sentence: str) -> None:
        heard = self.scene.heard
        if not heard:
            self.made.say("You have not said anything before this")
            return
        first = re.search(r"\bfirst\b", sentence.lower())
        self.made.say(
            f"{'The first thing that you said was' if first else 'You said'}: “{heard[0 if first else -1].strip()}”"
        )

    def _recall(self, sentence: str, *, everything: bool = False) -> bool:
        """Say what the user told of itself; False where nothing fits."""
        told = self.scene.told
        if re.search(r"\b(my name|who i am)\b", sentence.lower()):
            self._intent("user_name", sentence)
            return True
        if re.search(r"\bdid i (say|ask|tell)|i just (say|said|ask|tell)", sentence.lower()):
            self._quote(sentence)
            return True
        if everything:
            parts = ([f"you are {self.user}"] if self.user else []) + [retold(one) for one in told[-3:]]
            if parts:
                self.made.say(f"I know that {listed(parts)}", emotion=self._glad())
            return bool(parts)
        best, score = self.intents.nearest(sentence, told)
        common = best >= 0 and bool(content(sentence) & content(told[best]))
        if best < 0 or score < (RECALLED if common else CLOSE):
            return False
        self._stated(f"You told me that {retold(told[best])}.", self._glad())
        return True

    def _recount(self) -> None:
        if not self.scene.done:
            self.made.say("Nothing yet. I stood here and talked to you")
            return
        done = [recounted(one) for one in self.scene.done[-3:]]
        words = ("", "then ", "last ") if len(done) > 2 else ("", "then ")
        told = ", ".join(f"{word}I {one}" for word, one in zip(words, done, strict=False))
        self.made.say(told if len(done) == 1 else f"First {told}")

    def _whereabouts(self) -> None:
        posture = "I sit" if self.scene.down else "I stand"
        for motion in reversed(self.scene.done):
            for name in self.character.places:
                if name.lower() in motion.lower():
                    self._fresh(
                        [f"{posture} by the {name}.", f"By the {name}, where I went.", f"I am at the {name}."]
                    )
                    return
            if re.search(r"closer|the user", motion):
                self._fresh([f"{posture} right in front of you.", "Close to you.", "Here, before you."])
                return
        if self.character.scene:
            self._around()
        else:
            self._fresh([f"{posture} here, in front of you.", "Here, where you see me."])

    def _note(self, sentence: str, feeling: str) -> None:
        style = style_of(tuple(re.findall(r"[\w']+", sentence.lower())))
        valence = style.get("valence", 0.5)
        if feeling == "sad" or valence < 0.4:
            self._feel_with(True)
            return
        if feeling == "glad" or valence > 0.8:
            self._feel_with(False)
            return
        if feeling in ("compliment", "insult", "thanks", "sorry", "farewell"):
            self._intent(feeling, sentence)
            return
        else:
            told = retold(sentence)
            if len(told) > 120:
                self._say("heard")
            else:
                self._say("noted", told=told, told_up=told[:1].upper() + told[1:])
        self._ask("tell" if self.rng.random() < 0.6 else None)

    def _feel_with(self, sad: bool) -> None:
        self._say("sympathy" if sad else "joy", emotion="sad" if sad else self._glad())
        self._ask("sorrow" if sad else "joy")

    def _hear(self, sentence: str, fact: Fact | None) -> None:
        if fact is not None and not self.scene.count(fact.text):
            self._say("heard")
            self.made.say(fact.text)
            return
        self._say("heard")
        self._ask()

    # -- wording ---------------------------------------------------------------------------------------

    def _glad(self) -> str:
        """How a character feels that is treated well."""
        low = style_of((self.character.emotion,)).get("valence", 0.5) < 0.4
        return self.character.emotion if self.tone == "gruff" or low else "happy"

    def _say(
        self,
        occasion: str,
        *,
        emotion: str = "",
        act: str = "",
        moment: str = "",
        emotion_word: str = "",
        **words: str,
    ) -> None:
        user = f", {self.user}" if self.user else ""
        filled = [
            phrase.format(user=user, name=self.character.name, emotion=emotion_word, **words)
            for phrase in PHRASES[occasion][self.tone]
        ]
        self.made.say(self._choice(filled), emotion=emotion, act=act, moment=moment)

    def _fresh(self, texts: list[str]) -> None:
        self.made.say(self._choice(texts))

    def _choice(self, texts: list[str]) -> str:
        """One of several texts: of those that were said least, by chance."""
        counts = [self.scene.count(text) for text in texts]
        least = [text for text, count in zip(texts, counts, strict=True) if count == min(counts)]
        return least[int(self.rng.integers(len(least)))]

    def _ask(self, about: str | None = None) -> None:
        """Ask back, if there is something left to ask."""
        if self.made.asks:
            return
        user = f", {self.user}" if self.user else ""
        kinds = [about] if about else [kind for kind in _OPEN if kind != "name" or not self.user]
        open_ = [
            text
            for kind in kinds
            for text in (option.format(user=user) for option in ASKS[kind])
            if not any(self.scene.count(option.format(user=u)) for option in ASKS[kind] for u in ("", user))
            or (kind in ("more", "tell") and not self.scene.count(text))
        ]
        if open_:
            self.made.asks = self._choice(open_[:3] if not about else open_)


_OF_OTHERS = {
    "insult": r"\b(you|your|you're|shut up|idiot|stupid)\b",
    "sad": r"\b(i|my|i'm|me)\b",
    "glad": r"\b(i|my|i'm|we|me|news)\b",
}
"""Words without which a sentence that is like an insult, a sorrow or a joy is none; questions never are."""
_FAMILY = (
    r"child(ren)?|kids?|sons?|daughters?(?! of)",
    r"married|husband|wife",
    r"brothers?|sisters?|siblings?|twin",
    r"mother|father|parents?",
)
_OWN = re.compile(r"\b(i|my|me)\b", re.IGNORECASE)
_OPEN = ("name", "day", "home", "work", "likes", "more")
"""What is asked, in this order, where the talk has come to an end."""
_GOING = (
    "walk",
    "go",
    "run",
    "come",
    "jog",
    "sneak",
    "creep",
    "crawl",
    "step",
    "move",
    "head",
    "stroll",
    "march",
    "tiptoe",
    "wander",
    "rush",
    "hop",
    "limp",
)


def _the(name: str) -> str:
    return name if re.match(r"(a|an|the|my|our)\b", name.lower()) else f"the {name}"


def _surroundings(scene: str) -> str:
    """A scene's description as a sentence of the character."""
    if re.match(r"(we|i|it|there|this|here)\b", scene.lower()):
        return ended(scene)
    if re.match(r"(on|in|at|under|near|behind|before|inside|outside|by|aboard)\b", scene.lower()):
        return ended(f"We are {scene[:1].lower()}{scene[1:]}")
    return ended(f"Look around: {scene[:1].lower()}{scene[1:]}")
