"""A queue's database: a SQLite file, or a PostgreSQL database by its URL; a committed change is on the disk."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vesalius.core.errors import BudgetError, MissingExtra, OutputError, VesaliusError

Execute = Callable[..., Any]  # (statement with ?, values) -> a cursor with fetchall and rowcount
# A server that does not answer is noticed, and nobody waits for ever for another process's transaction.
_PATIENCE: dict[str, Any] = {
    "connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}  # fmt: skip
_SETTINGS = ("synchronous_commit = on", "idle_in_transaction_session_timeout = '10s'", "lock_timeout = '10s'")


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a queue, in words that SQLite and PostgreSQL both understand.

    `upgrades`: version → the statement that brings the tables to the next. `versions` is the table that holds the
    version in PostgreSQL; a SQLite file holds it with `file_id`, which tells sorts of queues apart. `locks` are the
    numbers of PostgreSQL's advisory locks: for making the tables, for holding the whole queue, and for
    transactions, which come one at a time where the third is given, as those of SQLite always do.
    """

    version: int
    tables: str
    versions: str
    file_id: int
    locks: tuple[int, int, int | None]
    upgrades: Mapping[int, str] = field(default_factory=dict)

    def missing(self, found: int) -> list[str]:
        """Return the statements that bring a database of the version `found` to this one, 0 being an empty one."""
        if found == 0:
            return self.tables.split(";")
        return [self.upgrades[version] for version in range(found, self.version)]


class Database(Protocol):
    """The operations that a queue needs. A transaction is on the disk when its block ends. Raises OutputError.

    `now` is the database's clock as an expression of SQL, in seconds since 1970: the same for all that share it.
    """

    @property
    def now(self) -> str:
        """The clock, as an expression."""

    def transaction(self) -> contextlib.AbstractContextManager[Execute]:
        """Run the block as one transaction, rolled back if the block raises."""

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds."""

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """Hold the database for one node during the block. Raises OutputError where another node holds it."""

    def close(self) -> None:
        """Close the connection."""


def connect(where: Path | str, schema: Schema) -> Database:
    """Open the database at a path or a `postgresql://` URL, and make or update the queue's tables.

    Raises OutputError.
    """
    if is_url(where):
        return Postgres(str(where), schema)
    return Sqlite(Path(where), schema)


def is_url(where: Path | str) -> bool:
    """Return whether that is a PostgreSQL database's URL, and no file."""
    return str(where).startswith(("postgresql://", "postgres://"))


def named(where: Path | str) -> str:
    """Return where a database is, a PostgreSQL database's address without its user and password."""
    return str(where).rpartition("@")[2].partition("?")[0] if is_url(where) else str(where)


class Sqlite:
    """A SQLite file with WAL and synchronous=FULL; a transaction locks the file from its beginning."""

    now = "((julianday('now') - 2440587.5) * 86400.0)"

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path, self._lock = path, threading.RLock()
        with _sqlite_errors(path):
            self.connection = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=FULL")
        with self.transaction() as execute:
            (found,) = execute("PRAGMA user_version").fetchone()
            (sort,) = execute("PRAGMA application_id").fetchone()
            if found and sort != schema.file_id:
                raise OutputError(f"{path} is a queue of another sort", hint="a file of its own")
            for statement in schema.missing(found):
                execute(statement)
            if found < schema.version:
                execute(f"PRAGMA user_version={schema.version}")
                execute(f"PRAGMA application_id={schema.file_id}")
        _check(str(path), found, schema)

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

    now = "extract(epoch FROM clock_timestamp())::double precision"

    def __init__(self, url: str, schema: Schema) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise MissingExtra("psycopg", "postgres") from error
        self._psycopg, self._url, self._lock = psycopg, url, threading.RLock()
        self._schema = schema
        self._connection: Any = None
        making, _, _ = schema.locks
        with self.transaction() as execute:
            execute(
                f"SELECT pg_advisory_xact_lock({making})"
            )  # two that start at once make one set of tables
            execute(f"CREATE TABLE IF NOT EXISTS {schema.versions} (number INTEGER NOT NULL)")
            found = (execute(f"SELECT number FROM {schema.versions}").fetchone() or (0,))[0]
            for statement in schema.missing(found):
                execute(statement)
            if found < schema.version:
                execute(f"DELETE FROM {schema.versions}")
                execute(f"INSERT INTO {schema.versions} VALUES (?)", (schema.version,))
        _check(named(url), found, schema)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Run the block as one transaction, rolled back if the block raises."""
        one_at_a_time = self._schema.locks[2]
        with self._lock, self._errors(), self._open().transaction():
            if one_at_a_time is not None:
                self._execute(f"SELECT pg_advisory_xact_lock({one_at_a_time})")
            yield self._execute

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds."""
        with self._lock, self._errors(), self._open().transaction():
            found: list[tuple[Any, ...]] = self._execute(statement, values).fetchall()
        return found

    def _open(self) -> Any:
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = self._psycopg.connect(self._url, **_PATIENCE)
            for setting in _SETTINGS:
                self._connection.execute(f"SET {setting}")
            self._connection.commit()
        return self._connection

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the database during the block, by a lock that lives as long as a connection of its own."""
        with self._errors():
            held = self._psycopg.connect(self._url, connect_timeout=10, autocommit=True)
            mine = held.execute(f"SELECT pg_try_advisory_lock({self._schema.locks[1]})").fetchone() == (True,)
        try:
            if not mine:
                raise OutputError(
                    f"{named(self._url)} is in use by another node", hint="stop that one, or another database"
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

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            full = isinstance(error, self._psycopg.errors.DiskFull)
            kind: type[VesaliusError] = BudgetError if full else OutputError
            found = " ".join(str(error).split())[:200] or type(error).__name__
            raise kind(f"{named(self._url)}: the queue cannot be used", found=found) from error


def _check(where: str, found: int, schema: Schema) -> None:
    if found > schema.version:
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
