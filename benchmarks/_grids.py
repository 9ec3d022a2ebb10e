"""Transfer tables as benchmarks: a grid that is kept and goes on where it was, and its lines as figures."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import vesalius as vs
from benchmarks import _fits, _record
from benchmarks._figures import Figure
from vesalius.core.cohort import Cohort
from vesalius.evaluate.transfer import JSON, Line, Transfer

ARMS = ("nothing", "weights", "self", "both")
# Steps are fixed, and not the time, so that a busy machine changes nothing: what some 60 s and 5 min suffice for.
FIT: dict[str, Any] = {"train.steps": 150, "train.members": 1}
BEFORE: dict[str, Any] = {"train.steps": 300, "train.batch": 64}
TINY: dict[str, Any] = {  # of a quick try: steps are fixed and few
    "net.name": "cnn",
    "net.scale": 0.125,
    "train.members": 1,
    "train.steps": 2,
    "train.batch": 4,
    "train.validations": 1,
    "data.size": [1, 32, 32],
    "infer.novelty": "none",
}
TINY_BEFORE: dict[str, Any] = {"train.steps": 2, "train.batch": 8, "train.validations": 1}


def measured(
    name: str,
    data: Path | Cohort,
    folder: Path,
    *,
    seeds: Sequence[int],
    quick: bool,
    shares: Sequence[float] | None = None,
    counts: Sequence[int] | None = None,
    shift: Mapping[str, str] | None = None,
) -> Transfer:
    """The table of a grid under `runs/benchmarks/NAME`, which goes on where it was; of a quick one in `folder`.

    What is scored on a test split goes into the append-only table when the grid is done for the first time.
    """
    if quick:
        return vs.transfer(
            data, folder / name, shares=shares, counts=counts, seeds=seeds, arms=("nothing", "self"), init="none",
            time_limit=None, pretrain_limit=None, settings=TINY, pretrain_settings=TINY_BEFORE, shift=shift,
            resamples=50, progress=False,
        )  # fmt: skip
    out = _record.ROOT / "runs" / "benchmarks" / name
    before = (out / JSON).is_file()
    at = _record.commit()
    found = vs.transfer(
        data, out, shares=shares, counts=counts, seeds=seeds, arms=ARMS, time_limit=None, pretrain_limit=None,
        settings=FIT, pretrain_settings=BEFORE, shift=shift, progress=True,
    )  # fmt: skip
    if not before:
        _written_down(found, name, seeds, at=at)
    return found


def _written_down(found: Transfer, name: str, seeds: Sequence[int], *, at: str) -> None:
    """Append the grid's figures to the table of runs that scored a test split."""
    cells = "; ".join(f"{x.labels}, {x.words}, {x.test}: {_value(x)}" for x in found.lines)
    note = f"{found.called}; " + ", ".join(f"{t.name} {t.n_cases} cases" for t in found.tests)
    day = f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}"
    said = ",".join(map(str, seeds))
    _record.append_test_run(
        (day, at, f"`vesalius transfer` by `benchmarks {name}`", said, found.data, cells, note)
    )


def figures(found: Transfer, what: str) -> list[Figure]:
    """A figure a line: the mean over the seeds with its interval; how it stands to from-nothing in the note."""
    rows = []
    for line in found.lines:
        at = f"{what}, {line.test}" if len(found.tests) > 1 else what
        labels = f"{line.labels}" + (f" (n {line.n_labels:.0f})" if line.n_labels is not None else "")
        took = f"{line.seconds:.0f} s" if line.seconds is not None else "not done"
        took += f", {line.steps:.0f} steps" if line.steps is not None else ""
        took += f", pre-training {line.before_s:.0f} s" if line.before_s else ""
        rows.append(
            Figure(
                f"{at}: {found.called}, {labels}, {line.words}",
                _value(line),
                seed=",".join(map(str, line.seeds)),
                note=f"{line.sentence}; {took}",
            )
        )
    for test in found.tests:
        if test.trivial is not None:
            note = f"{test.trivial_is}; {test.n_cases} test cases"
            rows.append(
                Figure(
                    f"{what}, {test.name}: {found.called}, trivial answer", f"{test.trivial:.4f}", note=note
                )
            )
    rows += [Figure(f"{what}: in words", text) for text in found.verdicts]
    rows += [Figure(f"{what}: note", text) for text in found.notes]
    return rows


def _value(line: Line) -> str:
    figure = line.figure
    if figure.value is None:
        return f"none ({line.reason})"
    if figure.low is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]"


def kept_phantom(folder: Path, name: str, *, quick: bool, cases: int, options: Mapping[str, Any]) -> Path:
    """A cohort of the PET phantom; a full one is kept under `runs/benchmarks`, so that a grid on it goes on."""
    out = folder / name if quick else _record.ROOT / "runs" / "benchmarks" / name
    if not (out / "truth.json").is_file():
        vs.phantom(out, kind="pet", cases=cases, seed=0, options=options)
    return out


def shared(name: str) -> Path:
    """A data set beside the project. Raises Absent."""
    return _fits.shared(name)
