"""Several experts: skill recovered, two poor ones who err together, two experts of CHASE_DB1, three physicians.

About two minutes on one core. The phantom's experts err as `phantom/common/experts.py` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks._figures import Figure, at_least, at_most
from vesalius.consensus.dawid_skene import dawid_skene
from vesalius.consensus.majority import Joined, majority
from vesalius.consensus.patterns import Coder, Patterns, of_classes, of_masks
from vesalius.consensus.staple import staple
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.phantom import blob
from vesalius.phantom.common import experts as known
from vesalius.verbs.consensus import Consensus, consensus

SECTION = "Several experts"
SOAK = False
SEEDS = tuple(range(10))
CASES, PICTURES = 400, 24
DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
NAMES = tuple(e.name for e in known.EXPERTS)
COST = "the share right of the three good ones alone, less that of all five"
Shares = dict[str, list[float]]


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Return figures of the phantom, then of real experts where their data are. Quick: two seeds, few cases."""
    few = seeds[:2] if quick else seeds
    rows = [*classes(few, 100 if quick else CASES), *masks(few, 6 if quick else PICTURES)]
    return rows if quick else [*rows, *eyes(folder), *physicians(folder)]


def classes(seeds: Sequence[int], cases: int) -> list[Figure]:
    """Return how well skill is recovered, and how often the consensus is right, with the poor pair and without."""
    off: list[float] = []
    pair: Shares = {"ours": [], "plain": [], "vote": []}
    three: Shares = {"ours": [], "plain": [], "vote": []}
    apart: Shares = {"ours": [], "plain": [], "vote": []}
    found = 0
    for seed in seeds:
        truth = np.arange(cases) % 2
        said = [known.calls(known.EXPERTS, seed, k, positive=bool(t)) for k, t in enumerate(truth)]
        calls = np.array([[int(s[n]) for n in NAMES] for s in said])
        held = of_classes(calls, experts=NAMES, labels=("no", "yes"))
        joined, fit = dawid_skene(held)
        found += [p.experts for p in fit.pairs if p.joined] == [(3, 4)]
        for e in range(len(NAMES)):
            for label in (0, 1):
                real = float((calls[truth == label, e] == label).mean())
                off.append(abs(float(fit.fitted.skill(e)[label, label]) - real))
        _add(pair, held, truth, joined)
        _add(three, of_classes(calls[:, :3], experts=NAMES[:3], labels=("no", "yes")), truth)
        alone = calls.copy()  # the fifth with errors of its own: those of another seed's fourth
        other = [known.calls(known.EXPERTS, seed + 1000, k, positive=bool(t)) for k, t in enumerate(truth)]
        alone[:, 4] = [int(s["D"]) for s in other]
        _add(apart, of_classes(alone, experts=NAMES, labels=("no", "yes")), truth)
    n = len(seeds)
    cost = {way: [a - b for a, b in zip(three[way], pair[way], strict=True)] for way in pair}
    return [
        at_most(
            "skill of five experts: largest error of a sensitivity or specificity",
            max(off),
            0.05,
            note=f"mean {np.mean(off):.3f}; {n} seeds of {cases} cases",
        ),
        Figure("the pair that errs together is found, and no other", f"{found} of {n}", f"{n}", found == n),
        *(Figure(f"right, {_WAYS[way]}, with the pair", _spread(pair[way])) for way in pair),
        *(Figure(f"what the pair costs, {_WAYS[way]}", _spread(cost[way]), note=COST) for way in cost),
        at_least("right more often than a vote, with the pair", _gain(pair), 0.0, note=_interval(pair)),
        at_least("right no less often where nobody errs together", _gain(apart), 0.0, note=_interval(apart)),
    ]


def masks(seeds: Sequence[int], cases: int) -> list[Figure]:
    """Return the Dice of joined masks of the blob phantom with its truth."""
    dice: Shares = {"ours": [], "plain": [], "vote": []}
    found = 0
    for seed in seeds:
        drawn = [blob.patient(k, seed, size=64, experts=5, experts_say="lesion") for k in range(cases)]
        coder = Coder(len(NAMES), 2)
        codes = [coder.coded([np.asarray(p.experts[n]) for n in NAMES]) for p in drawn]
        held, order = of_masks(
            [coder.counted(c) for c in codes], coder, experts=NAMES, labels=("background", "lesion")
        )
        ours = staple(held)
        found += [p.experts for p in ours.fits[1].pairs if p.joined] == [(3, 4)]
        ways = {
            "ours": ours.joined,
            "plain": staple(held, look=False).joined,
            "vote": majority(held.calls, labels=2),
        }
        for way, joined in ways.items():
            each = [
                _dice(joined.label[np.searchsorted(order, c)] == 1, p.lesion)
                for c, p in zip(codes, drawn, strict=True)
                if p.lesion.any()
            ]
            dice[way].append(float(np.mean(each)))
    n = len(seeds)
    return [
        Figure("the pair that draws alike is found, and no other", f"{found} of {n}", f"{n}", found == n),
        *(Figure(f"Dice of joined lesions, {_WAYS[way]}", _spread(dice[way])) for way in dice),
        at_least("Dice above that of a vote: mean difference", _gain(dice), 0.0, note=_interval(dice)),
    ]


def eyes(folder: Path) -> list[Figure]:
    """Return how far the two experts of CHASE_DB1 agree."""
    if not (DATA / "chasedb1").is_dir():
        return []
    found = consensus(DATA / "chasedb1", folder / "eyes", experts={"first": "1stHO", "second": "2ndHO"})
    dice = next(iter(found.agreement.all.values()))
    return [
        Figure("CHASE_DB1, Dice of its two experts", str(dice), note=f"{dice.n} images; {found.notes[-1]}"),
    ]


def physicians(folder: Path) -> list[Figure]:
    """Return how good three physicians are at telling what a drug does for a disease, and how far they agree."""
    table = DATA / "drug_indications" / "results-three-curators.tsv"
    if not table.is_file():
        return []
    told = {"image": "", "patient": "disease"}
    found = consensus(table, folder / "drugs", experts={n: n for n in ("AJG", "CSH", "PK")}, columns=told)
    rows = [
        Figure("three physicians, Fleiss' kappa", str(found.agreement.all["fleiss_kappa"]),
               note=f"{found.cases} pairs of drug and disease, resampled by disease; tied {found.tied}"),
    ]  # fmt: skip
    names = [s.expert for s in found.skills]
    for (i, j), own in found.agreement.pairs.items():
        rows.append(Figure(f"kappa of {names[i]} and {names[j]}", str(own["kappa"])))
    for one in found.skills:
        rows.append(Figure(f"{one.expert}, accuracy", str(one.accuracy), note=_by_label(one.labels)))
    return [*rows, _agreement_with_published(found)]


def _agreement_with_published(found: Consensus) -> Figure:
    """Return in how many pairs the consensus is the majority that the data's authors published."""
    import csv

    table = DATA / "drug_indications" / "results-three-curators.tsv"
    with table.open(encoding="utf-8") as file:
        published = [row["majority"] for row in csv.DictReader(file, delimiter="\t")]
    with found.path.open(encoding="utf-8") as file:
        ours = [row["consensus"] for row in csv.DictReader(file)]
    same = sum(a == b for a, b in zip(published, ours, strict=True))
    return Figure("consensus is the published majority", f"{same} of {len(ours)}")


def _by_label(labels: object) -> str:
    text = []
    for name, figures in labels.items():  # type: ignore[attr-defined]
        value: Interval = figures["sensitivity"]
        text.append(f"{name}: sensitivity {value}")
    return "; ".join(text)


_WAYS = {"ours": "experts who err together found", "plain": "all taken for independent", "vote": "majority"}


def _add(shares: Shares, held: Patterns, truth: Array, ours: Joined | None = None) -> None:
    ways = {
        "ours": ours or dawid_skene(held)[0],
        "plain": dawid_skene(held, look=False)[0],
        "vote": majority(held.calls, labels=2),
    }
    for way, joined in ways.items():
        shares[way].append(float((joined.label[held.at] == truth).mean()))


def _dice(a: Array, b: Array) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f} over seeds)"


def _gain(shares: Shares) -> float:
    return float(np.mean(np.array(shares["ours"]) - np.array(shares["vote"])))


def _interval(shares: Shares) -> str:
    """Return the 95 % interval of the mean paired difference over seeds, by Student's t."""
    from scipy import stats

    apart = np.array(shares["ours"]) - np.array(shares["vote"])
    if len(apart) < 2:
        return "one seed"
    half = stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart))
    return f"95 % {apart.mean() - half:.3f} to {apart.mean() + half:.3f} over {len(apart)} seeds, paired"
