"""A graph in eight-bit integers: by NNCF, which OpenVINO and ONNX Runtime both run, else by ONNX Runtime itself."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from vesalius.compress.graphing import Arrays
from vesalius.compress.quantising.deviating import deviation, outputs
from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.infer.feeds import RAW
from vesalius.infer.graphs import Graph, described

LOOKED_AT = 8  # training cases by which one of two ways of rounding is chosen
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # what has weights


def quantised(graph: Graph, arrays: Arrays, *, kept: Collection[str] = ()) -> Graph:
    """Return a graph whose weights and activations are integers of eight bits, with ranges from what it is shown.

    Weights have a scale a channel, activations one each. Biases are corrected for the mean error of rounding only where
    that brings the answers to training cases nearer; of layers that hardly vary it takes them away. The nodes named in
    `kept` stay as they are, and so do those that only sum up what layers show for an alarm. Raises PlanError where no
    library can do it.
    """
    without = {*kept, *beside_raw(graph)}
    try:
        both = [described(_by_nncf(graph, arrays, without, corrected=c), graph) for c in (False, True)]
        few = list(arrays[:LOOKED_AT])
        exact = outputs(graph, [RAW], few)
        return min(both, key=lambda one: deviation(exact, outputs(one, [RAW], few)))
    except Exception as error:  # noqa: BLE001 - of several kinds, all of which mean that it cannot follow this graph
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
    try:
        return described(_by_onnxruntime(graph, arrays, without), graph)
    except Exception as error:
        raise PlanError(
            "this model cannot be brought to eight-bit integers",
            found=f"NNCF: {why[:120]}; ONNX Runtime: {type(error).__name__}: {str(error)[:120]}",
            hint="--ways runtime",
        ) from error


def by_weights(graph: Graph) -> Graph:
    """Return a graph whose matrices are integers; what is multiplied with them is quantised as it comes.

    Nothing is shown to it. Convolutions stay as they are: ONNX Runtime is slower with such ones than in single
    precision.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet(), tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        before.write_bytes(graph.to_bytes())
        try:
            quantize_dynamic(
                before,
                after,
                op_types_to_quantize=["MatMul", "Gemm"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
            return described(_read(after), graph)
        except Exception as error:
            raise PlanError(
                "ONNX Runtime cannot quantise the matrices of this model",
                found=f"{type(error).__name__}: {str(error)[:160]}",
            ) from error


def in_matrices(graph: Graph) -> float:
    """Return which share of a graph's weights are matrices, the others being kernels of convolutions."""
    sizes = {one.name: _size(one.dims) for one in graph.proto.graph.initializer}
    every = dict.fromkeys(WEIGHTED, 0)
    for node in graph.proto.graph.node:
        if node.op_type in every:
            every[node.op_type] += sum(sizes.get(name, 0) for name in node.input[:2])
    return (every["Gemm"] + every["MatMul"]) / max(sum(every.values()), 1)


def beside_raw(graph: Graph) -> set[str]:
    """Return the names of the nodes that the raw output does not hang on: the sums that an alarm looks at."""
    nodes = list(graph.proto.graph.node)
    made_by = {name: k for k, node in enumerate(nodes) for name in node.output}
    open_, needed = [RAW], set()
    while open_:
        place = made_by.get(open_.pop())
        if place is not None and place not in needed:
            needed.add(place)
            open_ += list(nodes[place].input)
    return {node.name for k, node in enumerate(nodes) if k not in needed}


def _by_nncf(graph: Graph, arrays: Arrays, kept: Collection[str], *, corrected: bool) -> Any:
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    ignored = nncf.IgnoredScope(names=sorted(kept), validate=False) if kept else None
    with _quiet():
        return nncf.quantize(
            graph.proto,
            nncf.Dataset(list(arrays)),
            subset_size=len(arrays),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=ignored,
            advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=not corrected),
        )


def _by_onnxruntime(graph: Graph, arrays: Arrays, kept: Collection[str]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Shown(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, shown: Sequence[dict[str, Array]]) -> None:
            self.left = iter(shown)

        def get_next(self) -> dict[str, Array] | None:
            return next(self.left, None)

    with _quiet(), tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        before.write_bytes(graph.to_bytes())
        quantize_static(
            before,
            after,
            Shown(arrays),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted(kept),
        )
        return _read(after)


def _read(path: Path) -> Any:
    import onnx

    return onnx.load_model_from_string(path.read_bytes())


def _size(dims: Sequence[int]) -> int:
    many = 1
    for n in dims:
        many *= n
    return many


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the libraries say of themselves from a terminal while they work."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),  # NNCF draws bars where a program waits for JSON
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
