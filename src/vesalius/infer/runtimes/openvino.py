"""openvino: Intel's OpenVINO on the processor, in single precision."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius.core.errors import MissingExtra, PlanError
from vesalius.core.image import Array
from vesalius.infer.graphs import EXTRA, Graph
from vesalius.infer.runtimes.contract import Runtime, Session


class _Opened(Session):
    """A compiled model; each thread that asks has a request of its own, as one request answers one at a time."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.names = [port.get_any_name() for port in model.outputs]
        self.own = threading.local()

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        if not hasattr(self.own, "request"):
            self.own.request = self.model.create_infer_request()
        found = self.own.request.infer(dict(feeds), share_inputs=True)
        return {name: np.array(found[k]) for k, name in enumerate(self.names)}


class OpenVino(Runtime):
    """Compiled as it is opened, which a cache spares the next process."""

    library: ClassVar[str] = "openvino"

    def open(self, graph: Graph, threads: int, *, cache: Path | None = None) -> Session:
        """Return the graph compiled for this processor.

        Without a hint OpenVINO would compute in bfloat16 where a processor has it, and so differ from torch.
        """
        try:
            import openvino
        except ImportError as error:
            raise MissingExtra(error.name or self.library, EXTRA) from error
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            **({} if cache is None else {"CACHE_DIR": str(cache)}),
        }
        try:
            core = openvino.Core()
            model = core.compile_model(core.read_model(graph.to_bytes()), "CPU", settings)
        except RuntimeError as error:
            raise PlanError(
                "OpenVINO does not take the graph", found=str(error)[:200], hint="runtime torch"
            ) from error
        return _Opened(model)


RUNTIME = OpenVino()
