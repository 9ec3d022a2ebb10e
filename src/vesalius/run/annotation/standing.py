"""Where a case stands for an annotator: what may be read, changed, seen and decided, by one set of rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from vesalius.run.annotation.project import Project
from vesalius.run.annotation.reading import Reading, Role

State = Literal["open", "draft", "done", "held", "full", "sealed", "adjudicate", "adjudicated"]
OPENED: tuple[State, ...] = ("open", "draft", "done", "sealed", "adjudicate", "adjudicated")
SAVED: tuple[State, ...] = ("open", "draft", "done")  # states in which a reading may be saved
ORDER: tuple[State, ...] = (
    "draft", "open", "adjudicate", "held", "done", "sealed", "full", "adjudicated",
)  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """The newest readings of one case, and who holds it at this moment."""

    project: Project
    readings: tuple[Reading, ...] = ()
    holders: tuple[str, ...] = ()

    @classmethod
    def of(cls, project: Project, readings: Iterable[Reading], holders: Sequence[str] = ()) -> Standing:
        """Return the standing of a case with these newest readings."""
        return cls(project, tuple(readings), tuple(holders))

    @property
    def done(self) -> tuple[Reading, ...]:
        """Return the readings that are done, in the order they were begun."""
        return tuple(r for r in self.readings if r.role == "reading" and r.done)

    @property
    def complete(self) -> bool:
        """Return whether as many have read the case as are asked for."""
        return len(self.done) >= self.project.readers

    @property
    def decided(self) -> Reading | None:
        """Return what an adjudicator decided; None where nobody did."""
        return next((r for r in self.readings if r.role == "adjudication" and r.done), None)

    def own(self, name: str, role: Role = "reading") -> Reading | None:
        """Return somebody's newest reading."""
        return next((r for r in self.readings if r.annotator == name and r.role == role), None)

    def may_see_others(self, name: str) -> bool:
        """Return whether somebody may see what others said: in a blind project once all are done, their own too."""
        own = self.own(name)
        return not self.project.blind or (self.complete and (own is None or own.done))

    def may_decide(self, name: str) -> bool:
        """Return whether somebody may adjudicate: all are done, none of them by this person, who may decide."""
        return self.complete and self.own(name) is None and self.project.may_decide(name)

    def state(self, name: str, *, disputed: bool) -> State:
        """Return where the case stands for somebody; `disputed` says whether the readings differ."""
        own, decided = self.own(name), self.decided
        if decided is not None and (own is None or own.done):
            return "adjudicated"
        if own is not None:
            sealed = self.project.blind and self.complete
            return "draft" if not own.done else "sealed" if sealed else "done"
        if self.complete:
            return "adjudicate" if disputed and self.may_decide(name) else "full"
        if not self.project.may_read(name):
            return "full"
        others = {r.annotator for r in self.done} | (set(self.holders) - {name})
        return "held" if len(others) >= self.project.readers else "open"
