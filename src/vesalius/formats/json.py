"""JSON: any answer with its parts, and back again, bit for bit.

Vectors of float64 stand as plain lists; other arrays, and those with NaN, as type, shape and base64 of their
zlib-compressed little-endian bytes.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.answer import KINDS, Answer
from vesalius.core.case import Box, Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.image import Array, Image, Source
from vesalius.formats import _files
from vesalius.formats._header import Header

SUFFIXES = (".json",)
MAGIC = ()
HOLDS = "Answer"
WRITES = ("Answer",)

VERSION = 1
_CLASSES: dict[str, type[Any]] = {kind.__name__: kind for kind in (*KINDS, Image, Source, Label, Box)}
_MAPS = {"parts", "thresholds", "survival", "sections", "display"}
_VECTORS = {"p", "times_days", "survival", "distances"}
_MOST_BYTES = 1 << 32


def header(ref: Ref) -> Header:
    """Answers have no one shape. Raises FormatError."""
    raise FormatError(f"{ref}: holds an answer, not pixels", hint="formats.read_answer")


def read(ref: Ref) -> Answer:
    """Read the answer that `write` wrote. Raises FormatError for other JSON and for later versions."""
    path = _files.one_file(ref)
    with _files.typed_errors(ref):
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or "vesalius" not in data:
            raise FormatError(f"{ref}: not an answer", found=f"JSON {type(data).__name__}")
        if data.pop("vesalius") != VERSION:
            raise FormatError(f"{ref}: an answer of a later version", hint="a newer vesalius")
        answer = _decode(data)
        if not isinstance(answer, Answer):
            raise FormatError(f"{ref}: not an answer", found=str(data.get("kind")))
        return answer


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write an answer, indented, its kind first. Raises OutputError for what JSON cannot hold."""
    try:
        text = as_text(thing)
    except (TypeError, ValueError) as error:
        raise OutputError(f"{path}: not to be put in JSON", found=str(error)) from error
    with _files.atomic(path) as file:
        file.write(text.encode("utf-8") + b"\n")


def as_text(thing: Image | Answer) -> str:
    """The text that `write` writes: the same for the same answer. Raises TypeError or ValueError."""
    return json.dumps({"vesalius": VERSION, **_encode(thing)}, indent=1, allow_nan=False, ensure_ascii=False)


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = [f.name for f in dataclasses.fields(value) if f.metadata.get("stored", True)]
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


def _decode(value: Any, field: str = "") -> Any:
    if isinstance(value, list):
        return np.array(value, np.float64) if field in _VECTORS else tuple(_decode(v) for v in value)
    if not isinstance(value, dict):
        return value
    if field in _MAPS:
        return {k: _decode(v, "p" if field == "survival" else "") for k, v in value.items()}
    if "array" in value and "zlib" in value:
        return _unpack(value)
    if set(value) == {"float"}:
        return float(value["float"])
    kind = _CLASSES.get(value.get("kind", "")) if isinstance(value.get("kind"), str) else None
    if kind is None:
        return {k: _decode(v) for k, v in value.items()}
    fields = {("kind" if k == "scores_kind" else k): v for k, v in value.items() if k != "kind"}
    return kind(**{k: _decode(v, k) for k, v in fields.items()})


def _unpack(value: dict[str, Any]) -> Array:
    dtype, shape = np.dtype(value["array"]), tuple(int(n) for n in value["shape"])
    if dtype.hasobject or dtype.kind not in "iufb":
        raise FormatError("an array of objects in an answer", found=str(dtype))
    packed = base64.b64decode(value["zlib"], validate=True)
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > min(_MOST_BYTES, len(packed) * _files.DEFLATE_RATIO + 1024):
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
