"""The folder of a cleaning: its proposals followed as they stand, and the tables, the state and the page written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.cohorts import Source, cell_of
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.run.cleaning import page, proposals
from vesalius.run.cleaning.proposals import Proposal, changes_of
from vesalius.run.cleaning.result import Cleaning, load_state, save_state


def asked_before(folder: Path, data: str) -> Mapping[str, Any]:
    """Return what a cleaning was asked for that is to go on. Raises DataError where it was one of other data."""
    asked: Mapping[str, Any] = load_state(folder)["asked"]
    if asked.get("data", data) != data:
        raise DataError(
            f"{folder} is a cleaning of other data",
            found=data,
            hint=f"vesalius clean {asked['data']} -o {folder} --resume",
        )
    return asked


def again(folder: Path, *, undo: bool) -> Cleaning:
    """Follow the proposals as a person left them; to undo, accept none."""
    state = load_state(folder)
    source, _ = cohorts.load_source(folder)
    cohort = read(source.data, state["asked"])
    edited = proposals.load(folder)
    if undo:
        edited = tuple(replace(one, accept=False) for one in edited)
    return written(folder, source, cohort, edited, state["notes"], state["asked"])


def written(
    folder: Path,
    source: Source,
    cohort: Cohort,
    made: Sequence[Proposal],
    notes: Sequence[str],
    asked: Mapping[str, Any],
) -> Cleaning:
    """Write the tables, the state and the page; nothing of it where a proposal cannot be followed."""
    changes = changes_of(made)
    _assert_filled(made, cohort)
    cleaned = cohorts.save_cleaned(folder, source, cohort, changes)
    proposals.save(made, folder)
    save_state(folder, {"asked": asked, "notes": list(notes)})
    done = Cleaning(folder, tuple(made), changes, cleaned, len(cohort.cases), tuple(notes))
    page.write(done, cohort)
    return done


def _assert_filled(made: Sequence[Proposal], cohort: Cohort) -> None:
    """Raise DataError for a case that is to be relabelled although no other label than its own is named."""
    for one in made:
        if one.accept and one.action == "relabel" and one.target in cohort.targets:
            now = cell_of(cohort.targets[one.target], cohort.case(one.case).targets.get(one.target))
            if one.becomes in ("", now):
                raise DataError(
                    f"case '{one.case}' is to be relabelled, and `becomes` names no other label",
                    found=f"'{one.becomes}'",
                    hint="a label, another action, or 'no' under accept",
                )


def read(data: Path, asked: Mapping[str, Any]) -> Cohort:
    """Return the data of a cleaning as they are read, faulty cases included. Raises what reading raises."""
    return cohorts.read_unscreened(data, **told(asked))


def told(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person said of the data, as reading takes it."""
    return {name: asked[name] for name in ("layout", "target", "columns", "split", "labels")}
