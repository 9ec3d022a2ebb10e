"""Keys and roles: who may call the service. The file holds hashes of keys, never a key.

    keys:
      - {name: ward-3, role: user, sha256: 64 hex digits}

A key is 256 random bits, so that a plain SHA-256 of it cannot be searched for. Roles: `monitor` sees health and
metrics, `user` also uploads, asks and sees what is its own, `admin` also sees everybody's and the audit log.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import secrets
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from vesalius.core import settings_file
from vesalius.core.disk import write_text
from vesalius.core.errors import FormatError, OutputError, UnsafeError, VesaliusError
from vesalius.core.fields import Unfit, said

_LOG = logging.getLogger(__name__)
Role = Literal["monitor", "user", "admin"]
ROLES: tuple[Role, ...] = ("monitor", "user", "admin")
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
OWN = ("service", "local")  # who else stands in the audit log


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Strict):
    """One key: whose it is, what it may do, and its hash."""

    name: str
    role: Role
    sha256: str

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not re.fullmatch(NAME, name):
            raise Unfit(
                "a key's name is letters, digits, '.', '_' and '-'", hint="a ward, a person or a program"
            )
        if name.lower() in OWN:
            raise Unfit("this name is the service's own", hint="another name")
        return name

    @field_validator("sha256")
    @classmethod
    def _hashed(cls, sha256: str) -> str:
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise Unfit("not the hash of a key", hint="--make-key NAME, which writes it")
        return sha256


class _File(_Strict):
    keys: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. Without a keys file everybody is `local`, an admin, which only loopback may have."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Return whether a role is within this caller's."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Caller("local", "admin")


class Keys:
    """The keys of a file; changes of the file count from the next request.

    Raises PlanError, FormatError, OutputError; UnsafeError for a file that others than its owner can write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._known: dict[str, Caller] = {}
        self._broken = False
        self._fresh()

    def caller(self, key: str) -> Caller | None:
        """Whose key this is; the look-up is of hashes, so that its time says nothing of the key.

        Raises VesaliusError while the file cannot be used: then nobody is let in, and the log says so once.
        """
        with self._lock:
            self._check()
            return self._known.get(digest(key))

    @property
    def usable(self) -> bool:
        """Whether keys can be checked at this moment."""
        with self._lock:
            try:
                self._check()
            except VesaliusError:
                return False
            return True

    def _check(self) -> None:
        try:
            self._fresh()
        except VesaliusError as error:
            if not self._broken:
                _LOG.error("nobody is let in, because the keys file cannot be used: %s", error)
            self._broken = True
            raise
        if self._broken:
            _LOG.warning("the keys file can be used again")
        self._broken = False

    def _fresh(self) -> None:
        try:
            now = self.path.stat()
        except OSError as error:
            self._stamp = None
            raise OutputError(f"{self.path} cannot be read", found=error.strerror) from error
        stamp = (now.st_mtime_ns, now.st_size)
        if stamp == self._stamp:
            return
        self._stamp = None
        check_mode(self.path, now.st_mode)
        known = {e.sha256: Caller(e.name, e.role) for e in load(self.path)}
        if not known:
            hint = f"vesalius serve --make-key NAME --keys {self.path}"
            raise FormatError(f"{self.path} holds no key", hint=hint)
        self._known, self._stamp = known, stamp


def check_mode(path: Path, mode: int) -> str | None:
    """Return a warning where others than its owner can read a keys file. Raises UnsafeError where they can write it."""
    if os.name == "nt":
        return None
    hint = f"chmod 600 {path}"
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnsafeError(
            f"others than its owner can write {path}, and so give themselves keys",
            found=stat.filemode(mode),
            hint=hint,
        )
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        return f"others than its owner can read {path} ({stat.filemode(mode)}): {hint}"
    return None


def load(path: Path) -> tuple[Entry, ...]:
    """Return the entries of a keys file, YAML or JSON. Raises PlanError, saying where."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0:
            return ()
    return settings_file.read(path, _File).keys


def make(path: Path, name: str, role: Role) -> str:
    """Add a new key to the file, which only its owner can read; returns the key, which is kept nowhere.

    Raises FormatError for a name that cannot be or is taken, PlanError for a file that is none, OutputError.
    """
    entries = load(path) if path.exists() else ()
    if any(e.name == name for e in entries):
        raise FormatError(
            f"{path} has a key named '{name}' already", hint="another name, or remove that line"
        )
    key = secrets.token_urlsafe(32)
    try:
        added = Entry(name=name, role=role, sha256=digest(key))
    except ValidationError as error:
        what, found, hint = said(error.errors()[0])
        raise FormatError(what.lstrip(": "), found=found, hint=hint) from error
    listed = [e.model_dump() for e in (*entries, added)]
    old = os.umask(0o077)
    try:
        write_text(path, yaml.safe_dump({"keys": listed}, sort_keys=False))
    finally:
        os.umask(old)
    return key


def digest(key: str) -> str:
    """Return the hex SHA-256 of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
