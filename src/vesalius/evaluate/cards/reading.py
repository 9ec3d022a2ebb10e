"""Reading what only a person knows of a model, from a file or a mapping; what is wrong with it is one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vesalius.core import settings_file
from vesalius.core.errors import UnknownName
from vesalius.evaluate import checklists
from vesalius.evaluate.cards.about import About, parse_about


def read_about(given: About | Mapping[str, Any] | Path | str) -> About:
    """Return what a file (YAML or JSON) or a mapping says. Raises PlanError, in one line, for what is not right."""
    if isinstance(given, About):
        found = given
    elif isinstance(given, Mapping):
        found = parse_about(given)
    else:
        found = settings_file.read(Path(given), About)
    _assert_items(found)
    return found


def _assert_items(found: About) -> None:
    """Raise UnknownName where an answer is given to an item that no checklist has."""
    given: Iterable[str] = (*found.items, *found.not_applicable)
    known = [f"{name} {item.number}" for name in checklists.names() for item in checklists.get(name).items]
    for name in given:
        if name not in known:
            raise UnknownName("item of a checklist", name, known)
