"""ResNet against a plain implementation that shares only the checkpoint; where it is installed, against torch."""

import functools
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from videobert_jax.backbones import get_backbone, resnet
from videobert_jax.backbones.resnet import Architecture
from videobert_jax.errors import ConfigError

TINY = {"basic": Architecture(False, (2, 1), width=4), "bottleneck": Architecture(True, (1, 2), width=4)}
# float32 sums in another order, over few layers.
TOLERANCE = 1e-5


def shapes_of(shape):
    """The tensors of torchvision's checkpoints, by name."""
    shapes = {"conv1.weight": (shape.width, 3, 7, 7), "fc.weight": (10, shape.feature_size), "fc.bias": (10,)}
    norms = {"bn1": shape.width}
    for block in resnet.blocks(shape):
        place = f"layer{block.stage}.{block.number}"
        for number, (size, inputs, outputs, _) in enumerate(resnet.convolutions(block, shape.bottleneck), 1):
            shapes[f"{place}.conv{number}.weight"] = (outputs, inputs, size, size)
            norms[f"{place}.bn{number}"] = outputs
        if block.projects:
            shapes[f"{place}.downsample.0.weight"] = (block.outputs, block.inputs, 1, 1)
            norms[f"{place}.downsample.1"] = block.outputs
    for name, size in norms.items():
        shapes |= {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{name}.num_batches_tracked"] = ()
    return shapes


def random_state(shape, seed=0):
    rng = np.random.default_rng(seed)

    def draw(name, size):
        if name.endswith("num_batches_tracked"):
            return np.zeros(size, np.int64)
        if len(size) == 4:
            return rng.normal(0, np.sqrt(2 / np.prod(size[1:])), size).astype(np.float32)
        low, high = (0.5, 1.5) if name.endswith(("weight", "var")) else (-0.3, 0.3)
        return rng.uniform(low, high, size).astype(np.float32)

    return {name: draw(name, size) for name, size in shapes_of(shape).items()}


def reference(state, shape, images):
    """Unfolded batch normalisation, NCHW, layer by layer by torchvision's names; strides and padding as in torch."""

    def layer(x, conv, norm, stride=1, activate=True):
        kernel = state[f"{conv}.weight"]
        pad = ((kernel.shape[2] // 2,) * 2,) * 2
        x = jax.lax.conv_general_dilated(x, kernel, (stride, stride), pad)
        parts = ("weight", "bias", "running_mean", "running_var")
        gain, bias, mean, variance = (state[f"{norm}.{part}"][None, :, None, None] for part in parts)
        x = (x - mean) / jnp.sqrt(variance + 1e-5) * gain + bias
        return jnp.maximum(x, 0) if activate else x

    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = jnp.asarray(((images / 255 - mean) / deviation).transpose(0, 3, 1, 2), jnp.float32)
    x = layer(x, "conv1", "bn1", stride=2)
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 3, 3), (1, 1, 2, 2), ((0, 0), (0, 0), (1, 1), (1, 1)))
    for stage, depth in enumerate(shape.depths, 1):
        for block in range(depth):
            name, inputs, stride = f"layer{stage}.{block}", x, 2 if stage > 1 and block == 0 else 1
            last = 3 if shape.bottleneck else 2
            for number in range(1, last + 1):
                own = stride if number == (2 if shape.bottleneck else 1) else 1
                x = layer(x, f"{name}.conv{number}", f"{name}.bn{number}", own, activate=number < last)
            if f"{name}.downsample.0.weight" in state:
                inputs = layer(inputs, f"{name}.downsample.0", f"{name}.downsample.1", stride, activate=False)
            x = jnp.maximum(x + inputs, 0)
    return np.asarray(x.mean((2, 3)))


def random_clips(frames=5, height=37, width=34):
    return np.random.default_rng(1).integers(0, 256, (2, frames, height, width, 3), dtype=np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TINY)
def test_the_feature_is_the_mean_over_three_frames_of_a_plain_network(kind):
    shape, clips = TINY[kind], random_clips()
    state = random_state(shape)
    expected = reference(state, shape, clips[:, [0, 2, 4]].reshape(6, 37, 34, 3)).reshape(2, 3, -1).mean(axis=1)
    features = jax.jit(functools.partial(resnet.apply, shape))(resnet.convert(state, kind, shape), clips)
    assert (features.dtype, features.shape) == (jnp.float32, (2, shape.feature_size))
    assert np.abs(expected[0] - expected[1]).max() > 1000 * TOLERANCE, "the clips have to tell a difference"
    np.testing.assert_allclose(features, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        ("resnet18", 512, 11_689_512),
        ("resnet34", 512, 21_797_672),
        ("resnet50", 2048, 25_557_032),
        ("resnet101", 2048, 44_549_160),
        ("resnet152", 2048, 60_192_808),
    ],
)
def test_the_registered_networks_have_as_many_parameters_as_torchvision_states(name, size, parameters):
    backbone = get_backbone(name)
    (shape,) = backbone.apply.args
    names = [key for key in shapes_of(shape) if re.search(r"^(?!fc).*(weight|bias)$", key)]
    classifier = size * 1000 + 1000
    assert sum(np.prod(shapes_of(shape)[key]) for key in names) + classifier == parameters
    assert (backbone.feature_size, backbone.name) == (size, name)


def test_a_tensor_that_is_missing_left_over_or_of_another_shape_is_named():
    shape = TINY["basic"]
    state, name = random_state(shape), "layer1.1.bn2.running_var"
    with pytest.raises(ValueError, match=f"tensor {name} is missing from the weights of resnet18"):
        resnet.convert({key: value for key, value in state.items() if key != name}, "resnet18", shape)
    with pytest.raises(ValueError, match=r"tensor layer1\.2\.conv1\.weight is not part of resnet18"):
        resnet.convert({**state, "layer1.2.conv1.weight": np.zeros(3)}, "resnet18", shape)
    with pytest.raises(ValueError, match=re.escape(f"tensor {name} has shape (3,), expected (4,)")):
        resnet.convert({**state, name: np.ones(3, np.float32)}, "resnet18", shape)


def theirs(name):
    """A name of torchvision as `transformers` has it."""
    name = re.sub(r"^(conv1|bn1)\.", r"embedder.embedder.\1.", name)
    name = re.sub(r"^layer(\d)\.(\d)\.", lambda x: f"encoder.stages.{int(x[1]) - 1}.layers.{x[2]}.", name)
    name = re.sub(r"layers\.(\d)\.(conv|bn)(\d)", lambda x: f"layers.{x[1]}.layer.{int(x[3]) - 1}.{x[2]}1", name)
    name = name.replace("downsample.0", "shortcut.conv1").replace("downsample.1", "shortcut.bn1")
    name = re.sub(r"\.conv1\.", ".convolution.", re.sub(r"\.bn1\.", ".normalization.", name))
    return f"classifier.1.{name[3:]}" if name.startswith("fc.") else f"resnet.{name}"


@pytest.mark.parametrize("kind", TINY)
def test_names_of_transformers_mean_the_same(kind, tmp_path):
    shape, state = TINY[kind], random_state(TINY[kind])
    wanted = resnet.convert(state, kind, shape)
    for names in (str, theirs, lambda name: theirs(name).removeprefix("resnet.")):
        path = tmp_path / "model.safetensors"
        safetensors.numpy.save_file({names(name): tensor for name, tensor in state.items()}, path)
        jax.tree.map(np.testing.assert_array_equal, resnet.load(kind, shape, path), wanted)


def test_a_broken_file_is_refused(tmp_path):
    load = get_backbone("resnet18").load
    for name, message in [
        ("a.safetensors", "a.safetensors is not a whole safetensors file"),
        ("a.pth", "a.pth is not a"),
    ]:
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(ValueError, match=message):
            load(tmp_path / name)


def test_without_weights_it_is_said_what_to_download(tmp_path):
    with pytest.raises(
        ConfigError, match=r"download https://.*resnet50-11ad3fa6\.pth \(torchvision, ImageNet\) and na"
    ):
        get_backbone("resnet50").check(30, 224, "")
    path = tmp_path / "weights.pth"
    path.touch()
    get_backbone("resnet50").check(3, 99, str(path))
    with pytest.raises(ConfigError, match="clip_frames is 2; backbone resnet50 needs at least 3"):
        get_backbone("resnet50").check(2, 224, str(path))


# From here on with torch.


@pytest.mark.needs("torch")
@pytest.mark.parametrize("kind", TINY)
def test_features_equal_those_of_the_network_of_transformers(kind, tmp_path):
    import torch
    import transformers

    torch.manual_seed(0)
    shape = TINY[kind]
    sizes = [shape.width * 2**stage * (4 if shape.bottleneck else 1) for stage in range(len(shape.depths))]
    layer = "bottleneck" if shape.bottleneck else "basic"
    config = transformers.ResNetConfig(
        embedding_size=shape.width, hidden_sizes=sizes, depths=list(shape.depths), layer_type=layer
    )
    model = transformers.ResNetModel(config).eval()
    model.load_state_dict(
        {
            theirs(name).removeprefix("resnet."): torch.from_numpy(np.array(tensor))
            for name, tensor in random_state(shape).items()
            if not name.startswith("fc.")
        }
    )
    model.save_pretrained(tmp_path)
    clips = random_clips(3)
    images = (clips.reshape(6, 37, 34, 3) / 255 - np.array(resnet.MEAN)) / np.array(resnet.STANDARD_DEVIATION)
    with torch.inference_mode():
        outputs = model(torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))).pooler_output
    expected = outputs.numpy().reshape(2, 3, -1).mean(axis=1)
    params = resnet.load(kind, shape, tmp_path / "model.safetensors")
    np.testing.assert_allclose(resnet.apply(shape, params, jnp.asarray(clips)), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_of_torch_is_read(legacy, tmp_path):
    import torch

    shape = TINY["bottleneck"]
    state = random_state(shape)
    path = pathlib.Path(tmp_path / "resnet.pth")
    tensors = {name: torch.from_numpy(np.array(tensor)) for name, tensor in state.items()}
    torch.save(tensors, path, _use_new_zipfile_serialization=not legacy)
    loaded = resnet.load("resnet50", shape, path)
    jax.tree.map(np.testing.assert_array_equal, loaded, resnet.convert(state, "resnet50", shape))
