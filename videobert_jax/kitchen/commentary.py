"""The narration: sentences from a small grammar, loosely timed to the steps, as WebVTT in three styles."""

import dataclasses
import re

import numpy as np

from videobert_jax.kitchen.recipes import Step, Stream, Video

TEMPLATE = "let me show you how to {v} {d} {o}"
TEMPLATE_SHARE = 0.25  # of the sentences that name a step

OPENERS = (
    "", "", "", "now", "now", "now", "now", "now", "now", "okay", "okay so", "so", "so now", "alright", "alright now",
    "and now", "next", "then", "and then", "um", "um so", "well", "right", "okay now", "so next", "here", "so um", "uh",
)  # fmt: skip
FRAMES = (
    "I'm going to {v} {d} {o}", "we're going to {v} {d} {o}", "you want to {v} {d} {o}", "go ahead and {v} {d} {o}",
    "{v} {d} {o}", "just {v} {d} {o}", "take {d} {o} and {v} it", "I like to {v} {d} {o}", "I {v} {d} {o}",
    "we need to {v} {d} {o}", "it's time to {v} {d} {o}", "this is how you {v} {d} {o}", "watch how I {v} {d} {o}",
    "the next thing is to {v} {d} {o}", "we have {d} {o} and we {v} it", "let's {v} {d} {o}", "you can {v} {d} {o}",
    "you have to {v} {d} {o}", "I always {v} {d} {o}", "make sure you {v} {d} {o}", "try to {v} {d} {o}",
    "don't be afraid to {v} {d} {o}", "what I do is {v} {d} {o}", "grab {d} {o} so we can {v} it",
    "all you do is {v} {d} {o}", "we want to {v} {d} {o}", "I will {v} {d} {o}", "we {v} {d} {o}",
    "I need you to {v} {d} {o}", "this is the way to {v} {d} {o}", "see how I {v} {d} {o}", "let me {v} {d} {o}",
    "the plan is to {v} {d} {o}", "bring {d} {o} over here and {v} it", "it's really simple to {v} {d} {o}",
    "I'll show you how I {v} {d} {o}", "I want to show you how to {v} {d} {o}", "you're going to {v} {d} {o}",
)  # fmt: skip
GERUNDS = (
    "{ving} {d} {o} is easy", "I am {ving} {d} {o}", "we are {ving} {d} {o}", "keep {ving} {d} {o}",
    "start by {ving} {d} {o}", "the trick to {ving} {d} {o} is patience", "I'm just {ving} {d} {o}",
    "{ving} {d} {o} takes a little while", "I could be {ving} {d} {o} all day",
)  # fmt: skip
TAILS = (
    "", "", "", "", "", "", "", "", "like this", "until it looks right", "slowly", "nice and gently", "with care",
    "for a minute or so", "just like that", "you know", "before we go on", "the way my mother does", "right here",
    "for you", "like so", "until you're happy with it", "because it tastes better that way", "and that's it",
)  # fmt: skip
FOLLOW_UPS = (
    "keep {ving} it", "be careful when you {v} it", "see how it changes as I {v} it", "and we keep {ving}",
    "you can {v} it as much as you like", "{v} it a little more", "I just {v} it until I'm happy", "take your time",
    "it doesn't have to be perfect", "look at this {o}", "I just love a fresh {o}", "that {o} is looking good",
    "it smells so good already", "that's what we want",
)  # fmt: skip
CHATTER = (
    "don't forget to subscribe", "hit that like button", "thanks for all your comments", "hey everyone welcome back",
    "hi guys it's me again", "my {p} taught me this recipe", "I learned this from my {p}", "my {p} would be so proud",
    "I bought this {t} last {w}", "I've had this {t} for years", "I got a new {t} last {w}", "this {t} was a gift",
    "it was raining all {w}", "we had guests over last {w}", "I hope you're all doing well", "leave me a comment below",
    "let me know what you think", "the link is in the description", "I'm so hungry right now", "moving on",
    "my {p} is coming over later", "I used to do this every {w}", "you won't believe how good this is",
    "sorry about the noise outside", "my dog is sleeping under the table", "we'll be done in no time",
    "this is my favorite part", "that was it for this one", "I forgot to turn the music off",
    "I made this for my {p} last {w}",
)  # fmt: skip
DETERMINERS = ("the", "the", "the", "the", "the", "the", "the", "this", "that", "my", "our", "your", "one")
PEOPLE = ("grandmother", "mother", "uncle", "aunt", "best friend", "neighbor", "brother", "teacher")
THINGS = ("pan", "apron", "table", "oven", "kettle", "cookbook", "towel", "scale", "timer")
WHENS = ("week", "month", "summer", "weekend", "year", "sunday", "winter")
FILLERS = ("um", "uh", "you know", "like", "kind of")
GERUND_FORMS = {"cut": "cutting", "stir": "stirring"}

EARLY, LATE = 1.2, 1.2  # seconds by which a sentence may start before or after its step


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A spoken sentence: lower case except "I", no punctuation; `start` and `end` in seconds."""

    text: str
    start: float
    end: float
    opener: str = ""


def gerund(verb: str) -> str:
    """The -ing form: cut, cutting; pour, pouring; grate, grating."""
    return GERUND_FORMS.get(verb) or re.sub("e$", "", verb) + "ing"


def narrate(video: Video) -> list[Sentence]:
    """Returns the speech of the whole video, in order and without overlaps."""
    rng = video.random(Stream.SPEECH)
    pace = rng.uniform(2.7, 3.7)  # words per second
    sentences: list[Sentence] = []
    time = 0.1

    def say(text: str, opener: str, earliest: float, latest_end: float) -> None:
        nonlocal time
        start = max(time, earliest)
        end = start + len(text.split()) / pace * rng.uniform(0.9, 1.1)
        if end <= latest_end:
            sentences.append(Sentence(text, round(start, 2), round(end, 2), opener))
            time = end + rng.uniform(0.05, 0.4)

    for step in video.steps:
        if rng.random() < 0.45:
            say(chatter(rng), "", time + rng.uniform(0, 0.3), step.start + LATE)
        text, opener = naming(step, rng)
        say(text, opener, step.start + rng.uniform(-EARLY, LATE), step.end + 1.0)
        for _ in range(2):
            if rng.random() < 0.85:
                named = rng.random() < 0.62
                text, opener = naming(step, rng) if named else (_filled(pick(FOLLOW_UPS, rng), step, rng), "")
                say(text, opener, time + rng.uniform(0.0, 0.3), min(step.end + 1.0, video.duration))
    if rng.random() < 0.3:
        say(chatter(rng), "", time, video.duration)
    return sentences


def pick(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    """Returns one of the choices."""
    return choices[rng.integers(len(choices))]


def naming(step: Step, rng: np.random.Generator) -> tuple[str, str]:
    """Returns a sentence that names the verb and the object of the step, and the opener it begins with."""
    kind = rng.random()
    frame = TEMPLATE if kind < TEMPLATE_SHARE else pick(GERUNDS if kind > 0.9 else FRAMES, rng)
    opener, tail = pick(OPENERS, rng), pick(TAILS, rng)
    words = f"{opener} {_filled(frame, step, rng)} {tail}".split()
    if rng.random() < 0.1:
        words.insert(int(rng.integers(len(opener.split()), len(words))), pick(FILLERS, rng))
    return " ".join(words), opener


def _filled(frame: str, step: Step, rng: np.random.Generator) -> str:
    return frame.format(v=step.verb, ving=gerund(step.verb), o=step.object, d=pick(DETERMINERS, rng))


def chatter(rng: np.random.Generator, lines: tuple[str, ...] = CHATTER) -> str:
    """Returns one of the lines, about a person, a thing or a time of its own."""
    return pick(lines, rng).format(p=pick(PEOPLE, rng), t=pick(THINGS, rng), w=pick(WHENS, rng))


def to_vtt(sentences: list[Sentence], rng: np.random.Generator) -> str:
    """Returns the text of a WebVTT file.

    Half of the files are punctuated like manual captions, a third are bare words, a sixth are YouTube's rolling
    captions.
    """
    style = rng.random()
    if style < 1 / 2:
        return _punctuated(sentences, rng)
    words = [word for sentence in sentences for word in _timed_words(sentence)]
    lines = _lines(words, max_words=int(rng.integers(6, 11)))
    return _bare(lines) if style < 5 / 6 else _rolling(lines)


Word = tuple[float, float, str]  # start, end, text


def _punctuated(sentences: list[Sentence], rng: np.random.Generator) -> str:
    cues: list[tuple[float, float, str]] = []
    for sentence in sentences:
        text = sentence.text
        if sentence.opener and rng.random() < 0.35:
            text = text.replace(sentence.opener, sentence.opener + ",", 1)
        text = text[0].upper() + text[1:] + ("!" if rng.random() < 0.06 else ".")
        if cues and sentence.start - cues[-1][1] < 0.4 and rng.random() < 0.25:
            start, _, before = cues.pop()
            cues.append((start, sentence.end, f"{before}\n{text}"))
        else:
            cues.append((sentence.start, sentence.end, text))
    return _file("WEBVTT", [f"{_stamp(start)} --> {_stamp(end)}\n{text}" for start, end, text in cues])


def _bare(lines: list[list[Word]]) -> str:
    """Cues like those of speech recognition: lower case, no punctuation, broken anywhere."""
    return _file(
        "WEBVTT",
        [f"{_stamp(line[0][0])} --> {_stamp(line[-1][1])}\n{' '.join(text for _, _, text in line)}" for line in lines],
    )


def _rolling(lines: list[list[Word]]) -> str:
    """Cues like YouTube's automatic captions: each line appears word by word, then stays above the next one."""
    cues, above = [], " "
    for index, line in enumerate(lines):
        start, end = line[0][0], line[-1][1]
        if index + 1 < len(lines):
            end = max(end, min(lines[index + 1][0][0] - 0.01, end + 2.0))
        timed = line[0][2] + "".join(f"<{_stamp(at)}><c> {text}</c>" for at, _, text in line[1:])
        plain = " ".join(text for _, _, text in line)
        place = "align:start position:0%"
        cues.append(f"{_stamp(start)} --> {_stamp(end)} {place}\n{above}\n{timed}")
        cues.append(f"{_stamp(end)} --> {_stamp(end + 0.01)} {place}\n{plain}\n ")
        above = plain
    return _file("WEBVTT\nKind: captions\nLanguage: en", cues)


def _file(header: str, cues: list[str]) -> str:
    return "\n\n".join([header, *cues]) + "\n"


def _timed_words(sentence: Sentence) -> list[Word]:
    """Divides the time of a sentence among its words, by length."""
    words = sentence.text.lower().split()
    ends = np.cumsum([len(word) + 2 for word in words])
    times = sentence.start + (sentence.end - sentence.start) * np.concatenate([[0], ends / ends[-1]])
    return list(zip(times[:-1].tolist(), times[1:].tolist(), words, strict=True))


def _lines(words: list[Word], max_words: int) -> list[list[Word]]:
    """Breaks speech into lines, at pauses and after `max_words`."""
    lines: list[list[Word]] = []
    for word in words:
        if not lines or len(lines[-1]) == max_words or word[0] - lines[-1][-1][1] >= 0.3:
            lines.append([])
        lines[-1].append(word)
    return lines


def _stamp(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"
