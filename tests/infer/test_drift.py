"""Drift: a rate that holds, a shift that is told in time, a reference of no single case, and what is followed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vesalius import nets
from vesalius.core.bundle import Bundle, Stage, State
from vesalius.core.case import Case
from vesalius.core.cohort import SetAside
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.plan import (
    DataPlan,
    InferPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
)
from vesalius.core.progress import Silent
from vesalius.infer.alarm import RECORD, Alarm, alarm_of, fitted, gathered
from vesalius.infer.drift import DRIFT, RATE, Drift, drift_of, referenced
from vesalius.infer.drifting import UNTOLD, Drifting, DriftReport, of_folder, reference_of
from vesalius.infer.evidence import UNKNOWN, Evidence
from vesalius.infer.layers import Features
from vesalius.infer.novelty.contract import FEWEST
from vesalius.infer.predictor import Loaded, Predictor
from vesalius.infer.runs.contract import Members
from vesalius.run.answering import several_answers
from vesalius.run.drift_rows import TABLE, DriftRows
from vesalius.run.filling import fill
from vesalius.run.ledger import Sheet
from vesalius.run.novelty import one_a_patient
from vesalius.run.predict_settings import PredictSettings
from vesalius.run.wanted import Wanted
from vesalius.tasks import contract as tasks


def features(x: Array, *, raw: bool = True) -> list[Features]:
    """Cases whose rows are: a grain of 1 channel and its steps along y and x (6 numbers), 4 of a layer, 2 logits."""
    return [
        Features({"net.0": row[:6], "net.1": row[6:10]}, row[10:12] if raw else None, {"net.0": 1})
        for row in x
    ]


def drawn(n: int, seed: int, *, moved: float = 0.0) -> list[Features]:
    x = np.random.default_rng(seed).normal(size=(n, 12))
    x[:, 0] += moved  # brightness
    x[:, 1:3] = np.abs(x[:, 1:3])
    return features(x)


def reference(n: int = 60) -> tuple[Alarm, Drift]:
    alarm = fitted("mahalanobis", drawn(60, 1), drawn(n, 2), member="w")
    return alarm, referenced(alarm, drawn(60, 1), drawn(n, 2))


# --- the evidence


def test_a_fair_bet_by_hand() -> None:
    """Two bins of 5 gaps: the first case is above the middle; a bet on +1 then grows by 2 Φ(1), the others likewise."""
    evidence = Evidence([5, 5], 1)
    evidence.add([1])
    from scipy.stats import norm

    grown = [2 * norm.cdf(d) for d in (-2, -1, -0.5, 0.5, 1, 2)] + [
        1.0,
        1.0,
    ]  # half a spread is half a spread
    share = 1 / (2 * np.log(2) ** 2) / 2.10975
    assert evidence.now[0] == pytest.approx(1 - share + share * np.mean(grown))


@pytest.mark.parametrize("gaps", [[5, 5, 6], [6, 7, 6, 7]])
def test_the_capital_is_a_martingale_whatever_came_before(gaps: list[int]) -> None:
    """The next case falls into a bin as its gaps and counts say; the mean of the next capital is the present one."""
    import copy

    evidence = Evidence(gaps, 1)
    for b in (0, 1, 1, 2, 0, 2, 2):
        evidence.add([b])
    weights = np.array(gaps, float) + [2, 2, 3, 0][: len(gaps)]
    after = []
    for b in range(len(gaps)):
        following = copy.deepcopy(evidence)
        following.add([b])
        after.append(following.now[0])
    assert np.dot(weights / weights.sum(), after) == pytest.approx(evidence.now[0])


def test_the_shares_of_all_beginnings_are_one_at_most() -> None:
    k = np.arange(1, 2_000_000)
    total = (1 / ((k + 1) * np.log(k + 1) ** 2)).sum() / 2.10975
    assert 0.93 < total < 1 and total + 1 / np.log(2_000_001) / 2.10975 == pytest.approx(
        1, abs=1e-3
    )  # the rest


def test_holms_correction_over_features() -> None:
    evidence = Evidence([5, 5], 3)
    evidence.best = np.array([61.0, 41.0, 19.0])
    assert evidence.told(0.05) == (True, True, False)  # 60, 40 and 20 are asked for
    evidence.best = np.array([59.0, 41.0, 30.0])
    assert evidence.told(0.05) == (False, False, False)


def followed(n_runs: int, moved: float, *, cases: int, seed: int) -> list[int]:
    """At which case a drift is told in each run, 0 where never; five features of which the first moves."""
    generator, found = np.random.default_rng(seed), []
    for _ in range(n_runs):
        alarm_like = np.sort(generator.normal(size=(60, 5)), axis=0)
        cuts = np.stack([alarm_like[k - 3 : k + 2].mean(axis=0) for k in range(5, 60, 5)])  # (B - 1, 5)
        evidence, told = Evidence([5] * 11 + [6], 5), 0
        for t in range(cases):
            x = generator.normal(size=5)
            x[0] += moved
            evidence.add([int((cuts[:, f] < x[f]).sum()) for f in range(5)])
            if any(evidence.told(RATE)):
                told = t + 1
                break
        found.append(told)
    return found


def test_a_drift_is_told_within_fifty_cases_and_ordinary_cases_seldom_are() -> None:
    assert sum(0 < k <= 50 for k in followed(20, 1.5, cases=50, seed=0)) >= 18
    assert sum(k > 0 for k in followed(60, 0.0, cases=100, seed=1)) <= 7  # P(more than 7 | 5 %) is 1.4 %


# --- the reference


def test_what_is_kept_is_of_five_cases_at_least() -> None:
    _, drift = reference(60)
    held = drawn(60, 2)
    brightness = np.sort([f.layers["net.0"][0] for f in held])
    cuts = drift.cuts[drift.names.index("brightness")]
    assert drift.gaps.sum() == 61 and drift.gaps.min() >= FEWEST
    for cut, rank in zip(cuts, np.cumsum(drift.gaps), strict=False):
        assert cut == pytest.approx(brightness[rank - 3 : rank + 2].mean(), abs=1e-6)
        assert np.abs(brightness - cut).min() > 0


def test_the_features_that_are_followed_have_their_meaning() -> None:
    alarm, drift = reference()
    assert {"brightness", "contrast", "texture", "strangeness", "net 1", "net 3", "answer 1"} <= set(
        drift.names
    )
    base = drawn(1, 3)[0]
    for name, place, value in (("brightness", 0, 9.0), ("contrast", 3, 9.0), ("texture", 1, 1e6)):
        grain = base.layers["net.0"].copy()
        grain[place] = value
        moved = replace(base, layers={**base.layers, "net.0": grain})
        where = drift.names.index(name)
        assert drift.bins(alarm, moved)[where] == len(drift.gaps) - 1
        others = [k for k, n in enumerate(drift.names) if n.startswith(("net", "answer"))]
        assert [drift.bins(alarm, moved)[k] for k in others] == [drift.bins(alarm, base)[k] for k in others]


def test_a_case_that_shows_other_layers_says_nothing() -> None:
    alarm, drift = reference()
    assert set(drift.bins(alarm, None)) == {UNKNOWN}
    assert set(drift.bins(alarm, Features({"other": np.zeros(3)}))) == {UNKNOWN}
    following = Drifting(drift)
    following.add("a", drift.bins(alarm, None))
    assert following.report().untold == 1 and following.report().cases == 0


def test_features_that_are_the_same_for_all_cases_are_not_followed() -> None:
    x = np.random.default_rng(0).normal(size=(60, 12))
    x[:, 0], x[:, 1:3] = 0.25, np.abs(x[:, 1:3])  # standardised images have one brightness
    alarm = fitted("mahalanobis", features(x[:30]), features(x[30:]), member="w")
    names = referenced(alarm, features(x[:30]), features(x[30:])).names
    assert "brightness" not in names and "contrast" in names


def test_a_reference_is_the_same_once_it_is_stored() -> None:
    alarm, drift = reference()
    stage = Stage("s", plan(), State(), ("w",), extras={RECORD: alarm.state(), DRIFT: drift.state()})
    read, judge = drift_of(stage), alarm_of(stage)
    assert read is not None and judge is not None
    for one in drawn(20, 4):
        assert read.bins(judge, one) == drift.bins(alarm, one)
    assert drift_of(replace(stage, members=("w-1",))) is None and drift_of(replace(stage, extras={})) is None


def test_too_few_cases_are_refused() -> None:
    alarm, _ = reference()
    with pytest.raises(DataError, match="too few cases to tell a drift"):
        referenced(alarm, drawn(60, 1), drawn(9, 2))


# --- what is said


def test_a_folder_is_told_of_whatever_its_order() -> None:
    alarm, drift = reference()
    moved = [(f"c{k:03}", drift.bins(alarm, one)) for k, one in enumerate(drawn(50, 5, moved=2.0))]
    report = of_folder(drift, moved)
    assert report == of_folder(drift, moved[::-1])
    assert report.drifted[0].name == "brightness" and report.drifted[0].percentile > 80  # type: ignore[operator]
    assert "brightness (higher: now at its" in report.sentence and "5 %" in report.sentence
    still = [(f"c{k:03}", drift.bins(alarm, one)) for k, one in enumerate(drawn(50, 6))]
    assert not of_folder(drift, still).drifted
    ranked = sorted(still, key=lambda one: one[1][drift.names.index("brightness")])
    assert not of_folder(
        drift, [(f"c{k:03}", bins) for k, (_, bins) in enumerate(ranked)]
    ).drifted  # sorted by it


def test_a_case_is_counted_once() -> None:
    alarm, drift = reference()
    following = Drifting(drift)
    for one in (*drawn(3, 7), *drawn(3, 7)):
        following.add("the same", drift.bins(alarm, one))
    assert following.report().cases == 1


def test_a_bundle_without_a_reference_says_so() -> None:
    report = Drifting(None).report()
    assert not report.known and report.sentence == UNTOLD and not report.json()["drifted"]
    assert DriftReport(known=True).sentence == "no case was held against what the bundle learned from"


# --- a predictor


def plan(**infer: Any) -> Plan:
    return Plan(
        task=TaskPlan(name="classify", target="truth"),
        data=DataPlan(
            dims=2,
            channels=1,
            sampling="whole",
            size=(1, 32, 32),
            normalise=(Normalisation(method="fixed", mean=0, sd=64),),
        ),
        net=NetPlan(name="resnet-10", scale=0.125),
        loss=LossPlan(name="cross_entropy"),
        train=TrainPlan(steps=1, batch=1),
        infer=InferPlan(batch=16, **infer),
    )


def pictures(n: int, start: int, *, brighter: int = 0) -> list[Case]:
    found = []
    for k in range(start, start + n):
        generator = np.random.default_rng(k)
        low = generator.integers(20, 60)
        array = generator.integers(low, low + 100, (1, 1, 32, 32)) + brighter
        found.append(Case(f"c{k}", {"image": Image(array.astype(np.uint8))}))
    return found


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A model of small pictures, untrained, with an alarm and a reference."""
    torch.manual_seed(0)
    rows = [{"value": k, "name": n, "code": None, "colour": None} for k, n in enumerate(("no", "yes"))]
    state = State({"target": "truth", "kind": "exclusive", "labels": rows, "share": [0.5, 0.5]})
    stage = Stage("classify", plan(), state, ("w",))
    task = tasks.get("classify")
    model = task.build(stage.plan, state, nets).eval()
    found = Predictor.__new__(Predictor)
    found.bundle = Bundle(Path("nowhere"), (stage,), "", "the hash", "a test", None)
    found.device = torch.device("cpu")
    found.stages = (Loaded(stage, task, (model,)),)
    examples = [found.encoded(c).example for c in pictures(70, 0)]
    seen = gathered(Members(task, [model], stage.plan, found.device), examples)
    alarm = fitted("mahalanobis", seen[:30], seen[30:], member="w")
    drift = referenced(alarm, seen[:30], seen[30:])
    stage = replace(stage, extras={RECORD: alarm.state(), DRIFT: drift.state()})
    found.bundle = replace(found.bundle, stages=(stage,))
    found.stages = (Loaded(stage, task, (model,), alarm, drift),)
    return found


def heard(of: Predictor, cases: list[Case], *, together: bool) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    following = of.listening(lambda case, bins: found.__setitem__(case.id, bins))
    if together:
        following.together(cases)
    else:
        for case in cases:
            following(case)
    return found


def test_the_same_is_heard_of_a_case_alone_and_beside_others(predictor: Predictor) -> None:
    cases = pictures(6, 100)
    alone, beside = (heard(predictor, cases, together=way) for way in (False, True))
    off = [abs(a - b) for c in alone for a, b in zip(alone[c], beside[c], strict=True)]
    assert (
        list(alone) == [c.id for c in cases] and max(off) <= 1 and np.mean(off) < 0.05
    )  # rounding, at a cut


def test_brighter_pictures_drift_and_others_do_not(predictor: Predictor) -> None:
    drift = reference_of(predictor.bundle)
    ordinary = of_folder(drift, heard(predictor, pictures(40, 200), together=True).items())
    assert ordinary.cases == 40 and not ordinary.drifted
    brighter = of_folder(drift, heard(predictor, pictures(40, 200, brighter=60), together=True).items())
    assert "brightness" in {f.name for f in brighter.drifted}


def test_a_folder_that_was_interrupted_counts_what_it_has(predictor: Predictor, tmp_path: Path) -> None:
    sheet = Sheet.new(tmp_path / "out", {})
    rows = DriftRows(sheet, predictor.bundle)
    following = predictor.listening(rows.hear)
    for case in pictures(3, 300):
        following(case)
        rows.write(case.id)
        sheet.answers.add({"case": case.id})
    again = DriftRows(Sheet.again(tmp_path / "out", {}), predictor.bundle)
    assert again.report() == rows.report() and again.report().cases == 3
    head = (tmp_path / "out" / TABLE.replace(".csv", ".partial.csv")).read_text().splitlines()[0]
    assert head.startswith("case,brightness")


def test_cases_that_are_refused_as_strange_count_in_a_folders_drift(
    predictor: Predictor, tmp_path: Path
) -> None:
    strict = predictor.refusing
    assert strict.alarm is not None
    strict.stages = (replace(strict.stages[0], alarm=replace(strict.alarm, threshold=-1.0)),)
    wanted = Wanted(tuple(pictures(3, 400)), "here", (SetAside("unread", "a broken file"),))
    found = fill(
        Sheet.new(tmp_path / "out", {}), strict, wanted, settings=PredictSettings(), progress=Silent()
    )
    assert len(found.set_aside) == 4 and found.drift is not None and found.drift.cases == 3


def test_one_case_of_each_patient_counts(predictor: Predictor, tmp_path: Path) -> None:
    cases = tuple(replace(case, patient=f"p{k // 2}") for k, case in enumerate(pictures(6, 500)))
    following = Drifting.of(predictor.bundle)
    predictor.listening(following.hear).together(cases)
    assert following.report().cases == 3
    wanted = Wanted(cases, "here")
    assert several_answers(predictor, wanted, Silent()).drift.cases == 3  # type: ignore[union-attr]
    sheet = Sheet.new(tmp_path / "out", {})
    found = fill(sheet, predictor, wanted, settings=PredictSettings(), progress=Silent())
    assert found.drift is not None and found.drift.cases == 3
    assert DriftRows(sheet, predictor.bundle, cases).report() == found.drift  # gone on with
    assert one_a_patient(cases) == [0, 2, 4]
