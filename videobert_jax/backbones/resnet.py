"""ResNet (He et al. 2016), the usual image network of its time, for inference, from torchvision's or other weights.

It looks at three moments of a clip and averages their features, so it sees no motion. The stride of a bottleneck is in
its 3 x 3 convolution, as in torchvision, timm and `transformers` ("ResNet v1.5"). Images are NHWC. Padding is explicit,
since 'SAME' pads differently at stride 2. Batch normalisation is folded into the convolutions on loading.
"""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from flax import linen as nn

from videobert_jax.backbones.backbone import IMAGE_MOMENTS, VideoBackbone, moments
from videobert_jax.backbones.weights import StateDict, read_torch

BATCH_NORM_EPSILON = 1e-5
EXPANSION = 4  # output channels of a bottleneck, in multiples of its inner ones
MEAN = (0.485, 0.456, 0.406)  # of the training's input, after scaling to [0, 1]
STANDARD_DEVIATION = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The shape of a ResNet."""

    bottleneck: bool  # whether a block is 1x1, 3x3, 1x1 convolutions; else two of 3x3
    depths: tuple[int, ...]  # blocks of each stage
    width: int = 64  # inner channels of the first stage, doubled by each further one

    @property
    def feature_size(self) -> int:
        """Channels of the last stage."""
        return self.width * 2 ** (len(self.depths) - 1) * (EXPANSION if self.bottleneck else 1)


@dataclasses.dataclass(frozen=True)
class Block:
    """Where a residual block is, and its channels."""

    stage: int  # from 1
    number: int  # within the stage, from 0
    inputs: int
    inner: int
    outputs: int
    stride: int

    @property
    def name(self) -> str:
        """The key of its parameters."""
        return f"layer{self.stage}_{self.number}"

    @property
    def projects(self) -> bool:
        """Whether the shortcut needs a convolution."""
        return self.stride > 1 or self.inputs != self.outputs


def blocks(shape: Architecture) -> Iterator[Block]:
    """Yields the blocks in order."""
    inputs = shape.width
    for stage, depth in enumerate(shape.depths):
        inner = shape.width * 2**stage
        outputs = inner * (EXPANSION if shape.bottleneck else 1)
        for index in range(depth):
            yield Block(stage + 1, index, inputs, inner, outputs, 2 if stage and not index else 1)
            inputs = outputs


class Conv(nn.Module):
    """A convolution with a bias, padded by half its window on all sides."""

    features: int
    size: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, H, W, C] to [N, ceil(H / stride), ceil(W / stride), features]."""
        return nn.Conv(self.features, (self.size,) * 2, (self.stride,) * 2, [(self.size // 2,) * 2] * 2, name="conv")(x)


class Residual(nn.Module):
    """A residual block."""

    block: Block
    bottleneck: bool

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """[N, H, W, C] to [N, ceil(H / stride), ceil(W / stride), outputs]."""
        block, x = self.block, inputs
        for number, (size, _, outputs, stride) in enumerate(convolutions(block, self.bottleneck), 1):
            x = nn.relu(x) if number > 1 else x
            x = Conv(outputs, size, stride, name=f"conv{number}")(x)
        shortcut = Conv(block.outputs, 1, block.stride, name="downsample")(inputs) if block.projects else inputs
        return nn.relu(x + shortcut)


def convolutions(block: Block, bottleneck: bool) -> list[tuple[int, int, int, int]]:
    """(window, inputs, outputs, stride) of the convolutions of a block, in order."""
    if not bottleneck:
        return [(3, block.inputs, block.inner, block.stride), (3, block.inner, block.outputs, 1)]
    return [
        (1, block.inputs, block.inner, 1),
        (3, block.inner, block.inner, block.stride),
        (1, block.inner, block.outputs, 1),
    ]


class ResNet(nn.Module):
    """Normalised images to pooled features."""

    shape: Architecture

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Float32 [N, H, W, 3] of any size to spatially averaged features float32 [N, D]."""
        x = nn.relu(Conv(self.shape.width, 7, 2, name="stem")(x))
        x = nn.max_pool(x, (3, 3), (2, 2), [(1, 1)] * 2)
        for block in blocks(self.shape):
            x = Residual(block, self.shape.bottleneck, name=block.name)(x)
        return x.mean(axis=(1, 2))


# Parts of the names of `transformers`, in order, to those of torchvision, which timm has taken over.
RENAMED = (
    (r"^resnet\.", ""),
    (r"^embedder\.embedder\.convolution", "conv1"),
    (r"^embedder\.embedder\.normalization", "bn1"),
    (r"^classifier\.1\.", "fc."),
    (r"^encoder\.stages\.(\d+)\.layers\.", lambda found: f"layer{int(found[1]) + 1}."),
    (r"\.layer\.(\d+)\.convolution", lambda found: f".conv{int(found[1]) + 1}"),
    (r"\.layer\.(\d+)\.normalization", lambda found: f".bn{int(found[1]) + 1}"),
    (r"\.shortcut\.convolution", ".downsample.0"),
    (r"\.shortcut\.normalization", ".downsample.1"),
)


def convert(tensors: Mapping[str, np.ndarray], name: str, shape: Architecture) -> dict[str, Any]:
    """Converts a state dict of torchvision, timm or `transformers` to the parameters of `ResNet`.

    Ignores the classifier. Raises ValueError, naming the first tensor that is missing, left over or of the wrong shape.
    """
    state = StateDict({_renamed(key): tensor for key, tensor in tensors.items()}, name)

    def layer(conv: str, norm: str, size: int, inputs: int, outputs: int) -> dict[str, Any]:
        folded = state.take_folded(conv, norm, (outputs, inputs, size, size), BATCH_NORM_EPSILON)
        return {"conv": folded | {"kernel": folded["kernel"].transpose(2, 3, 1, 0)}}

    params: dict[str, Any] = {"stem": layer("conv1", "bn1", 7, 3, shape.width)}
    for block in blocks(shape):
        place = f"layer{block.stage}.{block.number}"
        params[block.name] = layers = {
            f"conv{number}": layer(f"{place}.conv{number}", f"{place}.bn{number}", size, inputs, outputs)
            for number, (size, inputs, outputs, _) in enumerate(convolutions(block, shape.bottleneck), 1)
        }
        if block.projects:
            names = f"{place}.downsample.0", f"{place}.downsample.1"
            layers["downsample"] = layer(*names, 1, block.inputs, block.outputs)
    state.drop("fc.")
    state.require_empty()
    return params


def _renamed(key: str) -> str:
    for pattern, replacement in RENAMED:
        key = re.sub(pattern, replacement, key)
    return key


def load(name: str, shape: Architecture, path: pathlib.Path) -> dict[str, Any]:
    """Reads the parameters from a torch checkpoint or a `.safetensors` file. Raises OSError or ValueError."""
    if path.suffix != ".safetensors":
        return convert(read_torch(path), name, shape)
    try:
        return convert(safetensors.numpy.load_file(path), name, shape)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}") from error


def apply(shape: Architecture, params: dict[str, Any], clips: jax.Array) -> jax.Array:
    """Computes features float32 [N, D] of RGB clips [N, T, H, W, 3] with values from 0 to 255, T at least 3.

    The network sees whole frames; torchvision's training resized to a little more than 224 and cropped to 224 x 224.
    """
    frames = clips[:, moments(clips.shape[1], IMAGE_MOMENTS)].astype(jnp.float32)
    mean, deviation = (jnp.array(values)[None, None, None, None] for values in (MEAN, STANDARD_DEVIATION))
    images = ((frames / 255 - mean) / deviation).reshape(-1, *frames.shape[2:])
    features = jnp.asarray(ResNet(shape).apply({"params": params}, images))
    return features.reshape(len(clips), IMAGE_MOMENTS, -1).mean(axis=1)


def _backbone(name: str, shape: Architecture, checkpoint: str) -> VideoBackbone:
    return VideoBackbone(
        name=name,
        image_size=224,
        feature_size=shape.feature_size,
        min_frames=IMAGE_MOMENTS,
        multiple=1,
        checkpoint=f"https://download.pytorch.org/models/{checkpoint} (torchvision, ImageNet)",
        load=functools.partial(load, name, shape),
        apply=functools.partial(apply, shape),
    )


RESNETS = [
    _backbone("resnet18", Architecture(False, (2, 2, 2, 2)), "resnet18-f37072fd.pth"),
    _backbone("resnet34", Architecture(False, (3, 4, 6, 3)), "resnet34-b627a593.pth"),
    _backbone("resnet50", Architecture(True, (3, 4, 6, 3)), "resnet50-11ad3fa6.pth"),
    _backbone("resnet101", Architecture(True, (3, 4, 23, 3)), "resnet101-cd907fc2.pth"),
    _backbone("resnet152", Architecture(True, (3, 8, 36, 3)), "resnet152-f82ba261.pth"),
]
