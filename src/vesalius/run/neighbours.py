"""Neighbours: an index of a run's training cases by their features, made at the end of `fit`, found beside a bundle."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import metrics
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.bundle import Bundle, Stage, open_bundle
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import TargetInfo
from vesalius.core.disk import held
from vesalius.core.errors import BundleError, PlanError
from vesalius.core.image import Array
from vesalius.core.index import Entry, Index
from vesalius.core.index_file import open_index, save_index
from vesalius.core.plan import load_plan
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.infer.features import compares, features
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Example
from vesalius.run.given import GivenStage, places_of
from vesalius.run.handing import Handing
from vesalius.run.members import member_of
from vesalius.run.ready import made_ready
from vesalius.run.stages import stages_of
from vesalius.run.workspace import Workspace
from vesalius.tasks import contract as tasks

FOLDER = "neighbours"
NEAREST = 5


def vectors_of(
    members: Members, examples: Mapping[str, Example], *, until: float | None, progress: Progress
) -> dict[str, Array]:
    """Return the features `(F,)` of prepared cases by case id, as the first member sees them.

    Empty, which is said, where the model has none, or where they are not all there at `until`, a `time.monotonic()`.
    """
    found: dict[str, Array] = {}
    progress.start("index", len(examples))
    try:
        for name, vector in zip(examples, features(members, list(examples.values())), strict=True):
            found[name] = vector
            progress.advance("index")
            if until is not None and time.monotonic() > until and len(found) < len(examples):
                progress.note("no index of the training cases: the time limit left no time for it")
                return {}
    except PlanError as error:  # no net on an image: nothing that could be compared
        progress.note(f"no index of the training cases: {error.what}")
        return {}
    except Exception as error:  # noqa: BLE001 - what is only shown beside answers must not cost a trained model
        progress.note(f"no index of the training cases: {type(error).__name__}: {error}")
        return {}
    finally:
        progress.finish("index")
    if any(v.ndim != 1 for v in found.values()) or len({v.shape for v in found.values()}) > 1:
        progress.note("no index of the training cases: their features differ in number")
        return {}
    return found


def write(space: Workspace, bundle: Bundle, vectors: Mapping[str, Array], path: Path) -> Index | None:
    """Write the index of the training cases into a run's folder, and return it; None without `vectors`."""
    cases = [c for c in space.training if c.id in vectors]
    if not cases:
        return None
    every = np.stack([vectors[c.id] for c in cases])
    unseen = set(space.assignment.folds[first_member(bundle.stages[-1])])
    marks = space.marks.pixels()
    entries = tuple(
        Entry(c.id, _target(space, c), _image(c), tuple(sorted(marks.get(c.id, ())))) for c in cases
    )
    centred = not compares(tasks.get(bundle.stages[-1].plan.task.name))
    index = Index(
        bundle.hash,
        bundle.data_hash,
        made_of(bundle),
        every,
        entries,
        in_common(every, cases, unseen, space.target, centred=centred),
        centred=centred,
    )
    save_index(index, path / FOLDER)
    return index


def made_again(
    space: Workspace,
    path: Path,
    *,
    given: Mapping[str, GivenStage],
    progress: Progress,
    device: str | None,
) -> Index | None:
    """Write the index of a finished run that has none which belongs to its bundle: the data are prepared once more.

    `given` are the bundles that are stages of it.
    """
    bundle = open_bundle(path)
    if isinstance(found := beside(bundle), Index):
        return found
    stages, cache = stages_of(load_plan(path / "plan.json")), path / "cache"
    try:
        with held(path):
            number = len(stages) - 1
            handing = Handing(space, stages, cache, given, device)
            places = places_of(stages, given)
            for k, stage in enumerate(stages[:-1]):
                if stage.bundle is None:
                    handing.add(k, bundle, places[k], places)
            job = made_ready(
                space,
                stages,
                number,
                cache / stages[-1].name,
                before=None,
                given=handing.of(number),
                progress=progress,
            )
            examples = {c.id: job.examples[c.id] for c in space.training if c.id in job.examples}
            vectors = vectors_of(first_of(bundle, device), examples, until=None, progress=progress)
            return write(space, bundle, vectors, path)
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def first_member(stage: Stage) -> int:
    """Return the number of a stage's first member, which is that of the fold that it never saw."""
    return member_of(stage.members[0])


def first_of(bundle: Bundle, device: str | None) -> Members:
    """Return the first member of a bundle's last stage, loaded."""
    predictor = Predictor(bundle, device=device, accept_mismatch=True)
    last = predictor.stages[-1]
    return Members(last.task, last.models[:1], last.stage.plan, predictor.device)


def beside(bundle: Bundle) -> Index | str:
    """Return the index that lies beside a bundle in its run's folder, or in words why there is none that fits."""
    folder = bundle.path.absolute().parent / FOLDER
    if bundle.path.absolute().name != "bundle" or not folder.is_dir():
        if (bundle.path.parent / "plan.json").is_file():
            return "this run has no index of its training cases; `vesalius fit DATA -o RUN --resume` makes it"
        return "there is no index of the training cases here: it lies in the folder of the run, and a bundle holds none"
    try:
        return open_index(folder, bundle=bundle.hash)
    except BundleError as error:
        return str(error)


def in_common(
    vectors: Array,
    cases: Sequence[Case],
    unseen: set[str],
    target: TargetInfo | None,
    *,
    centred: bool = True,
) -> dict[str, Any]:
    """Return how far the targets of the nearest cases lie from a case's own, against those of any case.

    It is asked of the cases that the first member never saw (`unseen`), among all others. Of names it is the share of
    the nearest with another one, of numbers the mean difference. `centred` is as `Index` has it. Empty where nothing
    can be compared.
    """
    if target is None:
        return {}
    kind, name = kinds.of(target.kind), target.name
    asked = [k for k, c in enumerate(cases) if c.id in unseen and name in c.targets]
    among = [k for k, c in enumerate(cases) if c.id not in unseen and name in c.targets]
    if len(asked) < 2 or len(among) <= NEAREST:
        return {}
    known = Index("", "", "", vectors[among], tuple(Entry(str(k)) for k in among), centred=centred)
    near: list[float] = []
    every: list[float] = []
    for k in asked:
        own = cases[k].targets[name]
        apart = [kind.apart(own, cases[other].targets[name]) for other in among]
        if any(a is None for a in apart):
            return {}
        place = {str(other): a for other, a in zip(among, apart, strict=True)}
        near.append(float(np.mean([place[e.case] for e, _ in known.nearest(vectors[k], NEAREST)])))
        every.append(float(np.mean([a for a in apart if a is not None])))
    rows = metrics.Rows(
        tuple(cases[k].id for k in asked), {"nearest": np.array(near), "any": np.array(every)}
    )
    patients = [cases[k].patient or f"case {cases[k].id}" for k in asked]
    found = metrics.bootstrap(rows, _means, patients=patients)
    held = {k: {"value": f.value, "low": f.low, "high": f.high} for k, f in found.items()}
    return {
        **held,
        "n": len(asked),
        "among": len(among),
        "count": NEAREST,
        "what": "a share" if kind.named else (target.unit or "its unit"),
    }


def _means(rows: metrics.Rows, index: Array) -> dict[str, float]:
    near, every = float(rows["nearest"][index].mean()), float(rows["any"][index].mean())
    return {"nearest": near, "any": every, "difference": every - near}


def made_of(bundle: Bundle) -> str:
    """Return in words what the features of a bundle are."""
    stage = bundle.stages[-1]
    if compares(tasks.get(stage.plan.task.name)):
        return f"vectors that {stage.plan.task.name} learned, so that like cases lie near"
    first = (
        "the model" if len(stage.members) == 1 else f"the first of {counted(len(stage.members), 'member')}"
    )
    return f"the mean of the deepest map of {stage.plan.net.name}, as {first} sees a case"


def _image(case: Case) -> Ref | None:
    """Return where a case's reference image lies, from wherever it is read."""
    ref = case.image
    if not isinstance(ref, Ref):
        return None
    return Ref(tuple(p.absolute() for p in ref.paths), ref.member, ref.index, ref.part)


def _target(space: Workspace, case: Case) -> str:
    """Return a case's target in words; of a drawn one the labels that are there."""
    info = space.target
    if info is None or info.name not in case.targets:
        return ""
    word = kinds.of(info.kind).word(case.targets[info.name])
    if word is not None:
        return f"{word} {info.unit}" if info.unit else word or "none of the labels"
    facts = space.facts.get(case.id)
    there = {value for value, count in (facts.voxels if facts else ()) if count}
    return ", ".join(label.name for label in info.labels if label.value and label.value in there)
