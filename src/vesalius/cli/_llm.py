"""The server of a language model as a person names it on the command line, for `ask` and `serve`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vesalius.core.errors import UsageError
from vesalius.core.secret import secret_in

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

    return ChatServer(url, model, tuple(allowed or ()), None if key is None else secret_in(key))
