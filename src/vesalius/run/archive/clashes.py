"""What two studies of an archive may not share: a case's name, and a series; and the states that a study can be in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from vesalius.run.archive.order import Result

WAITING, WORKING, DONE, FAILED, ASIDE = "waiting", "working", "done", "failed", "set aside"


def forget(base: sqlite3.Connection, n: int) -> None:
    """Take out all that is known of a study's cases."""
    for table in ("cases", "faults", "drift"):
        base.execute(f"DELETE FROM {table} WHERE n = ?", (n,))


def clashes(base: sqlite3.Connection, result: Result) -> list[tuple[str, str]]:
    """Return a fault for each case that is called as one of another study."""
    found = []
    for case in result.cases:
        other = base.execute(
            "SELECT study FROM cases JOIN studies USING (n) WHERE name = ?", (case.case,)
        ).fetchone()
        if other is not None:
            found.append(
                (case.case, f"a case of the study '{other[0]}' has this name, too; rename one of them")
            )
    return found


def split_series(base: sqlite3.Connection, result: Result) -> tuple[list[tuple[Any, str]], list[str]]:
    """Return the cases whose series another study holds, with a fault, and the files of answers to parts of one."""
    found: list[tuple[Any, str]] = []
    gone: list[str] = []
    for case in result.cases:
        if not case.series:
            continue
        others: Sequence[tuple[int, str, str, str]] = base.execute(
            "SELECT n, study, objects, made FROM cases JOIN studies USING (n) WHERE series = ?",
            (case.series,),
        ).fetchall()
        for n, study, objects, made in others:
            if objects == case.objects:
                found.append((case, f"a copy: the study '{study}' holds the same objects, and is answered"))
                continue
            found.append((case, f"a part: the study '{study}' holds other objects of its series"))
            (own,) = base.execute("SELECT study FROM studies WHERE n = ?", (result.n,)).fetchone()
            why = f"a part: the study '{own}' holds other objects of its series"
            names = [name for (name,) in base.execute("SELECT name FROM cases WHERE n = ?", (n,))]
            forget(base, n)
            base.executemany("INSERT INTO faults VALUES (?, ?, ?)", [(n, name, why) for name in names])
            base.execute(
                f"UPDATE studies SET state = '{FAILED}', reason = ?, staged = '', made = '[]' WHERE n = ?",
                (why, n),
            )
            gone += json.loads(made)
    return found, gone
