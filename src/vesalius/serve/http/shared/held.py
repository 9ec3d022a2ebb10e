"""The jobs that somebody in this process has: each one object, into which what other processes did is put."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.job import InferenceJob
from vesalius.serve.http.shared import rows
from vesalius.serve.http.shared.studies import SharedStudies


class HeldJobs:
    """Reads jobs out of the database. Those that nobody has any more are forgotten. Methods raise QueueAway."""

    def __init__(
        self, studies: SharedStudies, models: Mapping[str, ServedModel], root: Path, lock: threading.RLock
    ) -> None:
        self.studies, self.models, self.root, self._lock = studies, models, root, lock
        self._here: weakref.WeakValueDictionary[str, InferenceJob] = weakref.WeakValueDictionary()

    def add(self, job: InferenceJob) -> None:
        """Have a job that was written down just now."""
        with self._lock:
            self._here[job.id] = job

    def some(self, ids: Sequence[str]) -> list[InferenceJob]:
        """Return these jobs as they are now, those that are there."""
        return self.load(f"WHERE id IN ({', '.join('?' * len(ids))})", *ids) if ids else []

    def load(self, where: str = "", *values: object) -> list[InferenceJob]:
        """Return jobs as they are now, oldest first."""
        found = self.studies.queue.rows(
            f"SELECT {rows.JOB} FROM jobs {where} ORDER BY created_s, id", *values
        )
        cases: dict[str, list[rows.Row]] = {row[0]: [] for row in found}
        for row in self.studies.queue.rows(
            f"SELECT {rows.CASE} FROM cases WHERE job IN (SELECT id FROM jobs {where}) ORDER BY job, place",
            *values,
        ):
            if row[0] in cases:
                cases[row[0]].append(row)
        studies = self.studies.find(one for row in found for one in row[2:4] if one)
        made = []
        with self._lock:
            for row in found:
                job = self._here.get(row[0]) or rows.job_of(row, studies, self.models, self.root)
                if job is not None:
                    self._here[row[0]] = job
                    rows.update(job, row, cases[row[0]])
                    made.append(job)
        return made

    def follow(self) -> None:
        """Put into the jobs that somebody has here what other processes did."""
        with self._lock:
            held = {job.id: job for job in list(self._here.values()) if not job.ended}
        ids = list(held)
        for k in range(0, len(ids), 200):
            some = ids[k : k + 200]
            where = f"WHERE id IN ({', '.join('?' * len(some))})"
            newer = dict(self.studies.queue.rows(f"SELECT id, version FROM jobs {where}", *some))
            for one in some:
                if one not in newer:  # removed by another
                    with self._lock:
                        held[one].status = held[one].stage = "cancelled"
                        held[one].version += 1
            changed = [one for one in some if newer.get(one, -1) > held[one].version]
            if changed:
                self.some(changed)
