"""Frames of a cine as they come over a WebSocket: what is said of them, the newest that waits, and their pixels."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.channels import COLOURS
from vesalius.core.errors import DataError
from vesalius.core.image import Image

_PICTURES = ((b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"))


class Layout(BaseModel):
    """How bare pixels lie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(ge=1, le=16_384)
    width: int = Field(ge=1, le=16_384)
    channels: Literal[1, 3] = 1
    dtype: Literal["uint8", "uint16"] = "uint8"
    spacing_mm: tuple[float, float] | None = None


class Told(BaseModel):
    """What is said of the next frame: when it was, whether it begins another cine, and what else is known by then."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_s: float | None = Field(None, allow_inf_nan=False)
    reset: bool = False
    covariates: dict[str, float | str] = Field({}, max_length=64)

    def then(self, said: Told) -> Told:
        """Return what is told of a frame of which more is said."""
        return Told(
            time_s=self.time_s if said.time_s is None else said.time_s,
            reset=self.reset or said.reset,
            covariates={**self.covariates, **said.covariates},
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it came: its number, its bytes, when it arrived, what was told of it, and how its pixels lie."""

    number: int
    data: bytes
    since_s: float
    told: Told
    layout: Layout | None


@dataclass(slots=True)
class Slot:
    """The newest frame that is not answered yet, and what became of those before it."""

    frame: Frame | None = None
    count: int = 0
    dropped: list[int] = field(default_factory=list)
    layout: Layout | None = None
    told: Told = field(default_factory=Told)  # of the next frame
    closed: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, data: bytes) -> None:
        """Take a frame, which the one that waited gives way to."""
        if self.frame is not None:
            self.dropped.append(self.frame.number)
            if (
                not self.told.reset
            ):  # else nothing is known any more of the patient of the one that is dropped
                # the cine that a dropped frame began is begun by the next
                self.told = self.frame.told.model_copy(update={"time_s": None}).then(self.told)
        self.frame = Frame(self.count, data, time.perf_counter(), self.told, self.layout)
        self.count, self.told = self.count + 1, Told()
        self.ready.set()

    def hear(self, text: str) -> None:
        """Take what is said as text: how bare pixels lie, or something of the next frame. Raises ValidationError."""
        if set(_members(text)) & set(Told.model_fields):
            self.told = self.told.then(Told.model_validate_json(text))
        else:
            self.layout = Layout.model_validate_json(text)


def image_of(data: bytes, layout: Layout | None, place: Path) -> Image:
    """Return a message as an image. Raises DataError for what is neither a picture nor pixels as they were declared.

    A picture passes through a file beside `place`, so that there is one decoder, with its bounds.
    """
    suffix = next((s for magic, s in _PICTURES if data.startswith(magic)), None)
    if suffix is not None:
        path = place.with_suffix(suffix)
        path.write_bytes(data)
        try:
            return formats.read(Ref((path,)))
        finally:
            path.unlink(missing_ok=True)
    if layout is None:
        raise DataError(
            "a frame that is no PNG and no JPEG", hint="first its height, width, channels and dtype"
        )
    dtype = np.dtype(layout.dtype).newbyteorder("<")
    expected = layout.height * layout.width * layout.channels * dtype.itemsize
    if len(data) != expected:
        raise DataError("a frame of another size than declared", found=f"{len(data):,} of {expected:,} bytes")
    pixels: Any = np.frombuffer(data, dtype).reshape(layout.height, layout.width, layout.channels)
    array = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)[:, None])  # (C, 1, Y, X)
    spacing = None if layout.spacing_mm is None else (*layout.spacing_mm, 1.0)
    names = COLOURS if layout.channels == 3 else ()
    return Image(array.astype(layout.dtype, copy=False), spacing_mm=spacing, channels=names)


def _members(text: str) -> list[str]:
    """Return the names in a JSON object; none of what is not one, which is then refused where it is parsed."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return list(found) if isinstance(found, dict) else []
