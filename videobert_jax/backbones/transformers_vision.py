"""Any vision model of `transformers`, from a folder written by `save_pretrained`; needs torch.

The folder holds `config.json`, `preprocessor_config.json` and the weights as `safetensors`. Frames are preprocessed by
the image processor that the folder names.

A model with `num_frames` in its config (VideoMAE, TimeSformer, ViViT) sees a clip as that many evenly spaced frames. An
image model (ViT, DINOv2, ResNet, the vision half of CLIP) sees three, whose features are averaged, so it sees no
motion. The feature is the pooled output, or the mean of the last hidden states if the model or its weights lack a
pooler.

Frames are squares of `prepare.image_size`; best set it to the size that the processor resizes to.
"""

import contextlib
import dataclasses
import importlib.util
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from videobert_jax.backbones.backbone import IMAGE_MOMENTS, Embed, ForeignBackbone, require_frames
from videobert_jax.errors import ConfigError

NAME = "transformers"
FILES = ("config.json", "preprocessor_config.json", "*.safetensors")
LOCAL = {"local_files_only": True, "trust_remote_code": False}  # no downloads, no code from the folder


@dataclasses.dataclass(frozen=True)
class Embedder:
    """Calls a model of `transformers` on clips."""

    process: Callable[[np.ndarray], np.ndarray]  # RGB uint8 [n, H, W, 3] to pixels float32 [n, C, h, w]
    # Pixels [N, C, h, w], or [N, T, C, h, w] for a video model, to the model's outputs by name.
    network: Callable[[np.ndarray], Mapping[str, np.ndarray]]
    num_frames: int | None  # T of a video model; None for an image model

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """RGB clips uint8 [N, T, H, W, 3] to float32 features [N, D]."""
        chosen = clips[:, moments(clips.shape[1], self.num_frames or IMAGE_MOMENTS)]
        pixels = self.process(chosen.reshape(-1, *clips.shape[2:]))
        if self.num_frames:
            pixels = pixels.reshape(len(clips), self.num_frames, *pixels.shape[1:])
        pooled = pool(self.network(pixels))
        return pooled.reshape(len(clips), -1, pooled.shape[1]).mean(axis=1, dtype=np.float32)


def moments(frames: int, count: int) -> np.ndarray:
    """Indices of the middle frames of `count` equal parts of a clip of `frames` frames."""
    return (np.arange(count) * 2 + 1) * frames // (2 * count)


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
    folder = pathlib.Path(weights)
    if not weights or not folder.is_dir():
        raise ConfigError(
            f"config.prepare.backbone_weights is {weights!r}, not a folder; backbone {NAME} needs one "
            "written by save_pretrained of a model and of its image processor"
        )
    if lacking := [name for name in FILES if not any(folder.glob(name))]:
        raise ConfigError(
            f"config.prepare.backbone_weights is {weights!r}, which has no {lacking[0]}; expected a folder "
            "written by save_pretrained of a model and of its image processor"
        )
    require_frames(NAME, frames, _num_frames(_config(folder)) or IMAGE_MOMENTS)


def _config(folder: pathlib.Path) -> Any:
    from transformers import AutoConfig  # takes seconds to import

    try:
        return AutoConfig.from_pretrained(folder, **LOCAL)
    except Exception as error:  # transformers raises many types, depending on the content
        raise ConfigError(f"{folder / 'config.json'} is not a valid transformers config: {error}") from error


def _num_frames(config: Any) -> int | None:
    frames = getattr(config, "num_frames", None)
    return frames if isinstance(frames, int) else None


def load(weights: str) -> Embed:
    """Loads the model in a folder, on one core, and tests it. Raises ValueError if it cannot be used."""
    try:
        embedder = _read(weights)
        embedder(np.zeros((1, embedder.num_frames or IMAGE_MOMENTS, 32, 32, 3), np.uint8))
    except Exception as error:  # as above
        raise ValueError(f"{weights} is not a working transformers vision model: {error}") from error
    return embedder


def _read(weights: str) -> Embedder:
    import torch
    import transformers

    with _quiet(transformers.utils.logging):
        processor = transformers.AutoImageProcessor.from_pretrained(weights, backend="pil", **LOCAL)
        whole, report = transformers.AutoModel.from_pretrained(
            weights, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **LOCAL
        )
    model = getattr(whole, "vision_model", whole).eval()
    if model.main_input_name != "pixel_values":
        raise ValueError(f"it takes {model.main_input_name}, not pixel_values")
    unpooled = {name for name in report["missing_keys"] if "pooler" in name}  # missing in models with other heads
    if missing := sorted(report["missing_keys"] - unpooled):
        raise ValueError(f"the weights lack {missing[0]}")

    def network(pixels: np.ndarray) -> Mapping[str, np.ndarray]:
        with _one_thread(torch), torch.inference_mode():
            outputs = model(pixel_values=torch.from_numpy(pixels))
        names = ("last_hidden_state",) if unpooled else ("last_hidden_state", "pooler_output")
        return {name: outputs[name].numpy() for name in names if outputs.get(name) is not None}

    def process(frames: np.ndarray) -> np.ndarray:
        pixels = processor(list(frames), return_tensors="np")["pixel_values"]
        return pixels.reshape(-1, *pixels.shape[-3:]).astype(np.float32)  # video processors return [1, n, C, h, w]

    return Embedder(process, network, _num_frames(model.config))


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


TRANSFORMERS = ForeignBackbone(name=NAME, check=check, load=load)
