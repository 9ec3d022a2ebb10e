"""How a case is shown: its reference image, what is drawn on it, and what is known of it."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.core.case import Case, said
from vesalius.core.errors import VesaliusError
from vesalius.core.shown import short
from vesalius.shown._looks import of_case
from vesalius.shown._montage import montage, several
from vesalius.shown.contract import View, facts


class CaseView(View[Case]):
    """A case."""

    def name(self, thing: Case) -> str:
        """Return the case's id."""
        return thing.id

    def picture(self, thing: Case) -> bytes | None:
        """Return the reference image; of a case of several images, visits or courses all of them side by side.

        None where the case has nothing to see, or it cannot be read.
        """
        try:
            if several(thing):
                return montage(thing)
            return of_case(thing, dict.fromkeys(thing.targets, ()))
        except (VesaliusError, OSError):
            return None

    def lines(self, thing: Case) -> list[Line]:
        """Return images, time courses, targets, covariates and texts."""
        return facts(
            *((name, str(item)) for name, item in thing.images.items()),
            *((name, str(item)) for name, item in thing.courses.items()),
            *((name, said(value)) for name, value in thing.targets.items()),
            *((name, short(value)) for name, value in thing.covariates.items()),
            ("patient", thing.patient),
            ("split", thing.split),
            ("earlier visits", len(thing.earlier)),
            *((name, "a time course") for name in thing.courses),
            *((name, short(text)) for name, text in thing.texts.items()),
            ("report", thing.report),
        )


VIEW = CaseView()
