"""An archive that the workers of a cluster answer, where this process lists the studies and keeps the ledger."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from vesalius.cluster.connect import connected, shared
from vesalius.cluster.pool import RayPool, Work
from vesalius.cluster.probe import assert_alike
from vesalius.core.cluster_address import read_address
from vesalius.core.progress import Progress
from vesalius.run.archive.answering import Answerer
from vesalius.run.archive.begin import PoolOf
from vesalius.run.archive.order import Job, Order, Result
from vesalius.run.archive.pool import Ended, Lost
from vesalius.run.archive.told import Archive


@dataclass(frozen=True)
class Made:
    """Makes what answers in a worker."""

    order: Order

    def __call__(self) -> Work[Job, Result]:
        """Return what answers the jobs of an order, with its bundle loaded."""
        return Answerer(self.order)


def pool_of(archive: Archive, stack: ExitStack, *, progress: Progress) -> PoolOf | None:
    """Return what makes the workers of a cluster, None for processes of this machine; `stack` ends the connection.

    What it returns raises ClusterError, BudgetError and MissingExtra.
    """
    if archive.cluster is None:
        return None
    address = read_address(archive.cluster)

    def made(order: Order) -> RayPool[Job, Result, Ended, Lost]:
        cluster = stack.enter_context(connected(address))
        share = shared(cluster, archive.workers, option="--workers", device=order.device)
        assert_alike(cluster, read=_read(order), written=[Path(order.out)], progress=progress)
        progress.note(f"studies are answered on {cluster}")
        told = replace(order, threads=share.cpus)
        return RayPool(Made(told), share, ended=Ended, lost=Lost, limit_s=archive.case_limit_s)

    return made


def _read(order: Order) -> list[Path]:
    """Return what each machine must be able to read: the bundle, the studies, and files for servers."""
    places = [one for one in (order.web, order.to) if one is not None]
    files = [order.bundle, order.source, *(p.login for p in places), *(p.ca for p in places)]
    return [Path(file) for file in files if file is not None]
