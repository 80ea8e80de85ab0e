"""Images in memory, on the device: split, drawn in a seeded order, augmented and normalised.

Everything random comes from generators of its own on the CPU, made anew for each epoch from seed
and epoch: a run that goes on at an epoch draws what an uninterrupted one does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, List, Mapping, Optional, Tuple

import torch
from torch.nn import functional

from ..attempts.attempt import TaskError
from .image_files import BadFile, Part, read

Batch = Tuple[torch.Tensor, torch.Tensor]
_TRIES = 10
"""Rectangles drawn for each image; the first that fits is taken, as torchvision does."""


def seeded(*what: Any) -> torch.Generator:
    """Return a generator whose numbers depend on `what` alone."""
    digest = hashlib.sha256("/".join(map(str, what)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(frozen=True)
class Images:
    """A training and a validation part on the device."""

    train: Part
    validation: Part
    mean: torch.Tensor
    """Of the training images, for each channel, in 0..1: (1, channels, 1, 1)."""
    deviation: torch.Tensor
    classes: int
    memory_format: torch.memory_format

    @property
    def channels(self) -> int:
        return int(self.train[0].shape[1])

    @property
    def size(self) -> Tuple[int, int]:
        """Height and width [pixels]."""
        height, width = self.train[0].shape[2:]
        return int(height), int(width)

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """Return bytes as numbers of mean 0 and deviation 1 over the training images."""
        scaled = (images.float() / 255 - self.mean) / self.deviation
        return scaled.contiguous(memory_format=self.memory_format)

    def epoch(
        self, number: int, *, batch_size: int, seed: int, augment: Mapping[str, Any]
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch (0, 1, …); what fills no whole batch is left out."""
        images, labels = self.train
        # for the whole epoch at once: a copy to a GPU in each step would wait for the step before
        order = torch.randperm(len(labels), generator=seeded(seed, "order", number))
        changes = draw_changes(
            len(labels), self.size, augment, seeded(seed, "augmentation", number)
        ).to(images.device)
        order = order.to(images.device)
        for first in range(0, len(order) - batch_size + 1, batch_size):
            part = slice(first, first + batch_size)
            chosen = order[part]
            batch = changed(self.normalised(images[chosen]), changes[part])
            yield batch.contiguous(memory_format=self.memory_format), labels[chosen]

    def validation_batches(
        self, batch_size: int, *, most: Optional[int] = None, seed: int = 0
    ) -> Iterator[Batch]:
        """Yield all validation images in a fixed order, or of more the `most` that `seed` draws."""
        images, labels = self.validation
        if most is not None and most < len(labels):
            order = torch.randperm(len(labels), generator=seeded(seed, "quarters"))
            chosen = order[:most].to(images.device)
            images, labels = images[chosen], labels[chosen]
        for first in range(0, len(labels), batch_size):
            part = slice(first, first + batch_size)
            yield self.normalised(images[part]), labels[part]

    def fixed_batch(self, count: int, seed: int) -> Batch:
        """Return the same training images each time: `count`, or all when there are less."""
        images, labels = self.train
        order = torch.randperm(len(labels), generator=seeded(seed, "subsample"))
        chosen = order[:count].to(images.device)
        return self.normalised(images[chosen]), labels[chosen]


def load(
    path: Path, settings: Mapping[str, Any], device: torch.device, *, channels_last: bool = False
) -> Images:
    """Read and split what the block `data` describes, and put it on the device.

    Raises TaskError (dataset_load) that says what does not fit.
    """
    try:
        files = read(path, settings["format"])
    except BadFile as error:
        raise _bad(
            f"{settings['file']}: {error}",
            "see that data.format names what it is, and that it came whole: compare its size and "
            "hash with those of its publisher, and fetch it again",
        ) from error
    _check_classes([files.train, *([] if files.test is None else [files.test])], settings)
    train, validation = _split(files.train, files.test, settings)
    mean, deviation = channel_moments(train[0])
    return Images(
        train=(train[0].to(device), train[1].to(device)),
        validation=(validation[0].to(device), validation[1].to(device)),
        mean=mean.view(1, -1, 1, 1).to(device),
        # a channel that never changes would be divided by 0
        deviation=deviation.clamp(min=1e-6).view(1, -1, 1, 1).to(device),
        classes=settings["classes"],
        memory_format=torch.channels_last if channels_last else torch.contiguous_format,
    )


def channel_moments(images: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
    """Return mean and standard deviation of each channel of byte images, as float32 in 0..1."""
    values = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in images.unbind(1):
        # of 150 MB of bytes a histogram is exact and small; as numbers they would be 1.2 GB
        shares = torch.bincount(channel.reshape(-1), minlength=256).double() / channel.numel()
        mean = (shares * values).sum()
        means.append(mean)
        deviations.append((shares * (values - mean) ** 2).sum().sqrt())
    return torch.stack(means).float(), torch.stack(deviations).float()


def _check_classes(parts: List[Part], settings: Mapping[str, Any]) -> None:
    wanted = settings["classes"]
    found = sorted({label for _, labels in parts for label in labels.unique().tolist()})
    if found != list(range(wanted)):
        shown = ", ".join(map(str, found[:12])) + (", …" if len(found) > 12 else "")
        raise _bad(
            f"{settings['file']} has {len(found)} classes ({shown}), but data.classes is {wanted}",
            "name the number of classes of the file, or use another file",
        )


def _split(train: Part, test: Optional[Part], settings: Mapping[str, Any]) -> Tuple[Part, Part]:
    share, seed = settings["validation_fraction"], settings["split_seed"]
    if share is not None:
        images, labels = train
        order = torch.randperm(len(labels), generator=seeded(seed, "split"))
        count = round(len(labels) * share)
        test = images[order[:count]], labels[order[:count]]
        train = images[order[count:]], labels[order[count:]]
    if test is None:
        raise _bad(
            f"{settings['file']} has no part to validate on",
            "set data.validation_fraction, for instance to 0.2",
        )
    return (
        _first(train, settings["train_samples"], seed, "train"),
        _first(test, settings["validation_samples"], seed, "validation"),
    )


def _first(part: Part, count: Optional[int], seed: int, which: str) -> Part:
    images, labels = part
    if count is not None and count > len(labels):
        raise _bad(
            f"data.{which}_samples is {count}, but there are only {len(labels)} images",
            f"lower it to {len(labels)}, or say null for all",
        )
    if not len(labels):
        raise _bad(
            f"there is no image to use for {which}",
            "use a larger file, or another data.validation_fraction",
        )
    if count is None:
        return part
    order = torch.randperm(len(labels), generator=seeded(seed, which))[:count]
    return images[order], labels[order]


def _bad(message: str, suggestion: str) -> TaskError:
    return TaskError("dataset_load", f"the data set cannot be used: {message}", suggestion)


@dataclass(frozen=True)
class Changes:
    """What augmentation does to each of n images."""

    boxes: Optional[torch.Tensor]
    """(n, 4), as `crop_boxes` draws them; None: nothing is cut out."""
    mirror: Optional[torch.Tensor]
    """(n,), bool; None: nothing is mirrored."""

    def to(self, device: torch.device) -> Changes:
        """Return them on a device."""
        return self._each(lambda values: values.to(device))

    def __getitem__(self, part: slice) -> Changes:
        return self._each(lambda values: values[part])

    def _each(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Changes:
        boxes = None if self.boxes is None else function(self.boxes)
        return Changes(boxes, None if self.mirror is None else function(self.mirror))


def draw_changes(
    count: int, size: Tuple[int, int], settings: Mapping[str, Any], draws: torch.Generator
) -> Changes:
    """Draw for `count` images of `size` what the block `augmentation` asks for."""
    boxes = mirror = None
    if settings["random_resized_crop"]:
        boxes = crop_boxes(count, size, settings["crop_scale"], settings["crop_ratio"], draws)
    if settings["horizontal_flip"]:
        mirror = torch.rand(count, generator=draws) < 0.5
    return Changes(boxes, mirror)


def changed(images: torch.Tensor, changes: Changes) -> torch.Tensor:
    """Cut out and mirror each image of a batch by itself."""
    if changes.boxes is not None:
        images = resized(images, changes.boxes)
    if changes.mirror is not None:
        images = torch.where(changes.mirror.view(-1, 1, 1, 1), images.flip(3), images)
    return images


def crop_boxes(
    count: int,
    size: Tuple[int, int],
    scale: Tuple[float, float],
    ratio: Tuple[float, float],
    draws: torch.Generator,
) -> torch.Tensor:
    """Draw a rectangle for each image as torchvision's RandomResizedCrop does.

    Returns (count, 4): top, left, height, width [pixels], whole numbers as float32.
    """
    full_height, full_width = size
    random = torch.rand((4, count, _TRIES), generator=draws)
    area = full_height * full_width * (scale[0] + (scale[1] - scale[0]) * random[0])
    low, high = torch.tensor(ratio).log()
    shape = (low + (high - low) * random[1]).exp()
    width, height = (area * shape).sqrt().round(), (area / shape).sqrt().round()
    fits = (width >= 1) & (width <= full_width) & (height >= 1) & (height <= full_height)
    first = fits.float().argmax(dim=1, keepdim=True)
    taken = fits.gather(1, first)
    # where none fits: as much of the middle as the ratios allow
    middle_width = min(full_width, round(full_height * ratio[1]))
    middle_height = min(full_height, round(full_width / ratio[0]))
    width = torch.where(taken, width.gather(1, first), torch.tensor(float(middle_width)))
    height = torch.where(taken, height.gather(1, first), torch.tensor(float(middle_height)))
    top = (random[2].gather(1, first) * (full_height - height + 1)).floor()
    left = (random[3].gather(1, first) * (full_width - width + 1)).floor()
    top = torch.where(taken, top, ((full_height - height) / 2).floor())
    left = torch.where(taken, left, ((full_width - width) / 2).floor())
    return torch.cat([top, left, height, width], dim=1)


def resized(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Scale a rectangle of each image to the images' size, bilinearly, edges not blended."""
    count, _, full_height, full_width = images.shape
    top, left, height, width = (boxes[:, place : place + 1] for place in range(4))
    rows = (torch.arange(full_height, device=images.device) + 0.5) / full_height * height - 0.5
    columns = (torch.arange(full_width, device=images.device) + 0.5) / full_width * width - 0.5
    rows = top + torch.minimum(rows.clamp(min=0), height - 1)
    columns = left + torch.minimum(columns.clamp(min=0), width - 1)
    grid = torch.stack(
        [
            ((columns + 0.5) * 2 / full_width - 1)[:, None, :].expand(count, full_height, -1),
            ((rows + 0.5) * 2 / full_height - 1)[:, :, None].expand(count, -1, full_width),
        ],
        dim=-1,
    )
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
