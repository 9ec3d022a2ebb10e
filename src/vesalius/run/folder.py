"""A run's folder: made, filled with what the run was told and stands on, and kept to one process while it trains."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vesalius import cohorts
from vesalius.core.disk import held, new_folder, write_text
from vesalius.core.errors import Interrupted, VesaliusError
from vesalius.core.plan import save_plan
from vesalius.reliability.trained_on import FILE, save_trained_on
from vesalius.run.begin import ABOUT, UNPLANNED, Begun
from vesalius.run.clock import on_the_clock
from vesalius.run.init import Start, record
from vesalius.run.limited import SHARE
from vesalius.run.planning import Planned
from vesalius.run.workspace import Workspace, plain


@contextmanager
def opened(begun: Begun) -> Iterator[Path]:
    """Give the run's folder, a new one where it has none.

    A new one is removed again where what is done inside this block fails: a plan that cannot be followed leaves
    nothing behind.
    """
    path = begun.path or new_folder(begun.asked.out, default=begun.asked.label)
    try:
        yield path
    except (VesaliusError, KeyboardInterrupt):
        if begun.path is None:
            path.rmdir()
        raise


def write_begun(begun: Begun, space: Workspace, planned: Planned, path: Path) -> None:
    """Write what a run is told and stands on before it has its plan, so that it can be resumed until then, too."""
    if begun.path is None:
        asked = begun.asked
        told = plain(
            {"settings": asked.settings, "preset": asked.preset, "task": asked.task, "target": asked.target}
        )
        _write_about(begun, space, planned, path, {UNPLANNED: told})
        if asked.about is not None:
            write_text(path / ABOUT, json.dumps(asked.about.plain(), indent=1) + "\n")


def _write_about(
    begun: Begun, space: Workspace, planned: Planned, path: Path, more: Mapping[str, object]
) -> None:
    """Write run.json and the folds."""
    after_s = round(planned.foreseen.after_s if planned.foreseen else 0.0, 1)
    index_s = round(planned.foreseen.index_s if planned.foreseen else 0.0, 1)
    said = {"after_s": after_s, "index_s": index_s, "data_hash": space.cohort.hash}
    write_text(path / "run.json", json.dumps({**_arguments(begun, space), **said, **more}, indent=1) + "\n")
    cohorts.save_assignment(space.assignment, path / "folds.json")


def write_down(begun: Begun, space: Workspace, planned: Planned, path: Path) -> None:
    """Write what the run was told, its folds, what it learns from and its plan, as far as they are not there yet."""
    if begun.path is None:
        _write_about(begun, space, planned, path, {})
    keep_record(space, path, begun.start)
    if begun.asked.about is not None:
        write_text(path / ABOUT, json.dumps(begun.asked.about.plain(), indent=1) + "\n")
    if not begun.follows:
        save_plan(planned.plan, path / "plan.json")
    begun.asked.progress.note(f"run: {path}")


def keep_record(space: Workspace, path: Path, start: Start | None) -> None:
    """Keep in a run's folder, and nowhere else, what it learns from; runs of before get it when they are resumed."""
    if not (path / FILE).is_file():
        save_trained_on(record(space, space.assignment, start), path / FILE)


def deadline(begun: Begun, planned: Planned) -> float | None:
    """Return the `time.monotonic()` at which training must end, so that all that follows is within the limit."""
    if begun.limit_s is None:
        return None
    told = float(begun.told.get("after_s", 0.0))
    after_s = planned.foreseen.after_s if planned.foreseen else told
    return begun.asked.began + begun.limit_s * SHARE - after_s


def index_until(begun: Begun, planned: Planned) -> float | None:
    """Return the `time.monotonic()` at which an index of the training cases must be there, or is given up."""
    end = deadline(begun, planned)
    told = float(begun.told.get("index_s", 0.0))
    return None if end is None else end + (planned.foreseen.index_s if planned.foreseen else told)


@contextmanager
def at_work(begun: Begun, space: Workspace, path: Path) -> Iterator[None]:
    """Keep the folder to this process and its clock running; Ctrl-C inside says how to go on. Raises Interrupted."""
    try:
        with held(path), on_the_clock(path, begun.own_limit_s, begun.asked.began):
            yield
    except (KeyboardInterrupt, Interrupted) as error:
        what = error.what if isinstance(error, Interrupted) else "interrupted; what was trained is saved"
        command = shlex.join(
            ["vesalius", begun.asked.verb, str(space.cohort.root), "-o", str(path), "--resume"]
        )
        raise Interrupted(what, hint=command) from error


def _arguments(begun: Begun, space: Workspace) -> dict[str, object]:
    """Return what has to be known again when the run is resumed, as JSON can hold it."""
    asked = begun.asked
    told: dict[str, object] = plain(
        {
            "data": space.cohort.root,
            "seed": begun.seed,
            "time_limit": asked.time_limit,
            "columns": asked.columns,
            "layout": asked.layout,
            "labels": asked.labels,
            "folds": asked.folds,
            "shots": asked.shots,
            "split": asked.split.resolve() if asked.split else None,
            "init": Path(asked.init).resolve() if asked.init and Path(asked.init).exists() else asked.init,
            "by": None if asked.by is None else list(asked.by),
            "smallest_group": asked.smallest_group,
            "max_set_aside": asked.max_set_aside,
            **(
                {"stages": {n: one.bundle.path.resolve() for n, one in begun.stages.items()}}
                if begun.stages
                else {}
            ),
        }
    )
    return told
