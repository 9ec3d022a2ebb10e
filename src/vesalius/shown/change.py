"""How a change is shown: what can be told, a line a growth and both visits in a notebook; its whole page elsewhere."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.core.called import called_by
from vesalius.run.change.page import page
from vesalius.run.change.pictures import pictured
from vesalius.run.change.result import Change, interval, number, signed
from vesalius.shown._markup import sheet
from vesalius.shown.contract import View, facts


class ChangeView(View[Change]):
    """A change between two visits."""

    def name(self, thing: Change) -> str:
        """Return what both visits are called."""
        return f"{thing.visits[0].case} to {thing.visits[1].case}"

    def lines(self, thing: Change) -> list[Line]:
        """Return what can be told, each growth with its interval, and what must be read with it."""
        names = called_by(g.name for g in thing.growths)
        found = [Line("what can be told", thing.verdict)]
        for growth in thing.growths:
            if growth.verdict != "absent":
                unit = f" {growth.unit}" if growth.unit else ""
                sizes = f"{number(growth.earlier)} to {number(growth.later)}{unit}"
                text = f"{sizes}, {signed(growth.change)} ({interval(growth)}); {growth.verdict}"
                found.append(Line(names[growth.name], text, colour=growth.colour))
        how = (
            thing.registration.by if thing.registration.fits else f"not registered: {thing.registration.why}"
        )
        return [
            *found,
            *facts(("days", thing.days), ("registration", how)),
            *(Line("note", n) for n in thing.notes),
        ]

    def after(self, thing: Change) -> str:
        """Return both visits on the plane that tells most, where their images are at hand."""
        shown = [(view["src"], view["what"]) for one in pictured(thing)[:1] for view in one["views"]]
        return sheet(shown, height=220)

    def page(self, thing: Change) -> str:
        """Return the page that `change` writes."""
        return page(thing)


VIEW = ChangeView()
