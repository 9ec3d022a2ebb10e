"""Several events of one case, each with its own time: overall and disease-free survival, as `--target os,dfs` names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from vesalius.cohorts.targets.contract import TargetKind
from vesalius.cohorts.targets.event import KIND as ONE
from vesalius.core.case import Event, Target
from vesalius.core.cohort import TargetInfo
from vesalius.core.image import Image

ROLES = ()  # each lies in columns of its own, and is a target of its own
JOINS = "event"  # the kind of the targets that it is made of


class Events(TargetKind):
    """A value is a mapping of Events by the names of their targets; one that is not known is absent."""

    name: ClassVar[str] = "events"
    in_every_fold: ClassVar[bool] = False
    ahead: ClassVar[bool] = True

    def describe_joined(self, parts: Sequence[TargetInfo]) -> TargetInfo:
        """Return the target that these make together; the first spreads the folds and picks the checkpoint."""
        name = ",".join(part.name for part in parts)
        why = "several events at once, as named"
        return TargetInfo(name, self.name, reason=why, parts=tuple(parts), arm=parts[0].arm)

    def joined(self, values: Mapping[str, Target]) -> dict[str, Event] | None:
        """Return the events of a case by their targets' names; None where it has none of them."""
        held = {name: value for name, value in values.items() if isinstance(value, Event)}
        return held or None

    def given(self, value: Any, *, classes: Sequence[str], image: Image) -> None:
        """Return nothing: an item's events are targets of their own."""
        return

    def fault(self, value: Target, reference: Image | None) -> str | None:
        """Return what is wrong with one of the events."""
        held = value if isinstance(value, Mapping) else {}
        found = (ONE.fault(one, None) for one in held.values() if isinstance(one, Event))
        return next((wrong for wrong in found if wrong is not None), None)

    def nothing_to_learn(self, info: TargetInfo, held: Sequence[Target]) -> tuple[str, str] | None:
        """Return the first of the events that happened to nobody."""
        for part in info.parts:
            own = [v[part.name] for v in held if isinstance(v, Mapping) and part.name in v]
            if (found := ONE.nothing_to_learn(part, own)) is not None:
                return f"'{part.name}': {found[0]}", found[1]
        return None

    def strata(self, values: Mapping[str, Target]) -> dict[str, str]:
        """Return those of the first event; '' where that is not known."""
        first = next((name for v in values.values() if isinstance(v, Mapping) for name in v), "")
        held = {case: v[first] for case, v in values.items() if isinstance(v, Mapping) and first in v}
        return dict.fromkeys(values, "") | ONE.strata(held)


KIND = Events()
