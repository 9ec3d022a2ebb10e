"""Which process has which case, as statements within one transaction: taken, told of, handed on, given up.

A case is `waiting`, then `running` at one process, and ends as `answered`, `failed` or `cancelled`. What a process
tells counts only while it has the case: by its name and by the number of the attempt, so that each case ends once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vesalius.core.words import counted
from vesalius.serve.database import Execute
from vesalius.serve.http.jobs import MOST_TOGETHER

_OPEN = "status NOT IN ('done', 'failed', 'cancelled')"
_OWN = "job = ? AND id = ? AND attempts = ? AND worker = ? AND state = 'running'"
Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt of one process at one case of a job."""

    job: str
    case: str
    attempt: int
    worker: str

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What a row of this attempt has."""
        return self.job, self.case, self.attempt, self.worker


def any_waits(query: Callable[..., list[tuple[Any, ...]]]) -> bool:
    """Return whether a case waits, without locking anything."""
    return bool(query("SELECT 1 FROM cases WHERE state = 'waiting' LIMIT 1"))


def claim(execute: Execute, now: str, worker: str, served: Sequence[str]) -> list[Claim]:
    """Take the case that waits longest of these models, with others that may go through the model together with it.

    One that somebody tried before goes alone: it may be the one that ends whoever tries it.
    """
    marks = ", ".join("?" * len(served))
    waits = "SELECT c.job, c.id, c.attempts, c.flat, j.joint FROM cases c JOIN jobs j ON j.id = c.job"
    order = "ORDER BY j.created_s, j.id, c.place"
    first = execute(
        f"{waits} WHERE c.state = 'waiting' AND j.served IN ({marks}) {order} LIMIT 1", tuple(served)
    ).fetchone()
    if first is None:
        return []
    found = [first]
    if first[4] and first[3] and not first[2]:
        found = execute(
            f"{waits} WHERE c.state = 'waiting' AND j.joint = ? AND c.flat = 1 AND c.attempts = 0 {order}"
            f" LIMIT {MOST_TOGETHER}",
            (first[4],),
        ).fetchall()
    taken = [Claim(str(job), str(case), int(attempts) + 1, worker) for job, case, attempts, *_ in found]
    for one in taken:
        execute(
            f"UPDATE cases SET state = 'running', worker = ?, attempts = ?, share = 0, touched_s = {now}"
            " WHERE job = ? AND id = ?",
            (worker, one.attempt, one.job, one.case),
        )
        _stage(execute, one.job, "answering")
    return taken


def report(execute: Execute, now: str, mine: Claim, share: float, stage: str) -> None:
    """Write down how far a case is."""
    done = execute(f"UPDATE cases SET share = ?, touched_s = {now} WHERE {_OWN}", (share, *mine.key)).rowcount
    if done:
        _stage(execute, mine.job, stage)


def answer(execute: Execute, now: str, mine: Claim, row: str, files: str, size: int) -> tuple[bool, bool]:
    """Write an answer down. Returns whether the case was this process's, and whether its job has ended by that."""
    done = execute(
        f"UPDATE cases SET state = 'answered', share = 1, said = ?, files = ?, touched_s = {now} WHERE {_OWN}",
        (row, files, *mine.key),
    ).rowcount
    if not done:
        return _was_told(execute, mine, "answered"), False
    execute("UPDATE jobs SET size = size + ?, version = version + 1 WHERE id = ?", (size, mine.job))
    return True, _settle(execute, now, mine.job)


def fail(execute: Execute, now: str, mine: Claim, said: Said, refusal: int) -> tuple[bool, bool]:
    """Write down why a case cannot be answered. Returns as `answer` does."""
    done = execute(
        f"UPDATE cases SET state = 'failed', share = 1, said = ?, touched_s = {now} WHERE {_OWN}",
        (json.dumps(dict(said)), *mine.key),
    ).rowcount
    if not done:
        return _was_told(execute, mine, "failed"), False
    _blame(execute, mine.job, said, refusal)
    return True, _settle(execute, now, mine.job)


def hand_back(execute: Execute, now: str, mine: Sequence[Claim]) -> None:
    """Put cases back into the queue that this process took and does not answer; that counts as no attempt."""
    for one in mine:
        execute(
            "UPDATE cases SET state = 'waiting', worker = '', share = 0, attempts = attempts - 1, touched_s ="
            f" {now} WHERE {_OWN}",
            one.key,
        )


def running(execute: Execute, worker: str) -> list[Claim]:
    """Return what a process has taken and not told of."""
    rows = execute("SELECT job, id, attempts FROM cases WHERE worker = ? AND state = 'running'", (worker,))
    return [Claim(str(job), str(case), int(attempt), worker) for job, case, attempt in rows.fetchall()]


def take_over(execute: Execute, now: str, most: int) -> list[str]:
    """Put what dead processes had taken back into the queue, or fail it after `most` attempts.

    Returns the jobs that ended by that.
    """
    lost = execute(
        "SELECT job, id, attempts FROM cases WHERE state = 'running' AND worker NOT IN (SELECT id FROM workers)"
    ).fetchall()
    ended = []
    for job, case, attempts in lost:
        if attempts < most:
            execute(
                f"UPDATE cases SET state = 'waiting', worker = '', share = 0, touched_s = {now}"
                " WHERE job = ? AND id = ?",
                (job, case),
            )
            _stage(execute, job, "waiting")
            continue
        times = counted(int(attempts), "service process", "service processes")
        said = {
            "error": f"{times} ended while this case was being answered, so it is set aside",
            "found": None,
            "hint": "tell who runs the service",
            "case": case,
        }
        execute(
            f"UPDATE cases SET state = 'failed', share = 1, said = ?, touched_s = {now} WHERE job = ? AND id = ?",
            (json.dumps(said), job, case),
        )
        _blame(execute, job, said, 500)
        if _settle(execute, now, job):
            ended.append(str(job))
    return ended


def forsaken(execute: Execute, now: str, after_s: float) -> list[str]:
    """Fail what waits in jobs, older than `after_s`, whose model no process serves. Returns the jobs."""
    texts = execute("SELECT models FROM workers").fetchall()
    served = {line for (text,) in texts for line in text.split("\n")}
    older = f"{_OPEN} AND created_s < {now} - ?"
    found = execute(f"SELECT id, served FROM jobs WHERE {older}", (after_s,)).fetchall()
    ended = []
    for job, asks in found:
        if asks in served:
            continue
        waiting = execute("SELECT id FROM cases WHERE job = ? AND state = 'waiting'", (job,)).fetchall()
        for (case,) in waiting:
            said = {
                "error": "no service process serves the model that was asked any more",
                "found": None,
                "hint": None,
                "case": case,
            }
            execute(
                f"UPDATE cases SET state = 'failed', share = 1, said = ?, touched_s = {now}"
                " WHERE job = ? AND id = ?",
                (json.dumps(said), job, case),
            )
            _blame(execute, job, said, 503)
        if _settle(execute, now, job):
            ended.append(str(job))
    return ended


def cancel(execute: Execute, now: str, job: str) -> bool:
    """End a job; what is being worked on is nobody's any more. Returns whether it had not ended before."""
    done = execute(
        f"UPDATE jobs SET status = 'cancelled', stage = 'cancelled', finished_s = {now}, version = version + 1"
        f" WHERE id = ? AND {_OPEN}",
        (job,),
    ).rowcount
    execute("UPDATE cases SET state = 'cancelled' WHERE job = ? AND state IN ('waiting', 'running')", (job,))
    return bool(done)


def _was_told(execute: Execute, mine: Claim, state: str) -> bool:
    """Return whether this attempt was told of already, by a transaction of which the end was not heard."""
    told = _OWN.replace("'running'", "?")
    return bool(execute(f"SELECT 1 FROM cases WHERE {told}", (*mine.key, state)).fetchone())


def _blame(execute: Execute, job: str, said: Said, refusal: int) -> None:
    """Give a job the first of its cases' errors."""
    execute(
        "UPDATE jobs SET error = ?, refusal = ? WHERE id = ? AND error IS NULL",
        (json.dumps(dict(said)), refusal, job),
    )
    execute("UPDATE jobs SET version = version + 1 WHERE id = ?", (job,))


def _stage(execute: Execute, job: str, stage: str) -> None:
    (count, answered) = execute(
        "SELECT count(*), coalesce(sum(CASE WHEN state = 'answered' THEN 1 ELSE 0 END), 0) FROM cases"
        " WHERE job = ?",
        (job,),
    ).fetchone()
    text = stage if count == 1 or stage == "waiting" else f"{stage} ({answered + 1} of {count})"
    execute(
        f"UPDATE jobs SET status = 'running', stage = ?, version = version + 1 WHERE id = ? AND {_OPEN}",
        (text, job),
    )


def _settle(execute: Execute, now: str, job: str) -> bool:
    """End a job once each of its cases is answered or cannot be. Returns whether it ended by that."""
    left, answered = execute(
        "SELECT coalesce(sum(CASE WHEN state IN ('waiting', 'running') THEN 1 ELSE 0 END), 0),"
        " coalesce(sum(CASE WHEN state = 'answered' THEN 1 ELSE 0 END), 0) FROM cases WHERE job = ?",
        (job,),
    ).fetchone()
    if left:
        return False
    status = "done" if answered else "failed"
    done = execute(
        f"UPDATE jobs SET status = ?, stage = ?, finished_s = {now}, version = version + 1 WHERE id = ? AND {_OPEN}",
        (status, status, job),
    ).rowcount
    return bool(done)
