"""One grade of several that have an order."""

from __future__ import annotations

from typing import ClassVar

from vesalius.cohorts.targets._named import OneName

ROLES = ()  # a column does not say that its classes are grades
ORDER = 10


class Ordinal(OneName):
    """A value is the name of a grade; the labels stand in order."""

    name: ClassVar[str] = "ordinal"
    ordered: ClassVar[bool] = True


KIND = Ordinal()
