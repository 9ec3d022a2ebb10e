"""Scanners made comparable: heads on four scanners, series of one MR, and fcon1000 by site. About 5 minutes.

The spread and what is told are measured out of fold; the age model meets three sites that it never saw.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import vesalius as vs
from benchmarks import _fits
from benchmarks._figures import Figure
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array, Image
from vesalius.core.interval import Interval
from vesalius.metrics import bounds, resample
from vesalius.prepare.harmonise import combat
from vesalius.reliability.plain_models import ridge
from vesalius.reliability.told import Guessed
from vesalius.verbs.harmonise import Harmonised

SECTION = "Several scanners"
SOAK = False
SEEDS = (0,)
THRESHOLD = 0.03
LEFT_OUT = 3  # sites that the age model never sees
KEPT = ("age", "sex")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """All parts for the first seed. Quick: a few small heads and a made-up table."""
    seed = seeds[0]
    found = heads(folder, seed, quick=quick)
    if not quick:
        found += sequences(seed)
    return [*found, *sites(folder, seed, quick=quick)]


def heads(folder: Path, seed: int, *, quick: bool) -> list[Figure]:
    """Return what every way does to heads on four scanners, the same persons on each and others; and N4 on a few."""
    rows = []
    for name, same in (("the same persons on each", True), ("other persons on each", False)):
        options = {"size": 24, "same": same}
        cases, place = 24 if quick else 40, folder / f"heads-{same}"
        data = vs.phantom(place, kind="scanners", cases=cases, seed=seed, options=options)
        ways = ("zscore", "nyul") if quick else ()
        found = vs.harmonise(
            data,
            by="scanner",
            threshold=THRESHOLD,
            methods=ways,
            every=True,
            effect="age",
            seed=seed,
            progress=False,
        )
        rows += _lines(f"heads, {name}", found)
    data = vs.phantom(folder / "few", kind="scanners", cases=12, seed=seed, options={"size": 24})
    ways = ("n4+nyul",)
    found = vs.harmonise(
        data, by="scanner", threshold=THRESHOLD, methods=ways, every=True, seed=seed, progress=False
    )
    return [*rows, *_lines("few heads, the same persons on each", found)]


def sequences(seed: int) -> list[Figure]:
    """Return what ways do to the series of one MR study, slice by slice: slices of one place stand for a patient."""
    study = vs.read(_fits.shared("mr_dicom"))
    cases = []
    volumes = {c.id: vs.formats.read(c.image) for c in study if c.image is not None}
    chosen = {n: v for n, v in volumes.items() if v.shape[0] > 1 and v.shape[1:] == (256, 256)} or volumes
    for name, volume in chosen.items():
        for z, plane in enumerate(volume.array[0]):
            if plane.std() > 0:
                image = Image(plane[None, None], spacing_mm=volume.spacing_mm)
                cases.append(
                    Case(f"{name}-{z}", {"image": image}, patient=str(z), covariates={"sequence": name})
                )
    cohort = Cohort(Path("mr_dicom"), "memory", tuple(cases), patients_known=True, hash=study.hash)
    found = vs.harmonise(cohort, by="sequence", threshold=THRESHOLD, every=True, seed=seed, progress=False)
    return _lines("mr_dicom, slices of one study by series", found)


def sites(folder: Path, seed: int, *, quick: bool) -> list[Figure]:
    """Return how well sites are told from cortical thickness, and the error of an age model on seen and new sites."""
    table = _table(folder, quick=quick)
    found = vs.harmonise(
        table,
        by="site",
        keep=KEPT,
        effect="age",
        columns={"image": ""},
        seed=seed,
        every=True,
        progress=False,
    )
    return [*_lines("fcon1000, out of fold", found), *_unseen(table, seed)]


def _lines(name: str, found: Harmonised) -> list[Figure]:
    """Return three figures of each way: the spread against the threshold, how the scanner is told, and the target."""
    rows = []
    for one in found.tried:
        what = f"{name}: {one.method}"
        if one.spread is None:
            rows.append(Figure(what, "failed", note=one.failed))
            continue
        bound = "" if found.threshold is None else f"≤ {found.threshold:g}"
        kept = "" if one.kept is None else f"; rank correlation of values before and after {one.kept:.3f}"
        who = f"within {one.spread.patients} patients" if one.spread.paired else "between means"
        rows.append(
            Figure(f"{what}, spread", _interval(one.spread.value), bound, one.held, note=f"{who}{kept}")
        )
        if one.told is not None:
            note = (
                f"accuracy {_interval(one.told.accuracy)}, of the most frequent alone {one.told.chance:.3f}"
            )
            rows.append(Figure(f"{what}, {found.by} told, AUC", _interval(one.told.auc), note=note))
        if isinstance(one.effect, Guessed):
            note = f"of the mean alone {one.effect.mean_only:.3f}"
            rows.append(Figure(f"{what}, error of {found.target}", _interval(one.effect.mae), note=note))
    return rows


def _unseen(table: Path, seed: int) -> list[Figure]:
    """Return the error of a ridge's age on three sites that were left out, as they are and by each stated rule."""
    features, names, age, kept = _read(table)
    rng = np.random.default_rng(seed)
    large = sorted(n for n in set(names) if names.count(n) >= 20)
    out = sorted(str(n) for n in rng.choice(large, min(LEFT_OUT, len(large) - 2), replace=False))
    asked = np.array([n in out for n in names])
    few = {n for n in set(names) if names.count(n) < 8}
    learn = ~asked & np.array([n not in few for n in names])
    site = np.array(names)
    learned = combat.fit(features[learn], site[learn].tolist(), kept[learn], names=KEPT)
    rows = []
    plain = combat.apply(learned, features[learn], site[learn].tolist())
    for word, rule in (
        ("as they are", None),
        ("ComBat, unseen=as_is", "as_is"),
        ("ComBat, unseen=own", "own"),
    ):
        if rule is None:
            said = ridge(features[learn], age[learn], features[asked])
        else:
            new = combat.apply(learned, features[asked], site[asked].tolist(), unseen=rule)
            said = ridge(plain, age[learn], new)
        what = f"fcon1000, three sites left out ({', '.join(out)}): {word}, error of age"
        rows.append(
            Figure(what, _interval(_error(said, age[asked], seed)), note=f"years; n {int(asked.sum())}")
        )
    mean = np.abs(age[asked] - age[learn].mean())
    rows.append(Figure("fcon1000, three sites left out: the mean alone, error of age", f"{mean.mean():.3f}"))
    return rows


def _error(said: Array, truth: Array, seed: int) -> Interval:
    off = np.abs(said - truth)
    drawn = resample(range(len(off)), np.random.default_rng(seed), 1000)
    return bounds(float(off.mean()), np.array([off[i].mean() for i in drawn]), len(off))


def _interval(found: Interval) -> str:
    if found.value is None:
        return "not defined"
    return f"{found.value:.3f}" + ("" if found.low is None else f" [{found.low:.3f}, {found.high:.3f}]")


def _table(folder: Path, *, quick: bool) -> Path:
    """Return the table of fcon1000, whose column `site` names the sites; or write one like it."""
    path = folder / "sites.csv"
    if quick:
        rng = np.random.default_rng(0)
        rows = [
            {"sub_id": f"{s}_sub{k}", "site": s, "age": round(20 + k % 50 + k / 100, 2), "sex": k // 6 % 2}
            | {f"f{j}": round(float(rng.normal(j * (s == "b"), 1)) + k % 50 / 25, 4) for j in range(5)}
            for k in range(90)
            for s in "abcdef"[k % 6]
        ]
    else:
        with (_fits.shared("fcon1000") / "fcon1000.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


def _read(table: Path) -> tuple[Array, list[str], Array, Array]:
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [n for n in rows[0] if n not in ("site", "sub_id", *KEPT)]
    features = np.array([[float(r[n]) for n in columns] for r in rows])
    kept = np.array([[float(r[n]) for n in KEPT] for r in rows])
    return features[:, features.std(axis=0) > 0], [r["site"] for r in rows], kept[:, 0], kept
