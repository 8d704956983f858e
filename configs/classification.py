"""Classification of segments of video, from a pretrained run: actions, sentiment, what is not safe to show.

    python launch/main.py --config=configs/classification.py:runs/demo --workdir=runs/action \\
        --config.data.videos=DIR --config.task.labels=DIR/action.csv

The config's argument is the workdir of the run to start from, whose `prepare`, `data` and `model` it has. The labels
are a file or folder in any format of annotations, such as Kinetics' table; without them, captions are the labels.

`--config.init_from=` trains from scratch, `--config.task.frozen=True` the head alone; `--config.task.inputs=video` or
`words` reads one modality; `--config.task.multiple=True` allows a segment several labels.
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import ClassificationConfig, ClassificationScoresConfig


def get_config(start: str = "runs/demo") -> ConfigDict:
    """The config of a run that starts from the one in `start`. Raises ConfigError if there is none."""
    evaluators = {"classification": ClassificationScoresConfig(every=50)}
    config = config_lib.to_config_dict(config_lib.fine_tuned(start, ClassificationConfig(), evaluators))
    config.data.max_sequences = 4  # examples of a row
    config.data.batch_size = 16
    config.model.dropout = 0.1
    config.steps = 400
    config.optimizer.learning_rate = 5e-4
    config.optimizer.warmup_steps = 40
    config.optimizer.layer_decay = 0.8
    config.checkpoint.every = 50
    config.checkpoint.metric = "classification/macro_f1"
    config.checkpoint.best = "highest"
    config.checkpoint.used = "best"
    return config
