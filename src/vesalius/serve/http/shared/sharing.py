"""One service process among several: its part of the queue, of the folder, and of what is kept in both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vesalius.core.errors import UnsafeError
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.metrics import Metrics
from vesalius.serve.http.shared.beside import SharedDatastore, SharedTruths
from vesalius.serve.http.shared.folders import Folders
from vesalius.serve.http.shared.jobs import SharedJobs
from vesalius.serve.http.shared.queue import ATTEMPTS, LEASE_S, SharedQueue
from vesalius.serve.http.shared.studies import SharedStudies


@dataclass(frozen=True, slots=True)
class Shared:
    """What service processes share: a database at `where`, a path or a `postgresql://` URL, and a `folder`.

    Where a process does not say for `lease_s` seconds that it lives, others take over what it was working on; a case
    that `attempts` processes ended with is set aside.
    """

    where: Path | str
    folder: Path
    lease_s: float = LEASE_S
    attempts: int = ATTEMPTS


class Sharing:
    """A process's part of what is shared. Raises OutputError, MissingExtra."""

    cleared = 0  # folders of killed services go with the queue's own sweeps

    def __init__(self, shared: Shared, models: Catalogue, bounds: Bounds, metrics: Metrics) -> None:
        hashes = {name: model.bundle.hash for name, model in models.by_name.items()}
        self.queue = SharedQueue(shared.where, hashes, lease_s=shared.lease_s, attempts=shared.attempts)
        self.folders = Folders(shared.folder, self.queue)
        self.folder, self.apart = self.folders.root, self.folders.apart
        self.studies = SharedStudies(self.folders, bounds)
        self.jobs = SharedJobs(self.folders, self.studies, models.by_name, bounds, metrics)
        self.datastore, self.truths = SharedDatastore(self.studies), SharedTruths(self.queue)
        queue = self.queue
        metrics.watch("vesalius_workers", "Processes that share the queue", lambda: queue.figures.workers)
        metrics.watch("vesalius_queue_away", "1 while the queue cannot be reached", lambda: float(queue.away))

    def start(self) -> None:
        """Say from now on that this process lives."""
        self.queue.start()

    def remove(self) -> None:
        """Leave what is shared to the other processes, and remove what was this one's alone."""
        self.folders.part()


def assert_shareable(*, edits: Path | None, annotate: Path | None) -> None:
    """Raise UnsafeError for what only one process may write: two would overwrite each other's readings."""
    for option, folder in (("--edits", edits), ("--annotate", annotate)):
        if folder is not None:
            raise UnsafeError(
                f"{option} is kept by one process alone, and --queue is shared by several",
                found=str(folder),
                hint=f"another service without --queue for {option}",
            )
