"""Template: the plainest report of findings, a sentence each in fixed words; with the truth in it, it is an oracle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.finding import Finding
from vesalius.phantom.reports import phrases
from vesalius.phantom.reports.content import Content, Sort, ordered
from vesalius.phantom.reports.style import Style
from vesalius.phantom.reports.words import NORMAL, WORDS

_PLAIN = Style(
    name="template", form="terse", headings={"findings": "FINDINGS", "impression": "IMPRESSION"}, nouns=(0,),
    denies=(), denial="each", hedges=0.0,
)  # fmt: skip


def template(findings: Sequence[Finding], *, sort: Sort = "chest") -> dict[str, str]:
    """Return the sections `findings` and `impression` that say what findings say, and nothing else.

    Findings of status present, uncertain and absent have a sentence each; what is past has none. Names that the sort
    has no words for are left out.
    """
    known = [f for f in ordered(findings) if f.name in WORDS[sort]]
    there = tuple(f for f in known if f.status in ("present", "uncertain"))
    pen = phrases.Pen(
        Content(sort=sort, findings=there, degrees=(2,) * len(there)), _PLAIN, np.random.default_rng(0)
    )
    lines, short = [], []
    for one in there:
        said = phrases.doubted if one.status == "uncertain" else phrases.affirmed
        lines.append(said(pen, one, None)[0])
        brief = phrases.bare(pen, one, None, place=sort == "ct")
        short.append(phrases.capital(f"possible {brief}" if one.status == "uncertain" else brief) + ".")
    lines += [f"No {WORDS[sort][f.name].nouns[0]}." for f in known if f.status == "absent"]
    return {"findings": " ".join(lines), "impression": " ".join(short) or NORMAL[sort][0]}
