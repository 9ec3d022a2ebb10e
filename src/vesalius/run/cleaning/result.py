"""What cleaning a cohort came to: the proposals, the cohort as it is with those that are accepted, and the effect."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.cohorts import Change
from vesalius.core.cohort import Cohort
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, FormatError, closest_path
from vesalius.core.shown import Shown, cut
from vesalius.core.words import counted, listed
from vesalius.run.cleaning.proposals import Proposal

STATE = "clean.json"
WORDS = {"drop": "dropped", "merge": "merged", "relabel": "relabelled"}


@dataclass(frozen=True, eq=False)
class Cleaning(Shown):
    """What should be changed of a cohort, and the cohort with what is accepted of that.

    `path` is its folder: `proposals.csv` to edit, `changes.csv` with what was before, `cohort.csv`, `clean.html`; the
    folder itself is read as a cohort. `cases` is how many the data have, `notes` must be read with the proposals.
    `effect` is the verdict of a model trained after cleaning against one trained before, and where it stands; empty
    where that was not asked for.
    """

    path: Path
    proposals: tuple[Proposal, ...]
    changes: tuple[Change, ...]
    cohort: Cohort
    cases: int
    notes: tuple[str, ...] = ()
    effect: str = ""

    def __len__(self) -> int:
        return len(self.proposals)

    def _words(self) -> Iterable[str]:
        yield repr(cut(self.path.name))
        yield counted(len(self.proposals), "proposal")
        yield self.verdict
        yield self.effect

    @property
    def counts(self) -> dict[str, int]:
        """Return how many cases are dropped, merged and relabelled."""
        found = Counter(change.action for change in self.changes)
        return {action: found[action] for action in WORDS}

    @property
    def by_kind(self) -> dict[str, list[Proposal]]:
        """Return the proposals by what was found, in their order."""
        found: dict[str, list[Proposal]] = {}
        for one in self.proposals:
            found.setdefault(one.kind, []).append(one)
        return found

    @property
    def verdict(self) -> str:
        """Return a sentence that says what is changed."""
        told = [f"{n} {WORDS[action]}" for action, n in self.counts.items() if n]
        open_ = sum(not p.accept for p in self.proposals)
        left = f"; {counted(open_, 'proposal')} not accepted" if open_ else ""
        return f"of {counted(self.cases, 'case')}, {listed(told) or 'none is changed'}{left}"

    def json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "cases": self.cases,
            "kept": len(self.cohort.cases),
            "counts": self.counts,
            "proposals": [{**p.row(), "accept": p.accept, "evidence": p.evidence} for p in self.proposals],
            "notes": list(self.notes),
            "effect": self.effect or None,
        }


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write what a folder was asked for and what must be read with its proposals."""
    write_text(folder / STATE, json.dumps(state, indent=1, ensure_ascii=False, default=str) + "\n")


def load_state(folder: Path) -> dict[str, Any]:
    """Return what a folder was asked for. Raises DataError where it is none of `vesalius clean`."""
    if not (folder / STATE).is_file():
        raise DataError(
            f"{folder} is no folder that `vesalius clean` wrote",
            hint=closest_path(folder, "vesalius clean DATA -o FOLDER"),
        )
    try:
        found: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return {"notes": [], "effect": "", **found}
    except ValueError as error:
        raise FormatError(f"{folder / STATE} is damaged", found=str(error)[:120]) from error
