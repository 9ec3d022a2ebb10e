"""Text: a report in named sections."""

from __future__ import annotations

from typing import Any

from vesalius.answers._asking import number_place
from vesalius.answers.contract import Handling
from vesalius.core.answers.text import Text
from vesalius.core.ask import Ask
from vesalius.core.marks import Mark, digest
from vesalius.core.sentences import all_sentences
from vesalius.dicom.write.looked import looked


class TextHandling(Handling[Text]):
    """What is done with a text."""

    kind = Text
    asks = ("sentence",)
    objects = (".sc.dcm", ".sr.dcm", ".pdf.dcm")

    def objects_of(self, answer: Text) -> tuple[str, ...]:
        """Return the report and its PDF; before them where the model looked, where its sentences say that."""
        return self.objects if looked(answer) else self.objects[1:]

    def columns(self, answer: Text) -> dict[str, Any]:
        """Return each section under its name."""
        return dict(answer.sections)

    def marks(self, answer: Text) -> list[Mark]:
        """Return the sections, and the text of each as a hash, as it may hold words of somebody's report."""
        found = [Mark("sections", ", ".join(answer.sections))]
        return found + [Mark(f"text of {name}", digest(text)) for name, text in answer.sections.items()]

    def ask(self, answer: Text, of: str, which: str | None) -> Ask:
        """Return the k-th sentence of all sections, as they follow one another; by default the first."""
        found = all_sentences(answer.sections)
        place = number_place(which, len(found), what=of)
        return Ask(of, place, words=found[place][2])


HANDLING = TextHandling()
