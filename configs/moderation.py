"""What is not safe to show, in windows of three seconds, from a pretrained run; launch/moderate.py acts on it.

    python launch/main.py --config=configs/moderation.py:runs/demo --workdir=runs/moderation \\
        --config.data.videos=DIR --config.task.labels=DIR/unsafe.csv

Hardware: two CPU cores, or one accelerator. From the pretrained run of `make applications`, its corpus takes three
minutes on one core: mean average precision 0.61, of 29 unsafe windows among 1,077.

The config's argument is the workdir of the run to start from, whose `prepare`, `data` and `model` it has. The labels
are a file or folder in any format of annotations, with the seconds of each unsafe act; what no row names is safe, and
so are videos without a row. `--config.task.window=` fits the length of windows to the acts: a window shows an act if
half of the one lies in the other.
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import ClassificationConfig, EventScoresConfig


def get_config(start: str = "runs/demo") -> ConfigDict:
    """The config of a run that starts from the one in `start`. Raises ConfigError if there is none."""
    task = ClassificationConfig(multiple=True, unlabelled=True, window=3.0, labelled_share=0.5)
    config = config_lib.to_config_dict(config_lib.classifier(start, task, "map", {"events": EventScoresConfig()}))
    config.data.max_sequences = 16  # windows of a row: they are short, and few of them are unsafe
    return config
