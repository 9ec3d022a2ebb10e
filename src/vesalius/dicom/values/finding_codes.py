"""Codes of a finding: as DICOM reports write what a sentence says of one, and back.

The concept's name says whether a finding is there: (121071, DCM, "Finding") is written of one that is present alone, so
that whoever overlooks a modifier never takes an absent finding for a present one. Sides are of CID 244; a name without
a code is looked up in the standard's sets, and is private (99VESALIUS) where they do not have it.
"""

from __future__ import annotations

from typing import get_args

from vesalius.core.cohort import Label
from vesalius.core.finding import Change, Finding, Side, Status
from vesalius.dicom.values import terms
from vesalius.dicom.values.terms import Term

STATUS: dict[Status, Term] = {
    "present": ("121071", "DCM", "Finding"),
    "past": ("121069", "DCM", "Previous Finding"),
    "absent": ("FINDING_ABSENT", terms.PRIVATE, "Finding that is said to be absent"),
    "uncertain": ("FINDING_UNSURE", terms.PRIVATE, "Finding that is uncertain"),
}
SIDES: dict[Side, Term] = {
    "left": terms.LEFT,
    "right": terms.RIGHT,
    "both": ("51440002", "SCT", "Right and left"),
}
CHANGES: dict[Change, Term] = {
    "new": ("7147002", "SCT", "New"),
    "larger": ("35105006", "SCT", "Increased"),
    "smaller": ("1250004", "SCT", "Decreased"),
    "unchanged": ("260388006", "SCT", "No status change"),
    "gone": ("723506003", "SCT", "Resolved"),
}
LATERALITY: Term = ("272741003", "SCT", "Laterality")
SITE: Term = ("363698007", "SCT", "Finding Site")
CHANGE: Term = ("CHANGE", terms.PRIVATE, "Change since the earlier study")
DIAMETER: Term = ("81827009", "SCT", "Diameter")
COUNT: Term = ("410681005", "SCT", "Count of entities")
_SCHEMES = {"SNOMED": "SCT", "SNOMEDCT": "SCT", "SNOMED-CT": "SCT"}
_LONGEST = 16  # characters of a code value (SH)


def term_of(finding: Finding) -> Term:
    """Return a finding's term, which means its name: its own code, else the standard's for it, else a private one."""
    scheme, _, value = finding.code.partition(":")
    if scheme and value and len(value) <= _LONGEST and len(scheme) <= _LONGEST:
        return value, _SCHEMES.get(scheme.upper(), scheme), _meaning(finding.name)
    return _named(finding.name)


def site_of(place: str) -> Term:
    """Return the term of a part of the body; it means the place's name."""
    return _named(place)


def code_of(term: Term) -> str:
    """Return a term as `Finding.code` has it; "" of a private one."""
    value, scheme, _ = term
    return "" if scheme == terms.PRIVATE or not value else f"{scheme}:{value}"


def status_of(term: Term) -> Status | None:
    """Return the status that a concept's name says; None of one that is no finding's."""
    return next((s for s in get_args(Status) if STATUS[s][:2] == term[:2]), None)


def side_of(term: Term) -> Side | None:
    """Return the side of a laterality's code; None where it is none."""
    return next((s for s in get_args(Side) if SIDES[s][:2] == term[:2]), None)


def change_of(term: Term) -> Change | None:
    """Return the change that a code says; None where it is none."""
    return next((c for c in get_args(Change) if CHANGES[c][:2] == term[:2]), None)


def _named(name: str) -> Term:
    found = terms.terms_of(Label(0, name))
    if found.side is not None or found.organ is not None:  # which one code would not say
        return terms.private(name)
    return found.type[0], found.type[1], _meaning(name)


def _meaning(name: str) -> str:
    return name.replace("\\", "/")[:64] or "unnamed"
