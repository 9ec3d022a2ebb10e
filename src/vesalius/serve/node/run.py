"""Running a node until it is told to stop; and its status, dead letters and replay, from another process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.progress import Progress
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


def run_node(settings: Settings, *, progress: Progress, stop: threading.Event) -> bool:
    """Listen and work until `stop` is set. Returns whether the work in hand was finished; if not, the next start does.

    Raises the kinds of VesaliusError before it listens, for settings, bundles and folders that cannot be used, and
    later where the worker ends by a fault.
    """
    from vesalius.serve.models import open_models
    from vesalius.serve.node.answering import series_model
    from vesalius.serve.node.worker import Worker

    check_exposure(settings.host, allow=settings.peers, tls=settings.certificate)
    check(settings)
    with opened_store(settings) as (store, queue), store.lock(), queue.exclusive():
        for doubt in likely_mistakes(settings):
            progress.note(f"settings: {doubt}")
        paths = {rule.bundle: Path(rule.bundle) for rule in settings.rules}
        loaded = open_models(paths, devices=[settings.device])
        models = {name: series_model(model) for name, model in loaded.items()}
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
        )
        _take_up(store, queue, progress)
        thread = threading.Thread(target=worker.run, args=(stop,), name="worker", daemon=True)
        with node:
            progress.note(f"{settings.aet} listens at {settings.host}:{node.port}")
            thread.start()
            looked = -_LOOK_S
            while not stop.wait(0.2):
                if not thread.is_alive():
                    raise VesaliusError("the worker has ended by a fault", hint="start the node again")
                if time.monotonic() - looked > _LOOK_S:
                    node.intake_pause.check_disk()
                    looked = time.monotonic()
        stop.set()
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


def status(settings: Settings) -> list[str]:
    """Return lines for a person: the series in each state, the longest wait, the disk, and whether the node runs."""
    store = Store(settings.store, reserve_bytes=settings.reserve_mib << 20)
    free, refused, full = store.free(), read_pause(store.root), not store.has_room()
    try:
        lines = _series(settings)
    except VesaliusError as error:  # the full disk below is shown all the same
        lines = [str(error)]
    alive = running(settings.store)
    lines.append(f"disk: {free >> 20} MiB free, of which {settings.reserve_mib} stay free")
    if full or (refused is not None and alive):
        since = f" since {_moment(refused.since_s)}" if refused else ""
        why = "disk full" if full else refused.why if refused else ""
        lines.append(f"refusing images{since}: {why}")
    lines.append(f"the node {'runs' if alive else 'does not run'}")
    return lines


def _series(settings: Settings) -> list[str]:
    with opened_store(settings) as (_, queue):
        counts = queue.counts()
        waiting = queue.jobs("ready", "running", "sending", "failed")
        unrouted = Counter(job.error or "no rule takes it" for job in queue.jobs("unrouted"))
        dead = Counter(job.error for job in queue.jobs("dead"))
    lines = [f"{state:<10} {n}" for state, n in counts.items()] or ["no series has come yet"]
    lines += [f"unrouted: {n}, {why}" for why, n in unrouted.most_common(_REASONS)]
    lines += [f"dead: {n}, {why}" for why, n in dead.most_common(_REASONS)]
    if len(dead) > _REASONS:
        lines.append(f"dead: {len(dead) - _REASONS} more reasons, see --dead-letters")
    if waiting:
        lines.append(f"the longest wait since {_moment(waiting[0].changed_s)}")
    said = [f"{job.series_uid}: {job.error}" for job in waiting if job.state == "failed" and job.error]
    lines += [f"failed, and tried again: {text}" for text in said[:_REASONS]]
    return lines


def dead_letters(settings: Settings) -> list[str]:
    """Return lines for a person: each dead series, and why."""
    with opened_store(settings) as (_, queue):
        dead = queue.jobs("dead")
    return [f"{job.series_uid}  {_moment(job.changed_s)}  {job.error}" for job in dead]


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
