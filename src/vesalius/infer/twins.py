"""Twins: the torch model that belongs to a graph, its weights taken out of the graph's own file.

A graph answers, and its twin stands for it where gradients, hooks and explanations need a torch model. A bundle holds
all weights once, in the graph. What an exporter did to them on the way is undone by a small record: a batch norm that
was folded into the convolution before it, a matrix that was turned over, a parameter that nothing in the graph names.
Integers stand for their value times their scale, so that the twin has the rounded weights that the graph computes with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.bundle import State
from vesalius.core.errors import BundleError
from vesalius.core.image import Array

RECORD = "twin"  # what it is called among the extra records of a stage
PREFIX = "model."  # before the name of a parameter in a graph
SAME = 1e-4  # a relative difference of weights that is rounding
LARGE = 512  # numbers; smaller parameters that nothing names are kept in the record without a search
_MADE = re.compile(r"^q_output_(?P<name>.+?)(_\d+)?$")


def record_of(module: nn.Module, plain: Any, small: Any) -> State:
    """Return how the parameters of a module are taken out of a graph.

    `plain` is the `onnx.ModelProto` that was exported from the module, `small` what was made of it, or the same. The
    record holds in full what cannot be taken out of `small`.
    """
    before, after = held(plain), held(small)
    values: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for name, tensor in module.state_dict().items():
        own = tensor.detach().cpu().numpy()
        found = _found(name, own, before)
        place = None if found is None else found[0]
        if found is None or place not in after or after[place].shape != before[place].shape:
            arrays[name] = own
            continue
        _, turned, axis, scales = found
        values[name] = {"of": place, "turned": turned, "axis": axis}
        if scales is not None:
            arrays[name] = scales
    for name, bias in _moved(module, before, after, values, arrays):
        values.pop(name, None)
        arrays[name] = bias
    return State({"taken": values}, {n: np.array(a, order="C") for n, a in arrays.items()})


def weights_of(record: State, graph: Any) -> dict[str, Tensor]:
    """Return the state dict of a graph's twin. Raises BundleError where the graph lacks what the record names."""
    there = held(graph)
    taken: Mapping[str, Mapping[str, Any]] = record.values["taken"]
    found: dict[str, Tensor] = {}
    for name, how in taken.items():
        if how["of"] not in there:
            raise BundleError(
                "the torch model of a graph cannot be made", found=f"no {how['of']} in the graph"
            )
        array = there[how["of"]]
        array = array.T if how["turned"] else array
        if how["axis"] >= 0:
            scales = _along(record.arrays[name], array.ndim, how["axis"])
            array = np.divide(array, scales, out=np.zeros_like(array), where=scales != 0)
        found[name] = torch.from_numpy(np.array(array, order="C"))
    whole = {n: torch.from_numpy(np.array(a)) for n, a in record.arrays.items() if n not in taken}
    return {**found, **whole}


def joined(records: Mapping[int, State]) -> State:
    """Return the records of several members as one, by their numbers."""
    values = {str(number): dict(one.values) for number, one in records.items()}
    arrays = {f"{number}:{n}": a for number, one in records.items() for n, a in one.arrays.items()}
    return State(values, arrays)


def member(record: State, number: int) -> State:
    """Return the record of one member. Raises BundleError where there is none."""
    if str(number) not in record.values:
        raise BundleError("the torch model of a graph cannot be made", found=f"no record of member {number}")
    head = f"{number}:"
    arrays = {n.removeprefix(head): a for n, a in record.arrays.items() if n.startswith(head)}
    return State(record.values[str(number)], arrays)


def held(graph: Any) -> dict[str, Array]:
    """Return the constants of an `onnx.ModelProto` as float32 by name; integers as what they stand for."""
    from onnx import numpy_helper

    raw = {one.name: numpy_helper.to_array(one) for one in graph.graph.initializer}
    found = {n: a for n, a in raw.items() if a.dtype == np.float32}
    for node in graph.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in raw and node.input[1] in raw:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            zero = raw.get(node.input[2]) if len(node.input) > 2 else None
            found[_name(node.input[0])] = _value(raw[node.input[0]], raw[node.input[1]], zero, axis)
    for name in [
        n for n in raw if n.endswith("_quantized") and n.removesuffix("_quantized") + "_scale" in raw
    ]:
        stem = name.removesuffix("_quantized")
        last = raw[name].ndim - 1
        found[stem] = _value(raw[name], raw[f"{stem}_scale"], raw.get(f"{stem}_zero_point"), last)
    return found


def _name(stored: str) -> str:
    match = _MADE.match(stored)
    return match["name"] if match else stored


def _value(whole: Array, scale: Array, zero: Array | None, axis: int) -> Array:
    """Return the numbers that integers stand for; `scale` is one number, or one a place along `axis`."""
    numbers = whole.astype(np.float32)
    if scale.ndim == 0 or scale.size == 1:
        return (numbers - (0 if zero is None else np.float32(zero.reshape(-1)[0]))) * np.float32(
            scale.reshape(-1)[0]
        )
    zeros = np.zeros_like(scale) if zero is None else zero.astype(np.float32)
    return (numbers - _along(zeros, whole.ndim, axis)) * _along(scale, whole.ndim, axis)


def _along(values: Array, ndim: int, axis: int) -> Array:
    shape = [1] * ndim
    shape[axis] = -1
    found: Array = values.astype(np.float32).reshape(shape)
    return found


def _found(name: str, own: Array, there: Mapping[str, Array]) -> tuple[str, bool, int, Array | None] | None:
    """Return which constant is a parameter: its name, whether it is turned over, and by what it was multiplied."""
    if own.dtype != np.float32:
        return None
    named = there.get(PREFIX + name)
    if named is not None and named.shape == own.shape:
        made = _scaled(own, named)
        if made is not None:
            return PREFIX + name, False, *made
    if own.size < LARGE:
        return None
    for place, array in there.items():
        for turned in (False, True):
            if own.ndim != (2 if turned else own.ndim) or array.size != own.size:
                continue
            other = array.T if turned else array
            if other.shape == own.shape and np.allclose(other, own, rtol=SAME, atol=_least(own)):
                return place, turned, -1, None
    return None


def _scaled(own: Array, other: Array) -> tuple[int, Array | None] | None:
    """Return along which axis, and by what, a parameter was multiplied; -1 and None where it was not."""
    if np.allclose(other, own, rtol=SAME, atol=_least(own)):
        return -1, None
    for axis in range(min(own.ndim, 2)):
        rest = tuple(k for k in range(own.ndim) if k != axis)
        power = (own.astype(np.float64) ** 2).sum(axis=rest)
        scales = (own.astype(np.float64) * other).sum(axis=rest) / np.where(power > 0, power, 1)
        if np.allclose(_along(scales, own.ndim, axis) * own, other, rtol=SAME, atol=_least(other)):
            return axis, scales.astype(np.float32)
    return None


def _least(array: Array) -> float:
    return SAME * float(np.abs(array).max(initial=0.0)) * 1e-2


def _moved(
    module: nn.Module,
    before: Mapping[str, Array],
    after: Mapping[str, Array],
    taken: Mapping[str, Any],
    arrays: Mapping[str, Array],
) -> Iterator[tuple[str, Array]]:
    """Yield the biases of batch norms that were folded into a convolution whose bias was then corrected."""
    norms = {n: m for n, m in module.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)}
    for name, how in taken.items():
        stem = how["of"]
        place = next((p for p in (f"{stem}_bias", stem.removesuffix("weight") + "bias") if p in after), None)
        if how["axis"] < 0 or place is None or place not in before:
            continue
        change = after[place] - before[place]
        if not np.any(change):
            continue
        scales = arrays[name]
        norm = next((n for n, m in norms.items() if _folded(m, scales)), None)
        if norm is not None:
            yield f"{norm}.bias", norms.pop(norm).bias.detach().cpu().numpy() + change


def _folded(norm: nn.modules.batchnorm._BatchNorm, scales: Array) -> bool:
    """Return whether a convolution was multiplied by what this norm does to its channels."""
    if norm.running_var is None or norm.weight is None or norm.weight.shape != scales.shape:
        return False
    own = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
    return bool(np.allclose(own.cpu().numpy(), scales, rtol=1e-3, atol=1e-6))
