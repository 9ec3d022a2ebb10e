"""Content: what one report is made from, as data: what is in the image, what went, and what could be denied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vesalius.core.finding import Finding, Side

Sort = Literal["chest", "ct", "breast"]


@dataclass(frozen=True, kw_only=True)
class Content:
    """What one report is made from. `sort` says which words there are for it.

    `findings` are in the image, in the order in which they matter; `degrees` how marked each is, 1 to 3, and 1 is
    subtle. `gone` were in the earlier study and are in this one no more. All other names of the sort are absent.
    `about` are the indication, the technique and the comparison, as far as there is one; `earlier` whether a study of
    before lies beside it. `extents` are words about how large a finding is, by its place among them, where there is no
    spacing to measure it in millimetres.
    """

    sort: Sort
    findings: tuple[Finding, ...]
    degrees: tuple[int, ...]
    gone: tuple[Finding, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    earlier: bool = False
    extents: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Written:
    """A report: its `text` with headings, the same in `sections`, and what it says.

    `said` is each thing that it says, as often as it says it, with the place of its sentence among all of them.
    `sentence_of` is the place of the first sentence that says each of the content's findings; one is missing that no
    sentence says. `planted` are the places in the content's findings of those whose side the writer exchanged.
    """

    style: int
    text: str
    sections: Mapping[str, str]
    said: tuple[Finding, ...]
    sentence_of: Mapping[int, int]
    planted: tuple[int, ...] = ()


OTHER: Mapping[Side, Side] = {"left": "right", "right": "left"}


def ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings in an order that tells nothing but what they are: by name, place and side."""
    return tuple(sorted(findings, key=lambda f: (f.name, f.place, f.side or "")))
