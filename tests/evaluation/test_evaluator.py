import dataclasses
import pathlib
import pkgutil

import numpy as np
import pytest
from cloze_corpus import TOKENS

from videobert_jax.config import EVALUATORS, TASKS, Config, HeldOutConfig, ModelConfig, RetrievalScoresConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError, UserError
from videobert_jax.evaluation import evaluator
from videobert_jax.inference.model import Model
from videobert_jax.model.trunk import Trunk
from videobert_jax.tasks import make_task

CONFIG = Config(model=ModelConfig(num_layers=1, hidden_size=8, num_heads=2, mlp_size=16))
PRETRAINING = make_task(CONFIG, TOKENS)
WITHOUT_PREDICTIONS = dataclasses.replace(PRETRAINING, network=Trunk(CONFIG.model, TOKENS))


@pytest.mark.parametrize(
    "name",
    [
        *(kind.make for kind in TASKS.values()),
        *(kind.evaluate for kind in EVALUATORS.values()),
        *(kind.build for kind in EVALUATORS.values() if kind.build),
    ],
)
def test_what_a_section_names_is_a_function(name: str) -> None:
    assert callable(pkgutil.resolve_name(name))


def test_an_evaluator_that_cannot_judge_a_task_is_named_before_anything_is_trained(tmp_path: pathlib.Path) -> None:
    """Zero-shot answers run at the end, which may be days from now."""
    prepared = Prepared(tmp_path)
    assert evaluator.for_training(CONFIG, PRETRAINING, prepared).keys() == {"held_out", "use_of_video"}
    message = (
        r"config\.evaluators has use_of_video, which needs a network that reads prediction_positions; that of config"
    )
    with pytest.raises(ConfigError, match=message):
        evaluator.for_training(CONFIG, WITHOUT_PREDICTIONS, prepared)
    config = dataclasses.replace(CONFIG, evaluators={"held_out": HeldOutConfig()})
    assert evaluator.for_training(config, WITHOUT_PREDICTIONS, prepared).keys() == {"held_out"}


def test_a_model_that_predicts_no_words_says_so(tmp_path: pathlib.Path) -> None:
    model = Model(CONFIG, WITHOUT_PREDICTIONS, {}, Prepared(tmp_path))
    with pytest.raises(UserError, match=r"config\.task\.name='pretraining' and predicts no words; load one that does"):
        model.fill_batch({}, np.ones(TOKENS.padded_size, bool))


def test_files_that_an_evaluator_needs_are_looked_for_before_training(tmp_path: pathlib.Path) -> None:
    section = RetrievalScoresConfig(same=f"{tmp_path}; {tmp_path / 'gone.csv'}")
    with pytest.raises(ConfigError, match=r"config.evaluators.retrieval.same names '.*gone.csv', expected a file"):
        evaluator.require_files("retrieval", section)
    evaluator.require_files("retrieval", RetrievalScoresConfig(same=str(tmp_path)))
