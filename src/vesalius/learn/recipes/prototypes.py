"""Prototypes on frozen features: the label whose mean features are nearest, as the linear layer that is its equal."""

from __future__ import annotations

from typing import ClassVar

from vesalius.core.plan import Section
from vesalius.learn.closed_form import ClosedForm, Views
from vesalius.learn.heads import Distance, Head, Rows, prototypes
from vesalius.learn.recipes.contract import Member

NAMES = {"prototypes": "Frozen features: the label whose mean features over the training cases are nearest"}


class Options(Views):
    """`distance` is `cosine` or `euclidean` (see `learn/heads.py`)."""

    distance: Distance = "cosine"


class Prototypes(ClosedForm):
    """The means of each label's features.

    Of maps the background is one prototype, too: several of them would need the largest of their outputs, which no
    linear layer gives, so that the model were no ordinary one any more. Where a background is of many kinds, recipe
    `linear` draws a plane between it and each label from points of all kinds.
    """

    Options: ClassVar[type[Section]] = Options

    def __init__(self, given: Member, options: Section) -> None:
        super().__init__(given, options)
        self.distance = Options.model_validate(options.model_dump()).distance

    def solve(self, rows: Rows) -> Head:
        """Return the layer that calls the nearest prototype."""
        return prototypes(rows, self.distance)


RECIPE = Prototypes
