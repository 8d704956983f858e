"""Checkpoints of torch's legacy format (the default before torch 1.6), read without torch.

Such a file is four pickles (magic number, protocol, machine, state dict) and a pickled list of storage keys, then each
storage as a count and raw little-endian values. The unpickler here resolves only the few names that a dict of tensors
needs, so a file can run no code.
"""

import collections
import pathlib
import pickle
from typing import Any, BinaryIO, NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


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
            raise pickle.UnpicklingError(f"a checkpoint of plain tensors has no use for {module}.{name}")
        return ALLOWED[module, name]

    def persistent_load(self, pid: tuple) -> _Storage:
        _, dtype, key, _, size, _ = pid
        return _Storage(dtype, key, size)


def read_torch(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict in torch's legacy (before 1.6, not zip) format.

    Raises:
      ValueError: naming the file, if it is of another format, truncated, or holds anything but tensors.
    """
    with path.open("rb") as file:
        try:
            magic, protocol, _, tensors, keys = (_Unpickler(file).load() for _ in range(5))
            if (magic, protocol) != (MAGIC, PROTOCOL):
                raise ValueError(f"magic number {magic!r} and protocol {protocol!r}, not {MAGIC} and {PROTOCOL}")
            storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
            values = {key: _read_storage(file, storages[key]) for key in keys}
            return {name: _view(values[tensor.storage.key], tensor) for name, tensor in tensors.items()}
        except (pickle.UnpicklingError, ValueError, KeyError, EOFError, AttributeError, TypeError) as error:
            raise ValueError(f"{path} is not a whole torch checkpoint in the legacy format: {error!r}") from error


def _read_storage(file: BinaryIO, storage: _Storage) -> np.ndarray:
    size = int.from_bytes(file.read(8), "little")
    data = file.read(size * storage.dtype.itemsize)
    if size != storage.size or len(data) != size * storage.dtype.itemsize:
        raise ValueError(f"storage {storage.key} should hold {storage.size} values, has {size} and {len(data)} bytes")
    return np.frombuffer(data, storage.dtype)


def _view(values: np.ndarray, tensor: _Tensor) -> np.ndarray:
    strides = [stride * values.itemsize for stride in tensor.strides]
    return np.ndarray(tensor.shape, values.dtype, values, tensor.offset * values.itemsize, strides)
