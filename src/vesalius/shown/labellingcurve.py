"""How simulated rounds of labelling are shown: what must be read first, the verdicts, the curves, and a table."""

from __future__ import annotations

from html import escape

from vesalius.answers.drawing.arms import curves
from vesalius.answers.drawing.lines import Line
from vesalius.core.words import counted, listed
from vesalius.run.labelling_curve import LabellingCurve, written
from vesalius.shown._markup import grid, warned
from vesalius.shown.contract import View, facts

HOW = (
    "Labels were hidden, and uncovered as each strategy asked for them. All strategies begin with the same cases, and "
    "all fits have as many steps and the same test cases, which were never suggested. A figure is the mean over the "
    "seeds. Intervals are of draws of patients, then of their cases, and of seeds; a strategy is better or worse "
    "than random where the interval of its difference does not hold 0. Intervals are not corrected for how many "
    "comparisons there are: of twenty, one is expected to stand out by luck."
)


class LabellingCurveView(View[LabellingCurve]):
    """Curves of simulated labelling."""

    def name(self, thing: LabellingCurve) -> str:
        """Return what the data are called."""
        return thing.data

    def before(self, thing: LabellingCurve) -> str:
        """Return what must be read before the figures."""
        told = [("left out", f"{name}: {why}") for name, why in thing.left_out.items()]
        told += [("failed", f"{name}: {why}") for name, why in thing.failed.items()]
        return "".join(warned(kind, text) for kind, text in [*(("note", n) for n in thing.notes), *told])

    def lines(self, thing: LabellingCurve) -> list[Line]:
        """Return the verdicts, and how it was measured."""
        who = f" of {counted(thing.test_patients, 'patient')}" if thing.patients_known else ""
        settings = listed((f"{k}={v}" for k, v in thing.settings.items()), 12) if thing.settings else ""
        return [
            *(Line("verdict", text) for text in thing.verdicts),
            *facts(
                ("target", thing.target),
                ("labelled at first", thing.begin),
                ("more a round", thing.batch),
                ("could be labelled", counted(thing.pool, "case")),
                ("tested on", f"{counted(thing.test_cases, 'case')}{who} (split {thing.split})"),
                ("each fit", counted(thing.steps, "step")),
                ("seeds", ", ".join(map(str, thing.seeds))),
                ("plan", settings),
            ),
        ]

    def after(self, thing: LabellingCurve) -> str:
        """Return the curves, each point with its interval, and how they were measured."""
        names = ("strategy", "labels", f"{thing.called} (95 %)", "less random (95 %)", "verdict")
        rows = [written(point) for point in thing.points]
        drawn = curves(thing.curves(), trivial=None, up=thing.called)
        return f'<div style="max-width:640px">{drawn}</div>{grid(names, rows, len(rows))}<p>{escape(HOW)}</p>'


VIEW = LabellingCurveView()
