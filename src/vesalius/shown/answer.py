"""How every kind of answer is shown: drawn on its image where that is known, beside what its kind says of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from vesalius.answers import contract
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.overlay import overlay_png
from vesalius.core.answers import Answer
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Image
from vesalius.infer.guard import in_words
from vesalius.prepare.case import load
from vesalius.shown._markup import table, warned
from vesalius.shown.contract import View


class AnswerView(View[Answer]):
    """An answer: its picture, its lines, and those of its parts."""

    def name(self, thing: Answer) -> str:
        """Return the case's id."""
        return thing.case_id

    def picture(self, thing: Answer) -> bytes | None:
        """Return the answer drawn on its image, or alone where that is not known and its kind can be."""
        image = _image_of(thing)
        if thing.withheld is not None:
            return None
        if image is None:
            backdrops = (contract.of(one).backdrop(one) for one in contract.drawable(thing))
            image = next((b for b in backdrops if b is not None), None)
        image = image if image is not None else contract.of(thing).backdrop(thing)
        return None if image is None else overlay_png(image, thing)

    def before(self, thing: Answer) -> str:
        """Return why the answer is withheld, and in what the image lies outside of what the model learned from."""
        held = warned("withheld", thing.withheld) if thing.withheld else ""
        return held + (
            warned("outside of what was learned", in_words(thing.outside)) if thing.outside else ""
        )

    def lines(self, thing: Answer) -> Sequence[Line]:
        """Return what its kind says of it."""
        return contract.lines(thing)

    def after(self, thing: Answer) -> str:
        """Return the lines of its parts."""
        return "".join(
            f"<div><b>{escape(name)}</b></div>{table(contract.lines(part))}"
            for name, part in thing.parts.items()
        )


def _image_of(answer: Answer) -> Image | None:
    """Return the image that an answer is about; None where it is not known, or not there any more."""
    if answer.on is None:
        return None
    try:
        return load(answer.on)
    except (VesaliusError, OSError):
        return None


VIEW = AnswerView()
