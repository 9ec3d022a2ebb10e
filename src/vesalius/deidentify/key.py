"""The secret key: what it alone turns into new UIDs, pseudonyms and shifts of dates, the same in every run."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from vesalius.core.disk import output_errors
from vesalius.core.errors import DataError

BYTES = 32
MOST_DAYS = 3650


@dataclass(frozen=True)
class Key:
    """A secret. Who has it can repeat the mapping, and so test guesses: it is to be kept like the originals."""

    secret: bytes = field(repr=False)

    def uid(self, uid: str) -> str:
        """Return the UID that stands for `uid`: `2.25.` and 128 bits of HMAC-SHA256 (PS3.5 B.2)."""
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16], 'big')}"

    def pseudonym(self, kind: str, text: str, *, digits: int = 12) -> str:
        """Return hexadecimal digits that stand for `text` among things of one kind."""
        return self._digest(kind, text).hex()[:digits]

    def shift_days(self, patient: str) -> int:
        """Return the days by which a patient's dates are shifted: 1 to 3650, always into the past."""
        return -(1 + int.from_bytes(self._digest("shift", patient)[:8], "big") % MOST_DAYS)

    @property
    def fingerprint(self) -> str:
        """Return a fingerprint of the key, which does not reveal the key."""
        return self.pseudonym("fingerprint", "")

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.new(self.secret, f"{kind}\0{text}".encode(), hashlib.sha256).digest()


def load(path: Path) -> tuple[Key, bool]:
    """Return the key in a file, and whether it was made just now; a new file can be read by its owner alone.

    Raises DataError for a file that is not a key, OutputError where no key can be written.
    """
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return _make(path), True
    except (OSError, ValueError) as error:
        hint = "a file made by an earlier run, or one that does not exist yet"
        raise DataError(f"{path} is not a key of vesalius deidentify", hint=hint) from error
    if len(secret) < BYTES:
        raise DataError(
            f"the key in {path} is too short", found=f"{len(secret)} bytes", hint=f"{BYTES} bytes"
        )
    return Key(secret), False


def _make(path: Path) -> Key:
    secret = secrets.token_bytes(BYTES)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{secrets.token_hex(4)}.tmp.{path.name}")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secret.hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return Key(secret)
