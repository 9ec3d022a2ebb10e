"""One small model, learned once for all tests of shape models."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.shapes.models._beans import bean

from vesalius.core.answers.surface import Surface
from vesalius.shapes.models.calibrating import calibrated
from vesalius.shapes.models.figures import figures_of
from vesalius.shapes.models.learning import Corresponding, correspond, model_of
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.reduce import reduced


def thinned(surface: Surface) -> Surface:
    """A template of about a hundred vertices."""
    return reduced(surface, 200, within_mm=float("inf")).surface


@pytest.fixture(scope="session")
def beans() -> Corresponding:
    """Seven beans, their mirror-imaged fellow, and one in metres, in correspondence."""
    shapes = {f"bean {k}": bean(k) for k in range(7)}
    one = bean(7)
    shapes["mirrored"] = Surface(vertices_mm=one.vertices_mm * (-1, 1, 1), faces=one.faces[:, ::-1])
    shapes["metres"] = bean(8, size=0.001)
    return correspond(shapes, thinned, samples=1000)


@pytest.fixture(scope="session")
def model(beans: Corresponding) -> ShapeModel:
    """The model of the seven, with its figures and what left-out ones promise."""
    found = model_of(beans, label="bean")
    return replace(found, promised=calibrated(beans), figures=figures_of(beans, 3))
