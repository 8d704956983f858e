"""Classification of segments of video, from a pretrained run; configs/sentiment.py and moderation.py are special cases.

    python launch/main.py --config=configs/classification.py:runs/demo --workdir=runs/action \\
        --config.data.videos=DIR --config.task.labels=DIR/action.csv

Hardware: two CPU cores, or one accelerator. From the pretrained run of `make applications`, its actions take a minute
on one core, accuracy 1.00; the foods of a video, 80 s, mean average precision 0.63.

The config's argument is the workdir of the run to start from, whose `prepare`, `data` and `model` it has. The labels
are a file or folder in any format of annotations, such as Kinetics' table; without them, captions are the labels.

`--config.init_from=` trains from scratch, `--config.task.frozen=True` the head alone; `--config.task.inputs=video` or
`words` reads one modality; `--config.task.multiple=True` allows a segment several labels.
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import ClassificationConfig


def get_config(start: str = "runs/demo") -> ConfigDict:
    """The config of a run that starts from the one in `start`. Raises ConfigError if there is none."""
    return config_lib.to_config_dict(config_lib.classifier(start, ClassificationConfig(), "macro_f1"))
