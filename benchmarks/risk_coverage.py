"""Risk–coverage on the test splits of BUSI and BreastMNIST: what the order of sureness saves, beside a random order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import _fits, _quick
from benchmarks._figures import Figure
from vesalius.answers import contract
from vesalius.core.scorecard import Interval, Scorecard, load_scorecard
from vesalius.evaluate import selective
from vesalius.evaluate.scorecard import scorecard

SECTION = "Trust"
SOAK = False
SEEDS = (0,)
LIMIT = "10m"


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit by the defaults of each data set. Quick: a phantom's pictures."""
    rows: list[Figure] = []
    if quick:
        options, data = _quick.OPTIONS, _quick.pictures(folder)
        fitted = _fits.fit(
            data, folder / "run", limit=_quick.LIMIT, seed=0, options=options, test_split=False
        )
        return [replace(row, holds=None) for row in beside_chance("pictures", fitted.card)]
    for seed in seeds:
        sets = {"busi": _fits.shared("busi"), "breastmnist": _fits.shared("medmnist") / "breastmnist.npz"}
        for name, data in sets.items():
            fitted = _fits.fit(data, folder / f"{name}-{seed}", limit=LIMIT, seed=seed, test_split=True)
            rows += beside_chance(name, fitted.card, seed=seed)
    return rows


def of_run(name: str, path: Path) -> list[Figure]:
    """Return the figures of a run that is there already."""
    return beside_chance(name, load_scorecard(path / "scorecard.json"))


def beside_chance(name: str, card: Scorecard, *, seed: int = 0) -> list[Figure]:
    """Return the risk–coverage figures of a scorecard of a test split; of one of before they are computed anew."""
    if not card.selective:
        rows = contract.of(card.answer).again(card)
        assert rows is not None
        people = [card.patients.get(case) for case in rows.case_ids] if card.patients_known else None
        again = scorecard(
            rows, card.answer, split=card.split, data_hash=card.data_hash, patients=people, seed=card.seed
        )
        card = replace(card, selective=again.selective)
    found = {key: Interval(**one) for key, one in card.selective["metrics"].items()}
    gain, n = found["gain"], card.selective["n"]
    risks = ", ".join(f"{100 * share:.0f} %: {found[f'risk@{share:g}']}" for share in selective.SHARES)
    note = f"test split, n = {n}; area {found['aurc']}; error of the surest {risks}"
    above = gain.low is not None and gain.low > 0
    return [
        Figure(
            f"{name}: error of a random order less the area under risk–coverage",
            str(gain),
            "> 0",
            above,
            "0",
            note,
        )
    ]
