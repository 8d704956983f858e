"""Sentiment of whole videos, good, bad or mixed, by what is seen and what is said, from a pretrained run.

    python launch/main.py --config=configs/sentiment.py:runs/demo --workdir=runs/sentiment \\
        --config.data.videos=DIR --config.task.labels=DIR/sentiment.csv

Hardware: two CPU cores, or one accelerator. From the pretrained run of `make applications`, its corpus takes two and a
half minutes on one core: macro F1 0.95, from scratch 0.65.

The config's argument is the workdir of the run to start from, whose `prepare`, `data` and `model` it has. The labels
are a file or folder in any format of annotations; each span that they name has one of the classes. For other classes,
set `--config.task.classes="1 star;2 stars"`, or `--config.task.classes=` to take them from the labels.
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import ClassificationConfig


def get_config(start: str = "runs/demo") -> ConfigDict:
    """The config of a run that starts from the one in `start`. Raises ConfigError if there is none."""
    task = ClassificationConfig(classes="good;bad;mixed", inputs="both")
    return config_lib.to_config_dict(config_lib.classifier(start, task, "macro_f1"))
