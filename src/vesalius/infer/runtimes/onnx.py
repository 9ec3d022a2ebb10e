"""onnx: ONNX Runtime on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius.core.errors import MissingExtra, PlanError
from vesalius.core.image import Array
from vesalius.infer.graphs import EXTRA, Graph
from vesalius.infer.runtimes.contract import Runtime, Session

_ERRORS_ONLY = 3  # of ONNX Runtime's severities


class _Opened(Session):
    def __init__(self, session: Any) -> None:
        self.session = session
        self.names = [value.name for value in session.get_outputs()]

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        found = self.session.run(None, dict(feeds))
        return {name: np.asarray(array) for name, array in zip(self.names, found, strict=True)}


class OnnxRuntime(Runtime):
    """Optimised as it is opened, in less than a second, so that nothing is kept for the next process."""

    library: ClassVar[str] = "onnxruntime"

    def open(self, graph: Graph, threads: int, *, cache: Path | None = None) -> Session:
        """Return the graph as a session of ONNX Runtime."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra(error.name or self.library, EXTRA) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others may want the cores
        try:
            session = onnxruntime.InferenceSession(
                graph.to_bytes(), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            raise PlanError(
                "ONNX Runtime does not take the graph", found=str(error)[:200], hint="runtime torch"
            ) from error
        return _Opened(session)


RUNTIME = OnnxRuntime()
