"""Weighed: how much each source of a case counted in the answer to it, and which sources were not given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vesalius.core.words import listed


@dataclass(frozen=True, eq=False, kw_only=True)
class Weighed:
    """What a model of several sources, such as CT, X-ray, visits and covariates, made of those of one case.

    `names` are all sources that the model knows, in its order, `lacking` those that the case did not have. `shares` is
    how much each of the others counted where the sources were joined, as the model's own attention has it, sums of one;
    empty where the model weighs nothing, as where its sources' vectors are put side by side. A share is no effect: what
    the answer would have been without a source is said by `explain` (method `sources`).
    """

    names: tuple[str, ...]
    shares: Mapping[str, float] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()

    def columns(self) -> dict[str, Any]:
        """Return the columns of a table of answers: each source's share, empty where it is not given, and which are."""
        shares = {f"share_{name}": self.shares.get(name, "") for name in self.names if self.shares}
        return {**shares, "not_given": "; ".join(self.lacking)}

    def summary(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        shares = {name: float(value) for name, value in self.shares.items()}
        return {"sources": list(self.names), "shares": shares, "not_given": list(self.lacking)}

    def said(self) -> dict[str, str]:
        """Return in words what each source counted, and what was not given, by what that is called."""
        parts = sorted(self.shares.items(), key=lambda one: -one[1])
        found = (
            {"sources": ", ".join(f"{name} {100 * share:.0f} %" for name, share in parts)} if parts else {}
        )
        return {**found, **({"not given": listed(self.lacking, 8)} if self.lacking else {})}
