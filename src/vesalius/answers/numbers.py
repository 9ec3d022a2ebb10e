"""Numbers: several numbers of one case, each with its name and its unit."""

from __future__ import annotations

from typing import Any

from vesalius.answers.contract import Handling
from vesalius.core.answers.numbers import Numbers
from vesalius.core.marks import Mark


class NumbersHandling(Handling[Numbers]):
    """What is done with several numbers; each is a part of its own, whose file says most of it."""

    kind = Numbers
    objects = (".sr.dcm",)

    def columns(self, answer: Numbers) -> dict[str, Any]:
        """Return how many numbers there are; their own columns are those of the parts."""
        return {"numbers": len(answer.values)}

    def marks(self, answer: Numbers) -> list[Mark]:
        """Return each number under its name."""
        return [Mark(name, float(value.x), unit=None) for name, value in answer.values.items()]


HANDLING = NumbersHandling()
