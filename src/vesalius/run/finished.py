"""Finished: what a run leaves behind, opened again in a later session; and the model of whatever holds one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vesalius.core.bundle import BUNDLE, Bundle, open_bundle
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, closest_path
from vesalius.core.plan import Plan, load_plan
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.core.shown import Shown, cut
from vesalius.core.words import counted
from vesalius.run import out_of_fold
from vesalius.run.out_of_fold import OutOfFold

TOLD, RAN_OUT = "run.json", "ran_out"


@dataclass(frozen=True, eq=False)
class Run(Shown):
    """What `fit` leaves behind in `path`: plan.json, folds.json, logs/, bundle/, scorecard.json, report.html; and
    trained_on.json, by which its training cases are known again, and which no bundle holds.

    `bundle` and `scorecard` are None after a dry run. `ran_out` says that the clock ended the training.
    """

    path: Path | None
    plan: Plan
    bundle: Bundle | None
    scorecard: Scorecard | None
    ran_out: bool = False

    def _words(self) -> Iterable[str]:
        yield "a dry run" if self.path is None else repr(cut(str(self.path)))
        plan = self.plan
        yield plan.task.name + (f" '{cut(plan.task.target, 30)}'" if plan.task.target else "")
        yield f"{plan.net.name}, {counted(plan.train.steps, 'step')}"
        yield from ("no scorecard",) if self.scorecard is None else self.scorecard._words()
        yield "the time ran out" if self.ran_out else ""

    def out_of_fold(self) -> OutOfFold:
        """Return what each member said of the cases of its own fold, which it never saw: rows and a scorecard.

        It is in the run's folder for tasks about whole images, and for others where `folds` were asked for. Raises
        DataError where there is none.
        """
        if self.path is None:
            raise DataError("a dry run has no answers out of fold", hint="fit without dry_run")
        return out_of_fold.load(self.path)


def opened(path: Path | str) -> Run | Bundle:
    """Return the run that lies at a path, or that a scorecard there is of, or else the bundle.

    Raises DataError where nothing lies there, BundleError where it is neither, or the run is not finished.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(
            f"nothing at {path}", hint=closest_path(path, "a run, a bundle, or a run's scorecard")
        )
    folder = path.parent if path.is_file() and path.name in ("scorecard.json", TOLD, "report.html") else path
    if (folder / TOLD).is_file() and not (folder / BUNDLE.head).is_file():
        return run_at(folder)
    return open_bundle(folder)


def run_at(path: Path) -> Run:
    """Return the finished run of a folder, as `fit` returned it. Raises BundleError where it is not finished."""
    bundle = open_bundle(path)
    plan = load_plan(path / "plan.json")
    told = json.loads((path / TOLD).read_text(encoding="utf-8"))
    return Run(path, plan, bundle, load_scorecard(path / "scorecard.json"), bool(told.get(RAN_OUT)))


def keep_ran_out(path: Path) -> None:
    """Write into a run's folder that the clock ended its training."""
    told = json.loads((path / TOLD).read_text(encoding="utf-8"))
    write_text(path / TOLD, json.dumps({**told, RAN_OUT: True}, indent=1) + "\n")


def bundle_of(what: Run | Bundle | Path | str) -> Bundle:
    """Return the bundle of a run, or that lies at a path. Raises DataError for what has none, BundleError."""
    if isinstance(what, Run):
        if what.bundle is None:
            raise DataError("a dry run has no bundle", hint="fit without dry_run")
        return what.bundle
    if not isinstance(what, Bundle | Path | str):
        raise DataError(
            "this is no bundle", found=type(what).__name__, hint="a run, a bundle, or the path of one"
        )
    return what if isinstance(what, Bundle) else open_bundle(what)


def place_of(what: Run | Bundle | Path | str) -> str:
    """Return where a run's bundle or a bundle lies, and a path or a name as it is. Raises DataError for a dry run."""
    return str(what) if isinstance(what, str | Path) else str(bundle_of(what).path)
