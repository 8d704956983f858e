"""TFRecord files without TensorFlow, with checksums and random access.

A record is framed as length uint64, checksum of the length, data, checksum of the data; all little-endian. The
checksums are CRC-32C, masked as in https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

import pathlib
import struct
from collections.abc import Iterable

import google_crc32c

_HEADER = struct.Struct("<QI")
_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")


def write(path: pathlib.Path, records: Iterable[bytes]) -> None:
    """Writes a file, replacing an existing one."""
    with path.open("wb") as file:
        for data in records:
            length = _LENGTH.pack(len(data))
            file.write(length + _CRC.pack(_masked_crc(length)) + data + _CRC.pack(_masked_crc(data)))


class Shard:
    """Random access to a file's records. Raises ValueError on opening if a length is damaged, on reading if data is."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._offsets = []
        size = path.stat().st_size
        offset = 0
        with path.open("rb") as file:
            while offset < size:
                self._offsets.append(offset)
                file.seek(offset)
                offset += _HEADER.size + _read_length(file.read(_HEADER.size)) + _CRC.size
        if offset > size:
            raise ValueError(f"truncated in record {len(self) - 1}")

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, index: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._offsets[index])
            data = file.read(_read_length(file.read(_HEADER.size)))
            checksum = file.read(_CRC.size)
        if checksum != _CRC.pack(_masked_crc(data)):
            raise ValueError("damaged: the checksum of the data does not match")
        return data


def _read_length(header: bytes) -> int:
    if len(header) < _HEADER.size:
        raise ValueError("truncated in the length of a record")
    length, crc = _HEADER.unpack(header)
    if crc != _masked_crc(header[: _LENGTH.size]):
        raise ValueError("damaged: the checksum of a record's length does not match")
    return length


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
