"""500 questions about images of the CT phantom, answered from a trained model's masks, and held against the truth.

One fit of 8 minutes. Sides are those of the plane between both kidneys, in the true masks as in the model's. The
wordings were written before the rules that read questions were tried on any of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _record
from benchmarks._figures import Figure, at_least
from vesalius.answers import contract as handling
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Case
from vesalius.core.cohort import Label
from vesalius.core.scorecard import load_scorecard
from vesalius.core.stated import Statement
from vesalius.metrics import resample
from vesalius.prepare.case import load_mask
from vesalius.questions.answered import CANNOT, replies
from vesalius.questions.asked import understood

SECTION = "Reports"
SOAK = False
SEEDS = (0,)
CASES, SIZE, LIMIT_S = 120, (32, 64, 64), 480.0
ASKED, UNTOLD = 500, 200
NEAR = 0.2  # of a size
THERE = ("Is there a {}?", "Can you see any {}?", "Does the scan show a {}?", "Is a {} visible in this image?",
         "Tell me whether there is a {}.", "Any evidence of a {}?", "Can a {} be ruled out?")  # fmt: skip
SIDED = ("Is there a {} on the {}?", "Can you see a {} on the {} side?", "Does a {} lie on the {}?")
COUNT = ("How many {}s are there?", "What is the number of {}s?", "How many {}s can you see?")
SIZE_OF = ("How large is the {}?", "What is the diameter of the largest {}?", "How big is the {}?")
LARGER = ("Is there a {} larger than {} mm?", "Does the {} measure more than {} mm?")
SIDE = ("Which side is the {} on?", "Is the {} on the left or on the right?", "On what side does the {} lie?")
CANNOT_BE_TOLD = (
    "Is the {} calcified?", "Is the {} growing?", "Has the {} changed since last year?", "Is the {} painful?",
    "Is there a fracture?", "How many ribs are broken?", "Is the appendix inflamed?", "Is there a pneumothorax?",
    "Which drug should the patient take?", "How old is the patient?", "Is the {} the same as in March?",
    "What is the grade of the {}?", "Is the wall of the {} thick?", "Who is the patient?",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One question: of which patient, of which kind, and whether the reply was right."""

    patient: str
    kind: str
    right: bool
    told: bool


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Fit, ask, count. Quick: six small cases and a few steps."""
    home = folder if quick else _record.ROOT / "runs" / "benchmarks" / "questions"
    data = home / "data"
    if not (data / "truth.json").is_file():
        vs.phantom(data, cases=8 if quick else CASES, seed=11, size=(16, 32, 32) if quick else SIZE)
    rows: list[Figure] = []
    for seed in seeds:
        fitted = _run(data, home / f"run-{seed}", seed, quick=quick)
        rows += _asked(fitted, data, seed, count=40 if quick else ASKED, untold=20 if quick else UNTOLD)
    return rows


def _run(data: Path, out: Path, seed: int, *, quick: bool) -> vs.Run:
    if (out / "scorecard.json").is_file():
        return vs.open(out)
    tiny: dict[str, Any] = {
        "train.steps": 4,
        "train.batch": 1,
        "train.members": 1,
        "net.scale": 0.125,
        "data.size": [16, 32, 32],
    }
    began = time.monotonic()
    begun = (out / "run.json").is_file()
    made = vs.fit(
        data,
        out,
        target="mask",
        seed=seed,
        settings=tiny if quick else None,
        time_limit=None if quick or begun else LIMIT_S,
        resume=begun,
        progress=False,
    )
    if not quick and not begun:
        (out / "wall.txt").write_text(
            f"{time.monotonic() - began:.0f} s of {LIMIT_S:.0f} s\n", encoding="utf-8"
        )
    return made


def _asked(run: vs.Run, data: Path, seed: int, *, count: int, untold: int) -> list[Figure]:
    rng = np.random.default_rng(seed)
    cohort = vs.read(data)
    test = {c["case"] for c in load_scorecard(run.path / "scorecard.json").cases}
    cases = [c for c in cohort.cases if c.id in test]
    labels = cohort.targets["mask"].labels
    said, true = {}, {}
    for case in cases:
        answer = vs.predict(run, case)
        said[case.id] = handling.states(answer)
        true[case.id] = handling.states(_truth(case, labels))
    found = [_one(rng, cases, said, true) for _ in range(count)]
    beyond = [_beyond(rng, cases, said, labels) for _ in range(untold)]
    rows = [
        _share("questions right, all kinds", found, seed, bound=0.9),
        _share("cannot be told, and is not", beyond, seed, bound=0.9),
    ]
    rows += [
        _share(f"questions right: {kind}", [t for t in found if t.kind == kind], seed)
        for kind in sorted({t.kind for t in found})
    ]
    replied = np.mean([t.told for t in found])
    rows.append(Figure("questions that are answered at all", f"{replied:.3f}", seed=str(seed)))
    trivial = [Told(t.patient, t.kind, t.right, True) for t in _trivial(rng, cases, true, count)]
    rows.append(_share("questions right by the answer that suits most cases", trivial, seed))
    return rows


def _truth(case: Case, labels: Sequence[Label]) -> Mask:
    return Mask(case_id=case.id, image=load_mask(case.targets["mask"]), labels=tuple(labels))


def _one(
    rng: np.random.Generator,
    cases: Sequence[Case],
    said: dict[str, tuple[Statement, ...]],
    true: dict[str, tuple[Statement, ...]],
) -> Told:
    """Ask one question of one case, and hold the reply against that from the true mask."""
    case = cases[rng.integers(len(cases))]
    kind, words = _words(rng, true[case.id])
    reply, right = _replied(words, said[case.id]), _replied(words, true[case.id])
    return Told(case.patient or case.id, kind, _agree(reply, right), reply != CANNOT)


def _words(rng: np.random.Generator, true: Sequence[Statement]) -> tuple[str, str]:
    """Draw a question that the truth answers."""
    while True:
        one = true[rng.integers(len(true))]
        name, there = one.finding.name, one.finding.status == "present"
        kind = str(rng.choice(["there", "sided", "count", "size", "larger", "side"]))
        form = rng.choice(
            {"there": THERE, "sided": SIDED, "count": COUNT, "size": SIZE_OF, "larger": LARGER, "side": SIDE}[
                kind
            ]
        )
        if (kind in ("size", "side", "larger") and not there) or (
            kind in ("sided", "side") and there and not one.finding.side
        ):
            continue
        if kind == "sided":
            return kind, str(form).format(name, rng.choice(["left", "right"]))
        if kind == "larger":
            size = float(one.finding.size_mm or 0) * rng.choice([0.5, 1.6])
            return kind, str(form).format(name, round(size))
        return kind, str(form).format(name)


def _beyond(
    rng: np.random.Generator,
    cases: Sequence[Case],
    said: dict[str, tuple[Statement, ...]],
    labels: Sequence[Label],
) -> Told:
    case = cases[rng.integers(len(cases))]
    words = str(rng.choice(CANNOT_BE_TOLD)).format(labels[rng.integers(len(labels))].name.replace("_", " "))
    reply = _replied(words, said[case.id])
    return Told(case.patient or case.id, "beyond", reply == CANNOT, reply != CANNOT)


def _trivial(
    rng: np.random.Generator, cases: Sequence[Case], true: dict[str, tuple[Statement, ...]], count: int
) -> list[Told]:
    """The reply that most other cases would get to the same question, whatever the image shows."""
    found = []
    for _ in range(count):
        case = cases[rng.integers(len(cases))]
        kind, words = _words(rng, true[case.id])
        others = [_replied(words, true[c.id]) for c in cases if c.id != case.id]
        usual = max(set(others), key=others.count)
        found.append(Told(case.patient or case.id, kind, _agree(usual, _replied(words, true[case.id])), True))
    return found


def _replied(words: str, statements: Sequence[Statement]) -> str:
    names = list(dict.fromkeys(s.finding.name for s in statements))
    return replies(understood(words, names), statements)[0].says


def _agree(reply: str, right: str) -> bool:
    """Whether a reply is the right one; sizes agree within a fifth."""
    if reply == CANNOT:
        return right == CANNOT
    if right.endswith(" mm") and reply.endswith(" mm"):
        size, true = float(reply[:-3]), float(right[:-3])
        return abs(size - true) <= NEAR * true
    return reply == right


def _share(what: str, told: Sequence[Told], seed: int, *, bound: float | None = None) -> Figure:
    """Return the share that is right, with its interval over patients."""
    right = np.array([t.right for t in told], dtype=float)
    drawn = resample([t.patient for t in told], np.random.default_rng(seed), 1000)
    low, high = np.percentile([right[chosen].mean() for chosen in drawn], [2.5, 97.5])
    note = f"[{low:.3f}, {high:.3f}], {len(told)} questions about {len({t.patient for t in told})} patients"
    if bound is not None:
        return at_least(what, float(right.mean()), bound, seed=str(seed), note=note)
    return Figure(what, f"{right.mean():.3f}", seed=str(seed), note=note)
