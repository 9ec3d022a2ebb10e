"""Calibrating: what a bundle says of each case of a cohort, kept on disk as it comes; and the stage that follows."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vesalius.answers import contract
from vesalius.core.bundle import Bundle, Stage
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.doubt import Doubt
from vesalius.core.errors import CodeError, DataError, MismatchError, VesaliusError
from vesalius.core.groups import grouping
from vesalius.core.image import Array
from vesalius.core.plan import override
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.evaluate import calibrations
from vesalius.evaluate.calibrations.contract import Collected
from vesalius.evaluate.promising import Asked, Basis, Judged, judge, judged_raw, promised, withholding
from vesalius.infer import runs
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import with_reference
from vesalius.run.ledger import Sheet
from vesalius.run.wanted import reason_of
from vesalius.tasks import contract as tasks

NAME = "calibrate"


@dataclass(frozen=True, eq=False)
class Said:
    """What is kept of each case, by its id: raw outputs where these are small, else how strange the truth was.

    Where they are asked for, `strange` is how strange the case is to the alarm, and `doubts` are those of raw outputs.
    """

    raw: Mapping[str, Array]
    judged: Mapping[str, Judged]
    strange: Mapping[str, float] = field(default_factory=dict)
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    set_aside: tuple[SetAside, ...] = ()

    def __len__(self) -> int:
        return len(self.raw) + len(self.judged)


def collect(
    sheet: Sheet,
    predictor: Predictor,
    cases: Sequence[Case],
    *,
    target: str,
    way: str,
    alarm: bool = False,
    progress: Progress,
) -> Said:
    """Answer every case that has no row yet, each once; a faulty one is set aside by name and stops no other.

    Of answers about whole images the raw outputs are kept; of those tile by tile only how strange the truth is, so that
    the pixels of one case are in memory. With `alarm` it is kept, too, how strange each case is to the bundle's alarm.
    Raises MismatchError where no case is of the kind that was learned from.
    """
    done = set(sheet.answers.cases())
    left = [case for case in cases if case.id not in done]
    failed: list[SetAside] = []
    refused: MismatchError | None = None
    progress.start(NAME, len(left))
    try:
        for case in left:
            try:
                record = _record(predictor, with_reference(case), target, way)
                if alarm and predictor.alarm is not None:
                    record["alarm"] = float(predictor.alarm.score(predictor.watched([case]))[0])
                sheet.answers.add({"case": case.id, "record": json.dumps(record, allow_nan=False)})
            except CodeError:
                raise
            except DataError as error:
                refused = error if isinstance(error, MismatchError) else refused
                failed.append(SetAside(case.id, reason_of(error, case.id)))
                progress.note(f"not used: {case.id}: {failed[-1].reason}")
            progress.advance(NAME)
    finally:
        progress.finish(NAME)
    if refused is not None and not sheet.answers.cases():
        raise refused
    return replace(read(sheet), set_aside=tuple(failed))


def assert_refits(predictor: Predictor, looks_at: Collection[str]) -> None:
    """Raise DataError for what cannot be fitted anew of a bundle, before any case is answered."""
    task = predictor.stages[-1].task
    if "raw" in looks_at and not runs.get(task.run).held_out:
        raise DataError(
            "only answers about whole images are fitted anew: raw answers tile by tile are not kept",
            found=task.name,
            hint="--refit alarm alone, or none",
        )
    if "strange" in looks_at and predictor.stages[-1].alarm is None:
        raise DataError(
            "the bundle's last stage has no alarm to set anew", hint="a bundle with infer.novelty in its plan"
        )


def read(sheet: Sheet) -> Said:
    """Return what lies in a folder of a calibration."""
    raw: dict[str, Array] = {}
    judged: dict[str, Judged] = {}
    odd: dict[str, float] = {}
    doubts: dict[str, Doubt] = {}
    for case, record in sheet.answers.texts("record"):
        data = json.loads(record)
        if "alarm" in data:
            odd[case] = float(data["alarm"])
        if "doubt" in data:
            doubts[case] = Doubt(**data["doubt"])
        if "raw" in data:
            raw[case] = np.array(data["raw"], dtype=data["type"])
            continue
        strange = {name: _unpacked(value) for name, value in data["strange"].items()}
        judged[case] = Judged(strange, data["sure"], data["wrong"])
    return Said(raw, judged, odd, doubts)


def fitted(
    bundle: Bundle,
    cohort: Cohort,
    said: Said,
    *,
    target: str,
    asked: Asked,
    refit: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    doubt: tuple[str, int | None] | None = None,
) -> Stage:
    """Return the bundle's last stage with what was fitted on a cohort.

    `settings` are options of its task that hold for what is fitted anew. `doubt` is the way of doubting, and how many
    samples, that what is promised stands on.

    What is named in `refit` is fitted first; promises and the rule that withholds answers then follow from the answers
    with those numbers. Raises DataError where too little is known for what is asked.
    """
    stage = bundle.stages[-1]
    if settings:
        stage = replace(stage, plan=override(stage.plan, settings))
    if not len(said):
        raise DataError("no case could be used to calibrate on")
    ids = list(said.raw) or list(said.judged)
    cases = [cohort.case(i) for i in ids]
    stage = _refitted(stage, said, cases, refit)
    judged = [said.judged[i] for i in ids] if said.judged else []
    about: dict[str, Any] = {}
    if said.raw:
        judged, about = _rejudged(stage, said, cases, target=target, way=asked.way)
    by = None if asked.by is None else grouping(cases, asked.by)
    patients = len({c.patient for c in cases}) if cohort.patients_known else None
    more: dict[str, Any] = {"refit": list(refit)}
    if doubt is not None:
        more["doubt"] = list(doubt)
    basis = Basis(cohort.hash, patients, more=more)
    stage = promised(stage, judged, cases, asked=asked, basis=basis, grouping=by, about=about)
    return stage if asked.withhold is None else withholding(stage, judged, asked.withhold)


def _record(predictor: Predictor, case: Case, target: str, way: str) -> dict[str, Any]:
    """Return what is kept of one case, as JSON holds it."""
    loaded = predictor.stages[-1]
    if runs.get(loaded.task.run).held_out:
        raw = np.asarray(predictor.raw(case))
        if not np.isfinite(raw).all():
            raise DataError(f"case {case.id}: the model's output is not a number")
        record: dict[str, Any] = {"type": str(raw.dtype), "raw": raw.tolist()}
        if predictor.doubts is not None and (doubt := predictor(case).doubt) is not None:
            record["doubt"] = doubt.summary()
        return record
    answer = predictor(case)
    handling = contract.of(answer)
    one = judge(answer, handling.truth(case.targets[target], case), way)
    strange = {name: _packed(value) for name, value in one.strange.items()}
    return {"strange": strange, "sure": one.sure, "wrong": one.wrong}


def _packed(value: float | Array) -> float | str:
    """Return a number as it is, and a curve as text: most of its values are alike."""
    if not isinstance(value, np.ndarray):
        return float(value)
    return base64.b64encode(zlib.compress(value.astype("<f8").tobytes())).decode("ascii")


def _unpacked(value: float | str) -> float | Array:
    if not isinstance(value, str):
        return float(value)
    return np.frombuffer(zlib.decompress(base64.b64decode(value)), dtype="<f8")


def _refitted(stage: Stage, said: Said, cases: Sequence[Case], refit: Sequence[str]) -> Stage:
    chosen = calibrations.in_order(tuple(refit))
    if not chosen:
        return stage
    task = tasks.get(stage.plan.task.name)
    if not said.raw and any(one.looks_at == "raw" for one in chosen):
        raise DataError(
            "only answers about whole images are fitted anew: raw answers tile by tile are not kept",
            found=task.name,
            hint="--refit alarm alone, or none",
        )
    truths = [task.truth(case, stage.state) for case in cases]
    raw = [said.raw[c.id] for c in cases] if said.raw else []
    collected = Collected(cases, raw, truths, [said.strange[c.id] for c in cases if c.id in said.strange])
    for one in chosen:
        stage = one.fit(stage, task, collected)
    return stage


def _rejudged(
    stage: Stage, said: Said, cases: Sequence[Case], *, target: str, way: str
) -> tuple[list[Judged], dict[str, Any]]:
    """Return what `judged_raw` does. Raises DataError, which counts the cases, where nothing can be promised."""
    try:
        return judged_raw(stage, said.raw, cases, target=target, way=way, doubts=said.doubts)
    except VesaliusError as error:
        many = counted(len(cases), "case")
        raise DataError(
            f"nothing can be promised of {many}: {error.what}", found=error.found, hint=error.hint
        ) from error
