"""The page of a cleaning: what is changed, why, with pictures, the surest first; and what it costs or brings."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from vesalius.core import page as pages
from vesalius.core.cohort import Cohort
from vesalius.core.disk import write_text
from vesalius.core.words import counted
from vesalius.run.cleaning.pictures import Pictured, pictured
from vesalius.run.cleaning.proposals import Proposal
from vesalius.run.cleaning.result import WORDS, Cleaning

PAGE = "clean.html"
TEMPLATE = Path(__file__).parent / "clean.html.j2"
SHOWN = 60  # proposals of one kind that are written out
WITH_PICTURES = 24  # of these
PATIENCE_S = 60.0  # after which no further picture is begun


def write(cleaning: Cleaning, whole: Cohort) -> None:
    """Write the page into the folder of a cleaning; `whole` is the cohort before it. Raises OutputError."""
    write_text(cleaning.path / PAGE, render(cleaning, whole))


def render(cleaning: Cleaning, whole: Cohort) -> str:
    """Return the page as text. Nothing in it is loaded from elsewhere."""
    began = time.monotonic()
    groups = []
    for kind, listed in cleaning.by_kind.items():
        rows: list[tuple[Proposal, Sequence[Pictured]]] = []
        for k, one in enumerate(listed[:SHOWN]):
            late = k >= WITH_PICTURES or time.monotonic() - began > PATIENCE_S
            rows.append((one, () if late else pictured(one, whole)))
        groups.append((kind, len(listed), sum(p.accept for p in listed), rows))
    return pages.render(
        TEMPLATE,
        name=whole.root.resolve().name,
        folder=shlex.quote(cleaning.path.name),
        cleaning=cleaning,
        tiles=[
            (cleaning.cases, "case" if cleaning.cases == 1 else "cases"),
            *((n, WORDS[action]) for action, n in cleaning.counts.items()),
            (len(cleaning.cohort.cases), "kept"),
            (sum(not p.accept for p in cleaning.proposals), "proposals not accepted"),
        ],
        groups=groups,
        shown=SHOWN,
        words={"drop": "drop", "merge": "merge", "relabel": "relabel"},
        proposals=counted(len(cleaning.proposals), "proposal"),
    )
