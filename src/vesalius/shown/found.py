"""How what `find` found is shown: the cases with their pictures, the nearest first."""

from __future__ import annotations

from html import escape

from vesalius.answers.drawing.lines import Line
from vesalius.core.words import counted
from vesalius.explain.nearest import GONE, thumbnail
from vesalius.shown._markup import sheet
from vesalius.shown.contract import View, facts
from vesalius.verbs.find import Found


class FoundView(View[Found]):
    """Cases that were found."""

    def name(self, thing: Found) -> str:
        """Return what was looked for."""
        return thing.what

    def lines(self, thing: Found) -> list[Line]:
        """Return where was looked, then a line a case."""
        return [
            *facts(
                ("looked among", f"{counted(thing.of, 'case')}: {thing.made_of}"),
                (
                    "left out",
                    f"{counted(thing.left_out, 'case')} of the same patient" if thing.left_out else "",
                ),
                ("only", ", ".join(f"{name}={value}" for name, value in thing.where.items())),
                ("searched", thing.why),
                *(("note", text) for text in thing.remarks()),
            ),
            *(Line(f"{r['rank']}. {r['case']}", _told(r)) for r in thing.rows()),
        ]

    def after(self, thing: Found) -> str:
        """Return the pictures of those whose files are still there."""
        rows = zip(thing.entries, thing.rows(), strict=True)
        shown = [(thumbnail(e), f"{r['rank']}. {r['case']}: {_told(r)}") for e, r in rows]
        there = sheet([(src, text) for src, text in shown if src])
        gone = "".join(f"<div>{escape(text)} ({GONE})</div>" for src, text in shown if not src)
        return f"{there}{gone}"


def _told(row: dict[str, object]) -> str:
    target = f", {row['target']}" if row["target"] else ""
    return f"distance {row['distance']:.4g}{target}"


VIEW = FoundView()
