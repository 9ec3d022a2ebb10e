"""Distinct: different values of which only the number matters, such as patients, as a summary that can be merged."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vesalius.core.errors import DataError

_CHECK = b"vesalius"  # what a key is known by is made of this word


@dataclass(frozen=True, slots=True)
class Distinct:
    """Different words or numbers. What leaves the house are their digests under a key, never the values.

    Those who share the key and count the same value count it once; nobody without the key can try values.
    `key` is what the key is known by, and '' where the values are as they were.
    """

    values: frozenset[str | float] = frozenset()
    key: str = ""

    @classmethod
    def of(cls, values: Iterable[str | float]) -> Distinct:
        """Return the different ones of some values."""
        return cls(frozenset(values))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.values)

    def merged(self, other: Distinct) -> Distinct:
        """Return the different ones of both. Raises DataError where they are not under the same key."""
        if self.key != other.key:
            raise DataError(
                "values under different keys cannot be told apart",
                hint="the same key for all, or none for all",
            )
        return Distinct(self.values | other.values, self.key)

    def keyed(self, key: bytes) -> Distinct:
        """Return the digests of the values under a key (HMAC with SHA-256). Raises DataError for an empty key."""
        if not key or self.key:
            raise DataError("values are put under a key once", found="no key" if not key else "a key already")
        return Distinct(frozenset(_digest(key, _bytes(v)) for v in self.values), _digest(key, _CHECK))

    def json(self) -> dict[str, Any]:
        """Return the digests as plain data. Raises DataError for values that are not under a key."""
        if self.values and not self.key:
            raise DataError(
                "values that may name a patient are not written down",
                hint="`keyed(key)` first, with a key that all who merge share",
            )
        return {"values": sorted(map(str, self.values)), "key": self.key}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Distinct:
        """Return digests from their plain data."""
        return cls(frozenset(map(str, data["values"])), str(data["key"]))


def _bytes(value: str | float) -> bytes:
    """Return a value as bytes; equal numbers are the same bytes, and no number is those of a word."""
    text = f"word {value}" if isinstance(value, str) else f"number {float(value) + 0.0!r}"
    return text.encode()


def _digest(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()[:32]
