"""A search whose trials are tried by the workers of a cluster, which must plan and read as this process does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
    alike: Mapping[str, str]

    def __call__(self, worker: int) -> Job:
        """Return the part of a worker. Raises ClusterError where it would search something else."""
        job = Job(replace(self.wanted, began=time.monotonic()), worker + 1)
        found = alike(job)
        other = [path for path, value in self.alike.items() if found.get(path) != value]
        if other or len(found) != len(self.alike):
            raise ClusterError(
                "a machine of the cluster reads other cases or plans another default than this one",
                found="; ".join(f"{p} {found.get(p)}, here {self.alike[p]}" for p in other[:2])[:300],
                hint="the same data and weights on all machines, and machines alike; or --set what differs",
            )
        return job


def alike(job: Job) -> dict[str, str]:
    """Return, by name, all that trials on several machines must share: the cases, the folds, the default plan.

    What the machine is called, its cores and threads, decide nothing of a trial.
    """
    plan = job.plan.model_dump(
        mode="json", exclude={"reasons": True, "train": {"threads"}, "data": {"fingerprint"}}
    )
    told = {name: value for name, value in job.decisive.items() if name != "settings"}
    parts = {
        f"{room}.{name}": v
        for room, part in plan.items()
        if isinstance(part, dict)
        for name, v in part.items()
    }
    rest = {room: part for room, part in plan.items() if not isinstance(part, dict)}
    return {
        path: json.dumps(value, sort_keys=True, default=str)
        for path, value in {**told, **rest, **parts}.items()
    }


def _pinned(job: Job) -> dict[str, Any]:
    """Return what this machine measures by a clock, and others may by chance measure otherwise: the precision."""
    path = "train.precision"
    free = path not in job.wanted.fit.settings and path not in job.space.paths
    return {path: job.plan.train.precision} if free else {}


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
        fit = _absolute(wanted).fit
        fit = replace(fit, progress=Silent(), settings={**_pinned(job), **fit.settings})
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
