"""Models of transformers: the code around them, on fakes; `test_transformers_models.py` has models."""

import importlib.util
import types

import numpy as np
import pytest
import transformers

from videobert_jax.backbones import get_backbone, pixels, transformers_vision
from videobert_jax.backbones.backbone import moments
from videobert_jax.backbones.transformers_vision import Embedder, check, pool, suits
from videobert_jax.errors import ConfigError

SIZE = 32
UNCHANGED = {"do_rescale": False, "do_normalize": False}
# Clips of 8 frames of one shade each, so that a shade tells clip and frame.
SHADES = np.arange(16, dtype=np.uint8).reshape(2, 8) * 10
CLIPS = np.ascontiguousarray(np.broadcast_to(SHADES[..., None, None, None], (2, 8, SIZE, SIZE, 3)))


def test_moments_are_the_middles_of_equal_parts():
    assert moments(30, 3).tolist() == [5, 15, 25]
    assert moments(30, 16).tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 15, 17, 19, 21, 23, 25, 27, 29]
    assert moments(16, 16).tolist() == list(range(16))
    assert moments(3, 3).tolist() == [0, 1, 2]


def fake(seen, num_frames=None):
    """An embedder whose model's only feature is the mean pixel."""

    process = pixels.resolve({"image_processor_type": "ViTImageProcessor", "size": SIZE, **UNCHANGED})

    def network(images):
        seen.append(images.shape)
        return {"pooler_output": images.mean(axis=tuple(range(1, images.ndim)))[:, None]}

    return Embedder(process, network, num_frames)


def test_a_model_of_images_sees_three_frames_of_each_clip():
    seen = []
    features = fake(seen)(CLIPS)
    assert seen == [(6, 3, SIZE, SIZE)]
    np.testing.assert_allclose(features, SHADES[:, [1, 4, 6]].mean(axis=1, keepdims=True))
    assert features.dtype == np.float32


def test_a_model_of_videos_sees_as_many_frames_as_its_config_says():
    seen = []
    features = fake(seen, num_frames=2)(CLIPS)
    assert seen == [(2, 2, 3, SIZE, SIZE)]
    np.testing.assert_allclose(features, SHADES[:, [2, 6]].mean(axis=1, keepdims=True))


def test_the_feature_is_the_pooled_output_or_the_mean_of_the_last_states():
    states = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(pool({"last_hidden_state": states}), states.mean(axis=1))
    maps = np.arange(48.0).reshape(2, 3, 2, 4)
    np.testing.assert_array_equal(pool({"last_hidden_state": maps}), maps.mean(axis=(2, 3)))
    pooled = {"last_hidden_state": maps, "pooler_output": np.arange(6.0).reshape(2, 3, 1, 1)}
    np.testing.assert_array_equal(pool(pooled), [[0, 1, 2], [3, 4, 5]])


@pytest.fixture
def with_torch(monkeypatch):
    """Makes torch seem installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: types.SimpleNamespace())


def test_without_torch_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs torch, which is not installed: pip install torch$"):
        get_backbone("transformers").check(30, 224, "folder")


def folder_of(path, config):
    """A folder like those of `save_pretrained`, except for the weights."""
    path.mkdir()
    config.save_pretrained(path)
    (path / "preprocessor_config.json").write_text('{"image_processor_type": "ViTImageProcessor", "size": 99}')
    (path / "model.safetensors").write_text("{}")
    return path


@pytest.mark.usefixtures("with_torch")
def test_a_folder_that_lacks_a_file_is_refused(tmp_path):
    message = r"backbone_weights is '.*', not a folder; expected a model's folder, such as a snapshot of its repository"
    for wrong in ("", str(tmp_path / "none")):
        with pytest.raises(ConfigError, match=message):
            check(30, 224, wrong)
    folder = folder_of(tmp_path / "model", transformers.ViTConfig())
    check(30, 224, str(folder))
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        (folder / name).rename(tmp_path / name)
        missing = name.replace("model", r"\*").replace(".", r"\.")
        with pytest.raises(
            ConfigError, match=rf"model', which has no (\w+\.json or )?{missing}.*; expected a model's f"
        ):
            check(30, 224, str(folder))
        (tmp_path / name).rename(folder / name)
    processor = folder / "preprocessor_config.json"
    content = processor.read_text()
    processor.write_text('{"image_processor_type": "ViTImageProcessor", "do_pad": true}')
    with pytest.raises(ConfigError, match=r"preprocessor_config\.json cannot be followed: do_pad is True"):
        check(30, 224, str(folder))
    processor.write_text(content)
    (folder / "config.json").write_text('{"model_type": "vit", "hidden_size": "wide"}')
    with pytest.raises(ConfigError, match=r"config\.json is not a valid transformers config: .*hidden_size"):
        check(30, 224, str(folder))


@pytest.mark.usefixtures("with_torch")
@pytest.mark.parametrize(
    ("config", "least"),
    [
        (transformers.ViTConfig(), 3),
        (transformers.DINOv3ViTConfig(), 3),
        (transformers.VideoMAEConfig(num_frames=8), 8),
        (transformers.VideoPrismVisionConfig(), 16),
        (transformers.VideoPrismConfig(vision_config={"num_frames": 8}), 8),
        (transformers.VJEPA2Config(), 64),
    ],
)
def test_a_clip_has_the_frames_that_the_model_sees(tmp_path, config, least):
    folder = str(folder_of(tmp_path / "model", config))
    check(least, 224, folder)
    assert suits(folder) == (least, 99)
    with pytest.raises(
        ConfigError, match=rf"clip_frames is {least - 1}; backbone transformers needs at least {least}$"
    ):
        check(least - 1, 224, folder)


@pytest.mark.usefixtures("with_torch")
def test_no_code_of_a_folder_is_run(tmp_path):
    folder = folder_of(tmp_path / "model", transformers.ViTConfig())
    (folder / "config.json").write_text('{"model_type": "strange", "auto_map": {"AutoConfig": "code.Config"}}')
    (folder / "code.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Config: pass\n")
    with pytest.raises(ConfigError, match=r"config\.json is not a valid transformers config"):
        check(30, 224, str(folder))
    assert not (tmp_path / "sprung").exists()


class FakeTorch:
    """Records its number of threads."""

    def __init__(self):
        self.threads = 5

    def get_num_threads(self):
        return self.threads

    def set_num_threads(self, threads):
        self.threads = threads


def test_the_threads_of_torch_come_back():
    torch = FakeTorch()
    with pytest.raises(ZeroDivisionError), transformers_vision._one_thread(torch):
        assert torch.threads == 1
        raise ZeroDivisionError
    assert torch.threads == 5


@pytest.mark.parametrize("bars", [True, False])
def test_what_transformers_says_comes_back(bars):
    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    try:
        logging.set_verbosity_info()
        (logging.enable_progress_bar if bars else logging.disable_progress_bar)()
        with pytest.raises(ZeroDivisionError), transformers_vision._quiet(logging):
            assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.ERROR, False)
            raise ZeroDivisionError
        assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.INFO, bars)
    finally:
        logging.set_verbosity(before[0])
        (logging.enable_progress_bar if before[1] else logging.disable_progress_bar)()


def test_it_is_in_the_registry():
    assert get_backbone("transformers").load is transformers_vision.load
