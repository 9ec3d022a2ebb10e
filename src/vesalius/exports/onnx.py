"""ONNX: one file a member that any runtime reads, its preparation as JSON, and a script that answers with it alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius.core.errors import MissingExtra
from vesalius.core.image import Array
from vesalius.exports._agreement import agreed
from vesalius.exports.contract import Source, Target, Written
from vesalius.infer.feeds import RAW
from vesalius.infer.graphs import Graph, graph_of

EXTRA = "compress"


class Onnx(Target):
    """One `model-K.onnx` a member, read back by onnxruntime."""

    runs_without: ClassVar[bool] = True
    carries: ClassVar[bool] = True

    def write(self, source: Source, folder: Path) -> Written:
        """Write each member, read it back, and compare."""
        runtime = _onnxruntime()
        files, agreements = [], []
        for member in source.members:
            path = folder / f"model-{member}.onnx"
            made = graph(source, member)
            made.save(path)
            files.append(path.name)
            by = f"onnxruntime {runtime.__version__}"
            agreements.append(agreed(source, member, _opened(runtime, path), by=by))
        return Written(tuple(files), tuple(agreements))


def graph(source: Source, member: int) -> Graph:
    """Return one member as a graph of its raw output alone. Raises PlanError, MissingExtra."""
    stage = source.stage
    return graph_of(
        source.task, stage.plan, stage.state, source.model(member), like=source.batches[-1], watch=False
    )


def _opened(runtime: Any, path: Path) -> Callable[[Mapping[str, Array]], Array]:
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])
    named = [one.name for one in session.get_inputs()]
    return lambda arrays: np.asarray(session.run([RAW], {name: arrays[name] for name in named})[0])


def _onnxruntime() -> Any:
    """Return the module `onnxruntime`. Raises MissingExtra."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra(error.name or "onnxruntime", EXTRA) from error
    return onnxruntime


TARGET = Onnx()
