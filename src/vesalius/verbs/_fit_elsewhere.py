"""A run that the processes of a cluster train; this process shows what the leading one of them tells."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from vesalius.cluster.connect import connected, shared
from vesalius.cluster.probe import assert_alike
from vesalius.cluster.training import Seat, trained
from vesalius.core.cluster_address import ClusterAddress
from vesalius.core.cohort import Cohort
from vesalius.core.errors import VesaliusError
from vesalius.core.progress import Progress
from vesalius.learn.parallel import crew as crews
from vesalius.learn.parallel.launch import Job
from vesalius.learn.parallel.notes import Notes, replayed
from vesalius.learn.parallel.places import Place
from vesalius.run.begin import Asked
from vesalius.run.crewed import Launch

LAUNCHER = "Ray Train"


@dataclass(frozen=True)
class Part:
    """One process's part in a job: it joins the others, and works in the folder that the command was begun in."""

    job: Job
    notes: Path
    folder: Path
    began: float  # seconds since 1970, as each machine's own clock since it started counts from elsewhere

    def __call__(self, seat: Seat) -> None:
        """Do it. What a person can mend is written down, and ends all in order, also when all are begun again."""
        notes = Notes(self.notes)
        if any(self.notes.glob("error-*.json")):
            return
        os.chdir(self.folder)
        place = Place(
            rank=seat.rank,
            size=seat.size,
            local_rank=seat.local_rank,
            local_size=seat.local_size,
            address=seat.address,
            port=seat.port,
            launcher=LAUNCHER,
            begun=seat.begun,
        )
        try:
            crew = crews.adopt(crews.join(place, self.job.device) if seat.size > 1 else crews.Crew())
            crew.notes, crew.begun, crew.launcher = self.notes, seat.begun, LAUNCHER
            began = time.monotonic() - (time.time() - self.began)
            asked = replace(self.job.arguments["asked"], began=began)
            self.job.function(**{**self.job.arguments, "asked": asked})
        except VesaliusError as error:
            notes.tell(seat.rank, error)
            if seat.rank:  # the leader waits for this process, and is begun again to hear of it
                raise
        finally:
            crews.left()


def launch_at(address: ClusterAddress) -> Launch:
    """Return what runs a job in so many processes of a cluster, and returns the folder that it left behind.

    It raises what the leader raises, ClusterError, BudgetError and MissingExtra.
    """

    def launched(job: Job, size: int, progress: Progress) -> Path | None:
        asked: Asked = job.arguments["asked"]
        here, began = Path.cwd(), time.time() - (time.monotonic() - asked.began)
        parent = (asked.out or here / "runs" / "run").resolve().parent
        with connected(address) as cluster:
            share = shared(cluster, size, option="--devices", device=job.device)
            assert_alike(cluster, read=[here, *_read(asked)], written=[parent], progress=progress)
            progress.note(f"{size} processes train on {cluster}")
            with tempfile.TemporaryDirectory(prefix=".cluster-", dir=parent) as place:
                notes = Notes(Path(place))
                with replayed(notes, progress):
                    trained(Part(job, notes.place, here, began), share, notes=notes.place)
                notes.raise_told()
                return notes.folder()

    return launched


def _read(asked: Asked) -> list[Path]:
    data = [] if isinstance(asked.data, Cohort) else [Path(asked.data)]
    return [path for path in (*data, asked.split) if path is not None]
