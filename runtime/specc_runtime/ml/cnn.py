"""Image classifiers for small images: ResNet-18 and a convolutional net of three layers."""

from __future__ import annotations

from typing import Any, List, Mapping

import torch
from torch import nn
from torch.nn import functional


def build(settings: Mapping[str, Any], *, channels: int, classes: int) -> nn.Module:
    """Build the net of the block `model`, with torch's own initial weights.

    channels: of the images.   Global random numbers of torch are used.
    """
    width = max(1, round(settings["width"] * settings["width_factor"]))
    net = {"resnet18": resnet18, "small_cnn": small_cnn}[settings["architecture"]]
    return net(width, channels=channels, classes=classes, norm=settings["norm"])


def resnet18(width: int, *, channels: int, classes: int, norm: bool) -> nn.Module:
    """Build ResNet-18 (He et al. 2015) with the stem for small images: 3x3, stride 1, no pooling.

    width: channels of the first stage; the others have 2, 4 and 8 times as many.
    11,173,962 parameters with width 64, 3 channels, 10 classes and norm.
    """
    layers: List[nn.Module] = [*_convolution(channels, width, 1, norm=norm), nn.ReLU()]
    before = width
    for factor, stride in ((1, 1), (2, 2), (4, 2), (8, 2)):
        after = width * factor
        layers += [Block(before, after, stride, norm=norm), Block(after, after, 1, norm=norm)]
        before = after
    return nn.Sequential(*layers, AveragePool(1), nn.Flatten(), nn.Linear(before, classes))


def small_cnn(width: int, *, channels: int, classes: int, norm: bool) -> nn.Module:
    """Build two 3x3 convolutions (the second of stride 2), average pooling to 4x4, one linear."""
    return nn.Sequential(
        *_convolution(channels, width, 1, norm=norm),
        nn.ReLU(),
        *_convolution(width, 2 * width, 2, norm=norm),
        nn.ReLU(),
        AveragePool(4),
        nn.Flatten(),
        nn.Linear(2 * width * 16, classes),
    )


class Block(nn.Module):  # type: ignore[misc]
    """Residual block of two 3x3 convolutions; a 1x1 convolution where the shape changes."""

    def __init__(self, before: int, after: int, stride: int, *, norm: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(before, after, stride, norm=norm),
            nn.ReLU(),
            *_convolution(after, after, 1, norm=norm),
        )
        same = stride == 1 and before == after
        self.shortcut = nn.Sequential(
            *([] if same else _convolution(before, after, stride, norm=norm, size=1))
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.body(images) + self.shortcut(images))


class AveragePool(nn.Module):  # type: ignore[misc]
    """Means over `size` x `size` windows, where torch's AdaptiveAvgPool2d has them.

    Made of slices and means: on a GPU the gradient of torch's own adds in no fixed order, and
    `deterministic` refuses it.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self._means(self._means(images, -2), -1)

    def _means(self, images: torch.Tensor, dim: int) -> torch.Tensor:
        length = images.shape[dim]
        if length == self.size:
            return images
        if self.size == 1:
            return images.mean(dim, keepdim=True)
        # windows overlap where the length is no multiple
        starts = [index * length // self.size for index in range(self.size)]
        ends = [-(-(index + 1) * length // self.size) for index in range(self.size)]
        windows = [
            images.narrow(dim, start, end - start).mean(dim) for start, end in zip(starts, ends)
        ]
        return torch.stack(windows, dim)


def _convolution(
    before: int, after: int, stride: int, *, norm: bool, size: int = 3
) -> List[nn.Module]:
    # batch normalisation takes the mean away, and a bias with it
    layer = nn.Conv2d(before, after, size, stride, size // 2, bias=not norm)
    return [layer, nn.BatchNorm2d(after)] if norm else [layer]
