"""Feeds: what a task's model is given of a batch, as arrays by name, the batch again, and what a graph is fed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.infer.layers import Shown
from vesalius.prepare.batch import Batch

RAW = "raw"  # the output of a graph that `Task.infer` returns
VERSION = 1
_SINGLES = ("covariates", "tokens", "frame_times_s", "times_days")
_NAMED = ("images", "courses", "parents", "vectors", "times_s", "present")


@dataclass(frozen=True, slots=True)
class Feed:
    """One array that a model is given: its name, the field of a Batch that it is, and the key in that field, if any.

    `shape` is that of one row, without the batch's axis; `dtype` is numpy's word for its numbers.
    """

    name: str
    field: str
    key: str
    shape: tuple[int, ...]
    dtype: str


def parse_feed(data: Mapping[str, Any]) -> Feed:
    """Return a feed from its plain data. Raises KeyError, TypeError or ValueError where it is none."""
    return Feed(
        str(data["name"]),
        str(data["field"]),
        str(data["key"]),
        tuple(int(n) for n in data["shape"]),
        str(data["dtype"]),
    )


def feeds_of(batch: Batch) -> tuple[Feed, ...]:
    """Return what a batch gives a model, its targets left out.

    An image is called as in the batch, anything else by its field and its key: `image`, `covariates`, `courses.ecg`.
    Raises PlanError for what cannot be given as arrays: clicks and boxes, whose number differs from case to case, what
    is remembered of earlier steps, and two things under one name.
    """
    if batch.ragged:
        raise PlanError(
            "what differs in number from case to case is no array", found=", ".join(sorted(batch.ragged))
        )
    if batch.memory is not None:
        raise PlanError("what is remembered of earlier steps is no array")
    found = [
        Feed(
            _name(field, key),
            field,
            key,
            tuple(int(n) for n in t.shape[1:]),
            str(t.dtype).removeprefix("torch."),
        )
        for field, key, t in _held(batch)
    ]
    names = [feed.name for feed in found]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise PlanError("two things that a model is given have one name", found=", ".join(twice))
    return tuple(found)


def tensors_of(batch: Batch, feeds: Sequence[Feed]) -> list[Tensor]:
    """Return the tensors `(B, …)` that a batch holds for these feeds. Raises KeyError where it lacks one."""
    held = {(field, key): t for field, key, t in _held(batch)}
    return [held[feed.field, feed.key] for feed in feeds]


def batch_from(feeds: Sequence[Feed], tensors: Sequence[Tensor]) -> Batch:
    """Return the batch that these tensors `(B, …)` are, one for each feed."""
    fields: dict[str, Any] = {"images": {}}
    for feed, tensor in zip(feeds, tensors, strict=True):
        if feed.key:
            fields.setdefault(feed.field, {})[feed.key] = tensor
        else:
            fields[feed.field] = tensor
    return Batch(**fields)


def blank(feeds: Sequence[Feed], rows: int) -> Batch:
    """Return a batch of so many rows that holds nothing: zeros, and all that can be there is there."""
    made = []
    for feed in feeds:
        dtype = getattr(torch, feed.dtype)
        make = torch.ones if dtype is torch.bool else torch.zeros
        made.append(make((rows, *feed.shape), dtype=dtype))
    return batch_from(feeds, made)


def _held(batch: Batch) -> Iterator[tuple[str, str, Tensor]]:
    """Yield field, key and tensor of all that a batch holds beside its targets, in an order that is always the same."""
    for field in _NAMED:
        for key, tensor in sorted(getattr(batch, field).items()):
            yield field, str(key), tensor
    for field in _SINGLES:
        tensor = getattr(batch, field)
        if tensor is not None:
            yield field, "", tensor


def _name(field: str, key: str) -> str:
    if field == "images":
        return key
    return f"{field}.{key}" if key else field


@dataclass(frozen=True, slots=True)
class Layer:
    """One map that the alarm watches: the outputs that are its means and sums of squares, over `n` points of a row.

    `grain` is how many channels the image has where the map is what is seen before the first layer, else 0.
    """

    layer: str
    mean: str
    squares: str
    n: int
    grain: int


@dataclass(frozen=True, slots=True)
class Signature:
    """What a graph takes and gives.

    `feeds` are its inputs, in their order, with a first axis of any length; the output `RAW` is what `Task.infer`
    returns, the others are what `layers` names. `given` are the names of all that the batch held which was followed: a
    batch that holds anything else is another question, though the model may look at a part of it alone.
    """

    feeds: tuple[Feed, ...]
    given: tuple[str, ...]
    layers: tuple[Layer, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the outputs, in the order of the file."""
        return (RAW, *(name for one in self.layers for name in (one.mean, one.squares)))

    def arrays_of(self, batch: Batch) -> dict[str, Array] | None:
        """Return a batch as the arrays that are fed by name; None where it is of another kind than was followed."""
        if batch.ragged or batch.memory is not None:
            return None
        own = {feed.name: feed for feed in feeds_of(batch)}
        if tuple(sorted(own)) != self.given or any(own[feed.name] != feed for feed in self.feeds):
            return None
        tensors = tensors_of(batch, self.feeds)
        if any(t.device.type != "cpu" for t in tensors):
            return None
        return {f.name: t.detach().contiguous().numpy() for f, t in zip(self.feeds, tensors, strict=True)}

    def shown(self, outputs: Mapping[str, Array]) -> list[Shown]:
        """Return what the watched layers showed, of the outputs of one pass by name."""
        return [Shown(o.layer, o.n, outputs[o.mean], outputs[o.squares], o.grain) for o in self.layers]

    def json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"version": VERSION, **asdict(self)}


def parse_signature(data: Mapping[str, Any]) -> Signature:
    """Return a signature from its plain data. Raises KeyError, TypeError or ValueError where it is none."""
    if data["version"] > VERSION:
        raise ValueError(f"the signature of a graph has version {data['version']}, newer than {VERSION}")
    layers = (
        Layer(str(o["layer"]), str(o["mean"]), str(o["squares"]), int(o["n"]), int(o["grain"]))
        for o in data["layers"]
    )
    return Signature(
        tuple(parse_feed(one) for one in data["feeds"]), tuple(map(str, data["given"])), tuple(layers)
    )
