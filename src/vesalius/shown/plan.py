"""How a plan is shown: every choice with its reason."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.core.plan import Plan
from vesalius.run.reporting import choices
from vesalius.shown._markup import grid
from vesalius.shown.contract import View, facts


class PlanView(View[Plan]):
    """A plan."""

    def name(self, thing: Plan) -> str:
        """Return the task and the target."""
        return " ".join(filter(None, (thing.task.name, thing.task.target)))

    def lines(self, thing: Plan) -> list[Line]:
        """Return the net and the number of steps."""
        return facts(("net", thing.net.name), ("steps", thing.train.steps), ("members", thing.train.members))

    def after(self, thing: Plan) -> str:
        """Return the table of the choices."""
        rows = [r for r in choices(thing) if r[2]] or choices(thing)
        return grid(("field", "value", "why"), rows, len(rows))


VIEW = PlanView()
