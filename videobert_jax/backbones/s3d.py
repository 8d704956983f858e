"""S3D, the separable 3-D Inception of Xie et al. (2018), for inference, in both published variants.

`s3d` is torchvision's, trained on Kinetics-400. `s3dg` is MIL-NCE's (Miech et al. 2020), trained on HowTo100M: it adds
feature gating and starts with space-to-depth. Their padding, batch normalisation and input range differ as well.

Videos are NTHWC. All convolutions are 2-D, the spatial ones over merged clips and frames, the temporal ones over frames
and merged pixels, and pooling goes axis by axis: XLA runs each several times faster on CPU than its 3-D form. Padding
is always explicit, since neither variant pads like 'SAME'. Batch normalisation is folded into the convolutions on
loading.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from videobert_jax.backbones.backbone import VideoBackbone
from videobert_jax.backbones.weights import StateDict, read_torch

FEATURE_SIZE = 1024
CROP = 224  # pixels; side of the frames in torchvision's training
# Normalisation of torchvision's input, after scaling to [0, 1]; MIL-NCE's input is only scaled.
MEAN = (0.43216, 0.394666, 0.37645)
STANDARD_DEVIATION = (0.22803, 0.22145, 0.216989)


class Channels(NamedTuple):
    """Channels of the convolutions in an Inception block."""

    b0: int
    b1_a: int
    b1_b: int
    b2_a: int
    b2_b: int
    b3: int

    @property
    def outputs(self) -> tuple[int, int, int, int]:
        """Channels of the four branches, in order."""
        return self.b0, self.b1_b, self.b2_b, self.b3


BLOCKS = {
    "mixed_3b": Channels(64, 96, 128, 16, 32, 32),
    "mixed_3c": Channels(128, 128, 192, 32, 96, 64),
    "mixed_4b": Channels(192, 96, 208, 16, 48, 64),
    "mixed_4c": Channels(160, 112, 224, 24, 64, 64),
    "mixed_4d": Channels(128, 128, 256, 24, 64, 64),
    "mixed_4e": Channels(112, 144, 288, 32, 64, 64),
    "mixed_4f": Channels(256, 160, 320, 32, 128, 128),
    "mixed_5b": Channels(256, 160, 320, 32, 128, 128),
    "mixed_5c": Channels(384, 192, 384, 48, 128, 128),
}
POOLS = {"mixed_4b": (3, 3, 3), "mixed_5b": (2, 2, 2)}  # windows, stride 2, before these blocks


class SpatialConv(nn.Module):
    """A convolution within each frame, a bias and a ReLU."""

    features: int
    size: int
    stride: int
    padding: tuple[int, int]  # before and after, for rows and columns alike

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, T, H, W, C] to [N, T, H', W', features]."""
        window, strides, padding = (self.size,) * 2, (self.stride,) * 2, (self.padding,) * 2
        y = nn.Conv(self.features, window, strides, padding, name="conv")(x.reshape(-1, *x.shape[2:]))
        return nn.relu(y).reshape(*x.shape[:2], *y.shape[1:])


class TemporalConv(nn.Module):
    """A convolution over the frames at each position, symmetrically padded, a bias and a ReLU."""

    features: int
    size: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, T, H, W, C] to [N, ceil(T / stride), H, W, features]; the size must be odd."""
        n, t, h, w, c = x.shape
        padding = ((self.size // 2,) * 2, (0, 0))
        y = nn.Conv(self.features, (self.size, 1), (self.stride, 1), padding, name="conv")(x.reshape(n, t, h * w, c))
        return nn.relu(y).reshape(n, -1, h, w, self.features)


class PointwiseConv(nn.Module):
    """A convolution of size 1, a bias and a ReLU."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, T, H, W, C] to [N, T, H, W, features]."""
        return nn.relu(nn.Dense(self.features, name="conv")(x))


class SeparableConv(nn.Module):
    """A spatial convolution, then a temporal one."""

    features: int
    size: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, T, H, W, C] to [N, T', H', W', features], each length divided by the stride and rounded up."""
        padding = (self.size // 2,) * 2
        x = SpatialConv(self.features, self.size, self.stride, padding, name="spatial")(x)
        return TemporalConv(self.features, self.size, self.stride, name="temporal")(x)


class SpaceToDepthStem(nn.Module):
    """MIL-NCE's first layer: space-to-depth of 2 x 2 x 2 pixels, then a convolution of window 2 x 4 x 4.

    Two successive frames of 24 channels are concatenated, so that the convolution is 2-D. The published network
    computes one more output along each axis and discards the first; the padding here leaves it out.
    """

    features: int = 64

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, T, H, W, 3] to [N, T / 2, H / 2, W / 2, features]; T, H and W must be even."""
        n, t, h, w, c = x.shape
        x = x.reshape(n, t // 2, 2, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4, 6, 7)
        x = x.reshape(n, t // 2, h // 2, w // 2, 8 * c)
        following = jnp.pad(x[:, 1:], ((0, 0), (0, 1), (0, 0), (0, 0), (0, 0)))
        x = jnp.concatenate([x, following], axis=-1)
        return SpatialConv(self.features, size=4, stride=1, padding=(1, 2), name="spatial")(x)


class Gating(nn.Module):
    """Scales the channels by a gate computed from their mean over the whole clip."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, T, H, W, C] to the same shape."""
        return x * nn.sigmoid(nn.Dense(x.shape[-1], name="fc")(x.mean(axis=(1, 2, 3), keepdims=True)))


class InceptionBlock(nn.Module):
    """Four parallel branches."""

    channels: Channels
    gated: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, T, H, W, C] to [N, T, H, W, sum of the branches' channels]."""
        channels = self.channels
        branches = [
            PointwiseConv(channels.b0, name="b0")(x),
            SeparableConv(channels.b1_b, 3, name="b1_b")(PointwiseConv(channels.b1_a, name="b1_a")(x)),
            SeparableConv(channels.b2_b, 3, name="b2_b")(PointwiseConv(channels.b2_a, name="b2_a")(x)),
            PointwiseConv(channels.b3, name="b3")(max_pool(x, (3, 3, 3), (1, 1, 1), [(1, 1)] * 3)),
        ]
        if self.gated:
            branches = [Gating(name=f"gating_b{index}")(branch) for index, branch in enumerate(branches)]
        return jnp.concatenate(branches, axis=-1)


class S3D(nn.Module):
    """Normalised videos to features: MIL-NCE's variant if `gated`, else torchvision's."""

    gated: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Float32 [N, T, H, W, 3] to float32 [N, 1024], the last block's output averaged over time and space."""
        x = SpaceToDepthStem(name="stem")(x) if self.gated else SeparableConv(64, 7, 2, name="stem")(x)
        x = PointwiseConv(64, name="conv_2b")(self.shrink(x, (1, 3, 3)))
        x = SeparableConv(192, 3, name="conv_2c")(x)
        x = Gating(name="gating")(x) if self.gated else x
        x = self.shrink(x, (1, 3, 3))
        for name, channels in BLOCKS.items():
            x = self.shrink(x, POOLS[name]) if name in POOLS else x
            x = InceptionBlock(channels, self.gated, name=name)(x)
        return x.mean(axis=(1, 2, 3))

    def shrink(self, x: jax.Array, window: tuple[int, int, int]) -> jax.Array:
        """Max-pools with stride 2 along each axis on which the window is longer than 1.

        torchvision pads half a window on both sides; MIL-NCE pads only at the end, as far as needed.
        """
        strides = [min(size, 2) for size in window]
        if self.gated:
            outputs = [-(-length // stride) for length, stride in zip(x.shape[1:4], strides, strict=True)]
            axes = zip(x.shape[1:4], window, strides, outputs, strict=True)
            padding = [(0, (output - 1) * stride + size - length) for length, size, stride, output in axes]
        else:
            padding = [((size - 1) // 2,) * 2 for size in window]
        return max_pool(x, window, strides, padding)


def max_pool(
    x: jax.Array, window: Sequence[int], strides: Sequence[int], padding: Sequence[tuple[int, int]]
) -> jax.Array:
    """Max-pools [N, T, H, W, C] over T, H and W, axis by axis; padding is never a maximum."""
    for axis, (size, stride, pads) in enumerate(zip(window, strides, padding, strict=True)):
        sizes, steps, margins = [1, 1, 1], [1, 1, 1], [(0, 0)] * 3
        sizes[axis], steps[axis], margins[axis] = size, stride, pads
        x = nn.max_pool(x, tuple(sizes), tuple(steps), margins)
    return x


# Parts of a layer's path in `S3D` to those of its name in torchvision's checkpoint.
TORCHVISION_NAMES = {
    "stem": "features.0",
    "conv_2b": "features.2",
    "conv_2c": "features.3",
    **{block: f"features.{place}" for block, place in zip(BLOCKS, (5, 6, 8, 9, 10, 11, 12, 14, 15), strict=True)},
    "b0": "branch0",
    "b1_a": "branch1.0",
    "b1_b": "branch1.1",
    "b2_a": "branch2.0",
    "b2_b": "branch2.1",
    "b3": "branch3.1",
    "spatial": "0",
    "temporal": "1",
}
# The same for MIL-NCE's, where the names differ.
MIL_NCE_NAMES = {
    "stem": "conv1",
    "b0": "conv_b0",
    "b1_a": "conv_b1_a",
    "b1_b": "conv_b1_b",
    "b2_a": "conv_b2_a",
    "b2_b": "conv_b2_b",
    "b3": "conv_b3_b",
}


def _torchvision_names(*path: str) -> tuple[str, str]:
    """Prefixes of a convolution and of the batch normalisation that follows."""
    name = ".".join(TORCHVISION_NAMES[part] for part in path)
    return f"{name}.0", f"{name}.1"


def _mil_nce_names(*path: str) -> tuple[str, str]:
    """The same for MIL-NCE's checkpoint; a separable convolution has two of each."""
    index = 2 if path[-1] == "temporal" else 1
    name = ".".join(MIL_NCE_NAMES.get(part, part) for part in path if part not in ("spatial", "temporal"))
    return f"{name}.conv{index}", f"{name}.bn{index}"


@dataclasses.dataclass(frozen=True)
class _Layers:
    """Reads the layers of `S3D`, by their paths in it, from a checkpoint."""

    state: StateDict
    gated: bool

    def conv(
        self, path: tuple[str, ...], inputs: int, outputs: int, window: tuple[int, int, int], *shape: int
    ) -> dict[str, Any]:
        """Converts a kernel [outputs, inputs, T, H, W] to [*shape, outputs], with T before the inputs."""
        names, epsilon = (_mil_nce_names, 1e-5) if self.gated else (_torchvision_names, 1e-3)
        layer = self.state.take_folded(*names(*path), (outputs, inputs, *window), epsilon)
        kernel = layer["kernel"].transpose(3, 4, 2, 1, 0).reshape(*shape, outputs)
        return {"conv": {"kernel": kernel, "bias": layer["bias"]}}

    def pointwise(self, path: tuple[str, ...], inputs: int, outputs: int) -> dict[str, Any]:
        return self.conv(path, inputs, outputs, (1, 1, 1), inputs)

    def separable(self, path: tuple[str, ...], inputs: int, outputs: int, size: int = 3) -> dict[str, Any]:
        return {
            "spatial": self.conv((*path, "spatial"), inputs, outputs, (1, size, size), size, size, inputs),
            "temporal": self.conv((*path, "temporal"), outputs, outputs, (size, 1, 1), size, 1, outputs),
        }

    def stem(self) -> dict[str, Any]:
        if self.gated:  # 2 frames x 8 positions x 3 colours
            return {"spatial": self.conv(("stem",), 24, 64, (2, 4, 4), 4, 4, 48)}
        return self.separable(("stem",), 3, 64, size=7)

    def gating(self, path: tuple[str, ...], size: int) -> dict[str, Any]:
        name = ".".join((*path, "fc"))
        kernel, bias = self.state.take(f"{name}.weight", size, size), self.state.take(f"{name}.bias", size)
        return {"fc": {"kernel": kernel.T, "bias": bias}}

    def inception(self, block: str, inputs: int, channels: Channels) -> dict[str, Any]:
        branches = {
            "b0": self.pointwise((block, "b0"), inputs, channels.b0),
            "b1_a": self.pointwise((block, "b1_a"), inputs, channels.b1_a),
            "b1_b": self.separable((block, "b1_b"), channels.b1_a, channels.b1_b),
            "b2_a": self.pointwise((block, "b2_a"), inputs, channels.b2_a),
            "b2_b": self.separable((block, "b2_b"), channels.b2_a, channels.b2_b),
            "b3": self.pointwise((block, "b3"), inputs, channels.b3),
        }
        gates = {f"gating_b{index}": size for index, size in enumerate(channels.outputs)} if self.gated else {}
        return branches | {name: self.gating((block, name), size) for name, size in gates.items()}


def convert(tensors: Mapping[str, np.ndarray], gated: bool = False) -> dict[str, Any]:
    """Converts the state dict of torchvision's `s3d` or, if gated, of MIL-NCE's S3D-G to the parameters of `S3D`.

    Ignores what follows the feature: torchvision's classifier, MIL-NCE's joint embedding and text network. Raises
    ValueError, naming the first tensor that is missing, left over or of the wrong shape.
    """
    state = StateDict(tensors, "MIL-NCE's S3D-G" if gated else "torchvision's s3d")
    layers = _Layers(state, gated)
    params = {
        "stem": layers.stem(),
        "conv_2b": layers.pointwise(("conv_2b",), 64, 64),
        "conv_2c": layers.separable(("conv_2c",), 64, 192),
        **({"gating": layers.gating(("gating",), 192)} if gated else {}),
    }
    inputs = 192
    for block, channels in BLOCKS.items():
        params[block] = layers.inception(block, inputs, channels)
        inputs = sum(channels.outputs)
    for unused in ("fc.", "text_module.") if gated else ("classifier.",):
        state.drop(unused)
    state.require_empty()
    return params


def load(path: pathlib.Path) -> dict[str, Any]:
    """Reads the parameters of torchvision's `s3d` from its checkpoint. Raises OSError or ValueError."""
    return convert(read_torch(path))


def load_gated(path: pathlib.Path) -> dict[str, Any]:
    """Reads the parameters of MIL-NCE's S3D-G from its checkpoint. Raises OSError or ValueError."""
    return convert(read_torch(path), gated=True)


def apply(params: dict[str, Any], clips: jax.Array) -> jax.Array:
    """Computes torchvision's features, float32 [N, 1024], of RGB clips [N, T, H, W, 3] with values from 0 to 255.

    Larger frames are centre-cropped: with `prepare.image_size` 256 a frame is squeezed to 256 x 256 and cropped to
    224 x 224, as in torchvision. With 224 the network sees the whole frame.
    """
    top, left = (max(0, side - CROP) // 2 for side in clips.shape[2:4])
    clips = clips[:, :, top : top + CROP, left : left + CROP]
    mean, deviation = (jnp.array(values)[None, None, None, None] for values in (MEAN, STANDARD_DEVIATION))
    videos = (clips.astype(jnp.float32) / 255 - mean) / deviation
    return jnp.asarray(S3D().apply({"params": params}, videos))


def apply_gated(params: dict[str, Any], clips: jax.Array) -> jax.Array:
    """Computes MIL-NCE's features, float32 [N, 1024], of RGB clips [N, T, H, W, 3] with values from 0 to 255."""
    return jnp.asarray(S3D(gated=True).apply({"params": params}, clips.astype(jnp.float32) / 255))


TORCHVISION = VideoBackbone(
    name="s3d",
    image_size=224,
    feature_size=FEATURE_SIZE,
    min_frames=14,
    multiple=1,
    checkpoint="https://download.pytorch.org/models/s3d-d76dad2f.pth (torchvision, Kinetics-400)",
    load=load,
    apply=apply,
)
MIL_NCE = VideoBackbone(
    name="s3dg",
    image_size=224,
    feature_size=FEATURE_SIZE,
    min_frames=16,
    multiple=2,
    checkpoint="https://www.rocq.inria.fr/cluster-willow/amiech/howto100m/s3d_howto100m.pth (MIL-NCE, HowTo100M)",
    load=load_gated,
    apply=apply_gated,
)
