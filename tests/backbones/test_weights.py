"""The reader of torch's two formats, on files written here from their specifications."""

import collections
import contextlib
import io
import os
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

from videobert_jax.backbones.weights import MAGIC, PROTOCOL, read_torch


class Stored:
    """Pickles as a reference to a storage."""

    def __init__(self, kind, key, values):
        self.kind, self.key, self.values = kind, key, values


class Rebuilt:
    """Pickles as a call of torch's tensor constructor."""

    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Stored):
            return ("storage", value.kind, value.key, "cpu", len(value.values), None)
        return None


class ZipPickler(Pickler):
    def persistent_id(self, value):
        return pid[:5] if (pid := super().persistent_id(value)) else None


def write_zip(path, state, storages, byteorder=b"little", compression=zipfile.ZIP_STORED):
    """Writes the format of torch >= 1.6."""
    content = io.BytesIO()
    ZipPickler(content, protocol=2).dump(state)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content.getvalue())
        archive.writestr("archive/byteorder", byteorder)
        for storage in storages:
            archive.writestr(f"archive/data/{storage.key}", storage.values.tobytes())
        archive.writestr("archive/version", b"3\n")
    return path


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a checkpoint of a state dict and its storages; stand-ins give the pickle torch's names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        """Never called: only its name is pickled."""

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch._utils = utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    def write(state, storages, magic=MAGIC, zipped=False, **options):
        path = tmp_path / "checkpoint.pth"
        if zipped:
            return write_zip(path, state, storages, **options)
        with path.open("wb") as file:
            for value in (magic, PROTOCOL, {"little_endian": True}):
                pickle.dump(value, file, protocol=2)
            Pickler(file, protocol=2).dump(state)
            pickle.dump([storage.key for storage in storages], file, protocol=2)
            for storage in storages:
                file.write(len(storage.values).to_bytes(8, "little") + storage.values.tobytes())
        return path

    write.torch = torch
    return write


@pytest.fixture
def content(write):
    """Two tensors that share a storage, one of them transposed, and a scalar; and the storages."""
    shared = Stored(write.torch.FloatStorage, "7", np.arange(10, dtype="<f4"))
    count = Stored(write.torch.LongStorage, "3", np.array([5], "<i8"))
    state = collections.OrderedDict(
        plain=Rebuilt(shared, 0, (2, 3), (3, 1)),
        turned=Rebuilt(shared, 4, (2, 3), (1, 2)),
        count=Rebuilt(count, 0, (), ()),
    )
    return state, [count, shared]


@pytest.fixture(params=[False, True], ids=["legacy", "zip"])
def path(write, content, request):
    return write(*content, zipped=request.param)


def test_tensors_are_views_of_their_storages(path):
    tensors = read_torch(path)
    assert list(tensors) == ["plain", "turned", "count"]
    np.testing.assert_array_equal(tensors["plain"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(tensors["turned"], [[4, 6, 8], [5, 7, 9]])
    assert tensors["count"] == 5
    assert (tensors["plain"].dtype, tensors["count"].dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_checkpoint_that_would_run_code_is_refused(write, tmp_path, zipped):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    with pytest.raises(ValueError, match=r"refers to \w+\.mkdir"):
        read_torch(write(collections.OrderedDict(evil=Evil()), [], zipped=zipped))
    assert not (tmp_path / "harm").exists()


def test_an_unknown_kind_of_number_is_refused(write):
    half = Stored(write.torch.HalfStorage, "0", np.zeros(1, "<f2"))
    with pytest.raises(ValueError, match=r"refers to torch\.HalfStorage"):
        read_torch(write(collections.OrderedDict(x=Rebuilt(half, 0, (1,), (1,))), [half]))


@pytest.mark.parametrize("kept", [0, 1, 30, 0.5, -1], ids=["empty", "a byte", "the magic", "half", "all but a byte"])
def test_a_truncated_file_is_refused(path, kept):
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match=r"checkpoint\.pth is not a whole torch checkpoint"):
        read_torch(path)


def test_a_file_of_another_format_is_refused(write, path):
    path.write_bytes(b"PK\x03\x04 a zip file, as torch writes today")
    with pytest.raises(ValueError, match="is not a whole torch checkpoint of plain tensors"):
        read_torch(path)
    with pytest.raises(ValueError, match="magic number 1"):
        read_torch(write({}, [], magic=1))


def test_a_zip_file_of_another_kind_is_refused(write, content):
    with pytest.raises(ValueError, match=r"byte order b'big'"):
        read_torch(write(*content, zipped=True, byteorder=b"big"))
    with pytest.raises(ValueError, match=r"data\.pkl is compressed"):
        read_torch(write(*content, zipped=True, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(ValueError, match=r"KeyError\('data/3'\)"):
        read_torch(write(content[0], content[1][1:], zipped=True))
    with pytest.raises(ValueError, match="storage 7 should hold 10 values, has 36 bytes"):
        short = Stored(write.torch.FloatStorage, "7", np.arange(9, dtype="<f4"))
        read_torch(write(content[0], [content[1][0], short], zipped=True))


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_file_is_refused_or_read_whole(path, seed):
    """Zip files have checksums of their members; legacy files do not, so their numbers may come out changed."""
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    path.write_bytes(content)
    with contextlib.suppress(ValueError):
        assert all(isinstance(tensor, np.ndarray) for tensor in read_torch(path).values())


def test_a_pickle_that_would_claim_all_memory_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(b"\x80\x02}r\x00\x00\x00\x70.")  # an empty dict, to be remembered at index 0x70000000
    with pytest.raises(ValueError, match="a pickle refers to 1879048192 objects"):
        read_torch(path)


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(write):
    storage = Stored(write.torch.FloatStorage, "0", np.zeros(4, "<f4"))
    with pytest.raises(ValueError, match="is not a whole torch checkpoint"):
        read_torch(write(collections.OrderedDict(x=Rebuilt(storage, 0, (3, 2), (2, 1))), [storage]))
