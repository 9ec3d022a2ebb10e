"""Statement: one thing that an answer says of its case, as data, with the figures that it stands on."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.finding import Finding

COUNT = " count"  # what the quantity of a number of things ends in, after the name of the things


@dataclass(frozen=True, slots=True)
class Statement:
    """What an answer says of one finding, or of one measured quantity.

    `because` is what it stands on, in words. `p` is the calibrated probability that the finding is there, None
    where the answer has none. `label` is the answer's own name for it, "" where it is none of its labels. `number`
    and `unit` are of a measured quantity, whose name is the finding's. `part` is the name of the part of the answer
    that says it, "" for the answer itself. `doubted` says why it must not be taken as said; "" where nothing speaks
    against it.
    """

    finding: Finding
    because: str = ""
    p: float | None = None
    number: float | None = None
    unit: str = ""
    part: str = ""
    doubted: str = ""
    label: str = ""
