"""How a bundle is shown: what it answers, what it learned from, and how good it was found to be."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.core.bundle import Bundle
from vesalius.core.errors import VesaliusError
from vesalius.core.scorecard import load_scorecard
from vesalius.shown.contract import View, facts
from vesalius.shown.scorecard import VIEW as CARD


class BundleView(View[Bundle]):
    """A bundle."""

    def name(self, thing: Bundle) -> str:
        """Return what it is called in words."""
        return thing.name

    def lines(self, thing: Bundle) -> list[Line]:
        """Return its stages and what they learned from."""
        found: list[Line] = []
        for stage in thing.stages:
            plan, labels = stage.plan, stage.state.values.get("labels", ())
            names = [str(x["name"]) for x in labels if isinstance(x, dict) and "name" in x]
            found += facts(
                ("stage", stage.name if len(thing.stages) > 1 else ""),
                ("task", " ".join(filter(None, (plan.task.name, plan.task.target)))),
                ("labels", ", ".join(names)),
                ("net", f"{plan.net.name}, members: {len(stage.members)}"),
                ("input", f"{plan.data.sampling}, {' × '.join(map(str, plan.data.size))}"),
            )
        learned = thing.learned
        if learned is not None:
            found += facts(
                ("learned from", f"{learned.cases} cases"),
                ("modality", learned.modality),
                ("unit", learned.unit),
            )
        return [*found, *facts(("hash", thing.hash[:16]), ("made by", thing.made_by), ("in", thing.path))]

    def after(self, thing: Bundle) -> str:
        """Return the figures of its scorecard, where it has one."""
        path = thing.path / "scorecard.json"
        try:
            card = load_scorecard(path) if path.is_file() else None
        except VesaliusError:
            return ""
        return "" if card is None else CARD.before(card) + CARD.after(card)


VIEW = BundleView()
