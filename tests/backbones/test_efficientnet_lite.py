"""The network against a second, plain implementation that shares only the checkpoint."""

import importlib.resources
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from videobert_jax.backbones import efficientnet_lite, get_backbone
from videobert_jax.backbones.efficientnet_lite import EfficientNetLite0
from videobert_jax.backbones.weights import read_torch

SIZE = 96  # pixels; odd maps (3 x 3) appear at the end
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
# float32 sums in another order over 49 layers; logits spread over about 10 units.
TOLERANCE = 2e-4


def reference_logits(tensors, images):
    """Unfolded batch normalisation, NCHW, grouped convolutions, layer by layer by the checkpoint's names."""

    def layer(x, name, norm, stride=1, activate=True):
        kernel = tensors[f"{name}.weight"]
        groups = x.shape[1] // kernel.shape[1]
        x = jax.lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", feature_group_count=groups)
        gain, bias, mean, variance = (
            tensors[f"{norm}.{part}"][None, :, None, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        x = (x - mean) / jnp.sqrt(variance + 1e-3) * gain + bias
        return jnp.clip(x, 0, 6) if activate else x

    x = jnp.asarray(images, jnp.float32).transpose(0, 3, 1, 2)
    x = layer((x - 127) / 128, "_conv_stem", "_bn0", stride=2)
    for index, stride in enumerate(STRIDES):
        name, inputs = f"_blocks.{index}", x
        if f"{name}._expand_conv.weight" in tensors:
            x = layer(x, f"{name}._expand_conv", f"{name}._bn0")
        x = layer(x, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        x = layer(x, f"{name}._project_conv", f"{name}._bn2", activate=False)
        x = x + inputs if x.shape == inputs.shape else x
    x = layer(x, "_conv_head", "_bn1").mean((2, 3))
    return x @ tensors["_fc.weight"].T + tensors["_fc.bias"][None]


@pytest.fixture(scope="module")
def tensors():
    with importlib.resources.as_file(importlib.resources.files(efficientnet_lite.WEIGHTS_PACKAGE)) as package:
        return read_torch(package / efficientnet_lite.WEIGHTS_FILE)


@pytest.fixture(scope="module")
def params(tensors):
    return efficientnet_lite.convert(tensors)


@pytest.fixture(scope="module")
def images():
    """Smooth random pictures, so that deep layers are not all saturated."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, SIZE // 16, SIZE // 16, 3), dtype=np.uint8)
    return (
        np.asarray(jax.image.resize(coarse.astype(np.float32), (2, SIZE, SIZE, 3), "cubic"))
        .clip(0, 255)
        .astype(np.uint8)
    )


@pytest.mark.slow
def test_logits_equal_an_unfolded_grouped_implementation(tensors, params, images):
    expected = np.asarray(jax.jit(reference_logits)(tensors, images))
    features = jax.jit(efficientnet_lite.apply)(params, images)
    logits = EfficientNetLite0().apply({"params": params}, features, method="classify")
    assert features.shape == (2, 1280)
    assert np.ptp(expected) > 5
    np.testing.assert_allclose(logits, expected, atol=TOLERANCE)


def test_the_parameters_have_the_shapes_of_the_network(params):
    wanted = jax.eval_shape(EfficientNetLite0().init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]
    network = {name: value for name, value in params.items() if name != "classifier"}
    assert jax.tree.map(np.shape, network) == jax.tree.map(np.shape, wanted)


@pytest.mark.parametrize("size", [(5, 7), (6, 8)], ids=["odd", "even"])
@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_depthwise_equals_a_grouped_convolution(kernel_size, stride, size):
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(2, *size, 4)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(kernel_size, kernel_size, 1, 4)), jnp.float32)
    bias = jnp.asarray(rng.normal(size=4), jnp.float32)
    layout = ("NHWC", "HWIO", "NHWC")
    strides = (stride, stride)
    expected = jax.lax.conv_general_dilated(x, kernel, strides, "SAME", feature_group_count=4, dimension_numbers=layout)
    result = efficientnet_lite.DepthwiseConv(kernel_size, stride).apply({"params": {"kernel": kernel, "bias": bias}}, x)
    np.testing.assert_allclose(result, expected + bias[None, None, None], atol=1e-5)


def test_convert_takes_all_296_tensors(tensors):
    assert len(tensors) == 296
    efficientnet_lite.convert(tensors)
    assert len(tensors) == 296, "the caller's tensors are left alone"


def test_convert_names_a_tensor_that_is_missing_left_over_or_of_another_shape(tensors):
    name = "_blocks.7._bn2.running_var"
    with pytest.raises(ValueError, match=f"{name} is missing"):
        efficientnet_lite.convert({key: value for key, value in tensors.items() if key != name})
    with pytest.raises(ValueError, match=r"_blocks\.16\.extra is not part of"):
        efficientnet_lite.convert({**tensors, "_blocks.16.extra": np.zeros(3)})
    with pytest.raises(ValueError, match=re.escape(f"{name} has shape (81,), expected (80,)")):
        efficientnet_lite.convert({**tensors, name: np.ones(81)})


def test_an_unknown_backbone_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'resnet' is not known; choose one of efficientnet_lite0"):
        get_backbone("resnet")


def test_the_registered_backbone_keeps_its_promises(images):
    backbone = get_backbone("efficientnet_lite0")
    assert backbone.name == "efficientnet_lite0"
    features = jax.eval_shape(backbone.apply, jax.eval_shape(backbone.load), images)
    assert features.shape == (2, backbone.feature_size)
    assert features.dtype == jnp.float32
