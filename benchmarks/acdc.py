"""ACDC: the ejection fraction from two frames and from predicted masks, and the five groups from both; by folds."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

import vesalius as vs
from benchmarks import _fits, _phantoms, _pooled, _quick, _slices
from benchmarks._figures import Figure
from vesalius.core.image import Array
from vesalius.core.scorecard import Scorecard

SECTION = "Sequences and sources"
SOAK = False
SEEDS = (0,)
FOLDS = 3
LIMITS = {"fraction": "5m", "masks": "10m", "groups": "5m"}  # of a fold
BAR = 0.05  # of the mean absolute error from predicted masks
LABELS = {"rv": 1, "myocardium": 2, "lv": 3}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Every patient is tested on once. Quick: three times as few patients, small nets, one fold."""
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        rows += _Asked(folder if quick else _fits.KEPT / "acdc-sequences", seed, quick=quick).figures()
    return rows


class _Asked:
    """The questions of one seed: who is tested in which fold, and what was answered."""

    def __init__(self, folder: Path, seed: int, *, quick: bool) -> None:
        self.folder, self.seed, self.quick = folder, seed, quick
        self.source = _fits.shared("acdc")
        self.rows = _listed(self.source)[: 18 if quick else None]
        drawn = np.random.default_rng(seed).permutation(len(self.rows))
        self.fold = {self.rows[k]["patient"]: int(n % FOLDS) for n, k in enumerate(drawn)}
        self.truth = {
            r["patient"]: _fraction(int(r["lv_ed_voxels"]), int(r["lv_es_voxels"])) for r in self.rows
        }
        folder.mkdir(parents=True, exist_ok=True)

    def figures(self) -> list[Figure]:
        """Return all figures of this seed."""
        pairs = self.pairs()
        cards = [self.fit("fraction", pairs, fold, ("--target", "ejection_fraction")) for fold in self.folds]
        said = {str(c["case"]): float(c["x"]) for card in cards for c in card.cases}
        means = {p: self.training_mean(p) for p in said}
        rows = [
            self.error("from the pair of frames", said, means),
            self.gain("from the pair of frames", said, means),
        ]
        volumes = self.volumes()
        measured = {p: _fraction(v["lv_ed"], v["lv_es"]) for p, v in volumes.items()}
        rows += [
            self.error("from predicted masks", measured, means, bar=BAR),
            self.gain("from predicted masks", measured, means),
        ]
        table = self.measures(pairs, volumes)
        images = ("--column", "image=image_ed,image_es")
        arms = {
            "the pair of frames": images,
            "measures of predicted masks": ("--column", "image=", *_covariates()),
            "both": (*images, *_covariates()),
        }
        shares = dict.fromkeys(said, 0.0)
        for name, words in arms.items():
            target = ("--target", "group", *words)
            cards = [self.fit("groups", table, fold, target, name) for fold in self.folds]
            right = {str(c["case"]): float(c["truth"] == c["called"]) for card in cards for c in card.cases}
            rows.append(
                Figure(f"five groups from {name}: accuracy", _pooled.mean(right).told(), seed=str(self.seed))
            )
        for fold in self.folds:
            known = [r["group"] for r in self.rows if self.fold[r["patient"]] != fold]
            usual = max(sorted(set(known)), key=known.count)
            shares |= {
                r["patient"]: float(r["group"] == usual) for r in self.rows if self.fold[r["patient"]] == fold
            }
        rows.append(
            Figure(
                "five groups: the commonest group",
                _pooled.mean(shares).told(),
                seed=str(self.seed),
                note="trivial",
            )
        )
        return rows

    @property
    def folds(self) -> range:
        """The folds that are asked."""
        return range(1 if self.quick else FOLDS)

    def fit(self, what: str, data: Path, fold: int, words: Sequence[str], arm: str = "") -> Scorecard:
        """Return the scorecard of a fold, of a fit that goes on where it was interrupted."""
        name = "-".join(filter(None, (what, arm.replace(" ", "-"), str(self.seed), str(fold))))
        split = self.folder / f"split-{what}-{fold}.csv"
        cases = vs.read(data, columns={"image": ""} if "image=" in words else None, target=words[1]).cases
        lines = [f"{c.id},{'test' if self.fold[str(c.patient)] == fold else 'train'}" for c in cases]
        split.write_text("\n".join(["case,split", *lines]) + "\n", encoding="utf-8")
        done = _fits.resumed(
            data,
            self.folder / name,
            limit=_phantoms.LIMIT if self.quick else LIMITS[what],
            seed=self.seed,
            options=(
                "--split",
                str(split),
                *words,
                *(_quick.OPTIONS if self.quick and "image=" not in words else ()),
            ),
            test_split=not self.quick,
        )
        return done.card

    def pairs(self) -> Path:
        """Return a table of the two frames of each patient, with the ejection fraction and the group."""
        table = self.folder / "pairs.csv"
        rows = []
        for row in self.rows:
            names = {}
            for when in ("ed", "es"):
                file = f"{row['patient']}_{row[when]}.nii.gz"
                names[when] = f"frames/{file}"
                target = self.folder / "frames" / file
                target.parent.mkdir(exist_ok=True)
                if not target.is_file():
                    shutil.copyfile(self.source / row["patient"] / file, target)
            rows.append(
                (
                    row["patient"],
                    row["patient"],
                    names["ed"],
                    names["es"],
                    f"{self.truth[row['patient']]:.6f}",
                    row["group"],
                )
            )
        _write(table, ("case", "patient", "image_ed", "image_es", "ejection_fraction", "group"), rows)
        return table

    def volumes(self) -> dict[str, dict[str, float]]:
        """Return voxels of each label in each frame by patient, by a model of slices that never saw the patient."""
        patients = [r["patient"] for r in self.rows]
        slices = _slices.acdc(self.source, self.folder / "slices", patients=patients)
        found: dict[str, dict[str, float]] = {}
        for fold in self.folds:
            self.fit("masks", slices, fold, ("--target", "mask"))
            run = _fits.KEPT / self.folder / f"masks-{self.seed}-{fold}"
            cohort = vs.read(slices)
            chosen = [c for c in cohort.cases if self.fold[str(c.patient)] == fold]
            for case, answer in zip(chosen, vs.predict(run / "bundle", chosen), strict=True):
                self.count(found, case.id, answer.image.array)
        return found

    def count(self, found: dict[str, dict[str, float]], slice_: str, mask: Array) -> None:
        """Add the voxels of a slice's mask to its patient's."""
        patient, frame, _ = slice_.split("_")
        row = next(r for r in self.rows if r["patient"] == patient)
        when = "ed" if row["ed"] == frame else "es"
        held = found.setdefault(patient, {f"{n}_{w}": 0.0 for n in LABELS for w in ("ed", "es")})
        for name, value in LABELS.items():
            held[f"{name}_{when}"] += float((mask == value).sum())

    def measures(self, pairs: Path, volumes: Mapping[str, Mapping[str, float]]) -> Path:
        """Return the table of pairs with what was measured in predicted masks beside it."""
        table = self.folder / "measures.csv"
        with pairs.open(newline="", encoding="utf-8") as f:
            listed = list(csv.DictReader(f))
        rows = []
        for row in listed:
            v = volumes.get(row["patient"], {})
            rows.append(
                (
                    row["patient"],
                    row["patient"],
                    row["image_ed"],
                    row["image_es"],
                    row["group"],
                    *(f"{x:.5f}" for x in _measured(v)),
                )
            )
        _write(table, ("case", "patient", "image_ed", "image_es", "group", *MEASURES), rows)
        return table

    def training_mean(self, patient: str) -> float:
        """Return the mean ejection fraction of those who were learned from where a patient was tested."""
        fold = self.fold[patient]
        return float(np.mean([t for p, t in self.truth.items() if self.fold[p] != fold]))

    def error(
        self, what: str, said: Mapping[str, float], trivial: Mapping[str, float], *, bar: float | None = None
    ) -> Figure:
        """Return the mean absolute error beside that of the training mean."""
        mean = _pooled.mean({p: abs(x - self.truth[p]) for p, x in said.items()})
        other = np.mean([abs(trivial[p] - self.truth[p]) for p in said])
        held = None if bar is None or self.quick else mean.value <= bar
        note = f"the training mean has {other:.4f}; share of 1, not per cent"
        bound = "" if bar is None else f"≤ {bar:g}"
        return Figure(f"ejection fraction {what}: mae", mean.told(), bound, held, str(self.seed), note)

    def gain(self, what: str, said: Mapping[str, float], trivial: Mapping[str, float]) -> Figure:
        """Return by how much it errs less than the training mean, paired by patient."""
        mean = _pooled.mean(
            {p: abs(trivial[p] - self.truth[p]) - abs(x - self.truth[p]) for p, x in said.items()}
        )
        held = None if self.quick else mean.low > 0
        return Figure(
            f"ejection fraction {what}: gain", mean.told(), "interval above 0", held, str(self.seed), "paired"
        )


MEASURES = ("fraction_lv", "fraction_rv", "size_lv", "size_rv", "rv_to_lv", "muscle_to_lv", "muscle_change")


def _measured(v: Mapping[str, float]) -> list[float]:
    """Return ratios and sizes of predicted masks; sizes are voxels in thousands, as spacings are not known."""
    safe: Callable[[str], float] = lambda name: max(1.0, v.get(name, 0.0))  # noqa: E731
    return [
        _fraction(safe("lv_ed"), safe("lv_es")),
        _fraction(safe("rv_ed"), safe("rv_es")),
        safe("lv_ed") / 1000,
        safe("rv_ed") / 1000,
        safe("rv_ed") / safe("lv_ed"),
        safe("myocardium_ed") / safe("lv_ed"),
        safe("myocardium_es") / safe("myocardium_ed"),
    ]


def _covariates() -> tuple[str, ...]:
    return ("--column", "covariate=" + ",".join(MEASURES))


def _fraction(end_diastole: float, end_systole: float) -> float:
    return 1 - end_systole / max(end_diastole, 1.0)


def _listed(source: Path) -> list[dict[str, str]]:
    with (source / "table.csv").open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def _write(table: Path, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with table.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(head)
        writer.writerows(rows)
