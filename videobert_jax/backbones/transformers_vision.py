"""Any vision model of `transformers`, from a folder like its repository on a hub; needs torch, but not torchvision.

The folder holds `config.json`, the JSON of the image or video processor (see `pixels`), and the weights as
`safetensors`. A snapshot of the repository has them, and so has what `save_pretrained` of the model and of its
processor writes.

A model with `num_frames` (VideoMAE, TimeSformer, ViViT, VideoPrism) or `frames_per_clip` (V-JEPA 2) in its config sees
a clip as that many evenly spaced frames; shorter clips are refused, not stretched. An image model (ViT, DINOv2, DINOv3,
the vision half of CLIP) sees three, whose features are averaged, so it sees no motion. The feature is the pooled
output, or the mean of the last hidden states if the model or its weights lack a pooler.

Frames are squares of `prepare.image_size`; best set it to the size that the processor resizes to.
"""

import contextlib
import dataclasses
import importlib.util
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from videobert_jax.backbones import pixels
from videobert_jax.backbones.backbone import IMAGE_MOMENTS, Embed, ForeignBackbone, moments, require_frames
from videobert_jax.errors import ConfigError

NAME = "transformers"
LOCAL = {"local_files_only": True, "trust_remote_code": False}  # no downloads, no code from the folder
FRAME_COUNTS = ("num_frames", "frames_per_clip")  # names in the configs of video models
INPUTS = ("pixel_values", "pixel_values_videos")
HALVES = ("vision_model", "video_model")  # the part that sees, of models that also read
# V-JEPA 2 has a second network, which predicts states; the features are the first one's.
ARGUMENTS: dict[str, dict[str, Any]] = {"vjepa2": {"skip_predictor": True}}
UNUSED = "predictor."  # weights that may be missing
EXPECTED = "expected a model's folder, such as a snapshot of its repository"


@dataclasses.dataclass(frozen=True)
class Embedder:
    """Calls a model of `transformers` on clips."""

    process: pixels.Preprocessor
    # Pixels [N, C, h, w], or [N, T, C, h, w] for a video model, to the model's outputs by name.
    network: Callable[[np.ndarray], Mapping[str, np.ndarray]]
    num_frames: int | None  # T of a video model; None for an image model

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """RGB clips uint8 [N, T, H, W, 3] to float32 features [N, D]."""
        chosen = clips[:, moments(clips.shape[1], self.num_frames or IMAGE_MOMENTS)]
        images = self.process(chosen.reshape(-1, *clips.shape[2:]))
        if self.num_frames:
            images = images.reshape(len(clips), self.num_frames, *images.shape[1:])
        pooled = pool(self.network(images))
        return pooled.reshape(len(clips), -1, pooled.shape[1]).mean(axis=1, dtype=np.float32)


def pool(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pools a model's outputs to features [N, D].

    Takes `pooler_output`, [N, D] or [N, D, 1, 1], else the mean of `last_hidden_state`, [N, L, D] or [N, D, H, W].
    """
    if "pooler_output" in outputs:
        return outputs["pooler_output"].reshape(len(outputs["pooler_output"]), -1)
    states = outputs["last_hidden_state"]
    return states.mean(axis=1) if states.ndim == 3 else states.mean(axis=(2, 3))


def check(frames: int, image_size: int, weights: str) -> None:
    """Raises ConfigError if torch or a file of the model is missing, or if clips are too short for the model."""
    del image_size
    if importlib.util.find_spec("torch") is None:
        raise ConfigError(f"backbone {NAME} needs torch, which is not installed: pip install torch")
    least, _ = suits(weights)
    require_frames(NAME, frames, least)


def suits(weights: str) -> tuple[int, int]:
    """The frames that the model in a folder sees, and the side that its processor resizes to. Raises ConfigError."""
    folder = pathlib.Path(weights)
    if not weights or not folder.is_dir():
        raise ConfigError(f"config.prepare.backbone_weights is {weights!r}, not a folder; {EXPECTED}")
    processor = pixels.find(folder)
    missing = [name for name in ("config.json", "*.safetensors") if not any(folder.glob(name))]
    missing += [] if processor else [" or ".join(pixels.FILES)]
    if missing or not processor:
        raise ConfigError(f"config.prepare.backbone_weights is {weights!r}, which has no {missing[0]}; {EXPECTED}")
    try:
        side = pixels.read(processor).side
    except (OSError, ValueError) as error:
        raise ConfigError(f"{processor} cannot be followed: {error}") from error
    return _num_frames(_config(folder)) or IMAGE_MOMENTS, side


def _config(folder: pathlib.Path) -> Any:
    from transformers import AutoConfig  # takes seconds to import

    try:
        return AutoConfig.from_pretrained(folder, **LOCAL)
    except Exception as error:  # transformers raises many types, depending on the content
        raise ConfigError(f"{folder / 'config.json'} is not a valid transformers config: {error}") from error


def _num_frames(config: Any) -> int | None:
    seeing = getattr(config, "vision_config", config)
    counts = (getattr(seeing, name, None) for name in FRAME_COUNTS)
    return next((count for count in counts if isinstance(count, int)), None)


def load(weights: str) -> Embed:
    """Loads the model in a folder, on one core, and tests it. Raises ValueError if it cannot be used."""
    try:
        embedder = _read(pathlib.Path(weights))
        embedder(np.zeros((1, embedder.num_frames or IMAGE_MOMENTS, *[embedder.process.side] * 2, 3), np.uint8))
    except Exception as error:  # as above
        raise ValueError(f"{weights} is not a working transformers vision model: {error}") from error
    return embedder


def _read(folder: pathlib.Path) -> Embedder:
    import torch
    import transformers

    processor = pixels.find(folder)
    if processor is None:
        raise ValueError(f"it has no {' or '.join(pixels.FILES)}")
    with _quiet(transformers.utils.logging):
        whole, report = transformers.AutoModel.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **LOCAL
        )
    model = next((getattr(whole, half) for half in HALVES if hasattr(whole, half)), whole).eval()
    if model.main_input_name not in INPUTS:
        raise ValueError(f"it takes {model.main_input_name}, not pixel_values")
    unpooled = {name for name in report["missing_keys"] if "pooler" in name}  # missing in models with other heads
    if missing := sorted(name for name in report["missing_keys"] - unpooled if not name.startswith(UNUSED)):
        raise ValueError(f"the weights lack {missing[0]}")
    arguments = ARGUMENTS.get(model.config.model_type, {})

    def network(images: np.ndarray) -> Mapping[str, np.ndarray]:
        with _one_thread(torch), torch.inference_mode():
            outputs = model(**{model.main_input_name: torch.from_numpy(images)}, **arguments)
        names = ("last_hidden_state",) if unpooled else ("last_hidden_state", "pooler_output")
        return {name: outputs[name].numpy() for name in names if outputs.get(name) is not None}

    return Embedder(pixels.read(processor), network, _num_frames(model.config))


@contextlib.contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Silences transformers, then restores the settings of the process."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Limits torch to one core, so that features do not depend on the number of cores; then restores the setting."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


TRANSFORMERS = ForeignBackbone(name=NAME, check=check, load=load, suits=suits)
