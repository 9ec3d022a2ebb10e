"""Rules that a design keeps, a kind: one file one rule, which mends a part where it can and measures the made one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.core.errors import UnknownName
from vesalius.core.options import options_of
from vesalius.core.registry import held, literals, names, stem_of
from vesalius.shapes.rules.contract import Finding, Rule

__all__ = ["Finding", "Rule", "get", "ordered", "values_of"]

KIND = "shapes.rules"


def get(name: str) -> Rule:
    """Return the rule of that registered name. Raises UnknownName."""
    rule: Rule = held(KIND, name, "RULE")
    return rule


def ordered() -> tuple[str, ...]:
    """Return all rules' names in the order in which they mend: by the `ORDER` in each file, then by name."""
    return tuple(sorted(names(KIND), key=lambda n: (literals(KIND, stem_of(KIND, n)).get("ORDER", 100), n)))


def values_of(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each rule's values by its name: those given as `rule.value` over the defaults.

    `clearance=0.5` alone sets a rule's first value. Raises UnknownName, and PlanError for a value that cannot be.
    """
    known, found = ordered(), {}
    for path in given:
        if path.partition(".")[0] not in known:
            raise UnknownName("design rule", path.partition(".")[0], known)
    for name in known:
        defaults = literals(KIND, stem_of(KIND, name)).get("OPTIONS", {})
        first = next(iter(defaults), "")
        own = {
            (path.partition(".")[2] or first): value
            for path, value in given.items()
            if path.partition(".")[0] == name
        }
        found[name] = options_of(KIND, name, own, where=name)
    return found
