"""How an explanation is shown: its maps, their figures, which methods do not hold, and the nearest training cases."""

from __future__ import annotations

from functools import partial
from html import escape

from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.overlay import overlay_png
from vesalius.explain.explanation import Explained, Explanation
from vesalius.explain.nearest import GONE, Nearest, thumbnail
from vesalius.explain.page import html
from vesalius.shown._looks import address, within_patience
from vesalius.shown._markup import sheet, warned
from vesalius.shown.contract import View


class ExplanationView(View[Explanation]):
    """An explanation."""

    def name(self, thing: Explanation) -> str:
        """Return the case's id, and what was asked."""
        return f"{thing.answer.case_id}: {thing.asked.words}"

    def before(self, thing: Explanation) -> str:
        """Return the methods whose maps are not shown, with the reason, and the maps that hold."""
        failing = [(e.method, e.fails) for e in thing.explained if e.fails] + list(thing.refused.items())
        said = "".join(warned(f"{name} is not shown", why) for name, why in failing)
        return said + sheet(within_patience([partial(_map, thing, one) for one in thing.holds]), height=180)

    def lines(self, thing: Explanation) -> list[Line]:
        """Return the gain of each map that holds, beside chance."""
        return [Line(e.method, _figures(e)) for e in thing.holds]

    def after(self, thing: Explanation) -> str:
        """Return the nearest training cases, or why they are not known."""
        near = thing.nearest
        if near is None:
            return ""
        if not isinstance(near, Nearest):
            return f"<p>{escape(near)}</p>"
        rows = [(thumbnail(e), r) for e, r in zip(near.entries, near.rows(), strict=True)]
        texts = [f"{r['rank']}. {r['neighbour']}: {r['target']}, {r['distance']:.3f}" for _, r in rows]
        shown = sheet([(src, t) for (src, _), t in zip(rows, texts, strict=True) if src])
        gone = "".join(
            f"<div>{escape(t)} ({GONE})</div>" for (src, _), t in zip(rows, texts, strict=True) if not src
        )
        said = escape(near.said(thing.asked.words))
        return f"<div><b>Nearest training cases</b> {said}</div>{shown}{gone}"

    def page(self, thing: Explanation) -> str:
        """Return the page that `vesalius explain` writes."""
        return html(thing)


def _map(thing: Explanation, one: Explained) -> tuple[str, str]:
    return address(overlay_png(thing.reference, one.map)), one.method


def _figures(one: Explained) -> str:
    gain = one.map.figures.get("gain")
    if gain is None:
        return "not measured"
    return f"gain {gain:.2f}, by chance {one.map.figures['gain_by_chance']:.2f}"


VIEW = ExplanationView()
