"""The queue's database: a SQLite file, or a PostgreSQL database by its URL; a committed change is on the disk."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from vesalius.core.errors import BudgetError, MissingExtra, OutputError, VesaliusError

VERSION = 3
_REJECTED = "CREATE TABLE rejected (sop_uid TEXT PRIMARY KEY, reason TEXT NOT NULL)"
_CONTENTS = "CREATE TABLE contents (sop_uid TEXT PRIMARY KEY, digest TEXT NOT NULL, changed INTEGER NOT NULL)"
_UPGRADES = {1: _REJECTED, 2: _CONTENTS}  # version → the statement that brings it to the next
SCHEMA = f"""
{_REJECTED};
{_CONTENTS};
CREATE TABLE instances (
    sop_uid TEXT PRIMARY KEY, series_uid TEXT NOT NULL, received_s DOUBLE PRECISION NOT NULL
);
CREATE INDEX instances_of ON instances (series_uid);
CREATE TABLE series (
    series_uid TEXT PRIMARY KEY, study_uid TEXT NOT NULL, state TEXT NOT NULL, generation INTEGER NOT NULL,
    attempts INTEGER NOT NULL, due_s DOUBLE PRECISION NOT NULL, changed_s DOUBLE PRECISION NOT NULL,
    error TEXT NOT NULL, removed INTEGER NOT NULL
);
CREATE INDEX series_due ON series (state, due_s);
CREATE TABLE results (
    sop_uid TEXT NOT NULL, series_uid TEXT NOT NULL, generation INTEGER NOT NULL, study_uid TEXT NOT NULL,
    bundle TEXT NOT NULL, path TEXT NOT NULL, destination TEXT NOT NULL, result_series_uid TEXT NOT NULL,
    sop_class TEXT NOT NULL, sent INTEGER NOT NULL, confirmed INTEGER NOT NULL, withdrawn INTEGER NOT NULL,
    PRIMARY KEY (sop_uid, generation, destination)
);
CREATE INDEX results_of ON results (series_uid, generation);
CREATE TABLE answered (
    series_uid TEXT NOT NULL, generation INTEGER NOT NULL, bundle TEXT NOT NULL, destination TEXT NOT NULL,
    PRIMARY KEY (series_uid, generation, bundle, destination)
)
"""
Execute = Callable[..., Any]  # (statement with ?, values) -> a cursor with fetchall and rowcount


class Database(Protocol):
    """The operations that the queue needs. A transaction is on the disk when its block ends. Raises OutputError."""

    def transaction(self) -> contextlib.AbstractContextManager[Execute]:
        """Run the block as one transaction, rolled back if the block raises."""

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds."""

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """Hold the database for one node during the block. Raises OutputError where another node holds it."""

    def close(self) -> None:
        """Close the connection."""


def connect(where: Path | str) -> Database:
    """Open the database at a path or a `postgresql://` URL, and make or update the queue's tables.

    Raises OutputError.
    """
    if str(where).startswith(("postgresql://", "postgres://")):
        return Postgres(str(where))
    return Sqlite(Path(where))


class Sqlite:
    """A SQLite file with WAL and synchronous=FULL; a transaction locks the file from its beginning."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.RLock()
        with _sqlite_errors(path):
            self.connection = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=FULL")
        with self.transaction() as execute:
            (found,) = execute("PRAGMA user_version").fetchone()
            for statement in _missing(found):
                execute(statement)
            if found < VERSION:
                execute(f"PRAGMA user_version={VERSION}")
        _check(str(path), found)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Run the block as one transaction, rolled back if the block raises."""
        with self._lock, _sqlite_errors(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection.execute
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds."""
        with self._lock, _sqlite_errors(self.path):
            return self.connection.execute(statement, values).fetchall()

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: the file lies in the store, and `Store.lock` holds the store for one node."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.connection.close()


class Postgres:
    """A database of a PostgreSQL server. A lost connection is opened again at the next use."""

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise MissingExtra("psycopg", "postgres") from error
        self._psycopg, self._url, self._lock = psycopg, url, threading.RLock()
        self._connection: Any = None
        with self.transaction() as execute:
            execute(
                "SELECT pg_advisory_xact_lock(7236001)"
            )  # two nodes that start at once make one set of tables
            execute("CREATE TABLE IF NOT EXISTS version (number INTEGER NOT NULL)")
            found = (execute("SELECT number FROM version").fetchone() or (0,))[0]
            for statement in _missing(found):
                execute(statement)
            if found < VERSION:
                execute("DELETE FROM version")
                execute("INSERT INTO version VALUES (?)", (VERSION,))
        _check(self._named(), found)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Run the block as one transaction, rolled back if the block raises."""
        with self._lock, self._errors():
            if self._connection is None or self._connection.closed or self._connection.broken:
                self._connection = self._psycopg.connect(self._url, connect_timeout=10)
                self._connection.execute("SET synchronous_commit = on")
                self._connection.commit()
            with self._connection.transaction():
                yield self._execute

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds."""
        with self.transaction() as execute:
            found: list[tuple[Any, ...]] = execute(statement, values).fetchall()
        return found

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the database during the block, by a lock that lives as long as a connection of its own."""
        with self._errors():
            held = self._psycopg.connect(self._url, connect_timeout=10, autocommit=True)
            mine = held.execute("SELECT pg_try_advisory_lock(7236002)").fetchone() == (True,)
        try:
            if not mine:
                raise OutputError(
                    f"{self._named()} is in use by another node", hint="stop that one, or another database"
                )
            yield
        finally:
            held.close()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _execute(self, statement: str, values: Sequence[object] = ()) -> Any:
        return self._connection.execute(statement.replace("?", "%s"), values)

    def _named(self) -> str:
        """Return the database's address without its user and password."""
        return self._url.rpartition("@")[2].partition("?")[0]

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            full = isinstance(error, self._psycopg.errors.DiskFull)
            kind: type[VesaliusError] = BudgetError if full else OutputError
            found = " ".join(str(error).split())[:200] or type(error).__name__
            raise kind(f"{self._named()}: the queue cannot be used", found=found) from error


def _missing(found: int) -> list[str]:
    """Return the statements that bring a database of this version to the current one."""
    if found == 0:
        return SCHEMA.split(";")
    return [_UPGRADES[version] for version in range(found, VERSION)]


def _check(where: str, found: int) -> None:
    if found > VERSION:
        raise OutputError(f"{where} is from a newer version", found=str(found), hint="update vesalius")


@contextlib.contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside this block into BudgetError for a full disk, else OutputError."""
    try:
        yield
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        kind: type[VesaliusError] = BudgetError if full else OutputError
        raise kind(
            f"{path}: the queue cannot be written", found=str(error), hint="free some disk" if full else None
        ) from error
