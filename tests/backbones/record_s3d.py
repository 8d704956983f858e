"""Records `s3d_reference.npz`: shapes of both checkpoints, and features that torch computes with random weights.

    python -m venv recorder && recorder/bin/pip install torch torchvision && recorder/bin/python record_s3d.py

torchvision has `s3d`. No package has MIL-NCE's S3D-G, so its graph is written out here in torch, independently of
`videobert_jax`, from the description in its publication (Miech et al. 2020): literal space-to-depth, 3-D convolutions,
cropping, zero padding and pooling in ceil mode. Last recorded with torch 2.13.0 and torchvision 0.28.0 on a CPU.
"""

import json
import pathlib

import numpy as np
import random_s3d
import torch
from torch import nn
from torch.nn import functional
from torchvision.models.video import s3d

REFERENCE = pathlib.Path(__file__).with_name("s3d_reference.npz")
MEAN, STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
MIXED = {
    "3b": (192, 64, 96, 128, 16, 32, 32),
    "3c": (256, 128, 128, 192, 32, 96, 64),
    "4b": (480, 192, 96, 208, 16, 48, 64),
    "4c": (512, 160, 112, 224, 24, 64, 64),
    "4d": (512, 128, 128, 256, 24, 64, 64),
    "4e": (512, 112, 144, 288, 32, 64, 64),
    "4f": (528, 256, 160, 320, 32, 128, 128),
    "5b": (832, 256, 160, 320, 32, 128, 128),
    "5c": (832, 384, 192, 384, 48, 128, 128),
}


class Convolution(nn.Module):
    """Convolution, normalisation, ReLU; separable: all of it within the frames, then over them."""

    def __init__(self, inputs, outputs, window=(1, 1, 1), padding=(0, 0, 0), separable=False):
        super().__init__()
        (t, h, w), (pad, *pads) = window, padding
        first, first_padding = ((1, h, w), (0, *pads)) if separable else (window, padding)
        self.conv1 = nn.Conv3d(inputs, outputs, first, padding=first_padding, bias=False)
        self.bn1 = nn.BatchNorm3d(outputs)
        if separable:
            self.conv2 = nn.Conv3d(outputs, outputs, (t, 1, 1), padding=(pad, 0, 0), bias=False)
            self.bn2 = nn.BatchNorm3d(outputs)
        self.separable = separable

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x))) if self.separable else x


class Gate(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.fc = nn.Linear(size, size)

    def forward(self, x):
        return torch.sigmoid(self.fc(x.mean((2, 3, 4))))[:, :, None, None, None] * x


class Mixed(nn.Module):
    def __init__(self, inputs, b0, b1_a, b1_b, b2_a, b2_b, b3):
        super().__init__()
        separable = {"window": (3, 3, 3), "padding": (1, 1, 1), "separable": True}
        self.conv_b0 = Convolution(inputs, b0)
        self.conv_b1_a, self.conv_b1_b = Convolution(inputs, b1_a), Convolution(b1_a, b1_b, **separable)
        self.conv_b2_a, self.conv_b2_b = Convolution(inputs, b2_a), Convolution(b2_a, b2_b, **separable)
        self.conv_b3_b = Convolution(inputs, b3)
        self.gating_b0, self.gating_b1, self.gating_b2, self.gating_b3 = (Gate(size) for size in (b0, b1_b, b2_b, b3))

    def forward(self, x):
        b1 = self.conv_b1_b(self.conv_b1_a(x))
        b2 = self.conv_b2_b(self.conv_b2_a(x))
        b3 = self.conv_b3_b(functional.max_pool3d(x, 3, stride=1, padding=1))
        gated = (self.gating_b0(self.conv_b0(x)), self.gating_b1(b1), self.gating_b2(b2), self.gating_b3(b3))
        return torch.cat(gated, dim=1)


class S3DG(nn.Module):
    """The video tower; `fc` makes the joint embedding, which the recorded feature comes before."""

    def __init__(self):
        super().__init__()
        self.conv1 = Convolution(24, 64, (2, 4, 4), (1, 2, 2))
        self.conv_2b = Convolution(64, 64)
        self.conv_2c = Convolution(64, 192, (3, 3, 3), (1, 1, 1), separable=True)
        self.gating = Gate(192)
        for name, channels in MIXED.items():
            self.add_module(f"mixed_{name}", Mixed(*channels))
        self.fc = nn.Linear(1024, 512)

    def forward(self, x):
        x = self.conv1(space_to_depth(x))[:, :, 1:, 1:, 1:]
        x = self.conv_2c(self.conv_2b(pool(x, (1, 3, 3))))
        x = pool(self.gating(x), (1, 3, 3))
        for name in MIXED:
            if name in ("4b", "5b"):
                x = pool(x, (3, 3, 3) if name == "4b" else (2, 2, 2))
            x = self.get_submodule(f"mixed_{name}")(x)
        return x.mean((2, 3, 4))


def space_to_depth(x):
    """Each of the 8 places in a cube of 2 x 2 x 2 pixels gives three channels."""
    places = [x[:, :, dt::2, dh::2, dw::2] for dt in (0, 1) for dh in (0, 1) for dw in (0, 1)]
    return torch.cat(places, dim=1)


def pool(x, window):
    """Stride 2 where the window is longer than 1; one zero behind where it is 3."""
    behind = [int(size == 3) for size in window]
    x = functional.pad(x, (0, behind[2], 0, behind[1], 0, behind[0]))
    return functional.max_pool3d(x, window, stride=[min(size, 2) for size in window], ceil_mode=True)


def torchvision_feature(network, x):
    mean, std = (torch.tensor(values).reshape(3, 1, 1, 1) for values in (MEAN, STD))
    return network.features((x - mean) / std).mean((2, 3, 4))


def main():
    torch.set_num_threads(1)
    clips = torch.from_numpy(random_s3d.clips()).permute(0, 4, 1, 2, 3).float() / 255
    recorded = {}
    for name, network in {"s3d": s3d(), "s3dg": S3DG()}.items():
        shapes = {key: list(tensor.shape) for key, tensor in network.state_dict().items()}
        state = {key: torch.from_numpy(array) for key, array in random_s3d.weights(shapes).items()}
        network.load_state_dict(state)
        network.eval()
        with torch.no_grad():
            feature = torchvision_feature(network, clips) if name == "s3d" else network(clips)
        print(name, len(shapes), "tensors; feature", feature.std(0).mean(), feature.mean(), feature.max())
        recorded |= {f"{name}_shapes": json.dumps(shapes), f"{name}_features": feature.numpy()}
    np.savez_compressed(REFERENCE, **recorded)


if __name__ == "__main__":
    main()
