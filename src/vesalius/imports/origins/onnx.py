"""ONNX files of models that others trained, with a declared task, labels and layout; a graph is data, not a program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.errors import BundleError, MissingExtra, PlanError
from vesalius.core.image import Array
from vesalius.core.plan import NetPlan, Plan
from vesalius.core.words import listed
from vesalius.imports import normalising
from vesalius.imports.contract import Brought, Told
from vesalius.imports.planning import labels_of, planned, sampling, state_of, target_of, task_of
from vesalius.infer.feeds import RAW, Feed, Signature
from vesalius.infer.graphs import EXTRA, Graph, described
from vesalius.infer.runtimes import get as runtime_of

NAMES = {"onnx": "An ONNX file of one image in and one output, its channels second"}
ORDER = 30
MAGIC = b"\x08"  # of a protobuf message whose first field is a number, which ONNX's is
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
MOST_BYTES = 2**31 - 2**21
ROWS = 2
GRAPH = NetPlan(name="graph")  # no registered net: nobody can train it
IMAGE = "image"
THERE = "as the graph has it"


def suits(source: Path) -> bool:
    """Return whether a file is called an ONNX file and begins as one."""
    return source.is_file() and source.suffix == ".onnx" and source.read_bytes()[:1] == MAGIC


def bring(source: Path, told: Told) -> Brought:
    """Return the model of an ONNX file. What its image and its outputs mean must be told.

    Raises BundleError for a file that is none, keeps weights elsewhere, or has operators of others; PlanError for what
    nobody says; MissingExtra.
    """
    proto = _read(source)
    name, shape = _input(proto, source)
    dims = len(shape) - 2
    channels = shape[1] or int(told.settings.get("data.channels", 0))
    if not channels:
        raise PlanError(f"{source.name} takes any number of channels", hint="--set data.channels=1")
    says = _values(told, dims, channels, shape)
    sides = _sides(says, told, dims)
    output = _output(proto, source)
    asked = _asked(proto, name, (ROWS, channels, *sides), output)
    dense = asked.ndim == len(shape)
    if asked.shape[0] != ROWS or (dense and asked.shape[2:] != sides) or not (dense or asked.ndim == 2):
        raise BundleError(
            f"{source.name} gives neither a value for each label nor one for each label and point",
            found=f"{asked.shape} of an image {(ROWS, channels, *sides)}",
            hint="a graph whose first axis is free, and whose output has the size of its input or is (N, labels)",
        )
    task = task_of(told, dense=dense)
    outputs = int(asked.shape[1])
    if outputs < 2:
        raise BundleError(f"{source.name} has one output, and a probability of each label is needed")
    target = target_of(task, labels_of(told, outputs, dense=dense, what=source.name), dense=dense)
    plan = planned(task, target, says, told=told)
    p = _are_probabilities(asked)
    if not p and asked.min() >= 0 and asked.max() <= 1:
        raise BundleError(
            f"{source.name} gives numbers from 0 to 1 that do not sum to 1, as after a sigmoid",
            hint="an export of the logits, without the last sigmoid",
        )
    graph = _wrapped(proto, name, output, plan, outputs=outputs, dense=dense, logarithm=p)
    notes = [
        "the model is a graph: it has no gradients and no layers here, and cannot be trained on",
        *(["its outputs are probabilities, and their logarithms are taken"] if p else []),
    ]
    if sampling(task) == "whole":
        notes.append("an image is scaled as a whole to the planned size and padded; nothing of it is cropped")
    return Brought(
        plan,
        state_of(task, target, plan),
        (graph.to_bytes(),),
        origin=f"an ONNX file of {_producer(proto)}",
        facts={"operators": f"opset {max((o.version for o in proto.opset_import), default=0)}"},
        notes=tuple(notes),
        runtime="onnx",
        alone=True,
    )


def _read(source: Path) -> Any:
    """Return the file's `onnx.ModelProto`. Raises BundleError, MissingExtra."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", EXTRA) from error
    if source.stat().st_size > MOST_BYTES:
        raise BundleError(f"{source} is larger than one ONNX file can be")
    try:
        proto = onnx.load_model_from_string(source.read_bytes())
    except (DecodeError, ValueError) as error:
        raise BundleError(f"{source} is no ONNX file, or damaged", found=str(error)[:120]) from error
    elsewhere = [t.name for t in _tensors(proto.graph) if t.data_location == onnx.TensorProto.EXTERNAL]
    if elsewhere:
        raise BundleError(
            f"{source} keeps its weights in other files, which are not looked for",
            found=listed(elsewhere, 3),
            hint="one file: onnx.save(model, FILE, save_as_external_data=False)",
        )
    strange = sorted({d.domain for d in proto.opset_import if d.domain not in DOMAINS} - _own(proto))
    if strange:
        raise BundleError(
            f"{source} has operators that are not ONNX's own, and no library of others is loaded",
            found=listed(strange, 3),
        )
    return proto


def _own(proto: Any) -> set[str]:
    """Return the domains of functions that the file itself holds."""
    return {str(f.domain) for f in proto.functions}


def _tensors(graph: Any) -> list[Any]:
    """Return the tensors of a graph, of its nodes and of the graphs within it."""
    found = list(graph.initializer) + [s.values for s in graph.sparse_initializer]
    for node in graph.node:
        for one in node.attribute:
            found += [one.t, *one.tensors]
            for inner in (one.g, *one.graphs):
                found += _tensors(inner) if len(inner.node) else []
    return found


def _input(proto: Any, source: Path) -> tuple[str, tuple[int, ...]]:
    """Return the name and the shape of the one image that a graph takes, 0 where an axis is free."""
    weights = {t.name for t in proto.graph.initializer}
    found = [v for v in proto.graph.input if v.name not in weights]
    shape = tuple(int(d.dim_value) for d in found[0].type.tensor_type.shape.dim) if found else ()
    kind = found[0].type.tensor_type.elem_type if found else 0
    if len(found) != 1 or len(shape) not in (4, 5) or kind != 1:
        raise BundleError(
            f"{source.name} takes other than one image of single precision, (N, C, Y, X) or (N, C, Z, Y, X)",
            found=", ".join(v.name for v in found) + f" {shape}",
        )
    if shape[0] == 1:
        raise BundleError(
            f"{source.name} takes one image at a time", hint="an export whose first axis is free (dynamic)"
        )
    if shape[-1] in (1, 3) and shape[1] not in (0, 1, 3):
        raise BundleError(f"{source.name} has its channels last", found=str(shape), hint="channels second")
    return str(found[0].name), shape


def _output(proto: Any, source: Path) -> str:
    names = [str(v.name) for v in proto.graph.output]
    if len(names) != 1:
        raise BundleError(
            f"{source.name} has several outputs", found=listed(names, 5), hint="a graph of one output"
        )
    return names[0]


def _values(told: Told, dims: int, channels: int, shape: tuple[int, ...]) -> dict[str, tuple[Any, str]]:
    says: dict[str, tuple[Any, str]] = {
        "data.dims": (dims, THERE),
        "data.channels": (channels, THERE),
        "net": (GRAPH, "a graph of others"),
        "infer.mirror": ([], "nothing says that mirror images may be asked about"),
    }
    if all(shape[2:]):
        says["data.size"] = ([*([1] if dims == 2 else []), *shape[2:]], THERE)
    if told.normalise is not None:
        entries = normalising.entries(told.normalise, channels)
        says["data.normalise"] = (entries, f"told at the import: {told.normalise}")
    if dims == 3 and "data.spacing_mm" not in told.settings:
        raise PlanError(
            "nothing says at which spacing the model saw volumes",
            hint="--set data.spacing_mm=[1,1,1], as x, y, z; null where they were not resampled",
        )
    return says


def _sides(says: Mapping[str, tuple[Any, str]], told: Told, dims: int) -> tuple[int, ...]:
    """Return the size of the input, of the graph or as it was told. Raises PlanError for none."""
    found = told.settings.get("data.size", says.get("data.size", (None,))[0])
    if isinstance(found, str):
        found = [int(n) for n in found.strip("[]() ").split(",") if n.strip().isdecimal()]
    if not isinstance(found, list | tuple) or len(found) != 3 or (dims == 2 and found[0] != 1):
        raise PlanError(
            "nothing says the size of the images that the model sees",
            found=None if found is None else str(found),
            hint="--set data.size=[1,224,224], as z, y, x",
        )
    return tuple(int(n) for n in found[-dims:])


def _asked(proto: Any, name: str, shape: tuple[int, ...], output: str) -> Array:
    """Return what the graph says of made-up images."""
    rng = np.random.default_rng(0)
    graph = Graph(proto, Signature((), (), ()))
    found = runtime_of("onnx").open(graph, 1)({name: rng.normal(size=shape).astype(np.float32)})
    return found[output]


def _are_probabilities(found: Array) -> bool:
    return bool(found.min() >= 0 and found.max() <= 1 and np.allclose(found.sum(axis=1), 1, atol=1e-4))


def _wrapped(
    proto: Any, name: str, output: str, plan: Plan, *, outputs: int, dense: bool, logarithm: bool
) -> Graph:
    """Return the graph as a member's: `(N, C, Z, Y, X)` in under our name, logits out, planes with an axis z."""
    from onnx import TensorProto, helper, numpy_helper

    graph, flat = proto.graph, plan.data.dims == 2
    size, c = plan.data.size, plan.data.inputs
    taken = {n for node in graph.node for n in (*node.input, *node.output)} | {
        t.name for t in graph.initializer
    }

    def fresh(word: str) -> str:
        return next(w for k in range(len(taken) + 1) if (w := f"{word}_{k}") not in taken)

    def shaped(word: str, sides: list[int]) -> str:
        called = fresh(word)
        graph.initializer.append(numpy_helper.from_array(np.array(sides, np.int64), called))
        return called

    image = IMAGE if name == IMAGE or IMAGE not in taken else None
    if image is None or name == IMAGE:  # their own name for something else, or the very same
        inner = fresh("inner")
        for node in graph.node:
            for k, n in enumerate(node.input):
                node.input[k] = inner if n == IMAGE else n
            for k, n in enumerate(node.output):
                node.output[k] = inner if n == IMAGE else n
        name = inner if name == IMAGE else name
        output = inner if output == IMAGE and image is None else output
    first = (
        helper.make_node("Reshape", [IMAGE, shaped("flat", [0, c, *size[1:]])], [name])
        if flat
        else helper.make_node("Identity", [IMAGE], [name])
    )
    graph.node.insert(0, first)
    last, steps = output, []
    if logarithm:
        low, high = fresh("least"), fresh("most")
        for called, value in ((low, 1e-12), (high, 1.0)):
            graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), called))
        steps += [("Clip", [last, low, high], fresh("clipped")), ("Log", [fresh("clipped")], fresh("logits"))]
        last = fresh("logits")
    end = shaped("deep", [0, outputs, *size]) if flat and dense else None
    steps.append(("Identity", [last], RAW) if end is None else ("Reshape", [last, end], RAW))
    graph.node.extend(helper.make_node(kind, inputs, [out]) for kind, inputs, out in steps)
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, ["rows", c, *size]))
    sides = [*size] if dense else []
    graph.output.append(helper.make_tensor_value_info(RAW, TensorProto.FLOAT, ["rows", outputs, *sides]))
    del proto.metadata_props[:]
    feed = Feed(IMAGE, "images", IMAGE, (c, *size), "float32")
    signature = Signature((feed,), (IMAGE, f"present.{IMAGE}"), ())
    return described(proto, Graph(proto, signature))


def _producer(proto: Any) -> str:
    words = f"{proto.producer_name} {proto.producer_version}".strip()
    return "".join(ch for ch in words if ch.isalnum() or ch in " .-+")[:60].strip() or "an unnamed producer"
