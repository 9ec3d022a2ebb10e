"""An archive of phantom studies: answered once through kills, at which rate, in how much memory, what ends workers."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks import _clinic
from benchmarks._archive import POISON, Leading
from benchmarks._figures import Figure, at_least, at_most

SECTION = "Soak"
SOAK = True
SEEDS = (0,)
STUDIES, KILLS, TRIES, QUICK = 1000, 5, 10, 30
IDEAL, GROWN = 0.9, 1.1  # of twice the rate of one worker; of what was held after a tenth
LIMIT_S = 3000.0


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """1,000 studies of 8×32×32, five kill -9, one and two workers of one thread. Quick: 30 studies, two kills."""
    many, kills = (QUICK, 2) if quick else (STUDIES, KILLS)
    bundle, source = _clinic.bundle(folder), folder / "archive"
    _clinic.studies(source, many, planes=8)
    rows: list[Figure] = []
    for seed in seeds:
        here = folder / f"seed-{seed}"
        here.mkdir()
        one = _undisturbed(here, bundle, source, workers=1)
        two = _undisturbed(here, bundle, source, workers=2)
        share = two.rate() / (2 * one.rate())
        rows.append(
            at_least(
                "rate of two workers of one thread, of twice that of one",
                share,
                IDEAL,
                seed=str(seed),
                note=f"{one.rate():.2f} and {two.rate():.2f} studies/s, the first tenth left out",
            )
        )
        rows += _memory(two, many, str(seed))
        rows += _killed(here, bundle, source, many=many, kills=kills, tries=3 if quick else TRIES, seed=seed)
    return rows


def _undisturbed(folder: Path, bundle: Path, source: Path, *, workers: int) -> Leading:
    leading = Leading(
        folder, bundle=str(bundle), source=str(source), out=str(folder / f"of-{workers}"), workers=workers
    )
    leading.finish(limit_s=LIMIT_S)
    return leading


def _memory(leading: Leading, many: int, seed: str) -> list[Figure]:
    """The most that was held in the last tenth, against that until a tenth was done."""
    early = [r for r in leading.rss if 0 < r[0] <= max(many // 10, 2)]
    late = [r for r in leading.rss if r[0] >= many - max(many // 10, 2)]
    rows = []
    for name, k in (("leader", 1), ("largest worker", 2)):
        if not early or not late:
            continue
        first, last = max(r[k] for r in early), max(r[k] for r in late)
        note = f"{first / 2**20:.0f} MiB while the first tenth was done, {last / 2**20:.0f} MiB in the last"
        rows.append(
            at_most(f"memory of the {name}, last tenth over first", last / first, GROWN, seed=seed, note=note)
        )
    return rows


def _killed(
    folder: Path, bundle: Path, source: Path, *, many: int, kills: int, tries: int, seed: int
) -> list[Figure]:
    """Kill leaders and workers at random moments, with a study among the others that ends every worker."""
    rng, out = random.Random(seed), folder / "killed"
    poison = source / POISON
    if not poison.exists():
        poison.mkdir()
        first = next(p for p in sorted(source.iterdir()) if p.name != POISON)
        for path in first.iterdir():
            (poison / path.name).write_bytes(path.read_bytes())
    moments = sorted(rng.sample(range(1, max(many - 2, kills + 1)), kills))
    told = {"bundle": str(bundle), "source": str(source), "out": str(out), "workers": 2, "tries": tries}
    leading = Leading(folder, **told)
    for k, moment in enumerate(moments):
        leading.reach(moment, limit_s=LIMIT_S)
        time.sleep(rng.random() * 0.3)
        if k % 2:  # a worker, whose leader goes on
            children = psutil.Process(leading.process.pid).children()
            if children:
                rng.choice(children).kill()
            continue
        leading.process.kill()
        leading.process.communicate()
        leading = Leading(folder, **told, resume=(out / "ledger.sqlite").is_file())
    leading.finish(limit_s=LIMIT_S)
    with (out / "answers.csv").open(encoding="utf-8", newline="") as file:
        answered = [row["case"] for row in csv.DictReader(file)]
    same = _rows(out / "answers.csv") == _rows(folder / "of-1" / "answers.csv")
    with (out / "studies.csv").open(encoding="utf-8", newline="") as file:
        aside = {r["study"]: r["tries"] for r in csv.DictReader(file) if r["state"] == "set aside"}
    once = len(answered) == len(set(answered)) == many
    return [
        Figure(
            "studies answered exactly once, with the rows of an undisturbed run",
            f"{len(set(answered))} of {many}",
            f"{many}",
            once and same,
            str(seed),
            f"{kills} times kill -9 of a leader or a worker",
        ),
        Figure(
            "set aside by name, after how many ends of its worker",
            ", ".join(f"{name}: {tries}" for name, tries in aside.items()) or "none",
            f"{POISON}: {tries}",
            aside == {POISON: str(tries)},
            str(seed),
        ),
    ]


def _rows(path: Path) -> list[str]:
    return sorted(path.read_text(encoding="utf-8").splitlines())
