"""The scorecard that lies in a bundle, and whether it is of this very model."""

from __future__ import annotations

from vesalius.core.bundle import SCORED, Bundle, hash_when_scored
from vesalius.core.errors import VesaliusError
from vesalius.core.scorecard import Scorecard, load_scorecard


def scorecard_within(bundle: Bundle) -> Scorecard | None:
    """Return the scorecard that lies in a bundle, of whichever model it is; None where there is none."""
    try:
        return load_scorecard(bundle.path / SCORED[0])
    except VesaliusError:
        return None


def own_scorecard(bundle: Bundle) -> Scorecard | None:
    """Return the scorecard in a bundle; None where there is none, or where it was measured on another model."""
    card = scorecard_within(bundle)
    return card if card is not None and is_of(card, bundle) else None


def is_of(card: Scorecard, bundle: Bundle) -> bool:
    """Return whether a scorecard was measured on this bundle, as it is or as it was before the card was added."""
    return card.bundle in (bundle.hash, hash_when_scored(bundle))
