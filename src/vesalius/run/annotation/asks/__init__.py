"""The kinds of thing that annotators are asked for: one file is one kind, from what is sent to what is written out."""

from __future__ import annotations

from collections.abc import Mapping

from vesalius.core.errors import UnknownName
from vesalius.run.annotation.asks import boxes, classes, mask, one_class
from vesalius.run.annotation.asks.contract import AskKind

KINDS: Mapping[str, AskKind] = {
    kind.name: kind for kind in (one_class.KIND, classes.KIND, boxes.KIND, mask.KIND)
}


def kind_of(name: str) -> AskKind:
    """Return a kind by its name. Raises UnknownName."""
    if name not in KINDS:
        raise UnknownName("thing that is asked for", name, KINDS)
    return KINDS[name]
