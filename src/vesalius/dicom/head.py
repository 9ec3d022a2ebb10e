"""Head: the elements of one DICOM object by keyword; the common ones decoded at once, the others by pydicom.

Reads as a pydicom Dataset does (`get`, `in`, attributes), at a tenth of its time for what every slice is asked.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

_NUMBERS = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"FL": "f", b"FD": "d"}
_PLAIN = frozenset((b"CS", b"UI", b"DA", b"DT", b"TM", b"AS"))
_TEXT = frozenset((b"LO", b"SH", b"AE", b"PN"))  # plain where they are ASCII without escapes


class Raw(NamedTuple):
    """An element as it stands in the file; `kind` is its VR where the file says it."""

    tag: int
    kind: bytes | None
    value: bytes
    implicit: bool
    little: bool


class Head:
    """The elements of an object, each decoded on first access. Access raises pydicom's errors on damaged values."""

    def __init__(self, raw: Mapping[int, Raw], *, meta: Mapping[int, Raw] | None = None) -> None:
        self.raw, self.meta = raw, meta or {}
        self._dataset: Dataset | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """Return an element's value by its keyword; the default where it is absent, None where it is empty."""
        tag = tag_for_keyword(name)
        found = None if tag is None else self.raw.get(tag)
        if tag is None or found is None:
            return default
        kind = found.kind
        if kind is None:
            kind = dictionary_VR(tag).encode()
        if kind in (b"DS", b"IS"):
            return _decimal(found.value, whole=kind == b"IS")
        if kind.startswith(b"US or SS"):
            kind = b"SS" if self.get("PixelRepresentation") == 1 else b"US"
        if kind in _NUMBERS:
            return _binary(found, _NUMBERS[kind])
        if kind in _PLAIN or (kind in _TEXT and found.value.isascii() and b"\x1b" not in found.value):
            words = [w.strip(" \0") for w in found.value.decode("latin-1").split("\\")]
            return (words[0] or None) if len(words) == 1 else words
        return self.dataset[tag].value

    def private(self, creator: str, group: int, element: int) -> bytes | None:
        """Return the bytes of a private element, by the block that its creator reserved (PS3.5 7.8.1)."""
        wanted = creator.encode().upper()
        for tag, raw in self.raw.items():
            if tag >> 16 != group or not 0x10 <= tag & 0xFFFF <= 0xFF:
                continue
            held = self.raw.get(group << 16 | (tag & 0xFF) << 8 | element)
            if held is not None and held.value and raw.value.strip(b" \0").upper().startswith(wanted):
                return held.value
        return None

    def __contains__(self, name: str) -> bool:
        return tag_for_keyword(name) in self.raw

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self:
            raise AttributeError(f"no {name}")
        return self.get(name)

    @property
    def dataset(self) -> Dataset:
        """The whole as a pydicom Dataset, whose elements are converted when they are looked at."""
        if self._dataset is None:
            self._dataset = self._new()
        return self._dataset

    def _new(self) -> Dataset:
        data = Dataset(_raws(self.raw))
        first = next(iter(self.raw.values()), None)
        data.set_original_encoding(first is not None and first.implicit, first is None or first.little)
        return data

    def with_pixels(self, name: str, kind: str | None, pixels: bytes, syntax: str) -> Dataset:
        """Return a Dataset with its pixels (of VR `kind`), as pydicom's decoders take it."""
        data = self._new()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = UID(syntax)
        usual = {"FloatPixelData": "OF", "DoubleFloatPixelData": "OD"}.get(name, "OW")
        data.add_new(tag_for_keyword(name) or 0, kind or usual, pixels)
        data[name].is_undefined_length = True
        return data


def _raws(raw: Mapping[int, Raw]) -> dict[BaseTag, Any]:
    return {
        BaseTag(r.tag): RawDataElement(
            BaseTag(r.tag), None if r.kind is None else r.kind.decode(), len(r.value), r.value, 0, r.implicit, r.little
        )
        for r in raw.values()
    }  # fmt: skip


def _decimal(value: bytes, *, whole: bool) -> Any:
    words = value.strip(b" \0").split(b"\\")
    if words == [b""]:
        return None
    numbers = [float(w.strip(b" \0")) if w.strip(b" \0") else None for w in words]
    if whole:
        numbers = [None if n is None else int(n) for n in numbers]
    return numbers[0] if len(numbers) == 1 else numbers


def _binary(raw: Raw, letter: str) -> Any:
    count = len(raw.value) // struct.calcsize(letter)
    if not count:
        return None
    values = struct.unpack_from(f"{'<' if raw.little else '>'}{count}{letter}", raw.value)
    return values[0] if count == 1 else list(values)
