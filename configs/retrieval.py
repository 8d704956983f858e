"""Retrieval of segments of video by text and of texts by video, from a pretrained run.

    python launch/main.py --config=configs/retrieval.py:runs/demo --workdir=runs/retrieval --config.data.videos=DIR

Hardware: two CPU cores, or one accelerator. From the pretrained run of `make applications`, 300 steps on its corpus
take four minutes on one core: recall at 1 of a segment with the same action and food 0.53, at 10 0.96; R1@.5 of moments
0.80.

The config's argument is the workdir of the run to start from, whose `prepare`, `data` and `model` it has. Captions of
the training videos are the texts to learn from.

`--config.evaluators.moments.moments=DIR/moments.jsonl` also evaluates how well moments of long videos are found
(docs/moments.md).
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import MomentScoresConfig, RetrievalConfig, RetrievalScoresConfig


def get_config(start: str = "runs/demo") -> ConfigDict:
    """The config of a run that starts from the one in `start`. Raises ConfigError if there is none."""
    evaluators = {"retrieval": RetrievalScoresConfig(every=100), "moments": MomentScoresConfig()}
    config = config_lib.to_config_dict(config_lib.fine_tuned(start, RetrievalConfig(), evaluators))
    config.data.max_sequences = 8  # four texts and four segments a row
    config.data.batch_size = 32
    config.model.dropout = 0.1
    config.steps = 500
    config.optimizer.warmup_steps = 50
    config.checkpoint.every = 100
    config.checkpoint.metric = "retrieval/text_to_video/recall_at_10"
    config.checkpoint.best = "highest"
    config.checkpoint.used = "best"
    return config
