"""torch: the members themselves, as they were trained."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from vesalius.core.errors import PlanError
from vesalius.infer.graphs import Graph
from vesalius.infer.runtimes.contract import Runtime, Session


class Torch(Runtime):
    """It opens no graph: a member answers by itself."""

    graphs: ClassVar[bool] = False

    def open(self, graph: Graph, threads: int, *, cache: Path | None = None) -> Session:
        """Raise PlanError: torch opens no graphs."""
        raise PlanError("torch opens no graph: a member answers by itself", hint="runtime onnx or openvino")


RUNTIME = Torch()
