"""The scorecard that lies in a bundle, and whether it is of this very model."""

from __future__ import annotations

import hashlib

from vesalius.core.bundle import Bundle
from vesalius.core.errors import VesaliusError
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.core.sealed import MANIFEST

ADDED = ("scorecard.json", "card.md")  # what is sealed into a bundle once it has been scored


def scorecard_within(bundle: Bundle) -> Scorecard | None:
    """Return the scorecard that lies in a bundle, of whichever model it is; None where there is none."""
    try:
        return load_scorecard(bundle.path / ADDED[0])
    except VesaliusError:
        return None


def own_scorecard(bundle: Bundle) -> Scorecard | None:
    """Return the scorecard in a bundle; None where there is none, or where it was measured on another model."""
    card = scorecard_within(bundle)
    return card if card is not None and is_of(card, bundle) else None


def is_of(card: Scorecard, bundle: Bundle) -> bool:
    """Return whether a scorecard was measured on this bundle, as it is or as it was before the card was added."""
    return card.bundle in (bundle.hash, _hash_before(bundle))


def _hash_before(bundle: Bundle) -> str:
    """Return the hash that a bundle had when it was scored: that of its manifest without what scoring added."""
    lines = (bundle.path / MANIFEST).read_text(encoding="utf-8").splitlines(keepends=True)
    kept = "".join(line for line in lines if line[66:].rstrip("\n") not in ADDED)
    return hashlib.sha256(kept.encode()).hexdigest()
