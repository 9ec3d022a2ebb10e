"""How a scaling is shown: what must be read first, its sentences, the curves with their laws, and every place."""

from __future__ import annotations

from html import escape

import numpy as np

from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.powers import powers
from vesalius.core.words import counted, listed
from vesalius.evaluate.comparison import number
from vesalius.run.scaling.result import Scaling
from vesalius.run.scaling.study import LABELS, PARAMETERS, Study
from vesalius.run.scaling.words import reason
from vesalius.scaling.trend import NEGATIVE
from vesalius.shown._markup import grid, warned
from vesalius.shown.contract import View, facts

HOW = (
    "Every fit has the same number of steps, begins from random weights, is not ended early, and is measured on "
    "the same held-out patients, which are not the test's. A place is the mean over its seeds, never the best of "
    "them. A law is E + A · x^−α, fitted to the logarithms; its band holds 90 % of the laws that go with the "
    "fits, and the interval of a forecast holds what nine of ten new fits come to. Beyond four times what was "
    "measured nothing is promised."
)
POINTS = 25  # of a drawn law


class ScalingView(View[Scaling]):
    """Curves of a scaling."""

    def name(self, thing: Scaling) -> str:
        """Return what the data are called."""
        return thing.data

    def before(self, thing: Scaling) -> str:
        """Return what must be read before the figures."""
        told = [("failed", f"{name}: {why}") for name, why in thing.failed.items()]
        return "".join(warned(kind, text) for kind, text in [*(("note", n) for n in thing.notes), *told])

    def lines(self, thing: Scaling) -> list[Line]:
        """Return the sentences, the laws, and how it was measured."""
        who = f" of {counted(thing.held_patients, 'patient')}" if thing.patients_known else ""
        settings = listed((f"{k}={v}" for k, v in thing.settings.items()), 12) if thing.settings else ""
        laws = [
            Line(f"law of the {study.measure}", study.joint.law.formula((PARAMETERS, LABELS)))
            for study in thing.studies
            if study.joint is not None and study.joint.law is not None
        ]
        return [
            *(Line("", text) for text in thing.sentences),
            *laws,
            *facts(
                ("target", thing.target),
                ("net", thing.net),
                ("each fit", f"{counted(thing.steps, 'step')} of {thing.batch}"),
                ("measured on", f"{counted(thing.held_cases, 'case')}{who} (split {thing.split})"),
                ("compute", thing.flops_by),
                ("seeds", ", ".join(map(str, thing.seeds))),
                ("plan", settings),
            ),
        ]

    def after(self, thing: Scaling) -> str:
        """Return the curves, every place, and how they were measured."""
        drawn = "".join(
            f'<div style="max-width:520px">{_drawn(study, what)}</div>'
            for study in thing.studies
            for what in (LABELS, PARAMETERS)
        )
        names = (
            "size",
            "parameters",
            "share",
            "labels",
            "steps",
            "FLOPs a fit",
            "loss, a seed each",
            thing.primary,
        )
        rows = [
            (
                f"{p.size:g}", f"{p.parameters:.4g}", f"{p.share:g}", f"{p.labels:.4g}", f"{p.steps:.0f}",
                f"{p.flops:.3g}", ", ".join(map(number, p.losses)), ", ".join(map(number, p.scores)),
            )
            for p in thing.places
        ]  # fmt: skip
        return f"{drawn}{grid(names, rows, len(rows))}<p>{escape(HOW)}</p>"


def _drawn(study: Study, what: str) -> str:
    """Return one curve: along labels for the largest net, or along parameters for all labels."""
    own = study.labels if what == LABELS else study.parameters
    one, before, ahead = study.ahead(what, 2.0)
    joint = len(before) > 1
    place = (1 if what == LABELS else 0) if joint else 0
    band = []
    if one.law is not None:
        least = min(cell.x[0] for cell in own.cells)
        for x in np.geomspace(least, ahead.x[place], POINTS):
            at = [float(x) if k == place else v for k, v in enumerate(before)]
            band.append((float(x), *one.band(at)))
    runs = [(cell.x[0], cell.values) for cell in own.cells]
    svg = powers(
        runs,
        band,
        (ahead.x[place], ahead.value, ahead.low, ahead.high),
        along=f"{what}, {'largest net' if what == LABELS else 'all labels'}",
        up=study.measure,
        log=own.why != NEGATIVE and (ahead.low is None or ahead.low > 0),
    )
    why = "" if band else reason(one, what)
    return svg + (f"<p>{escape(study.measure)}: {escape(why)}</p>" if why else "")


VIEW = ScalingView()
