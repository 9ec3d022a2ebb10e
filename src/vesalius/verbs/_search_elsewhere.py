"""A search whose trials are tried by the workers of a cluster, which must plan and read as this process does."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from vesalius.cluster.connect import connected, shared
from vesalius.cluster.probe import assert_alike
from vesalius.cluster.trials import RayMeasurers
from vesalius.core.cluster_address import ClusterAddress
from vesalius.core.cohort import Cohort
from vesalius.core.errors import ClusterError
from vesalius.core.progress import Silent
from vesalius.verbs._searching import Job, Wanted


@dataclass(frozen=True)
class Made:
    """Makes a worker's part of a search; it is told how the process that began it plans, and must plan alike."""

    wanted: Wanted
    alike: str

    def __call__(self, worker: int) -> Job:
        """Return the part of a worker. Raises ClusterError where it would search something else."""
        job = Job(replace(self.wanted, began=time.monotonic()), worker + 1)
        if alike(job) != self.alike:
            raise ClusterError(
                "a machine of the cluster reads other cases or plans another default than this one",
                hint="the same data and weights on all machines, and machines alike; or --set what differs",
            )
        return job


def alike(job: Job) -> str:
    """Return a hash of all that trials on several machines must share: the cases, the folds, the default plan."""
    plan = job.plan.model_dump(mode="json", exclude={"reasons": True, "train": {"threads": True}})
    told = json.dumps([job.decisive, plan], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


@contextmanager
def at_work(job: Job, address: ClusterAddress) -> Iterator[Callable[[float | None], None]]:
    """Give what deals the job's trials to a cluster's workers until a time, inside this block.

    Raises ClusterError, BudgetError and MissingExtra before anything is tried.
    """
    wanted = job.wanted
    with ExitStack() as stack:
        cluster = stack.enter_context(connected(address))
        share = shared(cluster, wanted.workers, option="--workers", device=wanted.fit.device)
        assert_alike(cluster, read=_read(wanted), written=[wanted.folder], progress=wanted.progress)
        wanted.progress.note(f"trials are tried on {cluster}")
        fit = replace(_absolute(wanted).fit, progress=Silent())
        told = replace(_absolute(wanted), threads=share.cpus, progress=Silent(), fit=fit)
        measurers = RayMeasurers(Made(told, alike(job)), share)
        stack.callback(measurers.close)
        yield lambda until: job.deal(measurers, until)


def _read(wanted: Wanted) -> list[Path]:
    """Return what each machine must be able to read."""
    fit = wanted.fit
    data = [] if isinstance(fit.data, Cohort) else [Path(fit.data)]
    return [path for path in (*data, fit.split) if path is not None]


def _absolute(wanted: Wanted) -> Wanted:
    """Return the same with absolute paths, as a worker begins in a folder of its own."""
    fit = wanted.fit
    data = fit.data if isinstance(fit.data, Cohort) else Path(fit.data).resolve()
    init = str(Path(fit.init).resolve()) if fit.init and Path(fit.init).exists() else fit.init
    split = None if fit.split is None else fit.split.resolve()
    space = Path(wanted.space).resolve() if isinstance(wanted.space, str | Path) else wanted.space
    return replace(
        wanted,
        folder=wanted.folder.resolve(),
        space=space,
        fit=replace(fit, data=data, init=init, split=split),
    )
