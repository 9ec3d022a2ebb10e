"""Plus disease of the retina phantom: one stage on pictures, or vessels first, of phantoms or of DRIVE and CHASE_DB1.

Two fits for vessels and three for the grade, of 8 minutes: about 50 minutes. What is finished is taken again.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

import vesalius as vs
from benchmarks import _arms, _fits, _phantoms, _pooled, _quick
from benchmarks._figures import Figure, at_least
from vesalius.core.answers.mask import Mask
from vesalius.phantom import retina

SECTION = "Sequences and sources"
SOAK = False
SEEDS = (0,)
CASES, DRAWN = 960, 120  # graded, of which a third is tested on; and with vessels drawn, others
TESTED = 3
LIMIT = "8m"
SIDE = 256  # pixels, of the phantom and of the public pictures, so that vessels are as wide
SIZE = ("--set", "data.size=[1,192,192]")  # of every arm: a wide vein has 2 to 4 pixels
BAR = 0.95  # macro AUC of the better of one stage and two
ONE, OWN, OTHER = "one stage", "vessels of phantoms first", "vessels of DRIVE and CHASE_DB1 first"
METRICS = ("auc", "balanced_accuracy", *(f"auc/{grade}" for grade in retina.GRADES))


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Three ways to the grade on one split, resumed where interrupted. Quick: 48 small pictures and 4 steps of each."""
    home = folder if quick else _fits.KEPT
    options = {"size": 64} if quick else {}
    graded = _phantoms.made(home / "retina-cohort", "retina", 48 if quick else CASES, options=options)
    drawn = _phantoms.made(home / "retina-drawn", "retina", 16 if quick else DRAWN, seed=1, options=options)
    out = home / "retina"
    public = _public(out / "public", 64 if quick else SIDE)
    rows: list[Figure] = []
    found: dict[str, list[_fits.Fitted]] = {ONE: [], OWN: [], OTHER: []}
    for seed in _quick.SEEDS if quick else seeds:
        first = {
            OWN: _vessels(drawn, out / f"vessels-phantom-{seed}", seed, quick=quick),
            OTHER: _vessels(public, out / f"vessels-public-{seed}", seed, quick=quick),
        }
        for arm, fits in found.items():
            stage = ("--stage", f"vessels={first[arm].run}") if arm in first else ()
            fits.append(_graded(graded, out, arm, seed, stage, quick=quick))
        for arm, fit in first.items():
            rows += _phantoms.renamed(_fits.beside(fit, ("dice",), seed), arm)
            rows.append(_drawn_on(fit.run, graded, arm, seed, many=6 if quick else 60))
    rows += _phantoms.beside(
        graded,
        "plus_disease",
        _phantoms.tested_in(_phantoms.split(graded, out, tested=TESTED)),
        retina.oracle,
        METRICS[:2],
    )
    rows += _arms.figures(found, METRICS)
    for arm in (OWN, OTHER):
        gain = _arms.difference(found[ONE], found[arm], "auc")
        rows.append(Figure(f"{arm} less {ONE}: auc, paired", _fits.interval(gain), note=f"n {gain.n}"))
    arm, value = _phantoms.best({ONE: found[ONE], OWN: found[OWN]}, "auc")
    rows.append(at_least("macro AUC of the better of one and two stages", value, BAR, note=arm))
    return rows


def _vessels(data: Path, out: Path, seed: int, *, quick: bool) -> _fits.Fitted:
    """Return a fit of a vessels' mask."""
    size = ("--set", "data.size=[1,64,64]", *_quick.OPTIONS) if quick else ()
    return _fits.resumed(
        data,
        out,
        limit=_phantoms.LIMIT if quick else LIMIT,
        seed=seed,
        options=("--target", "vessel_mask", "--column", "region=region", *size),
        test_split=not quick,
    )


def _graded(data: Path, out: Path, arm: str, seed: int, stage: Sequence[str], *, quick: bool) -> _fits.Fitted:
    """Return a fit of the grade as a class, after a stage or without one."""
    split = _phantoms.split(data, out, tested=TESTED)
    return _fits.resumed(
        data / "cohort.csv",
        out / f"{arm.replace(' ', '-')}-{seed}",
        limit=_phantoms.LIMIT if quick else LIMIT,
        seed=seed,
        options=(
            *("--target", "plus_disease", "--column", "label=plus_disease", "--split", str(split), *stage),
            *(_phantoms.SMALL if quick else SIZE),
        ),
        test_split=not quick,
    )


def _drawn_on(run: Path, graded: Path, arm: str, seed: int, *, many: int) -> Figure:
    """Return how well a vessel bundle finds the phantom's vessels, inside of what the camera sees: its mean Dice."""
    found = {}
    with (graded / "cohort.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::TESTED][:many]
    for row in rows:
        answer = vs.predict(run, graded / row["image"], accept_mismatch=True)
        assert isinstance(answer, Mask)
        said, true, seen = (
            np.asarray(x).squeeze() > 0
            for x in (answer.image.array, *(_plane(graded / row[c]) for c in ("vessel_mask", "region")))
        )
        both, total = (said & true & seen).sum(), (said & seen).sum() + (true & seen).sum()
        found[row["case"]] = float(2 * both / max(total, 1))
    return Figure(f"{arm}: Dice on the phantom's test pictures", _pooled.mean(found).told(), seed=str(seed))


def _public(out: Path, side: int) -> Path:
    """Return DRIVE's and CHASE_DB1's pictures as squares of `side` pixels, with their first reader's vessels."""
    table = out / "cohort.csv"
    if table.is_file():
        return out
    lines = ["patient,image,vessel_mask,region"]
    for patient, name, picture, vessels, seen in _pictures():
        paths = []
        for folder, image in (("images", picture), ("vessels", vessels), ("fields", seen)):
            path = out / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            squared = _squared(image, side)
            if folder != "images":
                squared = Pillow.fromarray((np.asarray(squared) > 127).astype(np.uint8))
            squared.save(path)
            paths.append(str(path.relative_to(out)))
        lines.append(",".join((patient, *paths)))
    (out / "dataset.json").write_text('{"labels": {"background": 0, "vessel": 1}}\n', encoding="utf-8")
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return out


def _pictures() -> Iterator[tuple[str, str, Pillow.Image, Pillow.Image, Pillow.Image]]:
    """Yield the patient, a name, the picture, its vessels and its field of view."""
    drive = _fits.shared("drive/training")
    for path in sorted((drive / "images").glob("*.tif")):
        number = path.name[:2]
        yield (
            f"drive-{number}",
            f"drive-{number}",
            Pillow.open(path).convert("RGB"),
            Pillow.open(drive / "1st_manual" / f"{number}_manual1.gif").convert("L"),
            Pillow.open(drive / "mask" / f"{number}_training_mask.gif").convert("L"),
        )
    chase = _fits.shared("chasedb1")
    for path in sorted(chase.glob("*.jpg")):
        picture = Pillow.open(path).convert("RGB")
        seen = Pillow.fromarray(255 * (np.asarray(picture)[..., 0] > 40).astype(np.uint8))
        vessels = Pillow.open(path.with_name(f"{path.stem}_1stHO.png")).convert("L")
        yield f"chase-{path.stem[6:8]}", f"chase-{path.stem[6:]}", picture, vessels, seen


def _squared(image: Pillow.Image, side: int) -> Pillow.Image:
    """Return an image with black beside it where it is not square, at `side` pixels."""
    longest = max(image.size)
    square = Pillow.new(image.mode, (longest, longest))
    square.paste(image, tuple((longest - n) // 2 for n in image.size))
    return square.resize((side, side), Pillow.Resampling.BOX)


def _plane(path: Path) -> np.ndarray:
    with Pillow.open(path) as opened:
        return np.asarray(opened)
