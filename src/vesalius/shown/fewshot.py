"""How a few-shot evaluation is shown: what must be read first, then every figure with both of its intervals."""

from __future__ import annotations

from html import escape

from vesalius.answers.drawing.lines import Line
from vesalius.core.words import counted
from vesalius.shown.contract import View, facts
from vesalius.verbs.few_shot import FewShot


class FewShotView(View[FewShot]):
    """A few-shot evaluation."""

    def name(self, thing: FewShot) -> str:
        """Return the weights."""
        return thing.what

    def before(self, thing: FewShot) -> str:
        """Return how the figures are to be read."""
        return "".join(f"<p>{escape(text)}</p>" for text in (*thing.said, thing.overlap) if text)

    def lines(self, thing: FewShot) -> list[Line]:
        """Return what was drawn, then a line a figure."""
        return [
            *facts(
                ("net", thing.net),
                ("episodes", f"{thing.episodes} of {thing.ways} classes"),
                (
                    "a class",
                    f"{counted(thing.shots, 'shot')}, up to {counted(thing.queries, 'query', 'queries')}",
                ),
                ("drawn from", f"{counted(thing.cases, 'case')}, split {thing.split}"),
                ("by chance", ", ".join(f"{name} {value:.3f}" for name, value in thing.chance.items())),
            ),
            *(
                Line(
                    f"{f.metric}, {f.head}, features of {f.features}",
                    f"{f.episodes} over episodes; {f.patients} over patients",
                )
                for f in thing.figures
            ),
        ]


VIEW = FewShotView()
