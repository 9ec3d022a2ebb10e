"""Every file of metrics keeps the room's contract."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from vesalius import metrics
from vesalius.core import registry
from vesalius.core.answers import kinds
from vesalius.core.answers.boxes import Boxes, counts_of
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.instances import Instances
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.ranking import Kin, Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.case import Box, Event, Instance
from vesalius.core.cohort import Label
from vesalius.core.errors import UnknownName
from vesalius.core.finding import Finding
from vesalius.core.image import Image
from vesalius.core.promise import Promise
from vesalius.core.things import Things

STEMS = sorted(registry.stems("metrics"))
KINDS = {kind.__name__ for kind in kinds()}


def example(module):
    """Rows of eight cases with something to say."""
    rng = np.random.default_rng(0)
    if module.ANSWER == "Scores":
        p = rng.dirichlet([1, 1, 1], 8)
        return module.from_arrays(p, np.array([0, 1, 2, 0, 1, 2, 0, 1]), labels=["a", "b", "c"])
    if module.ANSWER == "Value":
        return module.from_arrays(rng.normal(size=8), rng.normal(size=8), unit="years")
    if module.ANSWER == "Map":
        fields = rng.random((2, 8, 1, 1, 12, 12))
        made = [Map(image=Image(f), quantity="q", case_id=str(i)) for i, f in enumerate(fields[0])]
        return module.rows(made, [Image(f) for f in fields[1]])
    if module.ANSWER == "Numbers":
        x, y = ({n: rng.uniform(1, 2, size=8) for n in ("age", "weight")} for _ in range(2))
        promised = {n: np.stack([x[n] - 0.4, x[n] + 0.4], axis=1) for n in x}
        return module.from_arrays(x, y, units={"age": "years", "weight": "years"}, intervals=promised)
    if module.ANSWER == "Mask":
        masks = (rng.random((2, 8, 1, 1, 12, 12)) > 0.5).astype(np.uint8)
        label = (Label(1, "x"),)
        answers = [Mask(image=Image(m), labels=label, case_id=str(i)) for i, m in enumerate(masks[0])]
        return module.rows(answers, [Image(m) for m in masks[1]])
    if module.ANSWER == "Instances":
        ids = np.zeros((8, 1, 1, 12, 12), np.uint8)
        ids[..., 1:6, 1:6], ids[..., 1:6, 6:11] = 1, 2
        things = tuple(Instance(k, "x", 0.5) for k in (1, 2))
        answers = [
            Instances(
                image=Image(np.roll(m, k % 2, axis=2)), things=things, labels=(Label(1, "x"),), case_id=str(k)
            )
            for k, m in enumerate(ids)
        ]
        return module.rows(answers, [Things(m[0], {1: "x", 2: "x"}) for m in ids])
    if module.ANSWER == "Boxes":
        return boxes(module, rng)
    if module.ANSWER == "Curve":
        times = np.arange(1.0, 13.0) * 100
        lines = [np.exp(-times / 600 * np.exp(risk)) for risk in rng.normal(size=8)]
        answers = [
            Curve(times_days=times, survival={"all": line}, case_id=str(k)) for k, line in enumerate(lines)
        ]
        return module.rows(answers, [Event(float(t), True) for t in rng.uniform(100, 1000, 8)])
    if module.ANSWER == "Text":
        return texts(module)
    if module.ANSWER == "Ranking":
        return rankings(module, rng)
    pytest.skip(f"no example rows for {module.ANSWER}")


def rankings(module, rng):
    """Rows of eight rankings of twelve cases, five of which should be found, with a label by the nearest."""
    names = [str(k) for k in range(12)]
    answers = [
        Ranking(
            case_ids=tuple(rng.permutation(names)),
            distances=np.sort(rng.random(12)),
            parts={"label": Scores(labels=(Label(0, "x"), Label(1, "y")), p=rng.dirichlet([1, 1]))},
            case_id=str(k),
        )
        for k in range(8)
    ]
    return module.rows(answers, [Kin(dict.fromkeys(names[:5], 1.0), ("x",))] * 8)


def texts(module):
    """Rows of eight texts: a nodule that is there in each, on the wrong side in half of them, and a mass in all."""
    rows = []
    for k in range(8):
        nodule = Finding("nodule", side="left", place="lung", size_mm=10.0, change="new", sentence=0)
        said = (
            replace(nodule, side=("left", "right")[k % 2]),
            Finding("mass", sentence=1),
            Finding("rib", sentence=2),
        )
        marks = tuple(Evidence("", n, supported=bool((n + k) % 2)) for n in range(3))
        answer = Text(sections={"": f"A nodule {k}. A mass. A rib."}, evidence=marks, case_id=str(k))
        rows.append(
            (answer, module.Truth({"": f"A nodule {k}."}, (nodule, Finding("rib"))[: 1 + k % 2], said))
        )
    return module.rows(*zip(*rows, strict=True))


def boxes(module, rng):
    """Rows of eight pictures with one to four things, most of which are found, and counts with their intervals."""
    answers, truths = [], []
    for k in range(8):
        real = tuple(Box((0, 0, 20 * n), (1, 10, 20 * n + 10), "x") for n in range(1 + k % 4))
        found = tuple(replace(b, high=(1, 10, b.high[2] - 1)) for b in real[k % 2 :]) + real[:1]
        answer = Boxes(boxes=found, p=rng.random(len(found)), labels=(Label(1, "x"),), case_id=str(k))
        counted = counts_of(answer).values["x"]
        interval = Promise(0.9, "", interval=(counted.x - 1, counted.x + 1))
        counts = Numbers(parts={"x": replace(counted, promise=interval)})
        answers.append(replace(answer, parts={"counts": counts}))
        truths.append(real)
    return module.rows(answers, truths)


@pytest.mark.parametrize("stem", STEMS)
def test_judges_a_known_kind_of_answer_and_describes_its_metrics(stem):
    text = registry.literals("metrics", stem)
    assert text["ANSWER"] in KINDS
    for described in text["DESCRIPTIONS"].values():
        assert set(described) == {"text", "better", "low", "high", "unit"}
        assert described["better"] in ("higher", "lower", "zero")


@pytest.mark.parametrize("stem", STEMS)
def test_every_number_is_described_in_range_and_has_an_interval(stem):
    module = registry.lookup("metrics", stem)
    rows = example(module)
    found = metrics.bootstrap(rows, module.summary, patients=rows.case_ids, counts=module.counts(rows), n=100)
    assert found
    for name, interval in found.items():
        described = metrics.describe(module.ANSWER, name)
        assert interval.value is not None, name
        assert described["low"] is None or interval.value >= described["low"]
        assert described["high"] is None or interval.value <= described["high"]
        assert interval.low <= interval.high and interval.n == 8
    assert isinstance(module.excluded(rows), dict) and callable(module.baseline)


def test_found_by_answer():
    assert metrics.for_answer("Mask").ANSWER == "Mask"
    with pytest.raises(UnknownName, match="Scores"):
        metrics.for_answer("Score")
    with pytest.raises(UnknownName, match="auc"):
        metrics.describe("Scores", "auk")


def test_no_torch_on_this_floor():
    code = (
        "import sys; from vesalius import metrics; from vesalius.core import registry\n"
        "for stem in registry.stems('metrics'): registry.lookup('metrics', stem)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
