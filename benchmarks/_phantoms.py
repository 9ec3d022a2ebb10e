"""Cohorts of phantoms that benchmarks keep, one split of each, and what stands beside a class that is told of them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import vesalius as vs
from benchmarks import _beside, _fits
from benchmarks._figures import Figure

LIMIT = "60m"  # of a quick try, whose steps are fixed: a machine that is busy with other things needs it
SMALL = (  # of a quick try, whatever the question
    "--set", "net.name=cnn", "--set", "net.scale=0.125", "--set", "train.steps=4", "--set", "train.members=1",
    "--set", "train.batch=4", "--set", "train.validations=1", "--set", "infer.novelty=none",
)  # fmt: skip


def made(
    out: Path, kind: str, cases: int, *, seed: int = 0, options: Mapping[str, Any] | None = None
) -> Path:
    """Return a cohort of a phantom in a folder, where it may lie already."""
    if not (out / "truth.json").is_file():
        vs.phantom(out, kind=kind, cases=cases, seed=seed, options=options)
    return out


def split(data: Path, out: Path, *, tested: int) -> Path:
    """Return a CSV by which every `tested`-th case of a cohort is tested on, the same for every arm and seed."""
    path = out / f"{data.name}-split.csv"
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        with (data / "cohort.csv").open(newline="", encoding="utf-8") as file:
            cases = [row["case"] for row in csv.DictReader(file)]
        lines = [f"{case},{'train' if k % tested else 'test'}" for k, case in enumerate(cases)]
        path.write_text("\n".join(["case,split", *lines]) + "\n", encoding="utf-8")
    return path


def tested_in(path: Path) -> set[str]:
    """Return the ids of the cases that a CSV of a split tests on."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["case"] for row in csv.DictReader(file) if row["split"] == "test"}


def beside(
    data: Path,
    target: str,
    tested: Collection[str],
    oracle: Callable[[Mapping[str, Any]], str],
    names: tuple[str, ...],
) -> list[Figure]:
    """Return what an oracle, the shares of the classes, the nearest image and a regression on pixels come to.

    The oracle reads `truth.json`; all are judged on the `tested` cases, by id, and learn from the others.
    """
    cohort = vs.read(data, target=target, columns={"label": target})
    told = _beside.truths(data)
    sides = _beside.Beside(
        [c for c in cohort.cases if c.id not in tested], [c for c in cohort.cases if c.id in tested]
    )
    labels = cohort.targets[target].labels
    rivals = sides.grades(target, labels, told=lambda c: oracle(told[c.id]), ordered=False)
    return sides.figures(target, rivals, lambda c: c.targets[target], names)


def renamed(figures: list[Figure], what: str) -> list[Figure]:
    """Return figures with a word before what they are."""
    return [replace(f, what=f"{what}: {f.what}") for f in figures]


def best(fits: Mapping[str, list[_fits.Fitted]], name: str) -> tuple[str, float]:
    """Return which arm has the highest mean of a metric, and the mean."""
    means = {arm: _fits.mean(found, name) for arm, found in fits.items()}
    arm = max(means, key=lambda a: means[a])
    return arm, means[arm]
