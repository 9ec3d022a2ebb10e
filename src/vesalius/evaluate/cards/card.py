"""Card: the whole of what people who decide about a model are told, as Markdown, as a page and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core import page
from vesalius.core.numbers import finite
from vesalius.core.scorecard import Banner
from vesalius.evaluate.cards import change_plan, model_card
from vesalius.evaluate.cards.entries import Section, plain
from vesalius.evaluate.cards.filled import FilledChecklist, filled_in
from vesalius.evaluate.cards.known import Known

TEMPLATES = Path(__file__).parent.parent / "templates"
SAYS_CHECKLISTS = (
    "Filled in only from what is known; the numbers are those of the papers, the wording is not."
)


@dataclass(frozen=True, eq=False)
class ModelCard:
    """What is told of a model: the sections of its card, the three parts of its change-control plan, its checklists.

    `banners` must be read before any figure.
    """

    title: str
    sections: tuple[Section, ...]
    changes: tuple[Section, ...]
    checklists: tuple[FilledChecklist, ...]
    banners: tuple[Banner, ...] = ()

    @property
    def use(self) -> Section:
        """The section on intended use."""
        return next(s for s in self.sections if s.key == "use")

    @property
    def open(self) -> int:
        """How many entries of the card and of the change-control plan are open."""
        return sum(s.open for s in (*self.sections, *self.changes))

    def markdown(self) -> str:
        """Return the model card and the change-control plan as Markdown."""
        return _markdown("card.md.j2", card=self, draft=change_plan.DRAFT)

    def checklists_markdown(self) -> str:
        """Return the checklists as Markdown."""
        return _markdown("checklists.md.j2", card=self, says=SAYS_CHECKLISTS)

    def html(self) -> str:
        """Return card, checklists and change-control plan as one page that fetches nothing."""
        return page.render(
            TEMPLATES / "card.html.j2", card=self, draft=change_plan.DRAFT, says=SAYS_CHECKLISTS
        )

    def plain(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return {
            "title": self.title,
            "card": {s.key: plain(s) for s in self.sections},
            "change_control": {s.key: plain(s) for s in self.changes},
            "checklists": {c.name: c.plain() for c in self.checklists},
        }

    def json(self) -> str:
        """Return all of it as JSON text."""
        return json.dumps(finite(self.plain()), indent=1, allow_nan=False) + "\n"


def card_of(known: Known) -> ModelCard:
    """Return the card of what is known of a model."""
    return ModelCard(
        title=known.title,
        sections=model_card.sections(known),
        changes=change_plan.sections(known),
        checklists=filled_in(known),
        banners=known.scorecard.banners if known.scorecard is not None else (),
    )


def cell(text: object) -> str:
    """Return text that stays in its table cell and is not read as HTML."""
    escaped = str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(escaped.split())


def _markdown(template: str, **shown: Any) -> str:
    from jinja2 import Environment, PackageLoader

    shelf = Environment(
        loader=PackageLoader("vesalius.evaluate", "templates"),
        autoescape=False,  # Markdown: `cell` escapes what would break a table or be read as HTML
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shelf.filters["cell"] = cell
    return shelf.get_template(template).render(shown)
