"""A served model's card as a page, under a policy that keeps it from the service: it is read, and asks for nothing."""

from __future__ import annotations

from vesalius.core import page
from vesalius.core.bundle import Bundle
from vesalius.evaluate.cards.card import card_of
from vesalius.evaluate.cards.known import known_of

HEADERS = {
    "Content-Security-Policy": f"{page.policy()}; frame-ancestors 'none'; sandbox allow-scripts",
    "Cache-Control": "no-cache",
}


def page_of(bundle: Bundle, explainers: tuple[str, ...]) -> str:
    """Return the card of a bundle as one page."""
    return card_of(known_of(bundle, explainers=explainers)).html()
