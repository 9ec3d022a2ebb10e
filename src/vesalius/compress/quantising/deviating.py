"""How far a changed graph's answers to a few cases lie from the original's, answered by ONNX Runtime."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from vesalius.compress.graphing import Arrays
from vesalius.core.image import Array
from vesalius.infer import runtimes
from vesalius.infer.graphs import Graph
from vesalius.plan import torch_threads


def outputs(graph: Graph, names: Sequence[str], few: Arrays) -> dict[str, list[Array]]:
    """Return what some nodes of a graph put out about each case, by the names of their outputs."""
    import onnx

    proto = copy.deepcopy(graph.proto)
    known = {value.name for value in proto.graph.output}
    for name in names:
        if name not in known:
            proto.graph.output.append(onnx.ValueInfoProto(name=name))
    opened = Graph(proto, graph.signature)
    session = runtimes.get("onnx").open(opened, torch_threads.in_use())
    found: dict[str, list[Array]] = {name: [] for name in names}
    for arrays in few:
        said = session(arrays)
        for name in names:
            found[name].append(said[name])
    return found


def deviation(exact: dict[str, list[Array]], other: dict[str, list[Array]]) -> float:
    """Return the root of the mean squared difference, as a share of the root of the mean square of what is exact."""
    error = power = 0.0
    for name, arrays in exact.items():
        for one, two in zip(arrays, other[name], strict=True):
            error += float(((one.astype(np.float64) - two) ** 2).sum())
            power += float((one.astype(np.float64) ** 2).sum())
    return float(np.sqrt(error / power)) if power else 0.0
