"""The model card: what a bundle is for, what it learned from, how good it is, and where it ends (Mitchell 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vesalius.core.disk import write_text
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted
from vesalius.evaluate.report import by_label, facts, tile
from vesalius.evaluate.standing import BETTER, LEVEL, WORSE, standing
from vesalius.evaluate.subgroup_page import worst


@dataclass(frozen=True, eq=False)
class Card:
    """What the figures do not say. `about`, `data` and `training` are facts by name; no names of patients or files."""

    title: str
    intended: str
    about: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[str] = ()


ALWAYS = (
    "It is not a medical device: it has not been cleared for diagnosis or treatment, and must not be used for either.",
    "It was measured on the data named here; on other scanners, protocols or people it may be worse.",
)

LIMITS = {
    (WORSE,): "It is worse than the trivial answer in",
    (BETTER, LEVEL): "It does not clearly beat the trivial baseline in",
}


def write_card(card: Card, scorecard: Scorecard | None, *, path: Path) -> None:
    """Write `card.md`, whole or not at all. Raises OutputError."""
    write_text(path, render(card, scorecard))


def render(card: Card, scorecard: Scorecard | None) -> str:
    """Return the card as Markdown; without a scorecard it says that nothing was measured."""
    from jinja2 import Environment, PackageLoader

    shelf = Environment(
        loader=PackageLoader("vesalius.evaluate", "templates"),
        autoescape=False,  # Markdown: `cell` escapes what would break a table or be read as HTML
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shelf.filters["cell"] = cell
    return shelf.get_template("card.md.j2").render(
        card=card,
        scored=scorecard,
        table=[] if scorecard is None else [tile(scorecard, n) for n in scorecard.metrics if "/" not in n],
        by_label={} if scorecard is None else by_label(scorecard),
        facts=[] if scorecard is None else facts(scorecard),
        limits=[*card.limits, *_measured_limits(scorecard), *ALWAYS],
    )


def cell(text: object) -> str:
    """Return text that stays in its table cell and is not read as HTML."""
    escaped = str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(escaped.split())


def _measured_limits(scored: Scorecard | None) -> list[str]:
    if scored is None:
        return ["It has not been evaluated."]
    found = []
    if not scored.patients_known:
        found.append(
            "Patients were not known: if one has several cases, the intervals are too narrow and the splits may leak."
        )
    if scored.n_patients < 100:
        found.append(
            f"It was measured on {counted(scored.n_patients, 'patient')} only; see the width of the intervals."
        )
    found += [f"By group of patients: {text}" for text in worst(scored)]
    for kind, said in LIMITS.items():
        names = [
            str(tile(scored, name)["name"])
            for name in scored.metrics
            if "/" not in name and standing(scored, name) in kind
        ]
        if names:
            found.append(f"{said} {', '.join(names)}.")
    return found
