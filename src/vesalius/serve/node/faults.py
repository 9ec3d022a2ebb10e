"""What may go wrong with a series without ending the node, and how it is said to who runs a PACS."""

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
    """A fault, and the rule whose bundle it befell."""

    def __init__(self, rule: str, error: Exception) -> None:
        super().__init__(f"{rule}: {message_of(error)}")
        self.error = error


CAUGHT: tuple[type[Exception], ...] = (*FAULTS, RuleFault)


def is_permanent(error: Exception) -> bool:
    """Whether trying again would not change it."""
    return isinstance(error.error if isinstance(error, RuleFault) else error, DataError)


def message_of(error: Exception) -> str:
    """A fault in words for a PACS: what to try on another command line is left out."""
    if isinstance(error, RuleFault):
        return str(error)
    if not isinstance(error, VesaliusError):
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    if error.hint and ("--" in error.hint.replace("--status", "") or "`" in error.hint):
        return str(VesaliusError(error.what, found=error.found))
    return str(error)


def unique_reasons(reasons: Iterable[str]) -> list[str]:
    """Each reason once, without the case that it is of (a file's name in the node, which nobody knows), and a count."""
    counts = Counter(re.sub(r"^case .+?: ", "", reason) for reason in reasons)
    return [f"{text} ({n} images)" if n > 1 else text for text, n in counts.items()]
