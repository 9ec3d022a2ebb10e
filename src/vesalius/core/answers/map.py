"""Map: a field of numbers over an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.image import Image

DICOM = "dicom_pm"
LOWEST, HIGHEST = "lowest of the image", "highest of the image"  # figures of a field that is an image itself


@dataclass(frozen=True, eq=False, kw_only=True)
class Map(ImageAnswer):
    """A float field on the reference image's grid: a quantity and its unit.

    `figures` are numbers about the field by name, `facts` words about how it was made, `beside` what the same quantity
    is for what is no image, such as covariates by name. A field that says nothing somewhere is NaN there.
    """

    quantity: str
    unit: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, float] = field(default_factory=dict)

    def _holds(self) -> Iterable[str]:
        yield self.quantity + (f" in {self.unit}" if self.unit else "")


def field_of(answer: Answer) -> Image | None:
    """Return the field of numbers that an answer is; None of one of another kind."""
    return answer.image if isinstance(answer, Map) else None
