"""A regularised linear layer on frozen features: logistic for labels, ridge for numbers."""

from __future__ import annotations

from vesalius.learn.closed_form import ClosedForm
from vesalius.learn.heads import Head, Rows, linear

NAMES = {"linear": "Frozen features: a regularised linear last layer, its strength chosen by cases left out"}


class LinearLayer(ClosedForm):
    """The layer of least regularised loss (see `learn/heads.py`)."""

    def solve(self, rows: Rows) -> Head:
        """Return that layer."""
        return linear(rows)


RECIPE = LinearLayer
