"""The contract of a runtime: what opens a member's graph, and is then asked with arrays by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from vesalius.core.errors import MissingExtra
from vesalius.core.image import Array
from vesalius.infer.graphs import EXTRA, Graph


class Session(ABC):
    """An opened graph. Several threads may ask it at once."""

    @abstractmethod
    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs `(B, …)` by name of arrays `(B, …)` by the names of the graph's feeds."""


class Runtime(ABC):
    """A way of computing raw outputs. Instances hold nothing; a file of this kind ends in `RUNTIME = …()`.

    `library` is what has to be installed, empty where nothing has to; `graphs` says that it opens graphs, which the
    members themselves do not.
    """

    library: ClassVar[str] = ""
    graphs: ClassVar[bool] = True

    @abstractmethod
    def open(self, graph: Graph, threads: int, *, cache: Path | None = None) -> Session:
        """Return the graph, ready to be asked on the processor with that many threads.

        What took long to compile is kept in the folder `cache`, for the next process. Raises MissingExtra, and
        PlanError for a graph that the runtime does not take.
        """

    @property
    def there(self) -> bool:
        """Whether what it needs is installed."""
        return not self.library or find_spec(self.library) is not None

    @property
    def version(self) -> str:
        """Return the version of its library. Raises MissingExtra where it is not installed."""
        if not self.there:
            raise MissingExtra(self.library, EXTRA)
        return metadata.version(self.library) if self.library else ""
