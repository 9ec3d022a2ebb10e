"""The faults of a series that do not end the node, and their words for a person who runs a PACS."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from vesalius.core.errors import DataError, VesaliusError
from vesalius.dicom.damage import DAMAGE

FAULTS: tuple[type[Exception], ...] = (
    VesaliusError, RuntimeError, ArithmeticError, MemoryError, *DAMAGE,
)  # fmt: skip


class RuleFault(Exception):
    """A fault that occurred while one rule's bundle answered a series."""

    def __init__(self, rule: str, error: Exception) -> None:
        super().__init__(f"{rule}: {message_of(error)}")
        self.error = error


CAUGHT: tuple[type[Exception], ...] = (*FAULTS, RuleFault)


def is_permanent(error: Exception) -> bool:
    """Return whether the fault lies in the data, so that another attempt would fail alike."""
    return isinstance(error.error if isinstance(error, RuleFault) else error, DataError)


def message_of(error: Exception) -> str:
    """Return a fault as one line for a person who runs a PACS, without hints about commands."""
    if isinstance(error, RuleFault):
        return str(error)
    if not isinstance(error, VesaliusError):
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    if error.hint and "accept_mismatch" in error.hint:
        return str(VesaliusError(error.what, found=error.found, hint="accept_mismatch: true in the rule"))
    if error.hint and "refuse_unlike" in error.hint:
        return str(VesaliusError(error.what, found=error.found, hint="no refuse_unlike in the rule"))
    if error.hint and ("--" in error.hint.replace("--status", "") or "`" in error.hint):
        return str(VesaliusError(error.what, found=error.found))
    return str(error)


def unique_reasons(reasons: Iterable[str]) -> list[str]:
    """Return each reason once, with the number of images that it stands for.

    The case's id at its beginning is left out: in the node it is a hash, which nobody knows.
    """
    counts = Counter(re.sub(r"^case .+?: ", "", reason) for reason in reasons)
    return [f"{text} ({n} images)" if n > 1 else text for text, n in counts.items()]
