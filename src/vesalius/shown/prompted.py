"""How answers from prompts are shown: what must be read first, then every way's figures at each number of examples."""

from __future__ import annotations

from html import escape

from vesalius.answers.drawing.lines import Line
from vesalius.core.words import counted
from vesalius.shown.contract import View, facts
from vesalius.verbs.prompt import Prompted


class PromptedView(View[Prompted]):
    """Answers of a model of language from prompts."""

    def name(self, thing: Prompted) -> str:
        """Return the task."""
        return thing.task or "a prompt of examples alone"

    def before(self, thing: Prompted) -> str:
        """Return how the figures are to be read."""
        return "".join(f"<p>{escape(text)}</p>" for text in thing.said)

    def lines(self, thing: Prompted) -> list[Line]:
        """Return what was drawn, then a line a way and number of examples."""
        return [
            *facts(
                ("classes", ", ".join(thing.classes)),
                ("drawn from", f"{counted(thing.cases, 'report')}, split {thing.split}"),
                ("draws", thing.episodes),
            ),
            *(
                Line(
                    f"{f.metric}, {f.way}" + (f", {f.shots} a class" if f.way != "most frequent" else ""),
                    str(f.patients),
                )
                for f in thing.figures
            ),
        ]


VIEW = PromptedView()
