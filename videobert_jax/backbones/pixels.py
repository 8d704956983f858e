"""Frames to the pixels that a model of `transformers` wants, from the JSON of its image or video processor.

Processors resize, crop the centre, rescale and normalise, in this order. Many of those in `transformers` need
torchvision, so all of it is done here, with PIL and NumPy. A step that is not done here is refused by the name of its
key.

The pixels equal those of the processors that use PIL, bit for bit. The others interpolate with another rounding: where
they change the size, the pixels differ by about one of the 255 levels of a colour.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

# Each of them may hold the settings; with several, the first counts. The last holds those of a whole processor.
FILES = ("video_preprocessor_config.json", "preprocessor_config.json", "processor_config.json")
PARTS = ("video_processor", "image_processor")  # sections of the last file
TYPES = ("video_processor_type", "image_processor_type", "feature_extractor_type")
STEPS = {
    *("do_resize", "size", "resample", "crop_pct", "do_center_crop", "crop_size"),
    *("do_rescale", "rescale_factor", "offset", "do_normalize", "image_mean", "image_std"),
}
# Keys that change no pixel of RGB frames which are already chosen.
IRRELEVANT = {
    *TYPES,
    *("processor_class", "auto_map", "transformers_version", "model_input_names", "_valid_processor_keys"),
    *("data_format", "input_data_format", "return_tensors", "device", "disable_grouping", "default_to_square"),
    *("do_convert_rgb", "do_sample_frames", "fps", "num_frames", "return_metadata", "video_metadata"),
    *("image_seq_length", "do_reduce_labels", "reduce_labels"),
}
BILINEAR, BICUBIC = int(Image.Resampling.BILINEAR), int(Image.Resampling.BICUBIC)
FILTERS = {int(resampling) for resampling in Image.Resampling}
CONVNEXT_WARPED = 384  # ConvNeXt's processor crops for sizes below, and squeezes the whole frame from there on
VJEPA2_MARGIN = 256 / 224  # V-JEPA 2's resizes to so many times its crop, whatever its `size` says


class Style(NamedTuple):
    """What a type of processor does where its JSON is silent."""

    size: int  # in pixels
    square: bool  # whether a size without names is that of both edges; else of the shortest edge
    crop: int | None  # in pixels
    resample: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    normalize: bool = True


HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
CLIP = Style(224, False, 224, BICUBIC, *OPENAI)
STYLES = {
    "BeitImageProcessor": Style(224, True, None, BICUBIC, *HALF),
    "BitImageProcessor": CLIP,
    "BlipImageProcessor": Style(384, True, None, BICUBIC, *OPENAI),
    "CLIPImageProcessor": CLIP,
    "ChineseCLIPImageProcessor": CLIP,
    "ConvNextImageProcessor": Style(384, False, None, BICUBIC, *HALF),
    "DINOv3ViTImageProcessor": Style(224, True, None, BILINEAR, *IMAGENET),
    "DeiTImageProcessor": Style(256, True, 224, BICUBIC, *HALF),
    "LlavaOnevisionVideoProcessor": Style(384, False, None, BICUBIC, *OPENAI),
    "MobileNetV1ImageProcessor": Style(256, False, 224, BILINEAR, *HALF),
    "PvtImageProcessor": Style(224, True, None, BICUBIC, *IMAGENET),
    "SiglipImageProcessor": Style(224, True, None, BICUBIC, *HALF),
    "TimesformerVideoProcessor": Style(224, False, 224, BILINEAR, *IMAGENET),
    "VJEPA2VideoProcessor": Style(292, False, 256, BILINEAR, *IMAGENET),
    "ViTImageProcessor": Style(224, True, None, BILINEAR, *HALF),
    "VideoMAEImageProcessor": Style(224, False, 224, BILINEAR, *HALF),
    "VideoMAEVideoProcessor": Style(224, False, 224, BILINEAR, *HALF),
    "VideoPrismVideoProcessor": Style(288, True, None, BICUBIC, *OPENAI, normalize=False),
    "VivitImageProcessor": Style(256, False, 224, BILINEAR, *HALF),
    "VivitVideoProcessor": Style(256, False, 224, BILINEAR, *HALF),
}

Size = tuple[int, int] | int  # height and width, or the shortest edge, in pixels


@dataclasses.dataclass(frozen=True)
class Preprocessor:
    """The steps of a processor, resolved."""

    size: Size | None  # to resize to; None: frames keep their size
    resample: int  # the filter, one of `Image.Resampling`
    crop: tuple[int, int] | None  # height and width of the centre to keep; None: all
    values: np.ndarray  # float32 [3, 256]: what each level of each colour becomes

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """RGB uint8 [n, H, W, 3] to float32 [n, 3, h, w]. Raises ValueError if the crop is larger than a frame."""
        small = np.stack([self._cropped(self._resized(frame)) for frame in frames])
        return np.stack([levels[small[..., colour]] for colour, levels in enumerate(self.values)], axis=1)

    @property
    def side(self) -> int:
        """The height of frames that need no resizing, if the steps determine it; else 224."""
        if self.size is None:
            return self.crop[0] if self.crop else 224
        return self.size if isinstance(self.size, int) else self.size[0]

    def _resized(self, frame: np.ndarray) -> np.ndarray:
        if self.size is None:
            return frame
        height, width = self.size if isinstance(self.size, tuple) else _keeping_aspect(frame.shape[:2], self.size)
        return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling(self.resample)))

    def _cropped(self, frame: np.ndarray) -> np.ndarray:
        if self.crop is None:
            return frame
        (height, width), (rows, columns) = self.crop, frame.shape[:2]
        if height > rows or width > columns:
            raise ValueError(f"crop_size is {height} x {width}, and frames have {rows} x {columns} pixels by then")
        top, left = (rows - height) // 2, (columns - width) // 2
        return frame[top : top + height, left : left + width]


def _keeping_aspect(shape: tuple[int, ...], shortest: int) -> tuple[int, int]:
    height, width = shape
    longest = int(shortest * max(height, width) / min(height, width))
    return (longest, shortest) if width <= height else (shortest, longest)


def find(folder: pathlib.Path) -> pathlib.Path | None:
    """Returns the file of a model's folder that describes its processor, or None."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def read(path: pathlib.Path) -> Preprocessor:
    """Reads a file from `find`. Raises OSError, or ValueError that names the key that cannot be followed."""
    try:
        settings = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"it holds {settings!r}, expected an object")
    if path.name == FILES[-1]:
        settings = next((settings[part] for part in PARTS if part in settings), {})
    return resolve(settings)


def resolve(settings: Mapping[str, Any]) -> Preprocessor:
    """Resolves the settings of a processor. Raises ValueError that names the key that cannot be followed."""
    kind = _kind(settings)
    given = {key: value for key, value in settings.items() if value is not None}
    for key in sorted(given.keys() - STEPS - IRRELEVANT):
        if given[key] is not False:
            raise ValueError(f"{key} is {given[key]!r}, a step that is not known here; expected false or nothing")
    resample = given.get("resample", STYLES[kind].resample)
    if resample not in FILTERS:
        raise ValueError(f"resample is {resample!r}, expected one of {sorted(FILTERS)}")
    size, crop = _geometry(given, kind)
    return Preprocessor(size, resample, crop, _values(given, kind))


def _geometry(given: Mapping[str, Any], kind: str) -> tuple[Size | None, tuple[int, int] | None]:
    """What to resize to, and what to crop."""
    style = STYLES[kind]
    size: Size | None = None
    crop: tuple[int, int] | None = None
    if given.get("do_resize", True):
        size = _edges("size", given.get("size", style.size), given.get("default_to_square", style.square))
    if given.get("do_center_crop", style.crop is not None):
        edges = _edges("crop_size", given.get("crop_size", style.crop), square=True)
        if isinstance(edges, int):
            raise ValueError(f"crop_size is {given['crop_size']!r}, expected a height and a width")
        crop = edges
    if kind == "ConvNextImageProcessor" and size is not None:
        return _convnext(size, given.get("crop_pct", 224 / 256), crop)
    if "crop_pct" in given:
        raise ValueError(f"crop_pct is {given['crop_pct']!r}, which only ConvNextImageProcessor crops by")
    if kind == "VJEPA2VideoProcessor" and size is not None and crop is not None:
        return int(crop[0] * VJEPA2_MARGIN), crop
    return size, crop


def _kind(settings: Mapping[str, Any]) -> str:
    named = [settings[key] for key in TYPES if settings.get(key)]
    if not named:
        raise ValueError(f"it names no {TYPES[1]}; write one of {', '.join(STYLES)}")
    kind = str(named[0]).removesuffix("Fast").replace("FeatureExtractor", "ImageProcessor")
    if kind not in STYLES:
        raise ValueError(
            f"the processor is {named[0]!r}, whose steps are not known; expected one of {', '.join(STYLES)}: "
            "if one of them does the same, write its name"
        )
    return kind


def _edges(key: str, value: Any, square: bool) -> Size:
    """Reads a size in any notation: a number, a pair, or an object of edges."""
    match value:
        case bool():
            pass
        case int() if value > 0:
            return (value, value) if square else value
        case [int(), int()]:
            return value[0], value[1]
        case {"shortest_edge": int(shortest)} if len(_named(value)) == 1:
            return shortest
        case {"height": int(height), "width": int(width)} if len(_named(value)) == 2:
            return height, width
    raise ValueError(f"{key} is {value!r}, expected a height and a width, or a shortest edge alone")


def _named(edges: Mapping[str, Any]) -> list[str]:
    return [edge for edge, length in edges.items() if length is not None]


def _convnext(size: Size, share: float, crop: tuple[int, int] | None) -> tuple[Size, tuple[int, int] | None]:
    """Resizes to more than the size and crops that much, unless the size is large."""
    if not isinstance(size, int):
        raise ValueError(f"size is {size!r}, expected a shortest edge for ConvNextImageProcessor")
    if crop is not None:
        raise ValueError(f"do_center_crop is true with crop_size {crop!r}, beside the cropping by crop_pct")
    if size >= CONVNEXT_WARPED:
        return (size, size), None
    return int(size / share), (size, size)


def _values(given: Mapping[str, Any], kind: str) -> np.ndarray:
    """Rescales and normalises each level, in the order and precision of the processors: float32 [3, 256]."""
    levels = np.tile(np.arange(256, dtype=np.float32), (3, 1))
    vivit = kind.startswith("Vivit")
    offset = given.get("offset", vivit)
    if offset and not vivit:
        raise ValueError(f"offset is {offset!r}, which only the processors of ViViT know")
    if given.get("do_rescale", True):
        factor = given.get("rescale_factor", 1 / 127.5 if vivit else 1 / 255)
        levels = (levels.astype(np.float64) * factor).astype(np.float32) - np.float32(bool(offset))
    if given.get("do_normalize", STYLES[kind].normalize):
        mean = _colours("image_mean", given.get("image_mean", STYLES[kind].mean))
        deviation = _colours("image_std", given.get("image_std", STYLES[kind].deviation))
        levels = (levels - mean) / deviation
    return levels


def _colours(key: str, value: Any) -> np.ndarray:
    """Float32 [3, 1] of one number or three."""
    try:
        return np.broadcast_to(np.array(value, np.float32).reshape(-1), 3)[:, None]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key} is {value!r}, expected three numbers") from error
