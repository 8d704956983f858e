"""Any vision model of `transformers`, from a folder that `save_pretrained` wrote; torch runs it, where it is installed.

The folder holds `config.json`, `preprocessor_config.json` and the weights as `safetensors`. Its preprocessing is bound
to it: frames go through the image processor of `transformers` that it names.

A model with `num_frames` in its config (VideoMAE, TimeSformer, ViViT) sees a clip as so many frames, evenly spaced. One
of images (ViT, DINOv2, ResNet, the vision half of CLIP) sees three, whose features are averaged, and so not what moves.
The feature is the pooled output, or the mean of the last hidden states where there is none or no weights for it.

Frames come as squares of `prepare.image_size`, which had best be the size that the processor resizes to.
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
LOCAL = {"local_files_only": True, "trust_remote_code": False}  # nothing is downloaded, no code of a folder is run


@dataclasses.dataclass(frozen=True)
class Embedder:
    """Calls a model of `transformers` on clips.

    Attributes:
      process: RGB frames uint8 [n, H, W, 3] to the pixels float32 [n, C, h, w] that the model was trained on.
      network: pixels, [N, C, h, w] or of a video model [N, T, C, h, w], to the outputs by name, arrays.
      num_frames: T of a video model; None for one of images.
    """

    process: Callable[[np.ndarray], np.ndarray]
    network: Callable[[np.ndarray], Mapping[str, np.ndarray]]
    num_frames: int | None

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Float32 features [N, D] of RGB clips uint8 [N, T, H, W, 3]."""
        chosen = clips[:, moments(clips.shape[1], self.num_frames or IMAGE_MOMENTS)]
        pixels = self.process(chosen.reshape(-1, *clips.shape[2:]))
        if self.num_frames:
            pixels = pixels.reshape(len(clips), self.num_frames, *pixels.shape[1:])
        pooled = pool(self.network(pixels))
        return pooled.reshape(len(clips), -1, pooled.shape[1]).mean(axis=1, dtype=np.float32)


def moments(frames: int, count: int) -> np.ndarray:
    """The middle frames of `count` equal parts of a clip of so many frames."""
    return (np.arange(count) * 2 + 1) * frames // (2 * count)


def pool(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Features [N, D] of a model's outputs.

    These are `pooler_output`, [N, D] or [N, D, 1, 1], or the mean of `last_hidden_state`, [N, L, D] or [N, D, H, W].
    """
    if "pooler_output" in outputs:
        return outputs["pooler_output"].reshape(len(outputs["pooler_output"]), -1)
    states = outputs["last_hidden_state"]
    return states.mean(axis=1) if states.ndim == 3 else states.mean(axis=(2, 3))


def check(frames: int, image_size: int, weights: str) -> None:
    """Raises ConfigError if torch or a file of the model is missing, or if clips are shorter than the model needs."""
    del image_size
    if importlib.util.find_spec("torch") is None:
        raise ConfigError(f"backbone {NAME} needs torch, which is not installed: pip install torch")
    folder = pathlib.Path(weights)
    if not weights or not folder.is_dir():
        raise ConfigError(
            f"config.prepare.backbone_weights is {weights!r}, not a folder; backbone {NAME} needs one that "
            "save_pretrained of a model and of its image processor wrote"
        )
    if lacking := [name for name in FILES if not any(folder.glob(name))]:
        raise ConfigError(
            f"config.prepare.backbone_weights is {weights!r}, which has no {lacking[0]}; expected a folder that "
            "save_pretrained of a model and of its image processor wrote"
        )
    require_frames(NAME, frames, _num_frames(_config(folder)) or IMAGE_MOMENTS)


def _config(folder: pathlib.Path) -> Any:
    from transformers import AutoConfig  # takes seconds to import

    try:
        return AutoConfig.from_pretrained(folder, **LOCAL)
    except Exception as error:  # which of many depends on the content
        raise ConfigError(f"{folder / 'config.json'} is no config of transformers: {error}") from error


def _num_frames(config: Any) -> int | None:
    frames = getattr(config, "num_frames", None)
    return frames if isinstance(frames, int) else None


def load(weights: str) -> Embed:
    """The model in a folder, on one core, having been tried. Raises ValueError for one that cannot be used."""
    try:
        embedder = _read(weights)
        embedder(np.zeros((1, embedder.num_frames or IMAGE_MOMENTS, 32, 32, 3), np.uint8))
    except Exception as error:  # as above
        raise ValueError(f"{weights} is no vision model of transformers that works: {error}") from error
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
    unpooled = {name for name in report["missing_keys"] if "pooler" in name}  # left out by models with other heads
    if missing := sorted(report["missing_keys"] - unpooled):
        raise ValueError(f"the weights lack {missing[0]}")

    def network(pixels: np.ndarray) -> Mapping[str, np.ndarray]:
        with _one_thread(torch), torch.inference_mode():
            outputs = model(pixel_values=torch.from_numpy(pixels))
        names = ("last_hidden_state",) if unpooled else ("last_hidden_state", "pooler_output")
        return {name: outputs[name].numpy() for name in names if outputs.get(name) is not None}

    def process(frames: np.ndarray) -> np.ndarray:
        pixels = processor(list(frames), return_tensors="np")["pixel_values"]
        return pixels.reshape(-1, *pixels.shape[-3:]).astype(np.float32)  # one of videos takes all frames for one clip

    return Embedder(process, network, _num_frames(model.config))


@contextlib.contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Keeps transformers silent; the settings of the process come back."""
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
    """Keeps torch on one core, so that features do not depend on how many there are; the setting comes back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


TRANSFORMERS = ForeignBackbone(name=NAME, check=check, load=load)
