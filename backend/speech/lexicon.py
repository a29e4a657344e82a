"""Words that hands have something to say to, and words that they pass over, in four languages.

Function words carry no stroke; what a gesture can mean by itself are refusal, agreement, greeting, the persons of a
talk, places, amounts and doubt (Kendon, "Gesture: Visible Action as Utterance", 2004; McNeill, "Hand and Mind", 1992).
A text's language is the one whose function words it has most of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_EDGES = re.compile(r"^\W+|\W+$")


def bare(word: str) -> str:
    """A word without punctuation and capitals."""
    return _EDGES.sub("", word).lower().replace("’", "'")


@dataclass(frozen=True)
class Lexicon:
    """``function``: words that carry no stroke; ``meanings``: by word, what it may be gestured as."""

    function: frozenset[str]
    meanings: dict[str, str]


def _lexicon(function: str, numbers: str, **meanings: str) -> Lexicon:
    table = {word: meaning for meaning, words in meanings.items() for word in words.split()}
    # Two languages have several words for one.
    for count, words in enumerate(numbers.split(), start=1):
        table |= dict.fromkeys(words.split("/"), f"count {count}")
    return Lexicon(frozenset(function.split()), table)


LANGUAGES = {
    "en": _lexicon(
        "a an the and or but if so as at by for from in into of on to with than that this these those it its it's "
        "is are was were be been being am do does did have has had will would can could should may might must "
        "i you he she we they me him her us them my your his our their who which what there then just very "
        "i'm you're we're they're i've you've we've i'll you'll don't when where how why not up out about",
        "one two three four five",
        no="no not never nothing none nobody nowhere don't doesn't didn't won't can't cannot isn't aren't wasn't "
        "weren't wouldn't couldn't shouldn't haven't hasn't without neither nor refuse",
        yes="yes yeah yep sure certainly absolutely exactly indeed agree agreed correct okay ok",
        hello="hello hi hey goodbye bye welcome greetings",
        you="you your yours yourself yourselves you're you'll you've",
        me="me my mine myself i'm i've",
        there="there here this these those left right above below",
        all="all every everything everyone everybody everywhere whole entire always many lots plenty world",
        big="big huge large great enormous giant wide broad vast massive long tall",
        small="small little tiny few short narrow slight bit less",
        doubt="maybe perhaps somehow whatever unsure why probably guess wonder",
    ),
    "de": _lexicon(
        "der die das den dem des ein eine einen einem einer eines und oder aber wenn als an am auf aus bei für von vor "
        "im in ins ist sind war waren bin bist sein hat haben habe hatte wird werden wurde kann können muss soll ich "
        "du er sie es wir ihr mich dich sich uns euch mir dir ihm ihnen mein dein unser zu zum zur mit nach dass "
        "wie was wer so nur noch auch schon dann nicht",
        "eins zwei drei vier fünf",
        no="nein nicht nie niemals nichts kein keine keinen keiner niemand nirgends ohne weder",
        yes="ja genau sicher klar stimmt richtig natürlich jawohl",
        hello="hallo servus willkommen tschüss moin",
        you="du dich dir dein deine euch euer ihr sie",
        me="ich mich mir mein meine",
        there="da dort hier drüben dies dieser diese dieses links rechts oben unten",
        all="alle alles jeder jede jedes überall ganz ganze immer viele welt",
        big="groß große großer riesig riesige breit weit lang hoch gewaltig",
        small="klein kleine kleiner winzig wenig kurz schmal bisschen",
        doubt="vielleicht irgendwie wohl warum wahrscheinlich vermutlich",
    ),
    "fr": _lexicon(
        "le la les un une des du de et ou mais si en au aux à dans par pour sur avec est sont était suis es ai as a "
        "ont avait sera être avoir je tu il elle on nous vous ils elles me te se lui leur mon ton son ma ta sa mes tes "
        "ses notre votre ce cet cette ces qui que quoi dont où ne pas plus très c'est qu'il j'ai d'un d'une",
        "un/une deux trois quatre cinq",
        no="non pas jamais rien aucun aucune personne sans ni",
        yes="oui exactement certainement d'accord absolument bien",
        hello="bonjour salut bonsoir bienvenue revoir",
        you="tu toi te vous ton ta votre vos",
        me="je moi me mon ma mes",
        there="là ici là-bas ce cette ceci cela ça gauche droite",
        all="tout tous toute toutes chaque partout entier toujours beaucoup monde",
        big="grand grande énorme immense gros grosse large vaste long",
        small="petit petite minuscule peu court étroit moins",
        doubt="peut-être pourquoi sans-doute probablement",
    ),
    "es": _lexicon(
        "el la los las un una unos unas de del y e o u pero si en al a por para con sin sobre es son era soy eres está "
        "están fue ser estar he ha han había yo tú él ella nosotros vosotros ellos ellas me te se nos os le les lo mi "
        "tu su mis tus sus nuestro que quien qué cual como cuando donde muy más ya",
        "uno/una dos tres cuatro cinco",
        no="no nunca nada nadie ningún ninguna jamás tampoco sin",
        yes="sí claro exacto cierto vale seguro",
        hello="hola adiós bienvenido bienvenidos buenas",
        you="tú ti te usted ustedes vosotros tu tus",
        me="yo mí me mi mis",
        there="ahí allí aquí allá esto eso aquel izquierda derecha",
        all="todo todos toda todas cada siempre entero muchos mundo",
        big="grande enorme inmenso gran ancho largo alto",
        small="pequeño pequeña poco poca corto estrecho menos",
        doubt="quizás quizá acaso probablemente",
    ),
}
"""By ISO 639-1 code."""


def language_of(words: Iterable[str]) -> str:
    """The language whose function words are most among the words; empty where hardly any is known."""
    spoken = [bare(word) for word in words]
    counts = {name: sum(w in one.function for w in spoken) for name, one in LANGUAGES.items()}
    best = max(counts, key=lambda name: counts[name])
    if counts[best] >= max(0.15 * len(spoken), 1):
        return best
    # A few words alone: those with a meaning decide, English before others.
    counts = {name: sum(w in one.meanings for w in spoken) for name, one in LANGUAGES.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else ""
