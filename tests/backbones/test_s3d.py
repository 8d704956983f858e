"""Both variants of S3D against features that torch computed with the same random weights (see record_s3d.py)."""

import json
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_s3d

from videobert_jax.backbones import get_backbone, s3d
from videobert_jax.errors import ConfigError

REFERENCE = pathlib.Path(__file__).with_name("s3d_reference.npz")
TOLERANCE = 1e-4  # float32 sums in another order over 40 layers, seen: 1e-5; features reach 10
NAMES = ("s3d", "s3dg")


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def states(reference):
    """Random state dicts with the tensors of the published checkpoints."""
    return {name: random_s3d.weights(json.loads(str(reference[f"{name}_shapes"]))) for name in NAMES}


@pytest.fixture(scope="module")
def params(states):
    return {name: s3d.convert(states[name], gated=name == "s3dg") for name in NAMES}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_features_equal_torchs(name, params, reference):
    features = jax.jit(get_backbone(name).apply)(params[name], random_s3d.clips())
    expected = reference[f"{name}_features"]
    assert features.dtype == jnp.float32
    assert np.abs(expected[0] - expected[1]).max() > 1000 * TOLERANCE, "the clips have to tell a difference"
    np.testing.assert_allclose(features, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_the_converted_parameters_have_the_shapes_of_s3d(name, params):
    wanted = jax.eval_shape(s3d.S3D(name == "s3dg").init, jax.random.key(0), jnp.zeros((1, 16, 32, 32, 3)))["params"]
    assert jax.tree.map(np.shape, params[name]) == jax.tree.map(np.shape, wanted)
    assert all(array.dtype == np.float32 for array in jax.tree.leaves(params[name]))


@pytest.mark.parametrize("name", NAMES)
def test_the_checkpoint_decides_about_nothing_but_the_weights(name, states, params, monkeypatch):
    """Parts that the feature does not use are optional: step counts, the classifier, the text network."""
    backbone, wanted = get_backbone(name), params[name]
    fewer = {
        key: tensor
        for key, tensor in states[name].items()
        if not re.match(r"fc\.|classifier\.|.*num_batches_tracked", key)
    }
    assert len(fewer) < len(states[name])
    more = states[name] | ({"text_module.fc1.bias": np.zeros(2048)} if name == "s3dg" else {})
    for state in (fewer, more):
        monkeypatch.setattr(s3d, "read_torch", lambda path, state=state: state)
        loaded = backbone.load(pathlib.Path("checkpoint.pth"))
        jax.tree.map(np.testing.assert_array_equal, loaded, wanted)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [("s3d", "features.11.branch2.1.1.1.running_var"), ("s3dg", "mixed_4f.conv_b2_b.bn2.running_var")],
)
def test_a_tensor_that_is_missing_left_over_or_of_another_shape_is_named(name, tensor, states):
    def convert(state):
        s3d.convert(state, gated=name == "s3dg")

    with pytest.raises(ValueError, match=rf"tensor {tensor} is missing from the weights of (torchvision|MIL-NCE)'s"):
        convert({key: value for key, value in states[name].items() if key != tensor})
    with pytest.raises(ValueError, match="tensor extra is not part of"):
        convert(states[name] | {"extra": np.zeros(1)})
    with pytest.raises(ValueError, match=rf"tensor {tensor} has shape \(1,\), expected"):
        convert(states[name] | {tensor: np.ones(1)})


def test_a_checkpoint_of_the_other_variant_is_refused(states):
    with pytest.raises(ValueError, match="is missing from the weights of torchvision's s3d"):
        s3d.convert(states["s3dg"])
    with pytest.raises(ValueError, match="is missing from the weights of MIL-NCE's S3D-G"):
        s3d.convert(states["s3d"], gated=True)


def test_padding_is_never_a_maximum():
    x = -jnp.arange(1.0, 9.0).reshape(1, 2, 2, 2, 1)
    np.testing.assert_array_equal(s3d.max_pool(x, (3, 3, 3), (1, 1, 1), [(1, 1)] * 3), jnp.full_like(x, -1.0))
    np.testing.assert_array_equal(s3d.max_pool(x, (2, 2, 2), (2, 2, 2), [(1, 1)] * 3), x)


def test_larger_frames_are_cropped_as_torchvision_crops(monkeypatch):
    class Seen:
        def apply(self, _, videos):
            return videos

    monkeypatch.setattr(s3d, "S3D", Seen)
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (1, 256, 256, 3))
    frames = np.stack([ramp, ramp.swapaxes(1, 2)])
    pixels = np.asarray(s3d.apply({}, frames)) * np.float32(s3d.STANDARD_DEVIATION) + np.float32(s3d.MEAN)
    np.testing.assert_allclose(pixels * 255, frames[:, :, 16:240, 16:240], atol=1e-3)
    assert s3d.apply({}, frames[:, :, :225, :224]).shape == (2, 1, 224, 224, 3)
    assert s3d.apply({}, frames[:, :, :223, :96]).shape == (2, 1, 223, 96, 3)


def test_a_clip_that_a_backbone_cannot_take_is_refused_with_the_option(tmp_path):
    weights = tmp_path / "weights.pth"
    weights.touch()
    get_backbone("s3d").check(15, 111, str(weights))
    get_backbone("s3dg").check(16, 112, str(weights))
    with pytest.raises(ConfigError, match=r"clip_frames is 13; backbone s3d needs at least 14$"):
        get_backbone("s3d").check(13, 224, str(weights))
    with pytest.raises(ConfigError, match=r"clip_frames is 17; backbone s3dg needs at least 16, a multiple of 2"):
        get_backbone("s3dg").check(17, 224, str(weights))
    with pytest.raises(ConfigError, match=r"image_size is 111; backbone s3dg needs a multiple of 2"):
        get_backbone("s3dg").check(16, 111, str(weights))


@pytest.mark.parametrize("weights", ["", "no such file.pth", "."])
def test_without_weights_it_is_said_what_to_download_and_where_to_name_it(weights):
    message = r"s3d_howto100m\.pth \(MIL-NCE, HowTo100M\) and name the file with --config\.prepare\.backbone_weights"
    with pytest.raises(ConfigError, match=message):
        get_backbone("s3dg").check(30, 224, weights)
