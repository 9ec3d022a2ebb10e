"""Running a node until it is told to stop; and its status, dead letters and replay, from another process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.progress import Progress
from vesalius.serve.alarms import Alarms, DriftWatch, strange_told
from vesalius.serve.node.checks import check, likely_mistakes
from vesalius.serve.node.intake_pause import read_pause
from vesalius.serve.node.listener import Node, check_exposure
from vesalius.serve.node.queue import Queue
from vesalius.serve.node.settings import Settings
from vesalius.serve.node.store import Store, running

_PATIENCE_S, _LOOK_S = 5.0, 5.0
_REASONS = 5  # how many are shown


@contextlib.contextmanager
def opened_store(settings: Settings) -> Iterator[tuple[Store, Queue]]:
    """Open the store and the queue of a node, for the node itself or to look at them. Raises OutputError."""
    store = Store(settings.store, reserve_bytes=settings.reserve_mib << 20)
    queue = Queue(
        settings.queue or store.root / "queue.db",
        stable_s=settings.stable_s,
        attempts=settings.attempts,
        backoff_s=settings.backoff_s,
    )
    try:
        yield store, queue
    finally:
        queue.close()


def run_node(
    settings: Settings,
    *,
    progress: Progress,
    stop: threading.Event,
    ready: Callable[[int], None] = lambda port: None,
) -> bool:
    """Listen and work until `stop` is set. Returns whether the work in hand was finished; if not, the next start does.

    `ready` is told the port once the node listens.

    Raises the kinds of VesaliusError before it listens, for settings, bundles and folders that cannot be used (a bundle
    that fails its self-test is one), and
    later where the worker ends by a fault.
    """
    from vesalius.serve.models import open_guards, open_models
    from vesalius.serve.node.answering import series_model
    from vesalius.serve.node.worker import Worker

    check_exposure(settings.host, allow=settings.peers, tls=settings.certificate)
    check(settings)
    address = settings.alarms_to
    with opened_store(settings) as (store, queue), store.lock(), queue.exclusive():
        for doubt in likely_mistakes(settings):
            progress.note(f"settings: {doubt}")
        paths = {rule.bundle: Path(rule.bundle) for rule in settings.rules}
        guards = (
            ()
            if settings.guard is None
            else open_guards(settings.guard, [settings.device], selftest=settings.selftest)
        )
        loaded = open_models(paths, devices=[settings.device], selftest=settings.selftest, guards=guards)
        models = {name: series_model(model) for name, model in loaded.items()}
        alarms = Alarms(address, models=loaded.values(), by="node")
        node = Node(
            store,
            queue,
            aet=settings.aet,
            host=settings.host,
            port=settings.port,
            allow=settings.peers,
            tls=settings.certificate,
            progress=progress,
        )
        worker = Worker(
            store,
            queue,
            settings,
            models,
            aet=settings.aet,
            tls=settings.certificate,
            keep_days=settings.keep_days,
            progress=progress,
            strange=strange_told(alarms, loaded),
        )
        drift = DriftWatch(alarms, loaded.values(), by="node")
        _take_up(store, queue, progress)
        thread = threading.Thread(target=worker.run, args=(stop,), name="worker", daemon=True)
        with node:
            progress.note(f"{settings.aet} listens at {settings.host}:{node.port}")
            for guard in guards:
                progress.note(
                    f"each image is looked at first by the guard '{guard.name}' (hash {guard.hash[:12]})"
                )
            for untested in filter(None, (model.doubt for model in loaded.values())):
                progress.note(untested)
            thread.start()
            alarms.start()
            ready(node.port)
            looked = -_LOOK_S
            while not stop.wait(0.2):
                if not thread.is_alive():
                    raise VesaliusError("the worker has ended by a fault", hint="start the node again")
                if time.monotonic() - looked > _LOOK_S:
                    node.intake_pause.check_disk()
                    drift.look()
                    looked = time.monotonic()
        stop.set()
        alarms.close()
        thread.join(_PATIENCE_S)
        return not thread.is_alive()


def _take_up(store: Store, queue: Queue, progress: Progress) -> None:
    """Remove the half-written files of a killed process, and resume its jobs."""
    store.sweep()
    for job in queue.jobs("removed"):
        store.discard(job.series_uid)
    taken = queue.recover()
    if taken:
        progress.note(f"{taken} series were at work when the node ended; they are taken up again")


@dataclass(frozen=True)
class Standing:
    """Where a node stands: its series by state, why some are not answered, the disk, and whether it runs.

    `unrouted`, `dead` and `failed` are pairs of a reason, or a series and its reason, with how many or why. Moments are
    seconds since 1970. `fault` says why the queue could not be looked into; the counts are empty then.
    """

    counts: Mapping[str, int]
    unrouted: tuple[tuple[str, int], ...]
    dead: tuple[tuple[str, int], ...]
    failed: tuple[tuple[str, str], ...]
    waiting_since_s: float | None
    free_mib: int
    reserve_mib: int
    refusing: str | None
    refusing_since_s: float | None
    running: bool
    fault: str | None = None


@dataclass(frozen=True)
class DeadSeries:
    """A series that was given up, since when, and why."""

    series_uid: str
    since_s: float
    reason: str


def standing(settings: Settings) -> Standing:
    """Return where the node of these settings stands, whether it runs or not."""
    store = Store(settings.store, reserve_bytes=settings.reserve_mib << 20)
    free, pause, full, alive = (
        store.free(),
        read_pause(store.root),
        not store.has_room(),
        running(settings.store),
    )
    refusing = "disk full" if full else pause.why if pause is not None and alive else None
    found = Standing(
        counts={},
        unrouted=(),
        dead=(),
        failed=(),
        waiting_since_s=None,
        free_mib=free >> 20,
        reserve_mib=settings.reserve_mib,
        refusing=refusing,
        refusing_since_s=pause.since_s if pause is not None and refusing else None,
        running=alive,
    )
    try:
        with opened_store(settings) as (_, queue):
            counts = queue.counts()
            waiting = queue.jobs("ready", "running", "sending", "failed")
            unrouted = Counter(job.error or "no rule takes it" for job in queue.jobs("unrouted"))
            dead = Counter(job.error for job in queue.jobs("dead"))
    except VesaliusError as error:  # a full disk is shown all the same
        return replace(found, fault=str(error))
    return replace(
        found,
        counts=counts,
        unrouted=tuple(unrouted.most_common()),
        dead=tuple(dead.most_common()),
        failed=tuple((job.series_uid, job.error) for job in waiting if job.state == "failed" and job.error),
        waiting_since_s=waiting[0].changed_s if waiting else None,
    )


def status(found: Standing) -> list[str]:
    """Return lines for a person: the series in each state, the longest wait, the disk, and whether the node runs."""
    lines = [found.fault] if found.fault else _series(found)
    lines.append(f"disk: {found.free_mib} MiB free, of which {found.reserve_mib} stay free")
    if found.refusing is not None:
        since = "" if found.refusing_since_s is None else f" since {_moment(found.refusing_since_s)}"
        lines.append(f"refusing images{since}: {found.refusing}")
    lines.append(f"the node {'runs' if found.running else 'does not run'}")
    return lines


def _series(found: Standing) -> list[str]:
    lines = [f"{state:<10} {n}" for state, n in found.counts.items()] or ["no series has come yet"]
    lines += [f"unrouted: {n}, {why}" for why, n in found.unrouted[:_REASONS]]
    lines += [f"dead: {n}, {why}" for why, n in found.dead[:_REASONS]]
    if len(found.dead) > _REASONS:
        lines.append(f"dead: {len(found.dead) - _REASONS} more reasons, see --dead-letters")
    if found.waiting_since_s is not None:
        lines.append(f"the longest wait since {_moment(found.waiting_since_s)}")
    return lines + [f"failed, and tried again: {uid}: {why}" for uid, why in found.failed[:_REASONS]]


def dead_series(settings: Settings) -> list[DeadSeries]:
    """Return each series that was given up, and why."""
    with opened_store(settings) as (_, queue):
        dead = queue.jobs("dead")
    return [DeadSeries(job.series_uid, job.changed_s, job.error) for job in dead]


def dead_letters(dead: Sequence[DeadSeries]) -> list[str]:
    """Return lines for a person: each dead series, and why."""
    return [f"{one.series_uid}  {_moment(one.since_s)}  {one.reason}" for one in dead]


def replay(settings: Settings, series_uid: str) -> int:
    """Try a dead series again, or each of them with `all`. Returns how many. Raises UnknownName, DataError."""
    with opened_store(settings) as (_, queue):
        if series_uid == "all":
            return queue.replay()
        if not series_uid:
            raise DataError("which series is to be tried again", hint="its UID, or all")
        return queue.replay(series_uid)


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
