"""consensus: what several experts say, joined into a cohort of its own, with each expert's skill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts
from vesalius.consensus.resampling import RESAMPLES
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.disk import assert_apart, held, write_text
from vesalius.core.errors import DataError, Interrupted
from vesalius.core.image import Array
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted, listed
from vesalius.evaluate.foreign import foreign_answers
from vesalius.plan import machine as machines
from vesalius.run.consensus.experts import experts_of
from vesalius.run.consensus.joining import join, method_of
from vesalius.run.consensus.page import page
from vesalius.run.consensus.reading import Said, said
from vesalius.run.consensus.result import Consensus
from vesalius.run.consensus.writing import SKILL, TABLE, as_json, write_masks, write_table
from vesalius.run.grid import opened

__all__ = ["Consensus", "consensus"]
PAGE = "consensus.html"


def consensus(
    data: Path | str | Cohort,
    out: Path | str,
    *,
    experts: Mapping[str, str] | None = None,
    method: str | None = None,
    probabilities: Path | str | None = None,
    independent: bool = False,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    max_set_aside: float = 0.10,
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> Consensus:
    """Join what several experts say of the same cases, and say how good each expert is.

    Writes a new cohort: a table with the consensus, the probability of each label and what each expert said; of masks
    the consensus, a map of each label's probability and a map of where experts differ. `skill.json` and
    `consensus.html` say how good each expert is and how far they agree. Nothing in `data` is changed. Begun again with
    the same `out`, masks that are written are not written again.

    Args:
        data: A path as for `read`, or a cohort.
        out: A new folder.
        experts: By each expert's name a column of the table, a target of the cohort, or a folder of masks called as the
            images are; by default the columns called `expert NAME`.
        method: `dawid-skene`, `majority` or `crowdlab` of classes; `staple`, `staple-together` or `majority` of masks.
            By default the first.
        probabilities: A table of a model's out-of-fold probabilities, a row a case, for `crowdlab`.
        independent: Do not ask whether experts err together, and count each as one.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values: `{"255": "1"}`.
        max_set_aside: The share of faulty cases to bear.
        resamples: How many times patients are drawn for the intervals.
        seed: Of these draws.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Where the new cohort lies, skill and agreement.

    Raises:
        DataError: There are not two experts, one of them says nothing, or their labels cannot be joined.
        UnknownName: There is no such column, folder or method.
        OutputError: `out` holds something else.
        Interrupted: Ctrl-C; the same call goes on.
    """
    shown, folder = watched(progress), Path(out)
    if not isinstance(data, Cohort):
        assert_apart(Path(data), folder)
    if resamples < 20:
        raise DataError("intervals need 20 resamples or more", found=str(resamples))
    chosen = experts_of(data, experts, columns=columns, layout=layout, labels=labels)
    cohort = cohorts.check(
        chosen.cohort,
        progress=shown,
        max_set_aside=max_set_aside,
        workers=machines.measure().workers,
    )
    what = said(chosen, cohort, shown)
    p = None if probabilities is None else _probabilities(Path(probabilities), what)
    way = method_of(method, what, p)
    found = join(what, method=way, p=p, look=not independent, resamples=resamples, seed=seed)
    asked: dict[str, Any] = {
        "data": cohort.hash,
        "experts": dict(chosen.targets),
        "method": way,
        "independent": independent,
        "resamples": resamples,
        "seed": seed,
        "probabilities": None if p is None else np.round(p, 6).tolist(),
        "labels": dict(labels or {}),
        "columns": dict(columns or {}),
        "layout": layout,
        "values": {x.name: x.value for x in what.labels},
    }
    opened(folder, asked)
    try:
        with held(folder):
            paths = write_masks(folder, what, found, shown) if what.drawn else {}
            tied = write_table(folder, cohort, what, found, paths)
            document = as_json(cohort, what, found, tied)
            write_text(folder / SKILL, json.dumps(document, indent=1, allow_nan=False) + "\n")
            write_text(folder / PAGE, page(cohort, what, found, tied))
    except KeyboardInterrupt as error:
        raise Interrupted(
            "interrupted; what is written is kept", hint="the same again, with the same -o, goes on"
        ) from error
    notes = (*what.notes, *found.notes)
    for note in notes:
        shown.note(note)
    return Consensus(
        folder / TABLE,
        folder / PAGE,
        way,
        tuple(x.name for x in what.labels),
        len(what.cases),
        tied,
        found.skills,
        found.agreement,
        notes,
        document,
    )


def _probabilities(path: Path, what: Said) -> Array:
    """Return a model's probabilities of each case, `(C, K)` in the order of the labels.

    Raises DataError where a case has none, or another label.
    """
    if what.drawn:
        raise DataError("a model's probabilities join classes, and these experts draw masks")
    info = TargetInfo("consensus", "class", what.labels)
    answers = foreign_answers(path, what.cases, info)
    missing = [c.id for c in what.cases if c.id not in answers]
    if missing:
        raise DataError(
            f"{path.name} has no probabilities of {counted(len(missing), 'case')}", found=listed(missing, 3)
        )
    rows, names = [], [x.name for x in what.labels]
    for case in what.cases:
        answer: Any = answers[case.id]
        own = [x.name for x in answer.labels]
        if set(own) != set(names):
            raise DataError(
                "the model answers other labels than the experts", found=f"{listed(own)}, not {listed(names)}"
            )
        rows.append([float(answer.p[own.index(n)]) for n in names])
    return np.array(rows)
