"""The server of a language model as a person names it on the command line, for `ask` and `serve`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vesalius.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from vesalius.adjunct.server import ChatServer


def chat_server(
    url: str | None, *, model: str, allowed: Sequence[str] | None, key: Path | None
) -> ChatServer | None:
    """Return the server that is asked beside; None where none is named.

    Raises UsageError for options of a server that is not named, DataError for a URL that may not be asked or a key
    that cannot be read.
    """
    if url is None:
        if allowed or key is not None or model != "default":
            raise UsageError(
                "--llm-model, --llm-allow and --llm-key are of a language model", hint="--llm URL"
            )
        return None
    from vesalius.adjunct.server import ChatServer

    return ChatServer(url, model, tuple(allowed or ()), _key(key))


def _key(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the key {path} cannot be read", found=type(error).__name__) from error
    if not text or not text.isprintable() or any(letter.isspace() for letter in text):
        raise DataError(f"{path} holds no key", hint="one line without spaces")
    return text
