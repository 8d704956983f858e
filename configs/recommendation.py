"""Recommendation of the next video of a viewer, of new videos too, from a pretrained run.

    python launch/main.py --config=configs/recommendation.py:runs/demo --workdir=runs/recommendation \\
        --config.data.videos=DIR --config.task.histories=DIR/histories.csv

Hardware: two CPU cores, or one accelerator. From the pretrained run of `make applications`, its corpus takes five
minutes on one core with 32 viewers a step: nDCG@10 on validation 0.08, by popularity 0.05.

The config's argument is the workdir of the run to start from, whose `prepare`, `data` and `model` it has. Histories are
a table of user, item (the name of a video) and timestamp, as MicroLens has it.
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import RecommendationConfig, RecommendationScoresConfig


def get_config(start: str = "runs/demo") -> ConfigDict:
    """The config of a run that starts from the one in `start`. Raises ConfigError if there is none."""
    evaluators = {"recommendation": RecommendationScoresConfig(every=100)}
    config = config_lib.to_config_dict(config_lib.fine_tuned(start, RecommendationConfig(), evaluators))
    config.data.max_sequences = 8  # the next video and seven before it
    config.data.batch_size = 64  # viewers, whose next videos are compared
    config.model.dropout = 0.1
    config.steps = 300
    config.optimizer.warmup_steps = 30
    config.checkpoint.every = 100
    config.checkpoint.metric = "recommendation/model/ndcg_at_10"
    config.checkpoint.best = "highest"
    config.checkpoint.used = "best"
    return config
