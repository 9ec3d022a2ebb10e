"""How a run is shown: where it lies, what was trained, and its figures; `show` opens its report."""

from __future__ import annotations

from pathlib import Path

from vesalius.answers.drawing.lines import Line
from vesalius.core.notebook import notebook
from vesalius.run.finished import Run
from vesalius.shown.contract import View, facts, opened
from vesalius.shown.scorecard import VIEW as CARD

REPORT = "report.html"


class RunView(View[Run]):
    """A run."""

    def name(self, thing: Run) -> str:
        """Return the name of its folder."""
        return "not trained" if thing.path is None else thing.path.name

    def before(self, thing: Run) -> str:
        """Return what must be read before its figures."""
        return "" if thing.scorecard is None else CARD.before(thing.scorecard)

    def lines(self, thing: Run) -> list[Line]:
        """Return what was trained, and where its files lie."""
        plan = thing.plan
        return facts(
            ("task", " ".join(filter(None, (plan.task.name, plan.task.target)))),
            ("net", plan.net.name),
            ("steps", plan.train.steps),
            ("members", plan.train.members),
            ("the time ran out", "yes" if thing.ran_out else ""),
            ("folder", thing.path),
            ("report", None if thing.path is None else thing.path / REPORT),
        )

    def after(self, thing: Run) -> str:
        """Return its figures."""
        return "" if thing.scorecard is None else CARD.after(thing.scorecard)

    def page(self, thing: Run) -> str:
        """Return its report, or of a run without one its table."""
        report = None if thing.path is None else thing.path / REPORT
        if report is not None and report.is_file():
            return report.read_text(encoding="utf-8")
        return super().page(thing)

    def show(self, thing: Run, path: Path | None) -> Path | None:
        """Show it as every view, but open the report where it lies already."""
        report = None if thing.path is None else thing.path / REPORT
        there = path is None and notebook() is None and report is not None and report.is_file()
        if there and report is not None and opened(report):
            return report
        return super().show(thing, path)


VIEW = RunView()
