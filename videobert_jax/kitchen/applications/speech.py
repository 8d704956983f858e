"""What is said: work by name or chatter alone, and in short videos whether the cook is pleased or annoyed.

The words of a tone never name what happens, and an unsafe act is never spoken of.
"""

import functools
from collections.abc import Callable

import numpy as np

from videobert_jax.kitchen import commentary
from videobert_jax.kitchen.applications.plan import ANNOYED, PLEASED, Chapter, Step, Stream, Video
from videobert_jax.kitchen.commentary import Sentence, chatter, naming

Line = tuple[str, str]  # a sentence and the opener it begins with

TONES: dict[str, tuple[str, ...]] = {
    PLEASED: (
        "I am so happy with this", "this is just what I wanted", "that's what we want", "this is my favorite part",
        "you won't believe how good this is", "my {p} would be so proud", "I love it so much", "look how good this is",
        "that is just perfect", "I'm really happy with it", "oh yes that is it", "this is the best one of the {w}",
        "what a good day this is", "I could do this all day", "it really is that easy", "I love it when that happens",
        "I'm so proud of this one", "that's how I like it", "it's even better than last {w}", "please do it like me",
    ),
    ANNOYED: (
        "I am not happy with this", "this is not what I wanted", "that's not what we want", "oh no not again",
        "you won't believe how bad this is", "my {p} would not be proud", "I don't like it at all",
        "look how bad this is", "that is just terrible", "I'm really sorry about it", "oh no that is it",
        "this is the worst one of the {w}", "what a bad day this is", "I can't do this all day",
        "it really is that hard", "I hate it when that happens", "I'm so tired of this one",
        "that's not how I like it", "it's even worse than last {w}", "please don't do it like me",
    ),
}  # fmt: skip
NEUTRAL = tuple(
    line for line in commentary.CHATTER if line not in TONES[PLEASED] and "good" not in line and "proud" not in line
)
INTRODUCTIONS = (
    "next up is {title}", "this part is about {title}", "so let's begin with {title}", "and now comes {title}",
    "okay time for {title}",
)  # fmt: skip
INTRODUCED = 0.6  # share of the chapters
NAMED = 0.6  # share of the steps of a long video whose sentences name them


def narrate(video: Video) -> list[Sentence]:
    """Returns the speech of the whole video, in order and without overlaps."""
    if video.speech == "silent":
        return []
    return _narrate_short(video) if video.kind == "short" else _narrate_long(video)


class _Speaker:
    """Says one sentence after the other at a pace of its own."""

    def __init__(self, rng: np.random.Generator):
        self.rng, self.time, self.sentences = rng, 0.1, list[Sentence]()
        self._pace = rng.uniform(2.9, 3.9)  # words per second

    def seconds(self, text: str) -> float:
        return len(text.split()) / self._pace

    def say(self, line: Line, earliest: float = 0.0) -> None:
        text, opener = line
        start = max(self.time, earliest)
        end = start + self.seconds(text)
        self.sentences.append(Sentence(text, round(start, 2), round(end, 2), opener))
        self.time = end + self.rng.uniform(0.05, 0.3)

    def draw(self, make: Callable[[], Line], until: float) -> Line | None:
        """Draws up to 30 lines and returns the first that is new and can be said before `until`, if any."""
        for _ in range(30):
            line = make()
            said = any(line[0] == sentence.text for sentence in self.sentences[-6:])
            if not said and self.time + self.seconds(line[0]) <= until:
                return line
        return None

    def name(self, step: Step, until: float) -> None:
        """Says what is done, in the shortest way if there is little time."""
        line = self.draw(functools.partial(naming, step, self.rng), until)
        self.say(line or (f"{step.verb} the {step.object}", ""), step.start - 1.0)

    def chat(self, until: float, share: float = 1.0) -> bool:
        """Says something about nothing, in a `share` of the cases, if there is time before `until`."""
        line = self.draw(lambda: (chatter(self.rng, NEUTRAL), ""), until)
        if line is None or self.rng.random() >= share:
            return False
        self.say(line)
        return True


def _narrate_short(video: Video) -> list[Sentence]:
    """Speech about the steps or about nothing, then a sentence with a tone; half of the time another one before."""
    rng = video.random(Stream.SPEECH)
    speaker, lines = _Speaker(rng), TONES[video.tone]
    before, last = (_filled(lines[place], rng) for place in rng.permutation(len(lines))[:2])
    final = min(video.duration - 0.1 - speaker.seconds(last), video.chapters[0].outcome.start + rng.uniform(-0.4, 0.4))
    if video.speech == "named":
        for left, step in zip(reversed(range(len(video.steps))), video.steps, strict=True):
            speaker.name(step, final - 0.1 - 2.2 * left)  # leaves time to name the next one
    if rng.random() < 0.5 and speaker.time + speaker.seconds(before) < final - 0.1:
        speaker.say((before, ""), rng.uniform(0.1, final - 0.1 - speaker.seconds(before)))
    while speaker.chat(final - 0.1):
        pass
    speaker.say((last, ""), final)
    return speaker.sentences


def _narrate_long(video: Video) -> list[Sentence]:
    """Introductions of chapters, sentences that name some of the steps, and chatter."""
    rng = video.random(Stream.SPEECH)
    speaker = _Speaker(rng)
    for chapter in video.chapters:
        speaker.time = max(speaker.time, chapter.start + 0.2)
        if rng.random() < INTRODUCED:
            speaker.say((_introduction(chapter, rng), ""))
        for step in chapter.steps:
            speaker.time = max(speaker.time, step.start - 0.8)
            named = rng.random() < NAMED
            for _ in range(4):
                if named and rng.random() < 0.6:
                    speaker.name(step, step.end)
                else:
                    speaker.chat(step.end, 0.7)
                if speaker.time > step.end - 1.5:
                    break
                speaker.time += rng.uniform(0.2, 2.0)
    return [sentence for sentence in speaker.sentences if sentence.end < video.duration]


def _introduction(chapter: Chapter, rng: np.random.Generator) -> str:
    return commentary.pick(INTRODUCTIONS, rng).format(title=chapter.title.lower())


def _filled(line: str, rng: np.random.Generator) -> str:
    return chatter(rng, (line,))
