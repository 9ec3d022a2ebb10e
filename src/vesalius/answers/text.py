"""Text: a report in named sections."""

from __future__ import annotations

from typing import Any

from vesalius.answers.contract import Handling
from vesalius.core.answers.text import Text


class TextHandling(Handling[Text]):
    """What is done with a text."""

    kind = Text
    objects = (".sr.dcm", ".pdf.dcm")

    def columns(self, answer: Text) -> dict[str, Any]:
        """Return each section under its name."""
        return dict(answer.sections)


HANDLING = TextHandling()
