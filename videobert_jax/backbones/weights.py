"""Reads torch checkpoints without torch, and takes their tensors one by one.

The legacy format (the default before torch 1.6) is four pickles (magic number, protocol, machine, state dict) and a
pickled list of storage keys, then each storage as a count and raw little-endian values. The current format is an
uncompressed zip archive: the state dict in `data.pkl`, each storage in `data/<key>`. The unpickler here resolves only
the few names that a dict of tensors needs, so a file cannot run code.
"""

import collections
import io
import pathlib
import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
ZIP_MAGIC = b"PK\x03\x04"
LARGEST_MEMO = 1_000_000  # objects in the memo of one pickle; S3D's has a few thousand
# Errors that pickle, zipfile and NumPy raise for broken or hostile content.
BROKEN = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, ValueError, LookupError, EOFError, AttributeError, TypeError),
    *(OverflowError, RuntimeError),
)


class _Storage(NamedTuple):
    dtype: np.dtype
    key: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements


def _rebuild_tensor(storage: _Storage, offset: int, shape: tuple, strides: tuple, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"the checkpoint refers to {module}.{name}, expected only plain tensors")
        return ALLOWED[module, name]

    def persistent_load(self, pid: tuple) -> _Storage:
        _, dtype, key, _, size, *_ = pid  # the legacy format adds a sixth field, for views
        return _Storage(dtype, key, size)


def read_torch(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the tensors, float32 or int64, of a state dict written by `torch.save` in either format.

    Raises:
      OSError: the file cannot be read.
      ValueError: the file is of another format, truncated, or holds anything but tensors; the message names it.
    """
    content = path.read_bytes()
    try:
        read = _read_zip if content.startswith(ZIP_MAGIC) else _read_legacy
        tensors, values = read(io.BytesIO(content))
        return {name: _view(values[tensor.storage.key], tensor) for name, tensor in tensors.items()}
    except BROKEN as error:
        raise ValueError(f"{path} is not a whole torch checkpoint of plain tensors: {error!r}") from error


def _unpickle(file: IO[bytes]) -> Any:
    """Reads the next pickle after scanning it: a flipped bit could make it allocate all memory."""
    start = file.tell()
    for operation, argument, _ in pickletools.genops(file):
        if operation.name.endswith("PUT") and (argument or 0) > LARGEST_MEMO:
            raise pickle.UnpicklingError(f"a pickle refers to {argument} objects, expected at most {LARGEST_MEMO}")
    file.seek(start)
    return _Unpickler(file).load()


def _read_legacy(file: IO[bytes]) -> tuple[Mapping[str, _Tensor], dict[str, np.ndarray]]:
    magic, protocol, _, tensors, keys = (_unpickle(file) for _ in range(5))
    if (magic, protocol) != (MAGIC, PROTOCOL):
        raise ValueError(f"magic number {magic!r} and protocol {protocol!r}, not {MAGIC} and {PROTOCOL}")
    storages = _storages(tensors)
    return tensors, {key: _read_storage(file, storages[key]) for key in keys}


def _read_storage(file: IO[bytes], storage: _Storage) -> np.ndarray:
    size = int.from_bytes(file.read(8), "little")
    if size != storage.size:
        raise ValueError(f"storage {storage.key} should hold {storage.size} values, has {size}")
    return _values(file.read(size * storage.dtype.itemsize), storage)


def _read_zip(file: IO[bytes]) -> tuple[Mapping[str, _Tensor], dict[str, np.ndarray]]:
    with zipfile.ZipFile(file) as archive:
        infos = {info.filename.partition("/")[2]: info for info in archive.infolist()}  # below the single top folder
        if packed := [info.filename for info in infos.values() if info.compress_type != zipfile.ZIP_STORED]:
            raise ValueError(f"{packed[0]} is compressed, which torch never does")
        if "byteorder" in infos and (order := archive.read(infos["byteorder"])) != b"little":
            raise ValueError(f"byte order {order!r}, not b'little'")
        tensors = _unpickle(io.BytesIO(archive.read(infos["data.pkl"])))
        storages = _storages(tensors).items()
        return tensors, {key: _values(archive.read(infos[f"data/{key}"]), storage) for key, storage in storages}


def _storages(tensors: Mapping[str, _Tensor]) -> dict[str, _Storage]:
    return {tensor.storage.key: tensor.storage for tensor in tensors.values()}


def _values(data: bytes, storage: _Storage) -> np.ndarray:
    if len(data) != storage.size * storage.dtype.itemsize:
        raise ValueError(f"storage {storage.key} should hold {storage.size} values, has {len(data)} bytes")
    return np.frombuffer(data, storage.dtype)


def _view(values: np.ndarray, tensor: _Tensor) -> np.ndarray:
    strides = [stride * values.itemsize for stride in tensor.strides]
    return np.ndarray(tensor.shape, values.dtype, values, tensor.offset * values.itemsize, strides)


class StateDict:
    """The tensors of a checkpoint being converted: each is taken once, and none may be left.

    `tensors` is not modified; step counts (`num_batches_tracked`) are ignored. `network` is its name in messages.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], network: str):
        self._left = {name: array for name, array in tensors.items() if not name.endswith(".num_batches_tracked")}
        self._network = network

    def take(self, name: str, *shape: int) -> np.ndarray:
        """Removes and returns one tensor. Raises ValueError if it is missing or does not have that shape."""
        if name not in self._left:
            raise ValueError(f"tensor {name} is missing from the weights of {self._network}")
        tensor = self._left.pop(name)
        if tensor.shape != shape:
            raise ValueError(f"tensor {name} has shape {tensor.shape}, expected {shape}")
        return tensor

    def take_folded(self, conv: str, norm: str, shape: tuple[int, ...], epsilon: float) -> dict[str, np.ndarray]:
        """Takes a convolution without bias, [outputs, inputs, *window], and folds in the batch normalisation after it.

        Returns `kernel` in the same layout and `bias`, float32, equivalent to both in inference.
        """
        kernel = self.take(f"{conv}.weight", *shape).astype(np.float64)
        parts = ("weight", "bias", "running_mean", "running_var")
        gain, bias, mean, variance = (self.take(f"{norm}.{part}", shape[0]).astype(np.float64) for part in parts)
        scale = gain / np.sqrt(variance + epsilon)
        kernel *= scale.reshape(-1, *[1] * (kernel.ndim - 1))
        return {"kernel": kernel.astype(np.float32), "bias": (bias - mean * scale).astype(np.float32)}

    def drop(self, prefix: str) -> None:
        """Removes the tensors of an unused part."""
        self._left = {name: array for name, array in self._left.items() if not name.startswith(prefix)}

    def require_empty(self) -> None:
        """Raises ValueError, naming a tensor, if any are left."""
        if self._left:
            raise ValueError(f"tensor {min(self._left)} is not part of {self._network}")
