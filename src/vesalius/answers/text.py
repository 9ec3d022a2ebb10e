"""Text: a report in named sections."""

from __future__ import annotations

from typing import Any

from vesalius.answers._asking import number_place
from vesalius.answers.contract import Handling
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.ask import Ask
from vesalius.core.marks import Mark, digest
from vesalius.core.sentences import all_sentences, sentences
from vesalius.core.stated import Statement


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

    def states(self, answer: Text) -> list[Statement]:
        """Return what its sentences say, as far as somebody read them; what is not borne out is doubted."""
        return [
            Statement(
                finding,
                f"'{_sentence(answer, one)}'",
                part=one.part,
                doubted=one.why if one.supported is False else "",
            )
            for one in answer.evidence
            for finding in one.findings
        ]

    def ask(self, answer: Text, of: str, which: str | None) -> Ask:
        """Return the k-th sentence of all sections, as they follow one another; by default the first."""
        found = all_sentences(answer.sections)
        place = number_place(which, len(found), what=of)
        return Ask(of, place, words=found[place][2])


def _sentence(answer: Text, one: Evidence) -> str:
    said = sentences(answer.sections.get(one.section, ""))
    return said[one.sentence] if one.sentence < len(said) else ""


HANDLING = TextHandling()
