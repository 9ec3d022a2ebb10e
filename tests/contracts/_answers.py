"""One small answer of each kind, and the image that each is about."""

from __future__ import annotations

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.instances import Instances
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.picture import Picture
from vesalius.core.answers.ranking import Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.surface import Surface
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Instance
from vesalius.core.cohort import Label
from vesalius.core.image import Image

IMAGE = Image(np.arange(3 * 8 * 8, dtype=np.float32).reshape(1, 3, 8, 8), spacing_mm=(1.0, 1.0, 2.0))
LABELS = (Label(1, "liver"), Label(2, "lesion"))
BOX = Box((0.0, 1.0, 1.0), (2.0, 5.0, 6.0), "liver")


def field(kind: type[np.generic]) -> Image:
    array = np.zeros((1, 3, 8, 8), kind)
    array[0, 1, 2:6, 2:6] = 1
    return Image(array, spacing_mm=IMAGE.spacing_mm)


EXAMPLES: dict[str, Answer] = {
    "boxes": Boxes(boxes=(BOX,), p=np.array([0.8]), labels=LABELS),
    "curve": Curve(times_days=np.array([10.0, 20.0]), survival={"all": np.array([0.9, 0.4])}),
    "instances": Instances(image=field(np.uint8), things=(Instance(1, "liver", 0.9),), labels=LABELS),
    "map": Map(image=field(np.float32), quantity="attention"),
    "mask": Mask(image=field(np.uint8), labels=LABELS),
    "numbers": Numbers(parts={"left": Value(x=2.0, unit="ml"), "right": Value(x=3.0, unit="ml")}),
    "picture": Picture(image=field(np.float32)),
    "ranking": Ranking(case_ids=("b", "c"), distances=np.array([0.1, 0.2])),
    "scores": Scores(labels=LABELS, p=np.array([0.3, 0.7])),
    "surface": Surface(vertices_mm=np.eye(3), faces=np.array([[0, 1, 2]])),
    "text": Text(sections={"findings": "none"}),
    "value": Value(x=3.5, unit="mm"),
}
