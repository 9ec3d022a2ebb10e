"""Implants: a completion net beside mirroring, a shape model and an oracle; designs by rules; femora by the other side.

Resumable: phantoms, the fit, the shape model and each tested case are kept under `runs/benchmarks`. About an hour.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from benchmarks import _fits, _phantoms, _quick
from benchmarks._figures import Figure, at_least, at_most
from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Array
from vesalius.core.numbers import finite
from vesalius.prepare.case import load_mask, load_reference
from vesalius.run.design.given import Given
from vesalius.run.design.missing import Sources, missing_of
from vesalius.shapes.bone import BONE_HU, bone_of
from vesalius.shapes.design.designing import design
from vesalius.shapes.design.figures import figures_of
from vesalius.shapes.extract import surface_of_bits
from vesalius.shapes.mirroring import grid_oracle, other_side
from vesalius.shapes.reduce import reduced

SECTION = "Accuracy"
SOAK = True
SEEDS = (0,)
CASES, TESTED, FEMORA = 200, 5, 12  # every fifth skull is tested on
LEARNED, FACES = 40, 8000  # skulls of a shape model, and faces of its template
LIMIT = "35m"
NAMES = ("dice", "boundary_dice", "hd95_mm", "surface_mm")
ARMS = ("net", "mirror", "shape", "oracle")
BOUND_DICE, BOUND_FEMUR_MM = 0.90, 1.5
RESAMPLES = 2000
TOLD = ("--task", "implant", "--set", f"task.options.bone={BONE_HU:g}")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Skulls, then femora. Quick: a few coarse skulls, a net of a few steps, and one pair of femora."""
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        place = (folder if quick else _fits.KEPT) / f"implants-{seed}"
        rows += skulls(place, seed, quick=quick)
        rows += femora(place, seed, cases=1 if quick else FEMORA)
    return rows


def skulls(place: Path, seed: int, *, quick: bool) -> list[Figure]:
    """Fit on whole skulls, and complete the same law's skulls with a defect; persons who are tested are in no fit."""
    size, cases = (48, 10) if quick else (96, CASES)
    options: dict[str, Any] = {"size": size}
    whole = _phantoms.made(place / "whole", "skull", cases, seed=seed, options={**options, "defect": "none"})
    cut = _phantoms.made(place / "cut", "skull", cases, seed=seed, options={**options, "defect": "one"})
    split = _phantoms.split(whole, place, tested=TESTED)
    done = _fits.resumed(
        whole,
        (place / "net").resolve(),
        limit="10m" if quick else LIMIT,
        seed=seed,
        options=(*TOLD, "--split", str(split), *(_quick.OPTIONS if quick else ())),
        test_split=not quick,
    )
    tested = _phantoms.tested_in(split)
    learned = [c for c in cohorts.read(whole).cases if c.id not in tested][:LEARNED]
    model = _shape_model(place / "shape", learned, quick=quick)
    told = json.loads((cut / "truth.json").read_text(encoding="utf-8"))
    found = {
        case.id: _kept(place / "cases" / f"{case.id}.json", lambda c=case: _measured(c, done.run, model))
        for case in cohorts.read(cut, columns={"mask": "implant"}).cases
        if case.id in tested
    }
    across = {k for k in found if _truth_of(told, k)["defect"]["crosses_midline"]}
    return [
        *_table(found, seed),
        *_paired(found, across, seed),
        *_designs(found, seed),
        _fits.wall(done, seed),
    ]


def _truth_of(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what `truth.json` says of a case."""
    cases = told["cases"]
    found: Mapping[str, Any] = (
        cases[name]
        if isinstance(cases, Mapping)
        else next(c for c in cases if name in (c.get("case"), c.get("id")))
    )
    return found


def _kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what was measured of a case before, or measure and keep it."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(finite(make()))
        path.with_suffix(".part").write_text(text, encoding="utf-8")
        path.with_suffix(".part").replace(path)
    made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return made


def _measured(case: Case, run: Path, model: Path | None) -> dict[str, Any]:
    """Return each arm's figures on one case, and what became of the design of the net's answer."""
    image, truth = load_reference(case), load_mask(case.targets["implant"]).array[0] > 0
    bone, affine = bone_of(image, BONE_HU) & ~truth, np.asarray(image.affine)
    held = Given(image, bone, Case(case.id, {"image": image}, reference="image"))
    sources = Sources(model=run, shape=model)
    row: dict[str, Any] = {"truth_ml": float(truth.sum()) * abs(float(np.linalg.det(affine))) / 1000}
    ways: dict[str, Callable[[], Array]] = {
        "net": lambda: missing_of(held, "model", sources).array,
        "mirror": lambda: missing_of(held, "mirror", sources).array,
        "oracle": lambda: grid_oracle(truth, affine) & ~bone,
    }
    if model is not None:
        ways["shape"] = lambda: missing_of(held, "shape", sources).array
    answers = {}
    for name, ask in ways.items():
        try:
            answers[name] = ask()
        except VesaliusError as error:  # an arm that gives no answer has missed the implant
            row[f"{name}_said"] = str(error)
            answers[name] = np.zeros_like(truth)
        row[name] = figures_of(answers[name], truth, bone, affine)
    row["design"] = _design(bone, answers["net"], affine)
    return row


def _design(bone: Array, missing: Array, affine: Array) -> dict[str, Any]:
    """Return whether a design was accepted, what was refused, and what trimesh and the voxels say of it."""
    try:
        made = design(bone, missing, affine).made
    except VesaliusError as error:
        return {"accepted": False, "why": str(error)}
    mesh = trimesh.Trimesh(made.surface.vertices_mm, made.surface.faces, process=False)
    sound = bool(mesh.is_watertight and mesh.is_winding_consistent and mesh.body_count == 1)
    return {"accepted": True, "sound": sound, "overlap": int((made.mask & bone).sum())}


def _shape_model(out: Path, cases: Sequence[Case], *, quick: bool) -> Path | None:
    """Return a shape model of whole bones, learned before or now; None in a quick try, where it would take longest."""
    if quick:
        return None
    from vesalius.shapes.models.file import save_model
    from vesalius.shapes.models.learning import correspond, model_of

    if not out.exists():
        surfaces = {}
        for case in cases:
            image = load_reference(case)
            surfaces[case.id] = surface_of_bits(bone_of(image, BONE_HU), np.asarray(image.affine))
        found = correspond(surfaces, lambda surface: reduced(surface, faces=FACES).surface)
        save_model(model_of(found, label="bone"), out)
    return out


def _table(found: Mapping[str, Mapping[str, Any]], seed: int) -> list[Figure]:
    """Each arm's figures with their intervals over cases."""
    rows = []
    for arm in ARMS:
        for name in NAMES:
            values = _values(found, arm, name)
            if not len(values):
                continue
            note = f"{len(values)} of {len(found)} cases"
            what = f"skulls by {arm}: {name}"
            rows.append(Figure(what, _interval(values), seed=str(seed), note=note))
            if (arm, name) == ("net", "dice"):
                rows.append(at_least(f"{what}, mean", float(values.mean()), BOUND_DICE, seed=str(seed)))
    return rows


def _paired(found: Mapping[str, Mapping[str, Any]], across: set[str], seed: int) -> list[Figure]:
    """The net's Dice less the others', paired: over all cases, and over those whose defect crosses the midline."""
    rows = []
    for group, names in (("all", set(found)), ("across the midline", across)):
        for arm in ("mirror", "shape"):
            both = [found[k] for k in sorted(names) if arm in found[k]]
            if len(both) < 2:
                continue
            gains = np.array([one["net"]["dice"] - one[arm]["dice"] for one in both])
            what = f"skulls, {group}: Dice of net less {arm}"
            rows.append(Figure(what, _interval(gains), seed=str(seed), note=f"{len(both)} cases"))
    return rows


def _designs(found: Mapping[str, Mapping[str, Any]], seed: int) -> list[Figure]:
    """How many designs were accepted, that all of these are sound, and which rule refused the others."""
    made = [one["design"] for one in found.values()]
    accepted = [one for one in made if one["accepted"]]
    bad = sum(not one["sound"] or one["overlap"] > 0 for one in accepted)
    why = "; ".join(sorted({one["why"].partition(";")[0] for one in made if not one["accepted"]}))
    return [
        Figure("designs accepted", f"{len(accepted)} of {len(made)}", seed=str(seed), note=why),
        at_most("accepted designs that are open, several or overlap bone", float(bad), 0.0, seed=str(seed)),
    ]


def femora(place: Path, seed: int, *, cases: int) -> list[Figure]:
    """Femora that lack a piece, completed by the other side: the mean distance between both surfaces."""
    data = _phantoms.made(place / f"femora-{cases}", "femur", cases, seed=seed, options={"defect": "piece"})
    pairs, lacked = (
        {c.id: c.targets[name] for c in cohorts.read(data, columns={"mask": name}).cases}
        for name in ("femur", "implant")
    )
    errors = []
    for name, item in pairs.items():
        both = load_mask(item)
        truth = load_mask(lacked[name]).array[0] > 0
        affine = np.asarray(both.affine)
        left, right = (both.array[0] == k for k in (1, 2))
        lacking, healthy = (left, right) if _near(truth, left) > _near(truth, right) else (right, left)
        answer = other_side(lacking, healthy, affine).implant
        errors.append(figures_of(answer, truth, lacking, affine)["surface_mm"])
    values = np.array(errors)
    return [
        Figure(
            "femora by the other side: surface_mm",
            _interval(values),
            seed=str(seed),
            note=f"{len(values)} cases",
        ),
        at_most("femora: mean surface error, mm", float(np.nanmean(values)), BOUND_FEMUR_MM, seed=str(seed)),
    ]


def _near(truth: Array, bone: Array) -> int:
    """Return how many voxels of a bone lie in the box of what is missing."""
    where = np.argwhere(truth)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    return int(bone[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].sum())


def _values(found: Mapping[str, Mapping[str, Any]], arm: str, name: str) -> Array:
    """Return an arm's figure over cases, those left out where it is not defined."""
    held = [one[arm][name] for one in found.values() if arm in one]
    return np.array([v for v in held if v is not None and np.isfinite(v)], dtype=np.float64)


def _interval(values: Array) -> str:
    """Return the mean with the 95 % interval of a bootstrap over cases."""
    values = values[np.isfinite(values)]
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), (2.5, 97.5))
    return f"{values.mean():.4f} [{low:.4f}, {high:.4f}]"
