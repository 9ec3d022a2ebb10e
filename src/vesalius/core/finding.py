"""Finding: one thing that a report says of an image, or that is known to be in it, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["present", "absent", "uncertain", "past"]
Side = Literal["left", "right", "both"]
Change = Literal["new", "larger", "smaller", "unchanged", "gone"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said, or true, of one finding.

    `name` is the term's name (`nodule`), `code` its code as `SCHEME:VALUE` (`RADLEX:RID3875`). `status` is "present",
    "absent" (it is said that it is not there), "uncertain" or "past" (it was there once). `side` is the patient's.
    `place` is the part of the body that it lies in, as its term's name. `size_mm` is the largest diameter, `count` how
    many there are, `change` is held against an earlier study. Each of these is None, or "", where nothing says it.
    `sentence` is the place, from 0, of the sentence among all those of the text that says it.
    """

    name: str
    status: Status = "present"
    side: Side | None = field(default=None, metadata={"stored": "where given"})
    place: str = field(default="", metadata={"stored": "where given"})
    size_mm: float | None = field(default=None, metadata={"stored": "where given"})
    count: int | None = field(default=None, metadata={"stored": "where given"})
    change: Change | None = field(default=None, metadata={"stored": "where given"})
    code: str = field(default="", metadata={"stored": "where given"})
    sentence: int | None = field(default=None, metadata={"stored": "where given"})

    def __str__(self) -> str:
        words = [self.side or "", self.name, f"of {self.size_mm:g} mm" if self.size_mm is not None else ""]
        words += [f"in {self.place}" if self.place else "", self.change or ""]
        said = " ".join(w for w in words if w)
        return said if self.status == "present" else f"{said}: {self.status}"
