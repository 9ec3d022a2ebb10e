"""Several sources of one body: fusion beside each source alone, every subset answered, and sources left out.

Thirteen fits of as many steps each, of 1 to 4 minutes, and one bundle asked of every subset of its sources: about 45
minutes. What is finished is taken again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

import vesalius as vs
from benchmarks import _beside, _fits, _phantoms, _quick
from benchmarks._figures import Figure
from vesalius.core.answers.scores import Scores
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.metrics import bounds, resample
from vesalius.phantom.bodies.response import COVARIATES, IMAGES, SEEN_IN

SECTION = "Sequences and sources"
SOAK = False
SEEDS = (0,)
CASES, TESTED = 1500, 3
LIMIT = "10m"  # never reached where there is an image: steps are fixed, so that no arm has more than another
BARE = "60s"  # of an arm without images
DRAWS = 1000
TOLL = (
    0.05  # that leaving a source out may cost against a model trained without it, at the interval's upper end
)
TEXT, TABLE = "text", "age, sex, lab"
SOURCES = (*IMAGES, TABLE, TEXT)
WAYS = ("attention", "concat", "late")
BOTH = ("--set", "infer.novelty=none", "--set", "train.members=1")  # of every arm
PICTURED = (  # of every arm with an image; none is made larger or smaller, for sizes tell
    "--set", "net.name=resnet-10", "--set", "net.scale=0.25", "--set", "augment.zoom=0",
    "--set", "train.steps=1500", "--set", "train.batch=16",
)  # fmt: skip


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """All arms on one split, resumed where interrupted. Quick: 40 bodies, fewer arms and 4 steps of each."""
    home = folder if quick else _fits.KEPT
    data = _phantoms.made(home / "multimodal-cohort", "multimodal", 40 if quick else CASES)
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        rows += _Asked(data, home / "multimodal", seed, quick=quick).figures()
    return rows


class _Asked:
    """The arms of one seed, and what each said of every test patient."""

    def __init__(self, data: Path, out: Path, seed: int, *, quick: bool) -> None:
        self.data, self.out, self.seed, self.quick = data, out, seed, quick
        self.split = _phantoms.split(data, out, tested=TESTED)
        self.cohort = vs.read(data, target="response", columns=_columns(SOURCES))
        tested = _phantoms.tested_in(self.split)
        self.training = [c for c in self.cohort.cases if c.id not in tested]
        self.test = [c for c in self.cohort.cases if c.id in tested]
        self.yes = np.array([c.targets["response"] == "yes" for c in self.test])
        patients = [str(c.patient) for c in self.test]
        drawn = resample(patients, np.random.default_rng(0), DRAWS)
        self.draws = [i for i in drawn if 0 < self.yes[i].sum() < len(i)]

    def figures(self) -> list[Figure]:
        """Return all figures of this seed."""
        best = self.told()
        together = {way: self.said(SOURCES, way) for way in WAYS[: 1 if self.quick else None]}
        alone = {source: self.said((source,)) for source in SOURCES[:: 3 if self.quick else 1]}
        fused = together[WAYS[0]]
        rows = [self.auc(f"at best from {name}, by the truth", p) for name, p in best.items()]
        rows += self.trivial()
        rows += [self.auc(f"all sources, {way}", p) for way, p in together.items()]
        rows += [self.auc(f"{source} alone", p) for source, p in alone.items()]
        most = max(alone, key=lambda s: _auc(alone[s], self.yes))
        for source, p in alone.items():
            asked = "lower end > 0" if source == most else ""
            rows.append(self.gain(f"all sources, attention, less {source} alone", fused, p, asked=asked))
        rows += [
            self.gain(f"all sources, {way}, less attention", together[way], fused)
            for way in list(together)[1:]
        ]
        rows += self.left_out()
        return rows

    # --- what is asked

    def said(self, sources: Sequence[str], way: str = WAYS[0]) -> Array:
        """Return the probability of a response of each test patient, by a model of those sources alone."""
        found = {str(c["case"]): float(c["p"]["yes"]) for c in self.fit(sources, way).card.cases}
        return np.array([found[c.id] for c in self.test])

    def fit(self, sources: Sequence[str], way: str = WAYS[0]) -> _fits.Fitted:
        """Return a finished fit of some sources."""
        words: list[str] = []
        for role, columns in _columns(sources).items():
            words += ["--column", f"{role}={columns}"]
        many = len(sources) > 1
        pictured = bool(set(sources) & set(IMAGES))
        words += ["--set", f"sources.fusion={way}"] if many else []
        small = _SMALL if pictured else ("--set", "train.steps=4")
        words += small if self.quick else PICTURED if pictured else ()
        name = "-".join(s.replace(", ", "-") for s in (*sources, *((way,) if many else ())))
        return _fits.resumed(
            self.data / "cohort.csv",
            self.out / f"{name}-{self.seed}",
            limit=_phantoms.LIMIT if self.quick else LIMIT if pictured else BARE,
            seed=self.seed,
            options=("--target", "response", "--split", str(self.split), *words, *BOTH),
            test_split=not self.quick,
        )

    def left_out(self) -> list[Figure]:
        """Ask the bundle of all sources about every subset, and hold it against models trained without a source."""
        run, rows = self.fit(SOURCES).run, []
        for kept in _subsets():
            name = f"trained on all, {' + '.join(kept)}"
            if len(kept) == len(SOURCES) or (self.quick and len(kept) > 1 and kept != SOURCES[1:]):
                continue
            p = self.answered(run, kept)
            lacks = set(SOURCES) - set(kept)
            if len(lacks) == 1:
                without = self.said(kept)
                gone = next(iter(lacks))
                rows.append(self.auc(f"trained without {gone}", without))
                rows.append(
                    self.gain(f"trained without {gone} less asked without it", without, p, at_most=TOLL)
                )
            rows.append(self.auc(name, p))
        return rows

    def answered(self, run: Path, kept: Sequence[str]) -> Array:
        """Return the probability of a response of each test patient by a bundle that is shown some sources only."""
        kept_at = self.out / f"subset-{self.seed}-{'-'.join(s.replace(', ', '-') for s in kept)}.json"
        if kept_at.is_file():
            return np.array(json.loads(kept_at.read_text(encoding="utf-8")))
        answers = vs.predict(run, [_shown(c, kept) for c in self.test], accept_mismatch=True)
        found = []
        for answer in answers:
            assert isinstance(answer, Scores)
            found.append(float(answer.p[[label.name for label in answer.labels].index("yes")]))
        kept_at.write_text(json.dumps(found), encoding="utf-8")
        return np.array(found)

    # --- what stands beside it

    def told(self) -> dict[str, Array]:
        """Return the chance of each test patient given what sources show, as the truth tells it."""
        truths = _beside.truths(self.data)
        names = {name: name for name in (*IMAGES, TEXT, "images", "covariates", "all")}
        return {
            name: np.array([truths[c.id]["told_by"][key] for c in self.test]) for name, key in names.items()
        }

    def trivial(self) -> list[Figure]:
        """Return regressions on the pixels of each image and on the table, and the nearest image."""
        rows = [Figure("the share of each answer: AUC", "0.5", note="whatever the case", seed=str(self.seed))]
        labels = self.cohort.targets["response"].labels
        place = [label.name for label in labels].index("yes")
        for name in IMAGES:
            sides = _beside.Beside(
                [_only(c, name) for c in self.training], [_only(c, name) for c in self.test]
            )
            rivals = sides.grades("response", labels, ordered=False)
            for called in ("logistic regression on pixels", _beside.NEAREST):
                p = np.array([float(a.p[place]) for a in rivals[called] if isinstance(a, Scores)])
                rows.append(self.auc(f"{called}, {name}", p))
        rows.append(self.auc("logistic regression on age, sex and lab", self.by_table()))
        return rows

    def by_table(self) -> Array:
        """Return what a logistic regression on the covariates says of each test patient."""
        from sklearn.linear_model import LogisticRegression

        def numbers(cases: Sequence[Case]) -> Array:
            return np.array(
                [
                    [
                        float(c.covariates["age"]) / 10,
                        c.covariates["sex"] == "F",
                        np.log(float(c.covariates["lab"])),
                    ]  # type: ignore[arg-type]
                    for c in cases
                ]
            )

        known = np.array([c.targets["response"] == "yes" for c in self.training])
        model = LogisticRegression().fit(numbers(self.training), known)
        return np.asarray(model.predict_proba(numbers(self.test))[:, 1])

    # --- judged

    def auc(self, what: str, p: Array) -> Figure:
        """Return an AUC with its interval over patients."""
        held = bounds(
            _auc(p, self.yes), np.array([_auc(p[i], self.yes[i]) for i in self.draws]), len(self.yes)
        )
        return Figure(f"{what}: AUC", _fits.interval(held), seed=str(self.seed), note=f"n {len(self.yes)}")

    def gain(
        self, what: str, one: Array, other: Array, *, asked: str = "", at_most: float | None = None
    ) -> Figure:
        """Return how much higher one AUC is than another, paired by patient."""
        drawn = np.array([_auc(one[i], self.yes[i]) - _auc(other[i], self.yes[i]) for i in self.draws])
        held = bounds(_auc(one, self.yes) - _auc(other, self.yes), drawn, len(self.yes))
        holds = None
        if at_most is not None:
            asked, holds = f"upper end ≤ {at_most:g}", held.high is not None and held.high <= at_most
        elif asked:
            holds = held.low is not None and held.low > 0
        return Figure(
            f"{what}: AUC, paired",
            _fits.interval(held),
            asked,
            None if self.quick else holds,
            str(self.seed),
            f"n {held.n}",
        )


_SMALL = (*_phantoms.SMALL[:-2], "--set", "augment.zoom=0")


def _columns(sources: Sequence[str]) -> dict[str, str]:
    """Return the roles of columns for some sources."""
    found = {"image": ",".join(s for s in sources if s in IMAGES)}
    if TABLE in sources:
        found["covariate"] = ",".join(COVARIATES)
    if TEXT in sources:
        found["text"] = "text"
    return found


def _subsets() -> Iterator[tuple[str, ...]]:
    """Yield every subset of the sources that is not empty, the larger ones first."""
    for many in range(len(SOURCES), 0, -1):
        yield from combinations(SOURCES, many)


def _shown(case: Case, kept: Sequence[str]) -> Case:
    """Return a case with some of its sources only."""
    images = {name: image for name, image in case.images.items() if name in kept}
    return replace(
        case,
        images=images,
        reference=next(iter(images), None),
        covariates=case.covariates if TABLE in kept else dict.fromkeys(case.covariates),
        texts=case.texts if TEXT in kept else {},
    )


def _only(case: Case, image: str) -> Case:
    """Return a case with one image alone."""
    return replace(case, images={image: case.images[image]}, reference=image)


def _auc(p: Array, yes: Array) -> float:
    """Return the chance that a yes has a higher probability than a no, ties half (Mann and Whitney 1947)."""
    ranks, positive = stats.rankdata(p), float(yes.sum())
    return float((ranks[yes].sum() - positive * (positive + 1) / 2) / (positive * (len(p) - positive)))


assert set(SEEN_IN) == {*IMAGES, *COVARIATES, TEXT}
