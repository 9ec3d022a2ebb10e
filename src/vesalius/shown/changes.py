"""How the changes of several patients are shown: a line a patient in a notebook, and as a page all of them."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.core.words import counted
from vesalius.run.change.page import overview
from vesalius.run.change.result import Changes
from vesalius.shown.contract import View


class ChangesView(View[Changes]):
    """Changes of several patients."""

    def name(self, thing: Changes) -> str:
        """Return how many patients there are."""
        return counted(len(thing), "patient")

    def lines(self, thing: Changes) -> list[Line]:
        """Return what can be told of each, and why others were not compared."""
        told = [Line(one.patient or one.visits[1].case, one.verdict) for one in thing.changes]
        return told + [Line(one.case, f"not compared: {one.reason}") for one in thing.set_aside]

    def page(self, thing: Changes) -> str:
        """Return the page of all of them."""
        return overview(thing, {})


VIEW = ChangesView()
