"""The ledger of an archive: each study's state and its answers' rows in one SQLite file, each change whole.

States: `waiting`, `working`, `done`, `failed` (it could not be answered as it is) and `set aside` (it ended its worker
too often). A change is there though the process that made it is killed; after a power cut the last ones may be missing,
and these studies are answered again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vesalius.core.errors import BudgetError, OutputError, VesaliusError
from vesalius.run.archive.clashes import ASIDE as ASIDE
from vesalius.run.archive.clashes import DONE as DONE
from vesalius.run.archive.clashes import FAILED as FAILED
from vesalius.run.archive.clashes import WAITING as WAITING
from vesalius.run.archive.clashes import WORKING as WORKING
from vesalius.run.archive.clashes import clashes, forget, split_series
from vesalius.run.archive.order import Job, Result

FILE = "ledger.sqlite"
STATES = (WAITING, WORKING, DONE, FAILED, ASIDE)
VERSION = 1
_SCHEMA = """
CREATE TABLE told (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE studies (
    n INTEGER PRIMARY KEY, place TEXT NOT NULL UNIQUE, study TEXT NOT NULL UNIQUE COLLATE NOCASE,
    state TEXT NOT NULL DEFAULT 'waiting', tries INTEGER NOT NULL DEFAULT 0, seconds REAL,
    worker TEXT NOT NULL DEFAULT '',
    files INTEGER, bytes INTEGER, fingerprint TEXT NOT NULL DEFAULT '', bundle TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '', staged TEXT NOT NULL DEFAULT '', made TEXT NOT NULL DEFAULT '[]',
    due_s REAL NOT NULL DEFAULT 0, unstored TEXT NOT NULL DEFAULT '', stored INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX studies_due ON studies (state, tries, n);
CREATE TABLE cases (
    name TEXT PRIMARY KEY COLLATE NOCASE, n INTEGER NOT NULL, k INTEGER NOT NULL, row TEXT NOT NULL,
    listed TEXT NOT NULL, series TEXT NOT NULL, objects TEXT NOT NULL, patient TEXT NOT NULL, outside INTEGER NOT NULL,
    withheld INTEGER NOT NULL
);
CREATE INDEX cases_of ON cases (n, k);
CREATE INDEX cases_series ON cases (series);
CREATE TABLE faults (n INTEGER NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX faults_of ON faults (n);
CREATE TABLE drift (n INTEGER NOT NULL, row TEXT NOT NULL);
CREATE INDEX drift_of ON drift (n);
"""


class Studies:
    """The ledger in a folder of answers. Raises OutputError where it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / FILE
        with self._errors():
            self._base = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute("PRAGMA cache_size=-4096")
            (found,) = self._base.execute("PRAGMA user_version").fetchone()
            if not found:
                self._base.executescript(f"BEGIN;{_SCHEMA};PRAGMA user_version={VERSION};COMMIT;")
        if found > VERSION:
            raise OutputError(
                f"{self.path} is from a newer version", found=str(found), hint="update vesalius"
            )

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            kind: type[VesaliusError] = BudgetError if full else OutputError
            raise kind(
                f"{self.path}: the ledger cannot be used",
                found=str(error),
                hint="free some disk" if full else None,
            ) from error

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Do all of a block or nothing of it."""
        with self._errors():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    def rows(self, statement: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield what a query finds, without holding all of it."""
        with self._errors():
            yield from self._base.execute(statement, values)

    # --- what was told

    def told(self) -> dict[str, Any]:
        """Return what the answers depend on, as it was told at the beginning; empty where nothing was."""
        return {name: json.loads(value) for name, value in self.rows("SELECT name, value FROM told")}

    def tell(self, about: Mapping[str, Any]) -> None:
        """Keep what the answers depend on."""
        with self.change() as base:
            base.executemany(
                "INSERT OR REPLACE INTO told VALUES (?, ?)", [(k, json.dumps(v)) for k, v in about.items()]
            )

    # --- the list

    def enlist(self, found: Iterable[tuple[str, str, str]]) -> int:
        """Add the studies that are not known yet: where each is, what it is called, and its name if that is taken.

        They are numbered in the natural order of their places. Returns how many were new.
        """
        with self.change() as base:
            base.execute("DROP TABLE IF EXISTS temp.seen")
            base.execute(
                "CREATE TEMP TABLE seen (place TEXT PRIMARY KEY, study TEXT COLLATE NOCASE, other TEXT, sorting TEXT)"
            )
            base.executemany(
                "INSERT OR IGNORE INTO temp.seen VALUES (?, ?, ?, ?)",
                ((place, study, other, _natural(place)) for place, study, other in found),
            )
            base.execute("DELETE FROM temp.seen WHERE place IN (SELECT place FROM studies)")
            base.execute("CREATE INDEX temp.seen_study ON seen (study)")
            base.execute(
                "UPDATE temp.seen SET study = other WHERE study IN (SELECT study FROM studies) OR study IN "
                "(SELECT study FROM temp.seen GROUP BY study HAVING count(*) > 1)"
            )
            added = base.execute(
                "INSERT INTO studies (place, study) SELECT place, study FROM temp.seen ORDER BY sorting, place"
            ).rowcount
            base.execute("DROP TABLE temp.seen")
        return added

    def reopen(self, tries: int) -> None:
        """Put back what was in work when a leader ended, what failed, and what may be tried more often now."""
        with self.change() as base:
            base.execute(f"UPDATE studies SET state = '{WAITING}', due_s = 0 WHERE state = '{WORKING}'")
            base.execute(
                f"UPDATE studies SET state = '{WAITING}', tries = 0 WHERE state = '{FAILED}' "
                f"OR (state = '{DONE}' AND n IN (SELECT n FROM faults))"
            )
            base.execute(
                f"UPDATE studies SET state = '{WAITING}' WHERE state = '{ASIDE}' AND tries < ?", (tries,)
            )

    def again(self, n: int, fingerprint: str) -> bool:
        """Let a study be answered again whose files are no longer those of `fingerprint`. Returns whether it is so."""
        with self.change() as base:
            changed = base.execute(
                f"UPDATE studies SET state = '{WAITING}', tries = 0 "
                f"WHERE n = ? AND state = '{DONE}' AND fingerprint != ?",
                (n, fingerprint),
            )
            return bool(changed.rowcount > 0)

    # --- the work

    def next(self, now_s: float, *, suspects: bool = False) -> Job | None:
        """Take the next study that waits, of those that ended no worker yet, or of the `suspects` that did."""
        which = "tries > 0" if suspects else "tries = 0"
        with self.change() as base:
            found = base.execute(
                f"SELECT n, study, place FROM studies WHERE state = '{WAITING}' AND {which} AND due_s <= ? "
                "ORDER BY n LIMIT 1",
                (now_s,),
            ).fetchone()
            if found is None:
                return None
            base.execute(f"UPDATE studies SET state = '{WORKING}' WHERE n = ?", (found[0],))
        return Job(*found)

    def next_due(self) -> float | None:
        """Return when the next study may be looked at that rests; None where none does."""
        ((found,),) = self.rows(f"SELECT min(due_s) FROM studies WHERE state = '{WAITING}'")
        return None if found is None else float(found)

    def finish(self, result: Result, *, worker: str, bundle: str) -> list[str]:
        """Write down what became of a study, in place of what was known of it; all of it or nothing.

        Returns files that are no longer of any answer. A series that another study holds, too, is answered in neither
        where the two hold other objects of it.
        """
        gone: list[str] = []
        with self.change() as base:
            (made,) = base.execute("SELECT made FROM studies WHERE n = ?", (result.n,)).fetchone()
            gone += set(json.loads(made)) - set(result.made)
            forget(base, result.n)
            faults = [*result.faults, *clashes(base, result)]
            split, cut = split_series(base, result)
            faults += [(case.case, reason) for case, reason in split]
            gone += cut
            ok = [] if len(faults) > len(result.faults) else list(result.cases)
            base.executemany(
                "INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (c.case, result.n, k, json.dumps(c.row), json.dumps(c.listed), c.series, c.objects,
                     c.patient, c.outside, c.withheld)
                    for k, c in enumerate(ok)
                ],
            )  # fmt: skip
            base.executemany("INSERT INTO faults VALUES (?, ?, ?)", [(result.n, *one) for one in faults])
            base.executemany(
                "INSERT INTO drift VALUES (?, ?)", [(result.n, json.dumps(row)) for row in result.drift]
            )
            base.execute(
                "UPDATE studies SET state = ?, seconds = ?, worker = ?, files = ?, bytes = ?, fingerprint = ?, "
                "bundle = ?, reason = ?, staged = ?, made = ?, unstored = ?, stored = ? WHERE n = ?",
                (
                    DONE if ok else FAILED, round(result.seconds, 3), worker, result.files, result.size,
                    result.fingerprint, bundle, faults[0][1] if faults else "", result.staged if ok else "",
                    json.dumps(result.made if ok else []), result.unstored, result.stored, result.n,
                ),
            )  # fmt: skip
        return gone

    def store(self, n: int, unstored: str) -> None:
        """Write down that a study's objects are stored, or why they are not."""
        with self.change() as base:
            base.execute(
                "UPDATE studies SET unstored = ?, stored = ? WHERE n = ?", (unstored, not unstored, n)
            )

    def lose(self, n: int, reason: str, *, worker: str, tries: int) -> tuple[bool, list[str]]:
        """Write down that a study ended its worker. Returns whether that was its last try, and files of no answer."""
        with self.change() as base:
            forget(base, n)
            found = base.execute("SELECT tries, study, made FROM studies WHERE n = ?", (n,))
            before, study, made = found.fetchone()
            aside = before + 1 >= tries
            said = f"{reason}; set aside after {before + 1} tries" if aside else reason
            base.execute(
                "UPDATE studies SET state = ?, tries = ?, reason = ?, worker = ?, staged = '', made = '[]' WHERE n = ?",
                (ASIDE if aside else WAITING, before + 1, said, worker, n),
            )
            if aside:
                base.execute("INSERT INTO faults VALUES (?, ?, ?)", (n, study, said))
        return bool(aside), list(json.loads(made))

    def set_aside(self, n: int, reason: str) -> list[str]:
        """Write down why a study is not looked at any more. Returns files that are no longer of any answer."""
        with self.change() as base:
            study, made = base.execute("SELECT study, made FROM studies WHERE n = ?", (n,)).fetchone()
            forget(base, n)
            base.execute("INSERT INTO faults VALUES (?, ?, ?)", (n, study, reason))
            told = f"UPDATE studies SET state = '{ASIDE}', reason = ?, staged = '', made = '[]' WHERE n = ?"
            base.execute(told, (reason, n))
        return list(json.loads(made))

    def give_back(self, numbers: Iterable[int], *, due_s: float = 0.0) -> None:
        """Let studies wait that are in work."""
        with self.change() as base:
            base.executemany(
                f"UPDATE studies SET state = '{WAITING}', due_s = ? WHERE n = ? AND state = '{WORKING}'",
                [(due_s, n) for n in numbers],
            )

    def give_all_back(self) -> None:
        """Let all that is in work wait."""
        with self.change() as base:
            base.execute(f"UPDATE studies SET state = '{WAITING}' WHERE state = '{WORKING}'")

    # --- what is known

    def counts(self) -> dict[str, int]:
        """Return how many studies are in each state, and the number of cases that are answered."""
        found = dict.fromkeys(STATES, 0)
        found |= dict(self.rows("SELECT state, count(*) FROM studies GROUP BY state"))
        ((cases,),) = self.rows("SELECT count(*) FROM cases")
        return found | {"cases": cases}


def _natural(text: str) -> str:
    """Return a text that sorts 'study 2' before 'study 10'."""
    parts: list[str] = []
    digits = ""
    for letter in (*text.casefold(), ""):
        if letter.isdecimal() and letter.isascii():
            digits += letter
            continue
        if digits:
            parts.append(digits.lstrip("0").zfill(20))
            digits = ""
        parts.append(letter)
    return "".join(parts)
