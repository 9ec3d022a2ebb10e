"""Real-world values: what stored values mean where the rescale does not say it (PS3.3 C.7.6.16.2.11).

A mapping is applied to stored values, in place of the rescale, if there is one and no other for every plane, all in
one unit; and if there is no rescale, or what it gives has no unit while the mapping names one. What lies outside of
the mapped range has no real-world value: it is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.image import Array
from vesalius.dicom import elements
from vesalius.dicom.values import ucum
from vesalius.dicom.values.units import Meaning

_SEQUENCE = "RealWorldValueMappingSequence"


@dataclass(frozen=True, eq=False)
class Mapping:
    """Stored values from `first` to `last` to real-world ones: `slope * x + inter`, or by a table."""

    unit: str | None
    first: float
    last: float
    slope: float = 1.0
    inter: float = 0.0
    table: Array | None = None

    def plain(self, low: float, high: float) -> bool:
        """Return whether it is no more than a slope and an intercept for all values from `low` to `high`."""
        same = self.slope == 1 and self.inter == 0
        return self.table is None and (same or (self.first <= low and high <= self.last))

    def apply(self, stored: Array) -> Array:
        """Return float64 of the same shape, NaN outside of the range."""
        inside = (stored >= self.first) & (stored <= self.last)
        if self.table is None:
            return np.where(inside, stored * np.float64(self.slope) + self.inter, np.nan)
        at = np.where(inside, stored.astype(np.int64) - int(self.first), 0)
        return np.where(inside, self.table[at], np.nan)


def mapping(head: Any, group: elements.FunctionalGroups | None) -> Mapping | None:
    """Return the one mapping of a frame or an object; None for none, and for several.

    Raises ValueError for a faulty one.
    """
    own = next((g for g in group or () if g.get(_SEQUENCE)), head)
    items = list(own.get(_SEQUENCE) or ())
    if len(items) != 1:
        return None
    item = items[0]
    units = (item.get("MeasurementUnitsCodeSequence") or [{}])[0]
    unit = ucum.unit_of(units)
    first, last = (_edge(item, f"RealWorldValue{end}ValueMapped") for end in ("First", "Last"))
    if first is None or last is None or last < first:
        raise ValueError(f"a real world value mapping from {first} to {last}")
    table = item.get("RealWorldValueLUTData")
    if table not in (None, ""):
        values = np.atleast_1d(np.asarray(table, np.float64))
        if len(values) != last - first + 1:
            raise ValueError(f"a real world value table of {len(values)} entries from {first:g} to {last:g}")
        return Mapping(unit, first, last, table=values)
    slope, inter = (elements.number(item, f"RealWorldValue{name}") for name in ("Slope", "Intercept"))
    return None if slope is None or inter is None else Mapping(unit, first, last, slope, inter)


def chosen(planes: Sequence[tuple[Any, elements.FunctionalGroups | None]], said: Meaning) -> Meaning | None:
    """Return what real-world values mean, if they are what an image's planes should be read as.

    It is None where they are not.
    `planes` are each plane's header and groups, `said` what its rescale says.
    """
    head = planes[0][0]
    if not any(_there(*plane) for plane in planes):
        return None
    if said.unit is not None or head.get("Modality") == "RTDOSE":
        return None
    found = [mapping(*plane) for plane in planes]
    units = {m.unit for m in found if m is not None}
    if None in found or len(units) != 1:
        return None
    unit = units.pop()
    return Meaning(unit) if unit is not None or not elements.is_rescaled(*planes[0]) else None


def _there(head: Any, group: elements.FunctionalGroups | None) -> bool:
    return _SEQUENCE in head or any(_SEQUENCE in g for g in group or ())


def _edge(item: Any, name: str) -> float | None:
    """Return the first or last stored value of a mapping, which may stand as a whole number or as a double."""
    whole = elements.number(item, name)
    return whole if whole is not None else elements.number(item, f"DoubleFloat{name}")
