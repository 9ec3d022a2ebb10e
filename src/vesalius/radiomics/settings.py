"""Settings: all that changes the value of a radiomics feature, in one record that is written beside the features."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.fields import said

_LISTS = ("families", "spacing_mm", "range", "distances")
MAX_LEVELS = (
    1024  # grey levels that a texture matrix may have: more are a bin width that does not suit the image
)


@dataclass(frozen=True)
class Settings:
    """How features are measured.

    `families` are measured, in this order; all where it is empty. `bin_width` is the width of a grey level in the unit
    of the image, `bin_count` the number of grey levels between the least and the greatest intensity of the mask, in
    place of a width. `spacing_mm` `(x, y, z)` is what image and mask are resampled to, 0 where an axis stays as it is;
    None resamples nothing. `normalise` brings the whole image to mean 0 and standard deviation `normalise_scale`, after
    which values beyond `outliers` standard deviations are cut off. `range` leaves voxels of the mask out whose
    intensity is outside of it, for all families but shape; with `range_of` `sigma` its two ends count standard
    deviations from the mean of the mask. `shift` is added to intensities before they are squared (energy, root mean
    square). `distances` (in voxels) are between neighbours; `flat` looks for neighbours within a slice alone. `merged`
    adds up the matrices of all directions before features are taken of them, and does not average their features.
    `dependence` is the greatest difference of dependent grey levels (GLDM). `channel` chooses one of several channels,
    counted from 0.

    Raises PlanError where a value makes no sense.
    """

    families: tuple[str, ...] = ()
    bin_width: float = 25.0
    bin_count: int | None = None
    spacing_mm: tuple[float, float, float] | None = None
    normalise: bool = False
    normalise_scale: float = 1.0
    outliers: float | None = None
    range: tuple[float, float] | None = None
    range_of: Literal["intensity", "sigma"] = "intensity"
    shift: float = 0.0
    distances: tuple[int, ...] = (1,)
    flat: bool = False
    merged: bool = False
    dependence: int = 0
    channel: int | None = None

    def __post_init__(self) -> None:
        for name, wrong, wanted in (
            ("bin_width", not self.bin_width > 0, "above 0"),
            (
                "bin_count",
                self.bin_count is not None and not 1 <= self.bin_count <= MAX_LEVELS,
                f"from 1 to {MAX_LEVELS}",
            ),
            (
                "spacing_mm",
                self.spacing_mm is not None and not _spacing(self.spacing_mm),
                "three numbers, none below 0",
            ),
            ("normalise_scale", not self.normalise_scale > 0, "above 0"),
            ("outliers", self.outliers is not None and not self.outliers > 0, "above 0"),
            (
                "range",
                self.range is not None and not self.range[0] < self.range[1],
                "two numbers, the lower one first",
            ),
            ("range_of", self.range_of not in ("intensity", "sigma"), "intensity or sigma"),
            ("distances", not self.distances or min(self.distances) < 1, "whole numbers from 1"),
            ("dependence", self.dependence < 0, "0 or more"),
            ("channel", self.channel is not None and self.channel < 0, "0 or more"),
        ):
            if wrong:
                raise PlanError(f"{name} must be {wanted}", found=str(getattr(self, name)))


def _spacing(values: tuple[float, ...]) -> bool:
    return len(values) == 3 and min(values) >= 0 and max(values) > 0


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Return the usual settings with those that are `given`, by name; values may be text as typed on a command line.

    A list is typed as `1,1,3` or `[1,1,3]`. Raises UnknownName, and PlanError for a value that a setting does not take.
    """
    known = [field.name for field in fields(Settings)]
    for name in given:
        if name not in known:
            raise UnknownName("setting of radiomics", name, known)
    values = {n: _parsed(v, several=n in _LISTS) if isinstance(v, str) else v for n, v in given.items()}
    try:
        return TypeAdapter(Settings).validate_python(values)
    except ValidationError as error:
        fault = error.errors()[0]
        what, found, hint = said(fault)
        raise PlanError(f"{fault['loc'][0]}{what}", found=found, hint=hint) from error


def _parsed(text: str, *, several: bool) -> Any:
    """Return what a text as typed stands for: JSON where it is such, else a list of what commas part, else the text."""
    try:
        found = json.loads(text)
        return [found] if several and not isinstance(found, list | None) else found
    except ValueError:
        return (
            [_parsed(part.strip(), several=False) for part in text.split(",") if part.strip()]
            if several
            else text
        )
