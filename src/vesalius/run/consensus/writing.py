"""A consensus written as a cohort: a table, masks, soft labels and maps of disagreement, a case at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.cohorts import save_findings
from vesalius.consensus.majority import TIED
from vesalius.core.case import NOBODY, SURE, Case, Ref
from vesalius.core.cohort import Cohort, Label
from vesalius.core.disk import output_errors, write_text
from vesalius.core.file_names import FileNames
from vesalius.core.image import Array, Image
from vesalius.core.interval import Interval
from vesalius.core.numbers import finite
from vesalius.core.progress import Progress
from vesalius.prepare.case import load_mask, load_reference
from vesalius.run.cells import image_cells, path_cell
from vesalius.run.consensus.joining import Found, disputed, levels
from vesalius.run.consensus.reading import Said

TABLE, SKILL, NAMES = "cohort.csv", "skill.json", "dataset.json"
UNKNOWN = (255, 65535)  # what a mask holds where experts are tied: the first that is no label


def unknown_of(labels: tuple[Label, ...]) -> int:
    """Return the value of a mask's voxels of which experts say nothing together."""
    taken = {x.value for x in labels}
    return next(v for v in UNKNOWN if v not in taken and max(taken, default=0) < v)


def write_masks(folder: Path, said: Said, found: Found, progress: Progress) -> dict[str, dict[str, str]]:
    """Write each case's consensus, soft maps and map of disagreement; return their paths by case and column.

    Where all experts are tied soft maps are even; where none says anything they say that nothing is known.
    A file that is there already is whole, and is not written again.
    """
    unknown = unknown_of(said.labels)
    values = np.array([0, *(x.value for x in said.labels)], np.uint16)
    table = np.where(found.joined.label == TIED, unknown, values[found.joined.label]).astype(np.uint16)
    soft = np.round(SURE * found.joined.p[:, 1:]).astype(np.uint16)  # (P, K)
    soft[~said.patterns.seen.any(1)] = NOBODY
    differ = levels(said)
    named, places = FileNames(c.id for c in said.cases), FileNames(x.name for x in said.labels)
    paths: dict[str, dict[str, str]] = {}
    progress.start("consensus", len(said.cases))
    for case in said.cases:
        geometry = _geometry(case, said)
        end = ".png" if geometry.affine is None and geometry.shape[0] == 1 else ".nii.gz"
        file = named[case.id] + end
        each = {"consensus": f"consensus/{file}", "disagreement": f"disagreement/{file}"}
        each |= {f"p({x.name})": f"soft/{places[x.name]}/{file}" for x in said.labels}
        if not all((folder / p).is_file() for p in each.values()):
            at = said.coded(case)
            made = {"consensus": table[at], "disagreement": differ[at]}
            made |= {f"p({x.name})": soft[at, k] for k, x in enumerate(said.labels)}
            for column, path in each.items():
                _write(made[column], geometry, folder / path)
        paths[case.id] = each
        progress.advance("consensus")
    progress.finish("consensus")
    return paths


def _geometry(case: Case, said: Said) -> Image:
    """Return an expert's mask, whose geometry the consensus takes; the image's stands in where it has none."""
    item = next(case.targets[t] for t in said.targets.values() if t in case.targets)
    mask = load_mask(item) if isinstance(item, Ref | Image) else load_reference(case)
    if mask.affine is None and isinstance(case.image, Ref | Image):
        reference = load_reference(case)
        return reference if reference.shape == mask.shape else mask
    return mask


def _write(array: Array, like: Image, path: Path) -> None:
    small = array.astype(np.uint8) if array.max(initial=0) < 256 else array
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    bare = Image(small[None], affine=like.affine, spacing_mm=like.spacing_mm, spacing_at=like.spacing_at)
    formats.write(bare, path)


def write_table(
    folder: Path, cohort: Cohort, said: Said, found: Found, paths: Mapping[str, Mapping[str, str]]
) -> int:
    """Write the table of the new cohort, and what its masks' values mean; return how many cases are tied.

    A case of classes that is tied has no consensus in it, and its probabilities all the same.
    """
    import csv
    import io

    rows, tied = [], 0
    row_of = np.arange(len(said.cases)) if found.by_case else said.patterns.at
    named = FileNames(c.id for c in said.cases)
    for k, case in enumerate(said.cases):
        row: dict[str, Any] = {"case": case.id, "patient": case.patient, "split": case.split}
        row |= image_cells(folder, case, named[case.id])
        row |= {n: v for n, v in case.covariates.items() if n not in row}
        row |= {"report": case.report} if case.report else {}
        for expert, target in said.targets.items():
            value = case.targets.get(target)
            row[f"expert {expert}"] = path_cell(folder, value) if isinstance(value, Ref) else value
        if said.drawn:
            row |= {n: p for n, p in paths[case.id].items() if n != "disagreement"}
        else:
            place = int(found.joined.label[row_of[k]])
            tied += place == TIED
            row["consensus"] = None if place == TIED else said.labels[place].name
            row |= {
                f"p({x.name})": f"{p:.6f}"
                for x, p in zip(said.labels, found.joined.p[row_of[k]], strict=True)
            }
        rows.append(row)
    heads = [
        h for h in dict.fromkeys(n for row in rows for n in row) if any(r.get(h) is not None for r in rows)
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, heads, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if said.drawn:
        unknown = unknown_of(said.labels)
        names = {"background": 0, **{x.name: x.value for x in said.labels}, "ignore": unknown}
        about = {
            "labels": names,
            "masks": ["consensus"],
        }  # experts' own files may mean another thing by a value
        write_text(folder / NAMES, json.dumps(about, indent=1) + "\n")
    write_text(folder / TABLE, text.getvalue())
    save_findings(folder, said.cases)
    return tied


def as_json(cohort: Cohort, said: Said, found: Found, tied: int) -> dict[str, Any]:
    """Return everything that was found, as skill.json holds it."""
    names, apart = said.patterns.experts, disputed(said)
    order = np.argsort(-apart, kind="stable")
    return {
        "data_hash": cohort.hash,
        "method": found.method,
        "masks": said.drawn,
        "cases": len(said.cases),
        "patients": len(set(said.patterns.patients)),
        "labels": [x.name for x in said.labels],
        "tied": tied,
        "notes": [*said.notes, *found.notes],
        "experts": [
            {
                "name": s.expert,
                "cases": s.cases,
                "accuracy": None if said.drawn else interval(s.accuracy),
                "labels": {n: {k: interval(v) for k, v in f.items()} for n, f in s.labels.items()},
                "confusion": None if said.drawn else finite(s.confusion),
            }
            for s in found.skills
        ],
        "agreement": {k: interval(v) for k, v in found.agreement.all.items()},
        "pairs": [
            {
                "experts": [names[i], names[j]],
                "agreement": {k: interval(v) for k, v in figures.items()},
                "errors": {
                    label or "all": {
                        "correlation": next(p.correlation for p in one.pairs if p.experts == (i, j)),
                        "count_as_one": next(p.joined for p in one.pairs if p.experts == (i, j)),
                    }
                    for label, one in found.together.items()
                },
            }
            for (i, j), figures in found.agreement.pairs.items()
        ],
        "weights": dict(found.weights),
        "disagreement": {said.cases[k].id: round(float(apart[k]), 4) for k in order},
    }


def interval(found: Interval) -> dict[str, Any]:
    """Return an interval as JSON takes it."""
    return asdict(found)
