"""Read CIFAR-10, MNIST-like and digits files into tensors. No code of a file is ever run."""

from __future__ import annotations

import gzip
import io
import math
import pickle
import struct
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, ClassVar, Dict, List, Optional, Sequence, Tuple

import torch

Part = Tuple[torch.Tensor, torch.Tensor]
"""Images (n, channels, height, width), uint8; classes (n,), int64."""

_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
_CIFAR_IMAGE = (3, 32, 32)
_NOT_READABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    struct.error,
    zlib.error,
    tarfile.TarError,
    pickle.UnpicklingError,
)


class BadFile(Exception):
    """The file is not what its format says. The message tells what is wrong with it."""


@dataclass(frozen=True)
class Files:
    """What a file holds."""

    train: Part
    test: Optional[Part]
    """None where the format has no test part."""


def read(path: Path, form: str) -> Files:
    """Read an archive, or a folder with its files. form: as the setting `data.format` names it.

    Raises BadFile.
    """
    readers: Dict[str, Callable[[Path], Files]] = {
        "cifar10-binary": lambda at: _read_cifar(at, ".bin", _binary_part),
        "cifar10-python": lambda at: _read_cifar(at, "", _python_part),
        "idx": _read_idx,
        "digits-csv": _read_digits,
    }
    try:
        return readers[form](path)
    except BadFile:
        raise
    except _NOT_READABLE as error:
        raise BadFile(f"it can't be read as {form}: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _read_cifar(path: Path, suffix: str, part: Callable[[bytes], Part]) -> Files:
    names = [f"{name}{suffix}" for name in (*_TRAIN, "test_batch")]
    texts = _members(path, names)
    *train, test = [part(texts[name]) for name in names]
    joined = torch.cat([images for images, _ in train]), torch.cat([each for _, each in train])
    return Files(joined, test)


def _members(path: Path, names: Sequence[str]) -> Dict[str, bytes]:
    """Return the files of these names, wherever they stand in an archive or a folder."""
    found: Dict[str, bytes] = {}
    if path.is_dir():
        for name in names:
            at = next(iter(sorted(path.rglob(name))), None)
            if at is not None:
                found[name] = at.read_bytes()
    else:
        with _opened(path) as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                file = archive.extractfile(member) if name in names else None
                if file is not None:
                    found[name] = file.read()
            # the checksum stands behind the end of the archive, where nobody else would look
            while archive.fileobj is not None and archive.fileobj.read(1 << 20):
                continue
    lacking = [name for name in names if name not in found]
    if lacking:
        raise BadFile(f"it has no {', '.join(lacking)}: it is not whole, or of another format")
    return found


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path)
    except tarfile.ReadError as error:
        # tarfile's own message lists what each kind of packing found, none of which is the cause
        raise ValueError("it is no tar archive, or its beginning is damaged") from error


def _binary_part(data: bytes) -> Part:
    """Read rows of one byte for the class and 3072 for red, green and blue."""
    size = 1 + math.prod(_CIFAR_IMAGE)
    if not data or len(data) % size:
        raise BadFile(f"{len(data)} bytes are no whole number of rows of {size} bytes")
    rows = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(-1, size)
    return rows[:, 1:].reshape(-1, *_CIFAR_IMAGE).clone(), rows[:, 0].long()


def _python_part(data: bytes) -> Part:
    found = _Reader(io.BytesIO(data), encoding="bytes").load()
    fields = {key.decode() if isinstance(key, bytes) else key: found[key] for key in found}
    labels, array = fields["labels"], fields["data"]
    size = math.prod(_CIFAR_IMAGE)
    if not isinstance(array, _Array) or array.type != "u1" or array.shape != (len(labels), size):
        raise BadFile(f"`data` is no array of {len(labels)} x {size} bytes, one row for each label")
    rows = torch.frombuffer(bytearray(array.data), dtype=torch.uint8)
    return rows.view(-1, *_CIFAR_IMAGE), torch.tensor([int(label) for label in labels])


class _Array:
    """Stands for numpy's array in a pickle: keeps its bytes, and can do nothing else."""

    shape: Tuple[int, ...] = ()
    type: Any = None
    data: bytes = b""

    def __setstate__(self, state: Any) -> None:
        _, self.shape, kind, columns_first, self.data = state
        self.type = kind.type if not columns_first else "columns first"


class _Type:
    """Stands for numpy's dtype in a pickle."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.type = name.decode() if isinstance(name, bytes) else name

    def __setstate__(self, state: Any) -> None:
        del state  # byte order and the like: a byte has none


class _Reader(pickle._Unpickler):
    """Reads pickles of plain values and arrays; any other name is refused, not imported.

    It is Python's own in Python: the one in C makes its memo as large as a damaged file says.
    """

    dispatch: ClassVar[Dict[int, Any]] = {
        code: function
        for code, function in pickle._Unpickler.dispatch.items()
        # protocol 5 makes a buffer of any size that is claimed
        if code != pickle.BYTEARRAY8[0]
    }

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
            ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Type,
            # how Python 3 writes bytes for Python 2
            ("_codecs", "encode"): lambda text, _: text.encode("latin-1"),
        }
        if (module, name) not in known:
            raise BadFile(f"its pickle asks for {module}.{name}, which is no data")
        return known[module, name]


def _read_idx(path: Path) -> Files:
    if not path.is_dir():
        raise BadFile("it is a file, but this format is a folder with four files")
    parts: List[Part] = []
    for prefix in ("train", "t10k"):
        images = _idx(path, f"{prefix}-images-idx3-ubyte", 3)
        labels = _idx(path, f"{prefix}-labels-idx1-ubyte", 1)
        if len(images) != len(labels):
            raise BadFile(f"{prefix}: {len(images)} images, but {len(labels)} labels")
        parts.append((images.unsqueeze(1), labels.long()))
    return Files(parts[0], parts[1])


def _idx(folder: Path, name: str, dimensions: int) -> torch.Tensor:
    """Read one IDX file: two zeros, 8 for bytes, the number of dimensions, sizes, data."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if not plain.exists() and not packed.exists():
        raise BadFile(f"it has neither {plain.name} nor {packed.name}")
    data = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    if data[:4] != bytes((0, 0, 8, dimensions)):
        raise BadFile(f"{name} doesn't begin like an IDX file of bytes in {dimensions} dimensions")
    head = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", data[4:head])
    if len(data) - head != math.prod(shape):
        raise BadFile(f"{name} has {len(data) - head} bytes of data, not {math.prod(shape)}")
    return torch.frombuffer(bytearray(data[head:]), dtype=torch.uint8).view(*shape)


def _read_digits(path: Path) -> Files:
    """Read rows of 64 grey values from 0 to 16 and a class."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("ascii")
    rows = [[float(cell) for cell in line.split(",")] for line in text.splitlines() if line]
    if not rows or any(len(row) != 65 for row in rows):
        raise BadFile("a row has not 64 grey values and a class")
    values = torch.tensor(rows)
    if values.min() < 0 or values[:, :64].max() > 16:
        raise BadFile("a grey value is not within 0 to 16")
    # 16 steps of 15 fit into a byte without rounding
    images = (values[:, :64] * 15).to(torch.uint8).view(-1, 1, 8, 8)
    return Files((images, values[:, 64].long()), None)
