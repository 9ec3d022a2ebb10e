"""Graphs: one member of a stage as one ONNX file, which every runtime but torch reads, with what its alarm watches."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.core.bundle import State
from vesalius.core.disk import write_bytes
from vesalius.core.errors import BundleError, MissingExtra, PlanError
from vesalius.core.plan import Plan
from vesalius.core.quiet import quiet
from vesalius.infer.feeds import (
    RAW,
    Feed,
    Signature,
    batch_from,
    blank,
    feeds_of,
    parse_signature,
    tensors_of,
)
from vesalius.infer.followed import Followed
from vesalius.infer.graph_means import with_plain_means
from vesalius.prepare.batch import Batch
from vesalius.tasks.contract import Task

PREFIX = "model."  # of parameters in the file, before their own names
ABOUT = "vesalius"  # the key of the file's metadata under which the rest of a Graph lies
EXTRA = "compress"  # of pyproject.toml
_EXPORTERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")  # which tell a log of themselves
_ROWS = 2  # of the batch that is followed; a batch of one would be taken for one that is always of one
_MOST_BYTES = 2**31 - 2**20  # an ONNX file in one piece is a protobuf message, which holds no more


@dataclass(frozen=True, eq=False)
class Graph:
    """One member as a graph: `proto` is an `onnx.ModelProto` with its weights and, as metadata, its `signature`."""

    proto: Any
    signature: Signature

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Return its inputs, in their order."""
        return self.signature.feeds

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of its outputs: `RAW`, then what its alarm needs."""
        return self.signature.outputs

    def to_bytes(self) -> bytes:
        """Return the file."""
        data: bytes = self.proto.SerializeToString()
        return data

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_bytes(path, self.to_bytes())


def graph_of(
    task: Task,
    plan: Plan,
    state: State,
    model: nn.Module,
    *,
    device: str | torch.device = "cpu",
    like: Batch | None = None,
    watch: bool = True,
) -> Graph:
    """Return one member of a stage as a graph, of any number of rows.

    It says what `Task.infer` says of a batch, in evaluation mode and in single precision, the model being left as it
    is. `like` is a batch of the kind that is asked about; without one it is one image of the planned size, which is
    enough for tasks that take nothing else. With `watch` the sums that an alarm needs are outputs, too. Raises
    PlanError, with the reason, for a model that cannot be followed, and MissingExtra.
    """
    _assert_there("onnx", "onnxscript")
    feeds = _single(plan) if like is None else feeds_of(like)
    given = tuple(sorted(feed.name for feed in feeds))
    followed = Followed(task, with_plain_means(copy.deepcopy(model)).to(device).eval(), feeds, watch)
    two = _of_two_rows(feeds, like)
    with torch.no_grad():  # which outputs there are follows from a pass
        followed(*(t.to(device) for t in tensors_of(two, feeds)))
    if not followed.asked_what_is_there:
        feeds = followed.feeds = tuple(feed for feed in feeds if feed.field != "present")
    tensors = [t.to(device) for t in tensors_of(two, feeds)]
    names = [feed.name for feed in feeds]
    layers = tuple(followed.layers)
    outputs = [RAW, *(name for one in layers for name in (one.mean, one.squares))]
    try:
        proto = _exported(followed, tensors, names, outputs)
    except Exception as error:
        raise PlanError(
            f"the model of {task.name} with the net {plan.net.name} cannot be followed as a graph",
            found=_reason(error),
            hint="runtime torch",
        ) from error
    fixed = [v.name for v in proto.graph.input if not v.type.tensor_type.shape.dim[0].dim_param]
    if fixed:  # torch falls back to sizes as they are where a model reads them as numbers
        raise PlanError(
            f"a graph of the net {plan.net.name} would be of batches of {_ROWS} alone: it reads the number of rows",
            found=", ".join(fixed),
            hint="x.shape[0] in the net instead of len(x); else runtime torch",
        )
    if proto.ByteSize() > _MOST_BYTES:
        raise PlanError("a graph of more than 2 GiB does not fit into one ONNX file", hint="runtime torch")
    kept = {value.name for value in proto.graph.input}
    used = tuple(f for f in feeds if f.name in kept)
    return _described(Graph(proto, Signature(used, given, layers)))


def _exported(
    followed: Followed, tensors: Sequence[Tensor], names: Sequence[str], outputs: Sequence[str]
) -> Any:
    """Return the `onnx.ModelProto` that torch's exporter makes. Raises whatever that meets in a model."""
    rows = torch.export.Dim("rows", min=1, max=2**16)
    with quiet(_EXPORTERS), torch.no_grad():
        program = torch.onnx.export(
            followed,
            tuple(tensors),
            dynamo=True,
            optimize=True,
            verbose=False,
            input_names=names,
            output_names=outputs,
            dynamic_shapes={"tensors": tuple({0: rows} for _ in tensors)},
        )
    if program is None:
        raise PlanError("torch exported nothing")
    proto = program.model_proto
    _bare(proto)
    return proto


def open_graph(path: Path) -> Graph:
    """Return the graph that a file holds. Raises BundleError for one that no graph of ours is, and MissingExtra."""
    _assert_there("onnx")
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return described(onnx.load_model_from_string(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, DecodeError) as error:
        raise BundleError(f"{path}: this is no graph of a member", found=str(error)[:200]) from error


def described(proto: Any, about: Graph | None = None) -> Graph:
    """Return an `onnx.ModelProto` with what its metadata say, or with those of the graph that it was made from.

    What compresses a graph keeps its inputs and outputs, by name, and may lose its metadata. Raises ValueError,
    KeyError or TypeError where it holds none.
    """
    if about is not None:
        return _described(Graph(proto, about.signature))
    text = {entry.key: entry.value for entry in proto.metadata_props}[ABOUT]
    graph = Graph(proto, parse_signature(json.loads(text)))
    held = {value.name for value in proto.graph.output}
    fed = {value.name for value in proto.graph.input}
    if not held.issuperset(graph.outputs) or fed != {feed.name for feed in graph.feeds}:
        raise ValueError("its inputs and outputs are not those that its metadata name")
    return graph


def _described(graph: Graph) -> Graph:
    """Put into the metadata of a graph's file what it takes and gives."""
    for entry in list(graph.proto.metadata_props):
        if entry.key == ABOUT:
            graph.proto.metadata_props.remove(entry)
    entry = graph.proto.metadata_props.add()
    entry.key, entry.value = ABOUT, json.dumps(graph.signature.json())
    return graph


def _single(plan: Plan) -> tuple[Feed, ...]:
    """Return what a model of one image is given, of the planned size."""
    shape = (plan.data.inputs, *plan.data.size)
    there = Feed("present.image", "present", "image", (), "bool")
    return (Feed("image", "images", "image", shape, "float32"), there)


def _of_two_rows(feeds: Sequence[Feed], like: Batch | None) -> Batch:
    """Return a batch of two rows that holds these feeds, of the first rows of `like` where there is one."""
    if like is None:
        return blank(feeds, _ROWS)
    found = [t[[0, len(t) - 1]].clone() for t in tensors_of(like, feeds)]
    return batch_from(feeds, found)


def _bare(proto: Any) -> None:
    """Take out of a file the inputs that nothing looks at, and what torch noted of its own code, with its paths."""
    used = {name for node in proto.graph.node for name in node.input}
    for value in [value for value in proto.graph.input if value.name not in used]:
        proto.graph.input.remove(value)
    for named in (proto, proto.graph, *proto.functions):
        del named.metadata_props[:]
    for many in (proto.graph.node, proto.graph.input, proto.graph.output, proto.graph.initializer):
        for one in many:
            del one.metadata_props[:]
            one.ClearField("doc_string")
    del proto.graph.value_info[:]  # what any reader infers again


def _reason(error: BaseException) -> str:
    """Return why torch could not follow a model, in one line: what lies at the bottom of its chain of errors."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]


def _assert_there(*libraries: str) -> None:
    """Raise MissingExtra where what makes or reads graphs is not installed."""
    for name in libraries:
        if find_spec(name) is None:
            raise MissingExtra(name, EXTRA)
