"""Question answering about videos, by one of a closed set of answers, from a pretrained run.

    python launch/main.py --config=configs/answering.py:runs/demo --workdir=runs/answering \\
        --config.data.videos=DIR --config.task.questions=DIR

Hardware: two CPU cores, or one accelerator. From the pretrained run of `make applications`, 1,500 steps on its corpus
take nine minutes on one core: 0.65 of the answers are right, 0.22 by the commonest answer to each wording.

The config's argument is the workdir of the run to start from, whose `prepare`, `data` and `model` it has. Questions and
answers are files of MSRVTT-QA or of ActivityNet-QA. `--config.task.inputs=words` reads the questions alone.
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import AnsweringConfig, AnsweringScoresConfig


def get_config(start: str = "runs/demo") -> ConfigDict:
    """The config of a run that starts from the one in `start`. Raises ConfigError if there is none."""
    evaluators = {"answering": AnsweringScoresConfig(every=100)}
    config = config_lib.to_config_dict(config_lib.fine_tuned(start, AnsweringConfig(), evaluators))
    config.data.max_sequences = 4  # questions of a row
    config.data.batch_size = 16
    config.model.dropout = 0.1
    config.steps = 800
    config.optimizer.warmup_steps = 50
    config.checkpoint.every = 100
    config.checkpoint.metric = "answering/accuracy"
    config.checkpoint.best = "highest"
    config.checkpoint.used = "best"
    return config
