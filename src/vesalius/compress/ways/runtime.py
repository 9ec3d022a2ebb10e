"""Another runtime alone: the same weights in single precision, answered by the faster of OpenVINO and ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from vesalius.compress.contract import Source, Variant, Way
from vesalius.compress.graphing import Arrays, as_graphs, lacking, runtime_lacking
from vesalius.core.progress import Progress
from vesalius.infer.graphs import Graph


class Runtime(Way):
    """No number is changed, so that it is tried where rounded numbers are too many: it costs as much to try."""

    name: ClassVar[str] = "runtime"
    cost: ClassVar[float] = 1.5

    def suits(self, source: Source) -> str:
        """Return which library is missing."""
        return lacking() or runtime_lacking()

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the members as graphs, unchanged."""
        changed = ("The weights are the same, in single precision.",)
        return as_graphs(source, _same, way=self.name, to=to, progress=progress, changed=changed)


def _same(graph: Graph, arrays: Arrays) -> Graph:
    return graph


WAY = Runtime()
