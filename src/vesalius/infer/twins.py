"""Twins: the torch model of a member whose weights lie in a graph's file alone, for gradients, hooks and explanations.

An exporter keeps most parameters under their own names and folds the rest: a batch norm into the convolution before it,
the transpose of a matrix into the matrix. What is folded is told by a record of the stage, made where the graph was.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.bundle import State
from vesalius.core.errors import BundleError
from vesalius.core.image import Array
from vesalius.infer.graphs import PREFIX, Graph

FOLDED = "folded"  # what the record is called among the extra records of a stage
NUMBERS = "numbers"  # in that record: of the members, in the order of its arrays
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_CLOSE = 1e-5


def folded_of(graphs: Sequence[Graph], models: Sequence[nn.Module]) -> State:
    """Return, for the extra record `FOLDED` of a stage, what the files of its members do not hold under its own name.

    `graphs` are those that `graph_of` made of the `models`, before anything was done to them. Where a parameter lies in
    a file under another name, or turned, the record says where, so that what a file is changed to later is the twin's,
    too; one number stands for a tensor that is the same everywhere; what is in no file is kept whole.
    """
    places: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    for k, (graph, model) in enumerate(zip(graphs, models, strict=True)):
        found = _Folded(weights_of(graph.proto), model, graph.proto)
        found.look()
        places.append({"lie": found.lie, "same": found.same})
        arrays |= {f"{k}.{key}": np.ascontiguousarray(array) for key, array in found.kept.items()}
    return State({"members": places}, arrays)


def twin_state(graph: Graph, folded: State | None, place: int, model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of the `place`-th member, of its graph and of the stage's record.

    Weights of 8 bits are multiplied by their scales. Raises BundleError where a parameter of the model is nowhere.
    """
    held = weights_of(graph.proto)
    told: Mapping[str, Any] = {} if folded is None else folded.values["members"][place]
    found: dict[str, Tensor] = {}
    for key, like in model.state_dict().items():
        array = _one(key, tuple(like.shape), held, told, {} if folded is None else folded.arrays, place)
        if array is None or array.size != like.numel():
            raise BundleError(
                f"the graph of a member has no weights '{key}' of the shape {tuple(like.shape)}",
                hint="a bundle that was not changed",
            )
        found[key] = torch.from_numpy(np.array(array).reshape(tuple(like.shape))).to(like.dtype)
    return found


def weights_of(proto: Any) -> dict[str, Array]:
    """Return the weights of an `onnx.ModelProto` by the names that the exporter gave them, in single precision.

    Those of 8 bits are found as NNCF and ONNX Runtime write them: `q_output_NAME_1` before a DequantizeLinear, and
    `NAME_quantized` beside `NAME_scale` and `NAME_zero_point`.
    """
    from onnx import numpy_helper

    raw = {one.name: numpy_helper.to_array(one) for one in proto.graph.initializer}
    found = {name: array for name, array in raw.items() if array.dtype.kind == "f"}
    for node in proto.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in raw:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            parts = [raw.get(name) for name in node.input]
            if parts[1] is not None:
                zero = parts[2] if len(parts) > 2 else None
                found[_named(node.input[0])] = _dequantised(raw[node.input[0]], parts[1], zero, axis)
    scales = {
        node.input[1] for node in proto.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")
    }
    found = {name: array for name, array in found.items() if name not in scales}
    for name, array in raw.items():
        stem = name.removesuffix("_quantized")
        scale = raw.get(f"{stem}_scale")
        if stem != name and stem not in found and scale is not None:
            zero = raw.get(f"{stem}_zero_point")
            found[stem] = _dequantised(array, scale, zero, array.ndim - 1)
            found.pop(f"{stem}_scale", None)
    return found


def _named(quantised: str) -> str:
    """Return the name of the weights whose quantised form has this name."""
    if quantised.startswith("q_output_"):
        return quantised.removeprefix("q_output_").rpartition("_")[0]
    return quantised.removesuffix("_quantized")


def _dequantised(array: Array, scale: Array, zero: Array | None, axis: int) -> Array:
    shape = [1] * array.ndim
    if scale.size > 1:
        shape[axis] = scale.size
    start = np.zeros(1, np.float32) if zero is None else zero.astype(np.float32)
    start = start.reshape(shape) if start.size > 1 else start.reshape(-1)[:1]
    scales = scale.reshape(shape) if scale.size > 1 else scale.reshape(-1)[:1]
    found: Array = ((array.astype(np.float32) - start) * scales).astype(np.float32)
    return found


def _one(
    key: str,
    shape: tuple[int, ...],
    held: Mapping[str, Array],
    told: Mapping[str, Any],
    arrays: Mapping[str, Array],
    place: int,
) -> Array | None:
    """Return one tensor of a twin; None where it is nowhere."""
    if key in told.get("same", {}):
        return np.full(shape, told["same"][key])
    if key in told.get("lie", {}):
        name, turned = told["lie"][key]
        array = held.get(name)
        return None if array is None else (array.T if turned else array)
    kept = arrays.get(f"{place}.{key}")
    return kept if kept is not None else held.get(f"{PREFIX}{key}")


@dataclass(eq=False)
class _Folded:
    """What of one model's tensors is not in its graph's file under its own name, and where it is instead."""

    held: Mapping[str, Array]
    model: nn.Module
    proto: Any
    lie: dict[str, list[Any]] = field(
        default_factory=dict
    )  # key → the name in the file, and whether it is turned
    same: dict[str, float] = field(default_factory=dict)
    kept: dict[str, Array] = field(default_factory=dict)

    def look(self) -> None:
        """Look for every tensor of the model."""
        own = {key: t.detach().cpu().numpy() for key, t in self.model.state_dict().items()}
        folded = set(self._norms(own))
        for key, array in own.items():
            there = self.held.get(f"{PREFIX}{key}")
            if key in folded or (there is not None and _alike(there, array)):
                continue
            if array.size and (array == array.flat[0]).all():
                self.same[key] = array.flat[0].item()
            elif (place := self._elsewhere(array)) is not None:
                self.lie[key] = place
            else:
                self.kept[key] = array

    def _elsewhere(self, array: Array) -> list[Any] | None:
        for name, there in self.held.items():
            if (
                there.size == array.size
                and there.squeeze().shape == array.squeeze().shape
                and _alike(there, array)
            ):
                return [name, False]
            if array.ndim == 2 and there.shape == array.T.shape and np.array_equal(there, array.T):
                return [name, True]
        return None

    def _norms(self, own: Mapping[str, Array]) -> Iterator[str]:
        """Say of each batch norm that was folded into a convolution what it is in the twin, and yield what that covers.

        The convolution has the weights of the file; the norm takes nothing off, divides by 1 and adds what the file
        adds behind the convolution.
        """
        norms = {n: m for n, m in self.model.named_modules() if isinstance(m, _NORMS) and m.affine}
        for node in self.proto.graph.node:
            if node.op_type not in ("Conv", "ConvTranspose") or len(node.input) < 3:
                continue
            key = node.input[1].removeprefix(PREFIX)
            if key not in own or node.input[1] not in self.held or _alike(self.held[node.input[1]], own[key]):
                continue
            axis = 0 if node.op_type == "Conv" else 1
            for name, norm in norms.items():
                if _is_folded(self.held[node.input[1]], own[key], norm, axis):
                    self.lie[f"{name}.bias"] = [node.input[2], False]
                    self.same |= {f"{name}.running_mean": 0.0, f"{name}.running_var": 1.0}
                    self.same[f"{name}.weight"] = math.sqrt(1 + norm.eps)
                    covered = [
                        key,
                        *(f"{name}.{k}" for k in ("bias", "running_mean", "running_var", "weight")),
                    ]
                    bias = f"{key.removesuffix('weight')}bias"
                    if bias in own:
                        self.same[bias] = 0.0
                        covered.append(bias)
                    del norms[name]
                    yield from covered
                    break


def _is_folded(there: Array, own: Array, norm: Any, axis: int) -> bool:
    """Return whether weights in a file are a convolution's with this norm's scale in them."""
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().cpu().numpy()
    if there.shape != own.shape or own.shape[axis] != scale.size:
        return False
    shape = [1] * own.ndim
    shape[axis] = scale.size
    return _alike(there, own * scale.reshape(shape))


def _alike(a: Array, b: Array) -> bool:
    if a.size != b.size:
        return False
    reach = float(np.abs(b).max()) if b.size else 0.0
    return bool(np.abs(a.reshape(-1) - b.reshape(-1)).max(initial=0.0) <= _CLOSE * max(reach, 1e-30))
