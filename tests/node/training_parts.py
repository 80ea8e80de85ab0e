"""Small real parts for the training tests: settings with the schema's defaults, image files."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from specc import resources
from specc.language.defaults import fill_defaults

MODULE = "specc_runtime.kinds.training.run"
TINY: dict[str, Any] = {
    "model": {"architecture": "small_cnn", "width": 4},
    "data": {"file": "input:digits", "format": "digits-csv", "validation_fraction": 0.25},
    "augmentation": {"crop_scale": [0.5, 1.0], "horizontal_flip": False},
    "epochs": 3,
    "warmup_epochs": 1,
    "batch_size": 16,
    "lr": 0.05,
    "threads": 1,
    "cadences": {"curvature_steps": 7, "noise_epochs": 2, "flush_steps": 5},
    "curvature": {"subsample": 16, "probes": 2, "iterations": 3},
    "noise": {"window_steps": 16, "gradient_batches": 2},
}


def settings(**changes: Any) -> dict[str, Any]:
    """Settings of a tiny run; blocks of `changes` are merged into its own, one level deep."""
    chosen = deepcopy(TINY)
    for key, value in changes.items():
        merge = isinstance(value, dict) and isinstance(chosen.get(key), dict)
        chosen[key] = {**chosen[key], **value} if merge else value
    filled: dict[str, Any] = fill_defaults(resources.schema("kinds/training"), chosen)
    return filled


def digits(path: Path, rows: int = 160, *, classes: int = 10, seed: int = 1) -> Path:
    """Write rows of 64 grey values and a class: each class has a bright bar."""
    generator = torch.Generator().manual_seed(seed)
    lines = []
    for row in range(rows):
        label = row % classes
        image = torch.randint(0, 5, (8, 8), generator=generator)
        image[label % 8] += 8 if label < 8 else 4
        image[:, label % 8] += 3
        lines.append(",".join(map(str, [*image.flatten().tolist(), label])))
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    return path


def cifar_rows(number: int, rows: int = 20) -> tuple[torch.Tensor, list[int]]:
    """Images of one CIFAR-10 batch, (rows, 3072) bytes, and their classes."""
    generator = torch.Generator().manual_seed(number)
    images = torch.randint(0, 256, (rows, 3072), generator=generator, dtype=torch.uint8)
    return images, [(row + number) % 10 for row in range(rows)]


def _archive(path: Path, folder: str, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def cifar_binary(path: Path) -> Path:
    """Write cifar-10-binary.tar.gz with 20 images in each batch."""
    files = {}
    for number, name in enumerate(NAMES):
        images, labels = cifar_rows(number)
        rows = zip(labels, images, strict=True)
        files[f"{name}.bin"] = b"".join(bytes([label, *row.tolist()]) for label, row in rows)
    return _archive(path, "cifar-10-batches-bin", files)


def cifar_python(path: Path, *, extra: Any = b"testing") -> Path:
    """Write cifar-10-python.tar.gz, pickled by numpy itself in Python 2's protocol."""
    files = {}
    for number, name in enumerate(NAMES):
        images, labels = cifar_rows(number)
        batch = {b"batch_label": extra, b"labels": labels, b"data": images.numpy()}
        files[name] = pickle.dumps(batch, protocol=2)
    return _archive(path, "cifar-10-batches-py", files)


def cifar_of_python_2(path: Path) -> Path:
    """Write the archive as its makers did, by Python 2: opcode by opcode."""
    files = {}
    for number, name in enumerate(NAMES):
        images, labels = cifar_rows(number)
        files[name] = b"".join(
            (
                b"\x80\x02}(U\x06labels](",
                *(b"K" + bytes([label]) for label in labels),
                b"eU\x04datacnumpy.core.multiarray\n_reconstruct\n",
                b"(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x14M\x00\x0ct",
                b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR",
                b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
                b"T" + struct.pack("<I", images.numel()) + bytes(images.flatten().tolist()),
                b"tbu.",
            )
        )
    return _archive(path, "cifar-10-batches-py", files)


def idx(folder: Path, *, rows: int = 30, packed: bool = True) -> Path:
    """Write the four files of Fashion-MNIST with 12x12 images."""
    folder.mkdir()
    for number, prefix in enumerate(("train", "t10k")):
        generator = torch.Generator().manual_seed(number)
        images = torch.randint(0, 256, (rows, 12, 12), generator=generator, dtype=torch.uint8)
        labels = torch.arange(rows) % 10
        contents = {
            "images-idx3": struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
            + bytes(images.flatten().tolist()),
            "labels-idx1": struct.pack(">4BI", 0, 0, 8, 1, rows) + bytes(labels.tolist()),
        }
        for name, data in contents.items():
            path = folder / f"{prefix}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)
    return folder
