"""Answers and images as JSON text, and back again, bit for bit.

Vectors of float64 stand as plain lists; other arrays, and those with NaN, as type, shape and base64 of their
zlib-compressed little-endian bytes. What a list or an object becomes again follows from the type of its field.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import math
import typing
import zlib
from collections.abc import Mapping
from types import UnionType
from typing import Any

import numpy as np

from vesalius.core.answers import Answer, kind_of
from vesalius.core.answers.text import Evidence
from vesalius.core.bounds import Bounds
from vesalius.core.case import Box, Instance
from vesalius.core.cohort import Label
from vesalius.core.doubt import Doubt
from vesalius.core.edit import Edit
from vesalius.core.errors import FormatError, UnknownName
from vesalius.core.file_io import DEFLATE_RATIO
from vesalius.core.finding import Finding
from vesalius.core.image import Array, Image, Source
from vesalius.core.promise import Promise
from vesalius.core.weighed import Weighed

VERSION = 1
_PARTS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Image,
        Source,
        Label,
        Box,
        Instance,
        Bounds,
        Doubt,
        Promise,
        Weighed,
        Finding,
        Evidence,
        Edit,
    )
}
_MOST_BYTES = 1 << 32


def as_text(thing: Image | Answer) -> str:
    """Return the thing as JSON text: the same for the same thing. Raises TypeError or ValueError."""
    return json.dumps({"vesalius": VERSION, **_encode(thing)}, indent=1, allow_nan=False, ensure_ascii=False)


def from_text(text: str) -> Any:
    """Return the thing that `as_text` made a text of. Raises FormatError for other JSON and for later versions."""
    data = json.loads(text)
    if not isinstance(data, dict) or "vesalius" not in data:
        raise FormatError("not an answer", found=f"JSON {type(data).__name__}")
    if data.pop("vesalius") != VERSION:
        raise FormatError("an answer of a later version", hint="a newer vesalius")
    return _decode(data)


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = [f.name for f in dataclasses.fields(value) if _is_stored(f, getattr(value, f.name))]
        fields = {name: _encode(getattr(value, name)) for name in kept}
        plain = fields.pop("kind", None)  # Scores has a field of that name
        return {
            "kind": type(value).__name__,
            **({"scores_kind": plain} if plain is not None else {}),
            **fields,
        }
    if isinstance(value, np.ndarray):
        if value.ndim == 1 and value.dtype == np.float64 and value.size and np.isfinite(value).all():
            return value.tolist()
        little = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"), copy=False)
        packed = base64.b64encode(zlib.compress(little.tobytes(), 1)).decode("ascii")
        return {"array": little.dtype.str, "shape": list(value.shape), "zlib": packed}
    if isinstance(value, Mapping):
        return {str(k): _encode(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(v) for v in value]
    if isinstance(value, np.generic):
        return _encode(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _is_stored(field: dataclasses.Field[Any], value: Any) -> bool:
    """Return whether a field's metadata let it be stored: always by default, never, or only where it is given."""
    stored = field.metadata.get("stored", True)
    absent = value is None or value is False or (isinstance(value, str | tuple) and not value)
    return bool(stored) and not (stored == "where given" and absent)


def _decode(value: Any, hint: Any = None) -> Any:
    """`hint` is the type of the field that holds the value, where that is known."""
    if isinstance(value, list):
        return np.array(value, np.float64) if _is_array(hint) else tuple(_decode(v) for v in value)
    if not isinstance(value, dict):
        return value
    if typing.get_origin(hint) is Mapping:
        each = typing.get_args(hint)[1]
        return {k: _decode(v, each) for k, v in value.items()}
    if "array" in value and "zlib" in value:
        return _unpack(value)
    if set(value) == {"float"}:
        return float(value["float"])
    kind = _class(value.get("kind"))
    if kind is None:
        return {k: _decode(v) for k, v in value.items()}
    hints = _hints(kind.__name__)
    fields = {("kind" if k == "scores_kind" else k): v for k, v in value.items() if k != "kind"}
    return kind(**{k: _decode(v, hints.get(k)) for k, v in fields.items()})


def _class(name: Any) -> type[Any] | None:
    if not isinstance(name, str):
        return None
    if name in _PARTS:
        return _PARTS[name]
    try:
        return kind_of(name)
    except UnknownName:
        return None


@functools.cache
def _hints(name: str) -> dict[str, Any]:
    return typing.get_type_hints(_class(name))


def _is_array(hint: Any) -> bool:
    """Return whether a field holds an array, or may (`Array | None`)."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, UnionType) else (hint,)
    return any((typing.get_origin(o) or o) is np.ndarray for o in options)


def _unpack(value: dict[str, Any]) -> Array:
    dtype, shape = np.dtype(value["array"]), tuple(int(n) for n in value["shape"])
    if dtype.hasobject or dtype.kind not in "iufb":
        raise FormatError("an array of objects in an answer", found=str(dtype))
    packed = base64.b64decode(value["zlib"], validate=True)
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > min(_MOST_BYTES, len(packed) * DEFLATE_RATIO + 1024):
        raise FormatError("an array that claims too much", found=f"{nbytes:,} bytes")
    loose = zlib.decompressobj()
    data = loose.decompress(packed, nbytes + 1)
    if not loose.eof and len(data) == nbytes:
        data += loose.decompress(loose.unconsumed_tail, 1)
    if len(data) != nbytes or not loose.eof:
        raise FormatError(
            "an array of another length than it says", found=f"{len(data):,} of {nbytes:,} bytes"
        )
    array = np.frombuffer(bytearray(data), dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)
