"""The page of a model, made of what its explained cases left in a folder, one case in memory at a time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.core import encoding
from vesalius.core.answers.ranking import Ranking
from vesalius.core.case import Case
from vesalius.core.disk import write_text
from vesalius.core.errors import VesaliusError
from vesalius.core.file_names import FileNames
from vesalius.core.image import Array, Image
from vesalius.core.index import Index
from vesalius.core.progress import Progress
from vesalius.explain import methods
from vesalius.explain.contract import Method
from vesalius.explain.faithful import alike
from vesalius.explain.looking import source_of
from vesalius.explain.mean import Common, MeanMap, common
from vesalius.explain.overview import Overview, Pair, Row, gains_of, means_of, methods_of
from vesalius.explain.overview_page import html
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import frame, load_reference

PAGE, FIGURES, NEIGHBOURS = "index.html", "model.json", "neighbours.csv"
NEAREST = ".nearest.json"
MEANS = "mean"  # the folder of the mean maps
TAKEN = ("index", "model")  # stems of files that no case may have
GROUND = 60  # images at most, evenly over the cases, whose mean the maps are drawn on
LEAST = 2  # cases from which there is a page of the model


def write_overview(
    folder: Path,
    rows: Sequence[Row],
    cases: Sequence[Case],
    names: Mapping[str, str],
    *,
    predictor: Predictor,
    index: Index | str,
    set_aside: int,
    progress: Progress,
) -> Path | None:
    """Write the page of the model and its figures as JSON, and return the page; None of fewer than two cases.

    `rows` are those of `explanations.csv`, `names` the stems of the cases' files.
    """
    explained = {r["case"] for r in rows}
    there = [c for c in cases if c.id in explained]
    if len(there) < LEAST:
        return None
    last = predictor.stages[-1].stage
    grid = common(last.plan.data, parts=last.takes is not None)
    means, agreement = _summed(folder, rows, there, names, grid, progress)
    patients = {c.id: c.patient if c.patient is not None else f"case {c.id}" for c in there}
    asked, left_out = methods_of(rows, patients, means)
    found = Overview(
        model=predictor.bundle.name,
        bundle=predictor.bundle.hash,
        case_ids=tuple(c.id for c in there),
        asked=asked,
        left_out=left_out,
        agreement={
            pair: means_of({"r": np.array(list(each.values()))}, list(each), patients)["r"]
            for pair, each in agreement.items()
        },
        gains=gains_of(rows),
        grid=grid.words,
        patients_known=all(c.patient is not None for c in there),
        set_aside=set_aside,
        in_common=index.measured if isinstance(index, Index) else {},
    )
    _keep_means(folder, means)
    write_text(folder / FIGURES, json.dumps(found.json(), indent=1) + "\n")
    pages = {c.id: f"{names[c.id]}.html" for c in there}
    write_text(folder / PAGE, html(found, pages=pages, ground=_ground(there, grid)))
    return folder / PAGE


def neighbours(
    folder: Path, cases: Sequence[Case], names: Mapping[str, str], index: Index
) -> list[dict[str, Any]]:
    """Return a row for each case's each near training case, from what was written of them."""
    targets = {e.case: e.target for e in index.entries}
    found = []
    for case in cases:
        path = folder / f"{names[case.id]}{NEAREST}"
        if not path.is_file():
            continue
        ranking: Ranking = encoding.from_text(path.read_text(encoding="utf-8"))
        pairs = zip(ranking.case_ids, ranking.distances.tolist(), strict=True)
        found += [
            {
                "case": case.id,
                "rank": k,
                "neighbour": name,
                "distance": round(far, 6),
                "target": targets[name],
            }
            for k, (name, far) in enumerate(pairs, start=1)
        ]
    return found


def _summed(
    folder: Path,
    rows: Sequence[Row],
    cases: Sequence[Case],
    names: Mapping[str, str],
    grid: Common,
    progress: Progress,
) -> tuple[dict[Pair, MeanMap], dict[Pair, dict[str, float]]]:
    """Return the mean map of each thing asked and method, and by case how far each two methods' maps are alike."""
    by_case: dict[str, list[Row]] = {}
    for row in rows:
        by_case.setdefault(row["case"], []).append(row)
    means: dict[Pair, MeanMap] = {}
    agreement: dict[Pair, dict[str, float]] = {}
    progress.start("mean maps", len(cases))
    for case in cases:
        held: dict[str, Image] = {}
        for row in by_case[case.id]:
            if not row["fails"] and isinstance(methods.get(source_of(row["method"])[0]), Method):
                image = formats.read(folder / f"{names[case.id]}.{row['method']}.nii.gz")
                held[row["method"]] = image
                mean = means.setdefault((row["asked"], row["method"]), MeanMap(grid.shape))
                values, seen = grid.of(image)
                mean.add(values[0].astype(np.float64), seen)
        for a, b in itertools.combinations(held, 2):
            if source_of(a)[1] != source_of(b)[1]:
                continue
            one, other = held[a].array, held[b].array
            both = np.isfinite(one) & np.isfinite(other)
            agreement.setdefault((a, b), {})[case.id] = alike(one[both], other[both])
        progress.advance("mean maps")
    progress.finish("mean maps")
    return means, agreement


def _keep_means(folder: Path, means: Mapping[Pair, MeanMap]) -> None:
    """Write the mean maps as NIfTI on the shared grid, which lies nowhere in particular."""
    stems = FileNames()
    for (words, method), mean in means.items():
        if (field := mean.mean) is not None:
            (folder / MEANS).mkdir(exist_ok=True)
            path = folder / MEANS / f"{stems[f'{words}.{method}']}.nii.gz"
            formats.write(Image(np.ascontiguousarray(field[None], np.float32)), path)


def _ground(cases: Sequence[Case], grid: Common) -> Array | None:
    """Return the mean of the cases' images on the shared grid, `(Z, Y, X)` from 0 to 1; None where none can be read."""
    chosen = cases[:: max(1, -(-len(cases) // GROUND))]
    total, count = np.zeros(grid.shape), np.zeros(grid.shape)
    for case in chosen:
        try:
            image = load_reference(case)
            grey = frame(image).mean(axis=0, dtype=np.float32)[None]
        except VesaliusError:
            continue
        low, high = np.percentile(grey, [0.5, 99.5])
        values, seen = grid.of(_with(image, np.clip((grey - low) / max(float(high - low), 1e-6), 0, 1)))
        total += np.where(seen, values[0], 0)
        count += seen
    if not count.any():
        return None
    found: Array = np.divide(total, count, out=np.zeros(grid.shape), where=count > 0)
    return found


def _with(image: Image, array: Array) -> Image:
    return replace(image, array=array, channels=(), times_s=None, display={})
