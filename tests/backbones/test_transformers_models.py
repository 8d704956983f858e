"""Models of transformers with torch: tiny ones, of random weights, against what they say when called by hand."""

import dataclasses
import json

import numpy as np
import pytest
import transformers

from videobert_jax.backbones import pixels
from videobert_jax.backbones.transformers_vision import check, load

SIZE = 32
UNCHANGED = {"do_rescale": False, "do_normalize": False}
SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": SIZE, "patch_size": 16}
CROPPED = {"size": {"shortest_edge": 48}, "crop_size": {"height": SIZE, "width": SIZE}}
MEAN, DEVIATION = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]


@pytest.fixture(scope="module")
def torch():
    import torch

    return torch


def saved(path, torch, kind, processor, **config):
    """A folder with a random model of that kind."""
    torch.manual_seed(0)
    model = getattr(transformers, kind)
    model(model.config_class(**config)).eval().save_pretrained(path)
    processor(image_mean=MEAN, image_std=DEVIATION).save_pretrained(path)
    change = CROPPED if processor is not transformers.ViTImageProcessor else {"size": CROPPED["crop_size"]}
    settings = json.loads((path / "preprocessor_config.json").read_text())
    (path / "preprocessor_config.json").write_text(json.dumps(settings | change))
    return str(path)


def normalised(torch, frames):
    """The expected output of the processors for frames that need no resizing, [n, 3, H, W]."""
    images = (frames / 255 - np.array(MEAN)) / np.array(DEVIATION)
    return torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))


def random_clips(frames, side=SIZE):
    return np.random.default_rng(0).integers(0, 256, (2, frames, side, side, 3), dtype=np.uint8)


@pytest.mark.needs("torch")
def test_features_of_a_model_of_images_are_its_pooled_outputs(tmp_path, torch):
    config = {**SHAPE, "intermediate_size": 16, "hidden_dropout_prob": 0.5}  # of training alone
    folder = saved(tmp_path, torch, "ViTModel", transformers.ViTImageProcessor, **config)
    check(8, SIZE, folder)
    clips = random_clips(8)
    with torch.inference_mode():
        model = transformers.ViTModel.from_pretrained(folder).eval()
        expected = model(normalised(torch, clips[:, [1, 4, 6]].reshape(6, SIZE, SIZE, 3))).pooler_output
    before = torch.get_num_threads()
    features = load(folder)(clips)
    np.testing.assert_allclose(features, expected.reshape(2, 3, 16).mean(dim=1), rtol=0, atol=1e-5)
    assert np.abs(features[0] - features[1]).max() > 1e-3
    np.testing.assert_array_equal(load(folder)(clips), features)
    assert torch.get_num_threads() == before, "the setting is the process's"


@pytest.mark.needs("torch")
def test_features_of_a_model_of_videos_are_the_mean_of_its_states(tmp_path, torch):
    config = {**SHAPE, "num_frames": 4, "tubelet_size": 2, "intermediate_size": 16}
    folder = saved(tmp_path, torch, "VideoMAEModel", transformers.VideoMAEImageProcessor, **config)
    check(8, SIZE, folder)
    clips = random_clips(8, side=48)
    seen = clips[:, [1, 3, 5, 7], 8:40, 8:40].reshape(8, SIZE, SIZE, 3)
    with torch.inference_mode():
        model = transformers.VideoMAEModel.from_pretrained(folder).eval()
        expected = model(normalised(torch, seen).reshape(2, 4, 3, SIZE, SIZE)).last_hidden_state.mean(dim=1)
    features = load(folder)(clips)
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5)
    assert np.abs(features[0] - features[1]).max() > 1e-3


def saved_as_on_a_hub(path, torch, kind, file, settings, **config):
    """The same for a model whose processor needs torchvision, and is there as JSON alone."""
    torch.manual_seed(0)
    model = getattr(transformers, kind)
    network = model(model.config_class(**config)).eval()
    network.save_pretrained(path)
    (path / file).write_text(json.dumps(settings))
    return network, str(path)


TINY = {"hidden_size": 24, "num_attention_heads": 2, "intermediate_size": 16}
NORMAL = {"image_mean": MEAN, "image_std": DEVIATION}


@pytest.mark.needs("torch")
def test_features_of_dinov3_are_the_states_of_its_class_token(tmp_path, torch):
    settings = {
        "image_processor_type": "DINOv3ViTImageProcessorFast",
        "size": {"height": SIZE, "width": SIZE},
        **NORMAL,
    }
    config = {**TINY, "num_hidden_layers": 1, "num_register_tokens": 2, "image_size": SIZE}
    model, folder = saved_as_on_a_hub(tmp_path, torch, "DINOv3ViTModel", "preprocessor_config.json", settings, **config)
    check(3, SIZE, folder)
    clips = random_clips(3)
    with torch.inference_mode():
        expected = model(normalised(torch, clips.reshape(6, SIZE, SIZE, 3))).last_hidden_state[:, 0]
    features = load(folder)(clips)
    np.testing.assert_allclose(features, expected.reshape(2, 3, 24).mean(dim=1), rtol=0, atol=1e-5)
    assert np.abs(features[0] - features[1]).max() > 1e-3


@pytest.mark.needs("torch")
def test_features_of_v_jepa_2_are_the_mean_of_what_its_encoder_says(tmp_path, torch, monkeypatch):
    """Of the 37 pixels that its processor resizes to, the middle 32; its predictor is not run."""
    crop = {"height": SIZE, "width": SIZE}
    settings = {"video_processor_type": "VJEPA2VideoProcessor", "size": {"shortest_edge": 36}, "crop_size": crop}
    config = {"hidden_size": 24, "num_attention_heads": 2, "num_hidden_layers": 1, "mlp_ratio": 1, "crop_size": SIZE}
    config |= {"frames_per_clip": 4, "pred_hidden_size": 24, "pred_num_attention_heads": 2}
    config["pred_num_hidden_layers"] = 1
    model, folder = saved_as_on_a_hub(
        tmp_path, torch, "VJEPA2Model", "video_preprocessor_config.json", settings | NORMAL, **config
    )
    check(8, 36, folder)
    clips = random_clips(8, side=36)
    seen = clips[:, [1, 3, 5, 7], 2:34, 2:34].reshape(8, SIZE, SIZE, 3)
    with torch.inference_mode():
        images = normalised(torch, seen).reshape(2, 4, 3, SIZE, SIZE)
        expected = model.get_vision_features(images).mean(dim=1)
    monkeypatch.setattr(type(model.predictor), "forward", None)
    features = load(folder)(clips)
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5)
    assert np.abs(features[0] - features[1]).max() > 1e-3


PRISM = {**TINY, "tubelet_size": [1, 16, 16], "image_size": SIZE, "num_frames": 4, "num_auxiliary_layers": 1}
PRISM |= {"num_spatial_layers": 1, "num_temporal_layers": 1}
PRISM_PROCESSOR = {
    "video_processor_type": "LlavaOnevisionVideoProcessor",
    "do_normalize": False,
    "do_sample_frames": True,
}
PRISM_PROCESSOR["size"] = {"height": SIZE, "width": SIZE}


@pytest.mark.needs("torch")
def test_features_of_videoprism_are_the_mean_of_its_states(tmp_path, torch):
    model, folder = saved_as_on_a_hub(
        tmp_path, torch, "VideoPrismVisionModel", "video_preprocessor_config.json", PRISM_PROCESSOR, **PRISM
    )
    check(4, SIZE, folder)
    clips = random_clips(4)
    with torch.inference_mode():
        images = torch.from_numpy((clips / 255).transpose(0, 1, 4, 2, 3).astype(np.float32))
        expected = model(images).last_hidden_state.mean(dim=1)
    features = load(folder)(clips)
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5)
    assert np.abs(features[0] - features[1]).max() > 1e-3


@pytest.mark.needs("torch")
def test_features_of_videoprism_with_text_are_those_that_it_compares_with_text(tmp_path, torch):
    text = {**TINY, "num_hidden_layers": 1, "vocab_size": 60}
    model, folder = saved_as_on_a_hub(
        tmp_path,
        torch,
        "VideoPrismClipModel",
        "processor_config.json",
        {"video_processor": PRISM_PROCESSOR},
        vision_config=PRISM,
        text_config=text,
    )
    check(4, SIZE, folder)
    clips = random_clips(4)
    with torch.inference_mode():
        images = torch.from_numpy((clips / 255).transpose(0, 1, 4, 2, 3).astype(np.float32))
        expected = model.get_video_features(images).pooler_output.reshape(2, 24)
    np.testing.assert_allclose(load(folder)(clips), expected, rtol=0, atol=1e-5)


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("kind", "extra", "processor"),
    [
        ("TimesformerModel", {}, "TimesformerVideoProcessor"),
        ("VivitModel", {"tubelet_size": [2, 16, 16]}, "VivitVideoProcessor"),
        ("SiglipVisionModel", {}, "SiglipImageProcessor"),
    ],
)
def test_features_of_others_are_their_pooled_outputs_or_the_mean_of_their_states(
    tmp_path, torch, kind, extra, processor
):
    frames = {} if kind.startswith("Siglip") else {"num_frames": 4}
    config = {**SHAPE, "intermediate_size": 16, **frames, **extra}
    settings = {"image_processor_type": processor, "do_center_crop": False, "size": SIZE, "offset": False}
    settings |= {**NORMAL, "rescale_factor": 1 / 255}
    model, folder = saved_as_on_a_hub(tmp_path, torch, kind, "preprocessor_config.json", settings, **config)
    clips = random_clips(4)
    seen = clips[:, [0, 2, 3]] if kind.startswith("Siglip") else clips
    images = normalised(torch, seen.reshape(-1, SIZE, SIZE, 3))
    with torch.inference_mode():
        outputs = model(images if kind.startswith("Siglip") else images.reshape(2, 4, 3, SIZE, SIZE))
    expected = outputs.get("pooler_output")
    expected = outputs.last_hidden_state.mean(dim=1) if expected is None else expected
    features = load(folder)(clips)
    np.testing.assert_allclose(features, expected.reshape(2, -1, 16).mean(dim=1), rtol=0, atol=1e-5)


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("kind", "mode", "dtype"),
    [
        ("VJEPA2VideoProcessor", "bilinear", np.uint8),
        ("VideoPrismVideoProcessor", "bicubic", np.uint8),
        ("DINOv3ViTImageProcessor", "bilinear", np.float32),  # rescaled before it is resized
    ],
)
def test_resizing_differs_from_torchs_by_rounding_alone(torch, kind, mode, dtype):
    """torchvision resizes with this function of torch."""
    clips = random_clips(1, side=60)[:, 0]
    processor = pixels.resolve({"image_processor_type": kind, "do_center_crop": False, "size": SIZE, **UNCHANGED})
    small = dataclasses.replace(processor, size=(SIZE, SIZE))(clips)
    planes = torch.from_numpy(clips.transpose(0, 3, 1, 2).astype(dtype))
    expected = torch.nn.functional.interpolate(planes, (SIZE, SIZE), mode=mode, antialias=True).numpy()
    assert np.abs(small - expected.astype(np.float32)).max() <= 1


@pytest.mark.needs("torch")
def test_of_clip_the_half_that_sees_is_used(tmp_path, torch):
    text = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 60}
    text |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = {"text_config": text, "vision_config": {**SHAPE, "intermediate_size": 16}}
    folder = saved(tmp_path, torch, "CLIPModel", transformers.CLIPImageProcessor, **config)
    check(3, SIZE, folder)
    clips = random_clips(3, side=48)
    with torch.inference_mode():
        model = transformers.CLIPModel.from_pretrained(folder).eval().vision_model
        expected = model(normalised(torch, clips[:, :, 8:40, 8:40].reshape(6, SIZE, SIZE, 3))).pooler_output
    np.testing.assert_allclose(load(folder)(clips), expected.reshape(2, 3, 16).mean(dim=1), rtol=0, atol=1e-5)


@pytest.mark.needs("torch")
def test_a_pooler_without_weights_is_not_used(tmp_path, torch):
    """It would be random and differ between processes."""
    config = {**SHAPE, "intermediate_size": 16}
    folder = saved(tmp_path, torch, "ViTForImageClassification", transformers.ViTImageProcessor, **config)
    clips = random_clips(3)
    with torch.inference_mode():
        model = transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
        expected = model(normalised(torch, clips.reshape(6, SIZE, SIZE, 3))).last_hidden_state.mean(dim=1)
    np.testing.assert_allclose(load(folder)(clips), expected.reshape(2, 3, 16).mean(dim=1), rtol=0, atol=1e-5)


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("config.json", {"num_hidden_layers": 2}, "the weights lack layers"),
        ("config.json", {"hidden_size": 32}, "ignore_mismatched_sizes"),
        ("preprocessor_config.json", {"size": {"height": 16, "width": 16}}, "doesn't match model"),
        ("preprocessor_config.json", {"image_processor_type": "Foo"}, "'Foo', whose steps are not known"),
        ("model.safetensors", None, "Error while deserializing header"),
    ],
)
def test_a_folder_that_does_not_fit_together_is_refused_at_once(tmp_path, torch, file, change, reason):
    folder = saved(tmp_path, torch, "ViTModel", transformers.ViTImageProcessor, intermediate_size=16, **SHAPE)
    path = tmp_path / file
    if change:
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    else:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"is not a working transformers vision model: (.|\n)*{reason}"):
        load(folder)


@pytest.mark.needs("torch")
def test_weights_that_would_be_unpickled_are_not_read(tmp_path, torch):
    folder = saved(tmp_path, torch, "ViTModel", transformers.ViTImageProcessor, intermediate_size=16, **SHAPE)
    torch.save(transformers.ViTModel.from_pretrained(folder).state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").rename(tmp_path / "another.safetensors")
    with pytest.raises(ValueError, match=r"no file named model\.safetensors"):
        load(folder)


@pytest.mark.needs("torch")
def test_a_model_of_text_is_refused(tmp_path, torch):
    saved(tmp_path, torch, "ViTModel", transformers.ViTImageProcessor, intermediate_size=16, **SHAPE)
    bert = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=60
    )
    transformers.BertModel(bert).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="it takes input_ids, not pixel_values"):
        load(str(tmp_path))
