"""The leader of an archive: it hands out studies, writes down what became of each, and says how far it is."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

from vesalius.core.errors import MismatchError
from vesalius.core.progress import Progress
from vesalius.run.archive.order import Job, Result
from vesalius.run.archive.pool import Ended, Lost, Pool
from vesalius.run.archive.staging import drop, take
from vesalius.run.archive.studies import Studies

LOOKS_S = 1.0
ALIKE = 20  # studies in a row from the first, all of another kind than was learned from: so are the others
LOOKS = 10  # at a study that was changed at each: it is set aside
WINDOW_S = 60.0  # over which a rate is said


class Lead:
    """Answers all studies of a ledger that wait, by the workers of a pool."""

    def __init__(
        self, ledger: Studies, pool: Pool, *, out: Path, bundle: str, tries: int, progress: Progress
    ) -> None:
        self.ledger, self.pool, self.out, self.bundle = ledger, pool, out, bundle
        self.tries, self.progress = tries, progress
        self._alike, self._told = 0, set[str]()
        self._looks = Counter[int]()  # at studies that were still being changed
        self._any = ledger.counts()["cases"] > 0
        self._began, self._done = time.monotonic(), 0

    def run(self) -> None:
        """Go on until no study waits. Raises MismatchError where the first ones are all of another kind."""
        self._restore()
        ((waiting,),) = self.ledger.rows("SELECT count(*) FROM studies WHERE state = 'waiting'")
        self.progress.start("predict", waiting)
        try:
            while True:
                suspects = self._hand_out()
                if not self.pool.busy and not suspects and not self._rest():
                    return
                for event in self.pool.wait(LOOKS_S):
                    self._take_in(event)
        finally:
            self.progress.finish("predict")

    def end(self, patience_s: float) -> None:
        """Finish what is in work within that time, and give back the rest."""
        for event in self.pool.stop(patience_s):
            if isinstance(event, Ended):
                self._take_in(event)
        self.ledger.give_all_back()

    def _restore(self) -> None:
        """Hand out the objects that were not stored when their studies were answered."""
        found = "SELECT n, study, place, made FROM studies WHERE unstored != '' AND state = 'done' ORDER BY n"
        for n, study, place, made in list(self.ledger.rows(found)):
            names = tuple(name for name in _names(made) if name.endswith(".dcm"))
            while not self.pool.room:
                for event in self.pool.wait(LOOKS_S):
                    self._take_in(event)
            if names:
                self.pool.give(Job(n, study, place, names))

    def _hand_out(self) -> bool:
        """Give what there is room for; returns whether anything was given. What ended a worker comes last, alone."""
        given = False
        while self.pool.room:
            job = self.ledger.next(time.time())
            if job is None:
                break
            self.pool.give(job)
            given = True
        if not self.pool.busy and not given:
            job = self.ledger.next(time.time(), suspects=True)
            if job is not None:
                self.pool.give(job, fresh=True)
                return True
        return given

    def _rest(self) -> bool:
        """Wait a moment where a study must rest before it is looked at again; returns whether any does."""
        due = self.ledger.next_due()
        if due is None:
            return False
        time.sleep(min(LOOKS_S, max(0.0, due - time.time())))
        return True

    def _take_in(self, event: Ended | Lost) -> None:
        if event.job.stored:
            why = event.reason if isinstance(event, Lost) else event.result.unstored
            self.ledger.store(event.job.n, why)
            return
        if isinstance(event, Lost):
            aside, gone = self.ledger.lose(event.job.n, event.reason, worker=event.worker, tries=self.tries)
            drop(self.out, gone)
            self.progress.note(
                f"{'set aside' if aside else 'to be tried again, alone'}: {event.job.study}: {event.reason}"
            )
            if aside:
                self._advance()
            return
        result = event.result
        for note in result.notes:
            self._say(note)
        if result.young_s:
            self._let_rest(event.job, result.young_s)
            return
        self._looks.pop(event.job.n, None)
        gone = self.ledger.finish(result, worker=event.worker, bundle=self.bundle)
        drop(self.out, gone)
        if result.staged:
            self._take_over(result)
        self._look_alike(result)
        for _, reason in (*result.faults, *([("", result.unstored)] if result.unstored else ())):
            self._say(f"{event.job.study}: {reason}", key=reason)
        self._advance()

    def _let_rest(self, job: Job, seconds: float) -> None:
        """Look at a study later; one that never comes to rest is set aside, and a resumed run looks again."""
        self._looks[job.n] += 1
        if self._looks[job.n] < LOOKS:
            self.ledger.give_back([job.n], due_s=time.time() + seconds)
            return
        del self._looks[job.n]
        reason = (
            f"its files were being changed at each of {LOOKS} looks, or their times lie in the future; "
            "once it is at rest, use --resume"
        )
        drop(self.out, self.ledger.set_aside(job.n, reason))
        self.progress.note(f"set aside: {job.study}: {reason}")
        self._advance()

    def _take_over(self, result: Result) -> None:
        known = next(self.ledger.rows("SELECT staged FROM studies WHERE n = ?", result.n), ("",))[0]
        take(self.out, result.staged, result.made if known == result.staged else ())

    def _look_alike(self, result: Result) -> None:
        """Raise MismatchError where all studies so far are of another kind than the bundle learned from."""
        self._any = self._any or bool(result.cases) or result.refused == 0
        self._alike += result.refused > 0
        if not self._any and self._alike >= ALIKE:
            raise MismatchError(
                f"none of the first {self._alike} studies can be answered", found=result.faults[-1][1]
            )

    def _say(self, text: str, key: str = "") -> None:
        """Say what several studies share once."""
        if (key or text) not in self._told and len(self._told) < 100:
            self._told.add(key or text)
            self.progress.note(text)

    def _advance(self) -> None:
        self._done += 1
        seconds = time.monotonic() - self._began
        self.progress.advance("predict", 1, f"{self._done / seconds:.3g} studies/s" if seconds > 0 else "")


def _names(made: str) -> list[str]:
    found: list[str] = json.loads(made)
    return found
