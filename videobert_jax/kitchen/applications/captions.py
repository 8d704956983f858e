"""Five captions of every step, from general to exact."""

from typing import Any

import numpy as np

from videobert_jax.kitchen.applications.plan import Step, Stream, Surroundings, Video
from videobert_jax.kitchen.commentary import gerund, pick

THIRD = {"fry": "fries", "mash": "mashes", "wash": "washes"}  # other verbs add an s
PARTICIPLES = {"cut": "cut", "stir": "stirred", "fry": "fried", "grate": "grated"}  # other verbs add -ed
PREPOSITIONS = {"kitchen": "in", "garden": "in", "beach": "on"}  # other places: at
NUMBERS = ("", "one", "two", "three", "four", "five")
WITH = {"pan": "in a pan", "tap": "under the tap", "jug": "out of a jug", "bottle": "out of a bottle"}

FORMS: tuple[tuple[str, ...], ...] = (
    (  # action and food
        "someone {vs} {a}", "a person is {ving} {a}", "{a} is being {ved}", "the cook {vs} {a}", "{ving} {a}",
        "{v} the {o}", "hands that {v} {a}", "a video of {ving} {a}",
    ),
    (  # little
        "someone is busy {place}", "food is prepared {place}", "a cook at work {place}",
        "something is being {ved}", "someone {vs} something {place}", "somebody works with {a}",
    ),
    (  # tool
        "someone {vs} {a} {tool}", "{a} is {ved} {tool}", "the {o} is being {ved} {tool} by a cook",
        "a person {vs} the {o} {tool}",
    ),
    (  # colours
        "{a} is {ved} on a {mat} mat", "a cook in {sleeve} sleeves {vs} {a}", "on the {mat} mat someone {vs} {a}",
        "a person with {sleeve} sleeves is {ving} {a} on a {mat} mat", "hands in {sleeve} sleeves {v} the {o}",
    ),
    (  # everything
        "{place} someone in {sleeve} sleeves {vs} {a} {tool} while {number} {stand} beside the {mat} mat",
        "{a} is {ved} {tool} on a {mat} mat {place} next to {number}",
        "a cook {vs} {a} {tool} and there {are} {number} beside the {mat} mat",
        "with {number} at the side the {o} is {ved} {tool} on a {mat} mat",
    ),
)  # fmt: skip


def third(verb: str) -> str:
    """What someone does to a food: cuts, fries, mashes."""
    return THIRD.get(verb, f"{verb}s")


def participle(verb: str) -> str:
    """What is done to a food: cut, fried, mashed."""
    return PARTICIPLES.get(verb, f"{verb}ed")


def verb_forms(verb: str) -> dict[str, str]:
    """The forms that FORMS names. What is poured is a sauce, over the food."""
    if verb == "pour":
        return {
            "v": "pour sauce over", "vs": "pours sauce over", "ving": "pouring sauce over", "ved": "covered with sauce"
        }  # fmt: skip
    return {"v": verb, "vs": third(verb), "ving": gerund(verb), "ved": participle(verb)}


def article(food: str) -> str:
    """The food with its indefinite article."""
    return f"some {food}" if food in ("bread", "cheese") else f"an {food}" if food[0] in "aeiou" else f"a {food}"


def located(place: str) -> str:
    """The place with its preposition: in the kitchen, on the beach."""
    return f"{PREPOSITIONS.get(place, 'at')} the {place}"


def counted(item: str, number: int) -> str:
    """The items and how many: one cup, three eggs."""
    return f"{NUMBERS[number]} {item}{'s' * (number > 1)}"


def describe(step: Step, around: Surroundings, rng: np.random.Generator) -> list[str]:
    """Returns one caption of each of the five forms, lower case without a full stop."""
    words = {
        **verb_forms(step.verb),
        "o": step.object, "a": article(step.object), "tool": WITH.get(step.tool, f"with a {step.tool}"),
        "place": located(around.place), "mat": around.mat, "sleeve": around.sleeve,
        "number": counted(around.item, around.number), "stand": "stands" if around.number == 1 else "stand",
        "are": "is" if around.number == 1 else "are",
    }  # fmt: skip
    return [pick(form, rng).format(**words) for form in FORMS]


def annotation(video: Video) -> dict[str, Any]:
    """Returns the entry of one video in YouCook2's `database`: five captions of each step."""
    rng = video.random(Stream.CAPTIONS)
    captions = [
        {"segment": [step.start, step.end], "sentence": sentence}
        for chapter in video.chapters
        for step in chapter.steps
        for sentence in describe(step, chapter.surroundings, rng)
    ]
    return {
        "duration": video.duration,
        "subset": video.split,
        "recipe_type": video.kind,
        "annotations": [{"id": number, **caption} for number, caption in enumerate(captions)],
    }
