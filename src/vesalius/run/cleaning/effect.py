"""The effect of a cleaning: names and cases for two models, trained before and after, on the same test cases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from vesalius.cohorts import Change
from vesalius.core.cohort import Cohort

FOLDER, BEFORE = "effect", "before"


def place(folder: Path) -> Path:
    """Return where the models and their comparison lie."""
    return folder / FOLDER


def name_after(changes: Sequence[Change]) -> str:
    """Return what the model that is trained with these changes is called: other changes have another name."""
    told = json.dumps([{**asdict(c), "reason": ""} for c in changes], sort_keys=True)
    return f"after-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def in_both(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes without which no model could be trained: of leaks into the test, and of unusable cases."""
    return tuple(c for c in changes if c.reason.startswith(("leak:", "cannot be used:")))


def tested(cohort: Cohort, held: Sequence[str]) -> Cohort:
    """Return the cases that are tested on, as a cohort that declares them so."""
    wanted = set(held)
    cases = tuple(replace(c, split="test") for c in cohort.cases if c.id in wanted)
    return replace(cohort, cases=cases, hash="", digests={})
