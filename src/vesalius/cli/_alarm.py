"""The address of alarms as a person names it on the command line, for `serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vesalius.core.errors import UsageError
from vesalius.core.secret import secret_in

if TYPE_CHECKING:
    from vesalius.serve.webhook import Address


def alarm_address(url: str | None, secret: Path | None) -> Address | None:
    """Return the address that is told; None where none is named.

    Raises UsageError for a secret without an address, DataError for what is no address, or no secret.
    """
    if url is None:
        if secret is not None:
            raise UsageError(
                "--alarm-secret signs what is sent to an address, and none is named", hint="--alarm URL"
            )
        return None
    from vesalius.serve.webhook import Address

    return Address(url, None if secret is None else secret_in(secret))
