"""Families of radiomics: one file a family of features; chosen by the setting `families`."""

from __future__ import annotations

from vesalius.core.registry import held, names
from vesalius.radiomics.families.contract import Family

KIND = "radiomics.families"


def get(name: str) -> Family:
    """Return the family of that registered name. Raises UnknownName."""
    family: Family = held(KIND, name, "FAMILY")
    return family


def usual(*, flat: bool) -> tuple[str, ...]:
    """Return the families that are measured where nobody names any: all that suit pictures (`flat`), or volumes."""
    return tuple(name for name in names(KIND) if get(name).of in ("any", "pictures" if flat else "volumes"))
