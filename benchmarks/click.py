"""Click to segment: Dice after 1, 3, 5 and 10 clicks beside the automatic net, an organ never shown, a click's time."""

from __future__ import annotations

import csv
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import vesalius as vs
from benchmarks import _fits, _phantoms, _quick
from benchmarks._figures import Figure, at_least, at_most, spread
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.core.plan import override
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.infer.choosing import choose
from vesalius.infer.clicking import Clicking
from vesalius.infer.predictor import Predictor
from vesalius.verbs.phantom import phantom

SECTION = "Accuracy"
SOAK = False
SEEDS = (0,)
LIMIT = "30m"
AFTER = ("after 1 click", "after 3 clicks", "after 10 clicks")  # beside five, which the scorecard is of
UNSEEN, BAR = "spleen", 0.85
SIDE, WAIT_S, CLICKS = 96, 0.3, 20
RUNTIMES = ("torch", "onnx", "openvino")


@dataclass(frozen=True)
class Data:
    """One data set: where it lies, and how `fit` is told of it."""

    name: str
    path: Path
    options: tuple[str, ...]


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Each data set with clicks and without; the phantom with an organ held out; the time of a click last.

    Quick: a phantom's small volumes alone, of another seed.
    """
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        several = (_small(folder),) if quick else _data(folder)
        for data in several:
            clicked = _fit(data, folder, seed, "interact", quick=quick)
            rows += _after(data, load_scorecard(clicked / "scorecard.json"), seed)
            automatic = _fit(data, folder, seed, "segment", quick=quick)
            card = load_scorecard(automatic / "scorecard.json")
            rows.append(
                Figure(
                    f"{data.name}: dice of the automatic net",
                    _fits.interval(card.metrics["dice"]),
                    seed=str(seed),
                )
            )
        held = _fit(several[0], folder, seed, "interact", quick=quick, hold_out=UNSEEN)
        rows += _unseen(several[0], load_scorecard(held / "scorecard.json"), seed)
        rows += _waits(open_bundle(held / "bundle"), folder, seed, quick=quick)
    return rows


def _data(folder: Path) -> tuple[Data, ...]:
    made = folder / "phantom"
    if not made.exists():
        phantom(made, cases=60, seed=1)
    split = ("--split", str(_phantoms.split(made, folder, tested=4)))
    hippocampus = ("--split", str(_fits.shared("hippocampus_split.csv")))
    return (
        Data("phantom", made / "cohort.csv", ("--target", "mask", *split)),
        Data("hippocampus", _fits.shared("hippocampus"), hippocampus),
        Data("acdc", _acdc(folder / "acdc"), ("--target", "mask")),
    )


def _small(folder: Path) -> Data:
    made = folder / "small"
    if not made.exists():
        phantom(made, cases=10, seed=7, size=(24, 32, 32))
    return Data("small phantom", made / "cohort.csv", ("--target", "mask"))


def _acdc(folder: Path) -> Path:
    """Return a table of the end-diastolic volumes with their masks."""
    source = _fits.shared("acdc")
    folder.mkdir(parents=True, exist_ok=True)
    with (source / "table.csv").open(newline="", encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    lines = ["case,patient,image,mask"]
    for row in listed:
        stem = f"{row['patient']}_{row['ed']}"
        for name in (f"{stem}.nii.gz", f"{stem}_gt.nii.gz"):
            if not (folder / name).is_file():
                shutil.copyfile(source / row["patient"] / name, folder / name)
        lines.append(f"{row['patient']},{row['patient']},{stem}.nii.gz,{stem}_gt.nii.gz")
    (folder / "cohort.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "cohort.csv"


def _fit(data: Data, folder: Path, seed: int, task: str, *, quick: bool, hold_out: str = "") -> Path:
    options = (*data.options, "--task", task)
    if hold_out:
        options = (*options, "--set", f"task.options.hold_out={hold_out}")
    if quick:
        options = (*options, *_quick.OPTIONS)
    name = f"{data.name.replace(' ', '-')}-{task}{'-held-out' if hold_out else ''}-{seed}"
    limit = _phantoms.LIMIT if quick else LIMIT
    return _fits.fit(
        data.path, folder / name, limit=limit, seed=seed, options=options, test_split=not quick
    ).run


def _after(data: Data, card: Scorecard, seed: int) -> list[Figure]:
    """Return Dice after each number of clicks, with intervals."""
    arms = {str(arm["name"]): arm for arm in card.rivals["arms"]}
    rows = [Figure(f"{data.name}: dice after 5 clicks", _fits.interval(card.metrics["dice"]), seed=str(seed))]
    for name in AFTER:
        found = arms[name]["figures"]["dice"]
        value = f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"
        rows.append(Figure(f"{data.name}: dice {name}", value, seed=str(seed)))
    return rows


def _unseen(data: Data, card: Scorecard, seed: int) -> list[Figure]:
    name = f"dice/{UNSEEN}"
    value = card.metrics[name].value
    note = f"{_fits.interval(card.metrics[name])}; the others were shown in training"
    what = f"{data.name}: {name}, never shown, after 5 clicks"
    return [at_least(what, value if value is not None else float("nan"), BAR, seed=str(seed), note=note)]


def _waits(bundle: Bundle, folder: Path, seed: int, *, quick: bool) -> list[Figure]:
    """Return the time of a click on a region of 96³ voxels, by each runtime; the fastest is held to its bound."""
    side = 48 if quick else SIDE
    wide = override(bundle.stages[-1].plan, {"data.size": [side, side, side], "task.options.region": 0})
    large = replace(bundle, stages=(replace(bundle.stages[-1], plan=wide),))
    spacing = wide.data.spacing_mm or (1.0, 1.0, 1.0)
    pixels = np.random.default_rng(seed).normal(0, 300, (1, side + 8, side + 8, side + 8)).astype(np.float32)
    image = Image(pixels, affine=np.diag([*spacing, 1.0]), unit="HU", modality="CT")
    took: dict[str, list[float]] = {}
    notes = {}
    for name in RUNTIMES:
        try:
            predictor = Predictor(large, device="cpu", accept_mismatch=True)
            choose(predictor, name, root=folder / "measured")
        except vs.VesaliusError as error:
            notes[name] = str(error)[:120]
            continue
        took[name] = _clicked(predictor, image, side, 5 if quick else CLICKS)
    rows = [Figure(f"a click on {side}³, {n}", notes[n], seed=str(seed)) for n in notes]
    rows += [Figure(f"a click on {side}³, {n}", spread(each), seed=str(seed)) for n, each in took.items()]
    best = min(took, key=lambda name: statistics.median(took[name]))
    p50 = statistics.median(took[best])
    return [*rows, at_most(f"p50 of a click on {side}³", p50, WAIT_S, unit=" s", seed=str(seed), note=best)]


def _clicked(predictor: Predictor, image: Image, side: int, clicks: int) -> list[float]:
    """Return the seconds of each click, the mask's answer included; the first one, which opens things, left out."""
    clicking = Clicking(predictor, Case("made-up", {"image": image}))
    middle, rng = side // 2, np.random.default_rng(0)
    seconds = []
    for k in range(clicks + 1):
        place = tuple(float(n) for n in middle + rng.integers(-6, 7, 3))
        began = time.perf_counter()
        clicking.add(vs.Stroke("point", (place,), adds=k % 2 == 0))  # type: ignore[arg-type]
        seconds.append(time.perf_counter() - began)
    return seconds[1:]
