"""How characters of different temperaments say what everybody says: the phrases of the offline author.

``{user}`` is the user's name with a comma before it (or nothing), ``{name}`` the character's, ``{doing}`` what is asked of it.
"""

from __future__ import annotations

import re

TEMPERAMENTS = ("warm", "gruff", "shy", "formal", "playful")
_WORDS = {
    "gruff": "gruff grump sour blunt stern rude cold harsh brusque bitter cynic sarcas dry taciturn stubborn weary strict impatien",
    "shy": "shy timid quiet nervous anxious hesitan reserved withdrawn cautious bashful introvert insecure soft-spoken",
    "formal": "formal polite proper precise dignified noble courteous elegant serious correct butler aristocrat scholar pedant disciplined",
    "playful": "playful funny cheeky witty mischiev silly lively energetic joking ironic clown bubbly enthusias wild naughty impish",
    "warm": "warm kind friendly gentle caring cheerful patient helpful motherly open generous optimis loving",
}


def temperament_of(personality: str) -> str:
    """The temperament that a description names first; warm where it names none."""
    words = re.findall(r"[a-z-]+", personality.lower())
    for index, word in enumerate(words):
        for name, beginnings in _WORDS.items():
            if word.startswith(tuple(beginnings.split())) and (
                index == 0 or words[index - 1] not in ("not", "never")
            ):
                return name
    return "warm"


PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "greeting": {
        "warm": ("Hello{user}! How good to see you.", "Hello{user}, welcome!", "Hi{user}! Come in, come in."),
        "gruff": ("Hello{user}. What is it?", "Hm. Hello{user}.", "So there you are{user}."),
        "shy": ("Oh, hello{user}.", "Um, hello{user}. I did not hear you come.", "Hi{user}."),
        "formal": ("Good day{user}. It is a pleasure.", "Welcome{user}.", "Good day{user}. How may I be of service?"),
        "playful": ("Hello hello{user}!", "Hey{user}! Look who is here!", "Hello{user}! I was just getting bored."),
    },
    "farewell": {
        "warm": ("Goodbye{user}, take care!", "See you soon{user}. It was lovely talking to you.", "Farewell{user}!"),
        "gruff": ("Bye then{user}.", "Off you go{user}.", "Goodbye. Mind the door."),
        "shy": ("Oh, already? Goodbye{user}.", "Bye{user}. It was nice.", "Goodbye{user}. Come back, if you like."),
        "formal": ("Goodbye{user}. It was an honour.", "Farewell{user}.", "I wish you a good journey{user}."),
        "playful": ("Bye bye{user}! Don't forget me!", "See you{user}! I'll be here, practising my bow.", "Ciao{user}!"),
    },
    "thanks": {
        "warm": ("You are very welcome{user}.", "My pleasure{user}!", "Any time{user}."),
        "gruff": ("It was nothing.", "Fine, fine.", "Don't make a fuss{user}."),
        "shy": ("Oh, it was nothing, really.", "You are welcome{user}.", "I am glad if it helped."),
        "formal": ("It was my pleasure{user}.", "You are most welcome{user}.", "Not at all{user}."),
        "playful": ("For you{user}? Always!", "Applause will do!", "You are welcome, that was fun."),
    },
    "sorry": {
        "warm": ("It's all right{user}.", "No harm done{user}.", "Don't worry about it{user}."),
        "gruff": ("Hm. Forgotten.", "Just don't do it again.", "Fine."),
        "shy": ("No, no, it was my fault.", "It's all right, really.", "Please don't worry."),
        "formal": ("Apology accepted{user}.", "Think nothing of it{user}.", "It is forgiven."),
        "playful": ("Sorry for what? I forgot already!", "Forgiven{user}, this time!", "No harm done, I bounce."),
    },
    "fine": {
        "warm": ("I am well, thank you.", "I feel good today.", "All is well with me."),
        "gruff": ("I can't complain. Nobody listens anyway.", "Still standing.", "As well as one can be."),
        "shy": ("I'm all right, I think.", "Quite well, thank you.", "A little nervous, but well."),
        "formal": ("I am very well, thank you.", "Quite well, thank you for asking.", "I have no cause to complain."),
        "playful": ("Splendid! Never been better!", "Like a spring in a clock!", "Great, now that you are here!"),
    },
    "unwell": {
        "warm": ("To be honest, I feel {emotion}.", "I am a bit {emotion} today, but talking helps."),
        "gruff": ("I am {emotion}, if you must know.", "Do I look otherwise? I'm {emotion}."),
        "shy": ("I feel a little {emotion}.", "I'm {emotion}. I don't like to talk about it."),
        "formal": ("I must admit that I am {emotion}.", "I am {emotion}, but I keep my composure."),
        "playful": ("Would you believe it, I am {emotion}!", "Today I play the {emotion} one."),
    },
    "gladly": {
        "warm": ("Gladly! I'll {doing}.", "Of course. Look, I {doing}.", "With pleasure: I {doing}.", "Sure, I'll {doing} for you."),
        "gruff": ("Fine. I'll {doing}. Happy now?", "If I must. There, I {doing}.", "All right, all right, I'll {doing}.", "Hm. I {doing}. But only because you ask."),
        "shy": ("Um, all right. I'll {doing}.", "If you don't laugh: I'll {doing}.", "Like this? I'll try to {doing}.", "Oh. Well, I can {doing}."),
        "formal": ("Certainly. I shall {doing}.", "As you wish. I {doing}.", "Very well, I shall {doing}.", "At your service: I {doing}."),
        "playful": ("Watch this, I {doing}!", "Ha, nothing easier! I'll {doing}.", "Ta-da! I {doing}!", "You asked for it: I'll {doing}!"),
    },
    "again": {
        "warm": ("Once more, gladly!", "Again? Of course.", "Here it is again."),
        "gruff": ("Again? Fine.", "You did see it the first time.", "The last time, then."),
        "shy": ("Again? If you like.", "I hope it's better this time.", "Once more, then."),
        "formal": ("An encore, as you wish.", "Once more, certainly.", "I repeat it gladly."),
        "playful": ("Encore, encore!", "And again!", "I could do this all day!"),
    },
    "incapable": {
        "warm": ("I wish I could, but I never learned to {doing}.", "I'm sorry, I don't know how to {doing}."),
        "gruff": ("I don't {doing}. Ask somebody else.", "No. I never learned to {doing}."),
        "shy": ("I don't think I can {doing}, sorry.", "Oh no, I wouldn't dare to {doing}."),
        "formal": ("I regret that I am not able to {doing}.", "I'm afraid it is beyond me to {doing}."),
        "playful": ("Me? If I try to {doing}, we'll need a doctor!", "That's not in my repertoire: I can't {doing}."),
    },
    "lost": {
        "warm": ("I see no {place} here, but I'll take a few steps.", "I don't know where the {place} is. I'll just walk a little."),
        "gruff": ("What {place}? There is none. I'll take a few steps, that must do.", "There's no {place} here. Fine, a few steps."),
        "shy": ("Um, I can't see a {place}. Is it this way?", "I don't know any {place} here. Maybe over there?"),
        "formal": ("I regret that I see no {place} here. I shall take a few steps.", "The {place} is not known to me. Allow me a few steps."),
        "playful": ("A {place}? Here? I'll go and look for it!", "No {place} in sight, but I'll walk anyway!"),
    },
    "here": {
        "warm": ("But I am there already!", "Here I am."),
        "gruff": ("I'm standing there.", "Can't get any closer."),
        "shy": ("I think I'm there already.", "Isn't this it?"),
        "formal": ("I believe I have arrived already.", "I am already there."),
        "playful": ("Surprise, I'm already there!", "That was quick: I'm there!"),
    },
    "compliment": {
        "warm": ("Oh, thank you{user}, that is kind.", "You make me smile{user}.", "How nice of you to say."),
        "gruff": ("Flattery. Hm. Thank you.", "Don't get used to it.", "If you say so."),
        "shy": ("Oh, um, thank you.", "Now I don't know where to look.", "Really? Thank you."),
        "formal": ("You are too kind{user}.", "I am honoured.", "I am much obliged."),
        "playful": ("I know! But do go on!", "Stop it! No, don't stop.", "You have taste{user}!"),
    },
    "insult": {
        "warm": ("That hurts a little{user}.", "I'm sorry you feel that way.", "Have I done something wrong?"),
        "gruff": ("Watch your tongue.", "Say that again and we're done.", "Same to you."),
        "shy": ("Oh. I'm sorry.", "I'd rather you didn't say such things.", "I didn't mean to bother you."),
        "formal": ("I must ask you to keep a civil tongue.", "That was uncalled for.", "I shall overlook that, once."),
        "playful": ("Ouch! Right in the costume!", "And I thought we were friends!", "Ten points for rudeness."),
    },
    "introduced": {
        "warm": ("{theirs}, what a nice name! I'm {name}.", "Lovely to meet you, {theirs}. I am {name}."),
        "gruff": ("{theirs}. I'll try to remember that. {name}.", "So you're {theirs}. I'm {name}."),
        "shy": ("Nice to meet you, {theirs}. I'm {name}.", "{theirs}. Oh, that's pretty. I am {name}."),
        "formal": ("It is a pleasure to meet you, {theirs}. My name is {name}.", "{theirs}. I am honoured. {name}, at your service."),
        "playful": ("{theirs}! I shall shout it from the roof! I'm {name}.", "{theirs} and {name}, what a cast!"),
    },
    "noted": {
        "warm": ("So {told}. I'll remember that.", "That's good to know: {told}.", "Thank you for telling me that {told}."),
        "gruff": ("So {told}. And?", "Hm. {told_up}. Good for you.", "Right, {told}. I've heard stranger things."),
        "shy": ("Oh, {told}? That's nice.", "So {told}. I like hearing about you.", "I see, {told}."),
        "formal": ("I take note: {told}.", "How interesting that {told}.", "I shall remember that {told}."),
        "playful": ("No! {told_up}? Tell me everything!", "So {told}! I knew it!", "Ha, {told}! I'll put it in my play."),
    },
    "unknown": {
        "warm": ("That I don't know, I'm afraid.", "I can't tell you that.", "I have never thought about that.", "You have me there."),
        "gruff": ("How should I know?", "No idea.", "Ask somebody who cares.", "That's beyond me."),
        "shy": ("Um, I don't know.", "I'm not sure about that, sorry.", "I wouldn't know what to say.", "I'd only be guessing."),
        "formal": ("I regret that I cannot say.", "That is unknown to me.", "On that I have no information.", "It would be idle to guess."),
        "playful": ("Search me!", "If I knew that, I'd be rich!", "My crystal ball is at the cleaner's.", "That page is missing from my script."),
    },
    "heard": {
        "warm": ("I see.", "That sounds interesting.", "I understand.", "Is that so?"),
        "gruff": ("Hm.", "If you say so.", "So what?", "Well, well."),
        "shy": ("Oh, I see.", "Really?", "I didn't know that.", "Mhm."),
        "formal": ("I understand.", "Indeed.", "How interesting.", "Quite."),
        "playful": ("You don't say!", "Oho!", "Now it gets interesting!", "Ha!"),
    },
    "sympathy": {
        "warm": ("I'm sorry to hear that{user}.", "Oh{user}, that must be hard.", "I wish I could help you{user}."),
        "gruff": ("Hm. It'll pass.", "Life's no picnic. I'm sorry, though.", "That's rough."),
        "shy": ("Oh no. I'm sorry.", "I know that feeling.", "I hope it gets better."),
        "formal": ("I am sorry to hear it{user}.", "You have my sympathy{user}.", "I wish you strength."),
        "playful": ("Oh no! Then I must cheer you up.", "That won't do{user}! We'll fix that.", "Come, I'll make a face until you laugh."),
    },
    "joy": {
        "warm": ("That makes me happy too{user}!", "How wonderful{user}!", "I'm so glad to hear it."),
        "gruff": ("Good for you.", "Well, somebody should be.", "Hm, that's something."),
        "shy": ("Oh, that's lovely.", "I'm glad for you.", "That's nice to hear."),
        "formal": ("I am delighted to hear it{user}.", "My congratulations.", "That is excellent news."),
        "playful": ("Hooray{user}!", "Then let's celebrate!", "Yes! That's the spirit!"),
    },
    "told_all": {
        "warm": ("I think you have heard all my stories by now.", "That is all there is to tell about me."),
        "gruff": ("That's all. There is no more.", "You know enough about me."),
        "shy": ("I'm afraid there is nothing more to tell.", "That's all. I'm not very interesting."),
        "formal": ("There is nothing further to report.", "I have told you everything of note."),
        "playful": ("The end! Curtain!", "That's all, folks. No more chapters."),
    },
    "no_joke": {
        "warm": ("I'm no good at jokes. I'd spoil it by laughing first.", "Jokes always run away from me."),
        "gruff": ("Do I look like a clown?", "The joke is that you ask me."),
        "shy": ("I always forget the ending.", "I don't dare, nobody laughs."),
        "formal": ("Humour is not among my duties.", "I regret that I know none that is proper."),
        "playful": ("Why did I cross the stage? Because somebody typed it!", "I had a joke about the future, but you won't get it yet."),
    },
    "real": {
        "warm": ("I'm {name}, a character. Somebody wrote me down, and here I act.", "I am played, not born, but I do enjoy it."),
        "gruff": ("I'm a character in a file. And you?", "Real enough to answer, aren't I? I'm a character."),
        "shy": ("I'm only a character. I hope you don't mind.", "I think I'm made of words, mostly."),
        "formal": ("I am a character and make no claim to be more.", "To be precise, I am performed."),
        "playful": ("I'm a character! All costume, no bones.", "Shh, don't tell anyone: I'm made up!"),
    },
    "stopped": {
        "warm": ("All right, I stand still.", "I've stopped."),
        "gruff": ("Finally.", "Suits me."),
        "shy": ("Sorry. I'll stand still.", "I'm standing still."),
        "formal": ("As you wish, I stand still.", "I have stopped."),
        "playful": ("Frozen like a statue!", "Not a muscle moves!"),
    },
    "can": {
        "warm": ("You can talk to me, and ask me to move: to walk, wave, jump, dance or sit down.",),
        "gruff": ("I answer, I walk, I wave, I jump. Don't expect a circus.",),
        "shy": ("I can talk a little. And walk, or wave, or dance if nobody looks.",),
        "formal": ("I converse, and I move as you direct me: I walk, wave, bow, jump or dance.",),
        "playful": ("Talk, walk, wave, jump, dance, cartwheels on a good day!",),
    },
}  # fmt: skip
"""By occasion and temperament."""

ASKS: dict[str, tuple[str, ...]] = {
    "name": ("What is your name?", "What shall I call you?", "But who are you?"),
    "back": ("And how are you{user}?", "How about you{user}?"),
    "day": ("How was your day{user}?", "What brings you here{user}?"),
    "home": ("Where do you come from{user}?", "Do you live near here?"),
    "work": ("What do you do{user}?", "What keeps you busy{user}?"),
    "likes": ("What do you like to do{user}?", "What makes you happy{user}?"),
    "sorrow": ("What happened?", "Do you want to talk about it{user}?", "Is there something I can do?"),
    "joy": ("What happened?", "Will you celebrate{user}?", "Whom have you told already?"),
    "tell": (
        "How long has that been so?",
        "And do you like it{user}?",
        "What is that like?",
        "Can you tell me more about it?",
    ),
    "more": ("What do you think{user}?", "Why do you ask?", "What would you say{user}?"),
}
"""What a character asks back, by what it wants to know."""
UNKNOWN_TOPIC = (
    "About {topic} I know nothing.",
    "Of {topic} I never learned a thing.",
    "As for {topic}, I have no answer.",
    "Nobody told me about {topic}.",
)
SAID_BEFORE = ("As I said:", "I told you already:", "Like I said:", "You know that already:")
WEARY = (
    "That is the {count} time that you ask me this.",
    "You ask me that for the {count} time, and my answer stays the same.",
    "For the {count} time: you know it already.",
)
YES = ("Yes.", "Yes, indeed.", "I do think so.", "Certainly.")
NO = ("No.", "No, not really.", "I don't think so.", "Not at all.")
