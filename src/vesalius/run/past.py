"""What weights learned from, as far as it can be known where they lie: their run's record, or an older run's folds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vesalius import cohorts
from vesalius.cohorts import Overlap
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.cohort import Assignment, Cohort
from vesalius.core.disk import write_text
from vesalius.core.errors import LeakError, VesaliusError
from vesalius.reliability.marks import Marks
from vesalius.reliability.trained_on import FILE, TrainedOn, learned, load_trained_on, overlap

ORIGIN = ".predicted_by"  # beside predictions of ours


@dataclass(frozen=True)
class Past:
    """What is known of the past of some weights, which `of` names ("bundle 0123…").

    `record` is what their run keeps in its folder. `folds` are those of a run of before there were records: they tell
    cases by their ids, and so only those of the very same data. `data_hash` is empty for weights without a bundle.
    """

    of: str
    data_hash: str = ""
    record: TrainedOn | None = None
    folds: Assignment | None = None
    began: str | None = None  # the weights that these began from

    def known(self, cohort: Cohort, marks: Marks) -> TrainedOn | None:
        """Return the record, or one made of an older run's folds where `cohort` is the very same data.

        None without either.
        """
        if self.record is None and self.folds is not None and self.same(cohort):
            unknown = (self.began,) if self.began else ()
            return TrainedOn(self.data_hash, (learned(marks, self.folds),), unknown)
        return self.record

    def overlap(self, cohort: Cohort, marks: Marks) -> Overlap | None:
        """Return which cases of `cohort` the weights learned from; None where that cannot be known."""
        known = self.known(cohort, marks)
        return None if known is None else overlap(known, marks, of=self.of)

    def inherited(self, cohort: Cohort, marks: Marks, *, declared: bool) -> Overlap | None:
        """Return the overlap that a run which begins from these weights must heed; None where it cannot be known.

        Raises LeakError where these are the very data that the weights were trained on, which of them is not known,
        and no split is `declared`: any that is made now would test on what was learned.
        """
        found = self.overlap(cohort, marks)
        if found is None and self.same(cohort) and not declared:
            raise LeakError(
                f"{self.of}, which --init names, was trained on these very data, and on which cases is not known",
                found="the same data hash, and no record of its run",
                hint="--init with the folder of its run, or --split with a test set that was kept from its training",
            )
        return found

    def same(self, cohort: Cohort) -> bool:
        """Return whether the weights were trained on this very data, by its hash."""
        return bool(self.data_hash) and self.data_hash == cohort.hash

    def unchecked(self, cohort: Cohort, marks: Marks) -> str:
        """Return a sentence that says what of an overlap could not be checked; empty where all could."""
        known = self.known(cohort, marks)
        if known is not None and not known.unknown:
            return ""
        if known is not None:
            return (
                f"whether these data overlap with what {' and '.join(known.unknown)} learned from could not be "
                f"checked, and {self.of} began from there"
            )
        where = "only a run's folder knows" if self.data_hash else "the file does not say"
        text = f"whether these data overlap with what {self.of} learned from could not be checked: {where}"
        return f"{text}; it was trained on these very data, by their hash" if self.same(cohort) else text


def past_of_bundle(bundle: Bundle) -> Past:
    """Return the past of a bundle: what the run's folder that it lies in tells, if it is in one and is that run's own.

    Raises DataError for a damaged record.
    """
    path = bundle.path.resolve()
    if path.name != "bundle":  # it lies in no run's folder, or in that of another run
        return Past(f"bundle {bundle.hash[:16]}", bundle.data_hash)
    run = path.parent
    of, began = f"bundle {bundle.hash[:16]}", bundle.stages[-1].plan.net.init
    record = load_trained_on(run / FILE) if (run / FILE).is_file() else None
    if record is not None and record.data_hash != bundle.data_hash:
        record = None  # of another run, whose bundle this one replaced
    folds = None
    if record is None and (run / "folds.json").is_file() and _data_hash(run) == bundle.data_hash:
        folds = cohorts.load_assignment(run / "folds.json")
    return Past(of, bundle.data_hash, record, folds, began)


def keep_origin(folder: Path, bundle: Bundle, *, runtime: str = "torch") -> None:
    """Write down, beside predictions, which bundle made them, where it lay, and what computed. Raises OutputError."""
    known = {"bundle": bundle.hash, "data_hash": bundle.data_hash, "path": str(bundle.path.resolve())}
    known["runtime"] = runtime
    write_text(folder / ORIGIN, json.dumps(known, indent=1) + "\n")


def past_of_predictions(path: Path) -> Past | None:
    """Return the past of the bundle that made a folder of predictions, or the table in one; None for another tool's.

    Where the bundle is gone, or is another one now, only its own data are known again, by their hash.
    """
    if path.is_file() and path.name != "answers.csv":
        return None
    folder = path if path.is_dir() else path.parent
    try:
        known = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
        place, made_by, data_hash = Path(known["path"]), str(known["bundle"]), str(known["data_hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        bundle = open_bundle(place)
    except VesaliusError:
        return Past(f"bundle {made_by[:16]}", data_hash)
    return past_of_bundle(bundle) if bundle.hash == made_by else Past(f"bundle {made_by[:16]}", data_hash)


def _data_hash(run: Path) -> str:
    """Return the hash of the data of a run, from its run.json; empty where that cannot be read."""
    try:
        return str(json.loads((run / "run.json").read_text(encoding="utf-8"))["data_hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
