"""Numbers as people and programs write them in files of boxes."""

from __future__ import annotations

import re
from typing import Any

from vesalius.core.errors import DataError

_COMMA = re.compile(r"[-+]?\d+,\d+")


def number(value: Any, *, what: str = "") -> float:
    """Return a number, also where it is text (`"12.0"`, `" 12 "`, `"12,5"`). Raises DataError; `what` says whose it is.

    What is not finite is returned, so that whoever has the box can name it.
    """
    if isinstance(value, bool) or value is None:
        raise DataError(f"{what or 'a coordinate'} is not a number", found=repr(value))
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip()
    if _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        raise DataError(
            f"{what + ' has' if what else 'there is'} a coordinate that is no number", found=repr(text[:40])
        ) from None
