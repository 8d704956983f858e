"""Processors' JSON to pixels: against the processors of `transformers` that work without torchvision, bit for bit."""

import json
import re

import numpy as np
import pytest
import transformers
from PIL import Image

from videobert_jax.backbones import pixels

RNG = np.random.default_rng(0)
# Smooth enough for filters to differ in what they keep, and not square.
FRAMES = np.stack([np.asarray(Image.fromarray(RNG.integers(0, 256, (9, 7, 3), np.uint8)).resize((70, 90)))] * 2)
FRAMES[1] = FRAMES[0][::-1]
SMALL = {"size": {"shortest_edge": 48}, "crop_size": {"height": 40, "width": 32}}
SQUARE = {"size": {"height": 48, "width": 32}}


def theirs(kind, settings):
    processor = getattr(transformers, f"{kind}Pil")(**settings)
    # Each frame is a batch of its own: a processor of videos would take several for one.
    batches = [np.asarray(processor(frame, return_tensors="np")["pixel_values"]) for frame in FRAMES]
    return processor, np.stack([batch.reshape(batch.shape[-3:]) for batch in batches])


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("ViTImageProcessor", {}),
        ("ViTImageProcessor", SQUARE),
        ("ViTImageProcessor", {"do_resize": False, "do_normalize": False}),
        ("ViTImageProcessor", {**SQUARE, "do_rescale": False}),
        ("ViTImageProcessor", {**SQUARE, "do_rescale": False, "do_normalize": False}),
        ("ViTImageProcessor", {"size": 30, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}),
        ("CLIPImageProcessor", {}),
        ("CLIPImageProcessor", SMALL),
        ("CLIPImageProcessor", {"size": 37, "crop_size": 33, "resample": 1}),
        ("CLIPImageProcessor", {**SMALL, "do_center_crop": False}),
        ("SiglipImageProcessor", SQUARE),
        ("SiglipImageProcessor", {**SQUARE, "resample": 0, "rescale_factor": 1 / 127.5}),
        ("BitImageProcessor", {"size": {"shortest_edge": 256}}),
        ("BeitImageProcessor", {}),
        ("BlipImageProcessor", SQUARE),
        ("ChineseCLIPImageProcessor", {}),
        ("DeiTImageProcessor", {}),
        ("MobileNetV1ImageProcessor", {}),
        ("PvtImageProcessor", {}),
        ("VideoMAEImageProcessor", {}),
        ("VideoMAEImageProcessor", SMALL),
        ("ConvNextImageProcessor", {}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 60}, "crop_pct": 0.9}),
    ],
)
def test_pixels_equal_those_of_transformers(kind, settings):
    """Whether the JSON says all, as `save_pretrained` writes it, or only what differs from the type's own."""
    processor, expected = theirs(kind, settings)
    said = json.loads(processor.to_json_string())
    for told in (said, {"image_processor_type": kind, **settings}):
        made = pixels.resolve(told)(FRAMES)
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, expected.astype(np.float32))


def test_what_the_type_of_processor_implies():
    """Of those that need torchvision, from their published JSON, or from what their classes say in `transformers`."""
    jepa = {"video_processor_type": "VJEPA2VideoProcessor", "crop_size": {"height": 384, "width": 384}}
    jepa = pixels.resolve({**jepa, "size": {"shortest_edge": 256}})
    assert (jepa.size, jepa.crop, jepa.resample, jepa.side) == (438, (384, 384), 2, 438)
    prism = pixels.resolve({"video_processor_type": "VideoPrismVideoProcessor"})
    assert (prism.size, prism.crop, prism.side) == ((288, 288), None, 288)
    np.testing.assert_array_equal(prism.values[1], (np.arange(256) / 255).astype(np.float32))
    dino = pixels.resolve({"image_processor_type": "DINOv3ViTImageProcessorFast"})
    assert (dino.size, dino.crop, dino.side) == ((224, 224), None, 224)
    np.testing.assert_allclose(dino.values[2, 255], (1 - 0.406) / 0.225, rtol=1e-6)


@pytest.mark.parametrize("told", [{}, {"offset": True, "rescale_factor": 1 / 127.5}])
def test_vivit_sees_levels_from_minus_one(told):
    settings = {"image_processor_type": "VivitImageProcessor", "do_normalize": False, **told}
    np.testing.assert_allclose(pixels.resolve(settings).values[0, [0, 255]], [-1, 1], atol=1e-6)
    plain = pixels.resolve({**settings, "offset": False})
    np.testing.assert_allclose(plain.values[0, [0, 255]], [0, 2], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"do_pad": True}, "do_pad is True, a step that is not known here"),
        ({"do_flip_channel_order": True}, "do_flip_channel_order is True"),
        ({"pad_size": {"height": 9, "width": 9}}, "pad_size is .*, a step that is not known"),
        ({"size": {"shortest_edge": 9, "longest_edge": 99}}, "size is .*, expected a height and a width, or a short"),
        ({"size": {"longest_edge": 99}}, "size is "),
        ({"size": True}, "size is True"),
        ({"size": -1}, "size is -1"),
        ({"do_center_crop": True}, "crop_size is None"),
        ({"do_center_crop": True, "crop_size": {"shortest_edge": 9}}, "crop_size is .*, expected a height and a width"),
        ({"resample": 77}, r"resample is 77, expected one of \[0, 1, 2, 3"),
        ({"offset": True}, "offset is True, which only the processors of ViViT know"),
        ({"crop_pct": 0.9}, "crop_pct is 0.9, which only ConvNextImageProcessor crops by"),
        ({"image_mean": [1, 2]}, r"image_mean is \[1, 2\], expected three numbers"),
        ({"image_std": "dark"}, "image_std is 'dark', expected three numbers"),
        ({"image_processor_type": None}, "it names no image_processor_type; write one of BeitImageProcessor"),
        ({"image_processor_type": "LevitImageProcessor"}, "'LevitImageProcessor', whose steps are not known; expected"),
        ({"image_processor_type": "ConvNextImageProcessor", "size": 30, "do_center_crop": True}, "crop_size is None"),
        (
            {"image_processor_type": "ConvNextImageProcessor", **SQUARE},
            "size is .*, expected a shortest edge for ConvN",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_by_the_name_of_its_key(settings, message):
    with pytest.raises(ValueError, match=f"^.*{message}"):
        pixels.resolve({"image_processor_type": "ViTImageProcessor", **settings})
    pixels.resolve({"feature_extractor_type": "ViTFeatureExtractor", "do_pad": False, "pad_size": None, "fps": 2})


def test_a_crop_beyond_the_frame_is_refused():
    processor = pixels.resolve({"image_processor_type": "CLIPImageProcessor", "do_resize": False})
    with pytest.raises(ValueError, match="crop_size is 224 x 224, and frames have 90 x 70 pixels by then"):
        processor(FRAMES)
    assert processor.side == 224


def test_the_file_of_a_video_processor_counts_before_that_of_an_image_processor(tmp_path):
    assert pixels.find(tmp_path) is None
    vit, prism = {"image_processor_type": "ViTImageProcessor"}, {"video_processor_type": "VideoPrismVideoProcessor"}
    for name, content, side in [
        ("processor_config.json", {"image_processor": vit}, 224),
        ("processor_config.json", {"image_processor": vit, "video_processor": prism, "tokenizer": {}}, 288),
        ("preprocessor_config.json", {**vit, "size": 99}, 99),
        ("video_preprocessor_config.json", prism, 288),
    ]:
        (tmp_path / name).write_text(json.dumps(content))
        found = pixels.find(tmp_path)
        assert found == tmp_path / name
        assert pixels.read(found).side == side
    for content, message in [("{", "it is not JSON"), ("[]", re.escape("it holds [], expected an object"))]:
        found.write_text(content)
        with pytest.raises(ValueError, match=message):
            pixels.read(found)
