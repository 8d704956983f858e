"""The eight verbs and their usual speeds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from videobert_jax.kitchen.blades import cut, grate, peel
from videobert_jax.kitchen.motion import Action, Clock
from videobert_jax.kitchen.objects import Food
from videobert_jax.kitchen.tools import Look
from videobert_jax.kitchen.vessels import fry, mash, pour, stir, wash


class Verb(NamedTuple):
    """The function that builds an action, and the usual period of one stroke in seconds."""

    make: Callable[[Food, Look, Clock, np.random.Generator], Action]
    period: float


ACTIONS: dict[str, Verb] = {
    "cut": Verb(cut, 0.7),
    "pour": Verb(pour, 1.6),
    "stir": Verb(stir, 1.3),
    "fry": Verb(fry, 0.8),
    "peel": Verb(peel, 1.0),
    "grate": Verb(grate, 0.7),
    "mash": Verb(mash, 0.8),
    "wash": Verb(wash, 0.9),
}

VERBS: tuple[str, ...] = tuple(ACTIONS)
