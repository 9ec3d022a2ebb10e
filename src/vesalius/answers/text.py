"""Text: a report in named sections."""

from __future__ import annotations

import re
from typing import Any

from vesalius.answers._asking import number_place
from vesalius.answers.contract import Handling
from vesalius.core.answers.text import Text
from vesalius.core.ask import Ask
from vesalius.core.marks import Mark, digest


class TextHandling(Handling[Text]):
    """What is done with a text."""

    kind = Text
    asks = ("sentence",)
    objects = (".sr.dcm", ".pdf.dcm")

    def columns(self, answer: Text) -> dict[str, Any]:
        """Return each section under its name."""
        return dict(answer.sections)

    def marks(self, answer: Text) -> list[Mark]:
        """Return the sections, and the text of each as a hash, as it may hold words of somebody's report."""
        found = [Mark("sections", ", ".join(answer.sections))]
        return found + [Mark(f"text of {name}", digest(text)) for name, text in answer.sections.items()]

    def ask(self, answer: Text, of: str, which: str | None) -> Ask:
        """Return the k-th sentence of all sections, as they follow one another; by default the first."""
        sentences = [s for text in answer.sections.values() for s in _sentences(text)]
        place = number_place(which, len(sentences), what=of)
        return Ask(of, place, words=sentences[place])


def _sentences(text: str) -> list[str]:
    """Return the sentences of a text; a full stop within a number ends none."""
    return [part for raw in re.split(r"(?<=[.!?])\s+|\n+", text) if (part := raw.strip())]


HANDLING = TextHandling()
