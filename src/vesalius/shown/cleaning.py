"""How a cleaning is shown: what is changed and what was found in a notebook, its whole page elsewhere."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.run.cleaning.page import render
from vesalius.run.cleaning.result import Cleaning
from vesalius.shown.contract import View


class CleaningView(View[Cleaning]):
    """A cleaning."""

    def name(self, thing: Cleaning) -> str:
        """Return where it lies."""
        return thing.path.name

    def lines(self, thing: Cleaning) -> list[Line]:
        """Return what is changed, what was found of which kind, and what must be read with it."""
        kinds = [
            Line(kind, f"{len(listed)} proposed, {sum(p.accept for p in listed)} accepted")
            for kind, listed in thing.by_kind.items()
        ]
        effect = [Line("effect", thing.effect)] if thing.effect else []
        return [
            Line("changed", thing.verdict),
            *kinds,
            *effect,
            *(Line("note", note) for note in thing.notes),
        ]

    def page(self, thing: Cleaning) -> str:
        """Return the page that `clean` writes, with pictures of the cases that are kept."""
        return render(thing, thing.cohort)


VIEW = CleaningView()
