"""A key or a secret as a person keeps it: one line of a file."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.errors import DataError


def secret_in(path: Path) -> str:
    """Return the key that a file holds. Raises DataError for one that cannot be read, or holds another thing."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the key {path} cannot be read", found=type(error).__name__) from error
    if not text or not text.isprintable() or any(letter.isspace() for letter in text):
        raise DataError(f"{path} holds no key", hint="one line without spaces")
    return text
