"""How much of each of several things? Several numbers for a whole image at once, learned together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from vesalius.core.answers import Answer
from vesalius.core.answers.numbers import Numbers
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.prepare.geometry import Undo
from vesalius.tasks import regress
from vesalius.tasks._numbers import abouts, answered, held
from vesalius.tasks.regress import Regress

NAMES = {"measure": "Several numbers for a whole image at once: volumes of organs, an age and a weight"}
DEFAULT_FOR = ("measures",)
OPTIONS = regress.OPTIONS


class Measure(Regress):
    """As `regress`, with an output for each number, standardised by itself; what a case lacks counts for nothing."""

    name: ClassVar[str] = "measure"
    answer: ClassVar[type[Answer]] = Numbers
    targets: ClassVar[tuple[str, ...]] = ("measures",)

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Numbers:
        """Return each number in its own unit, the mean over an ensemble's members where `raw` is `(M, N)`."""
        found = answered(raw, state)
        beyond = tuple(text for value in found for text in value.outside or ())
        return Numbers(parts={str(value.quantity): value for value in found}, outside=beyond or None)

    def trivial(self, state: State, reference: Image) -> Numbers:
        """Return the mean of each number over the training cases, whatever the image shows."""
        return Numbers(parts={about.name: about.value(about.mean) for about in abouts(state)})

    def truth(self, case: Case, state: State) -> dict[str, float] | None:
        """Return the numbers that the case has by name; None where it has none of them."""
        return dict(held(case, state.values["target"])) or None

    def spread(self, state: State) -> None:
        """Return nothing: each number has a deviation of its own."""
        return

    def scalar(self, raw: Any, ask: Ask) -> Any:
        """Return the number that is asked for, `(B,)`."""
        return raw[:, ask.place]


TASK = Measure()
