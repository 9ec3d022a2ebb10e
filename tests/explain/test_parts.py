"""Bars of sources and of frames, on models whose answer is known: what they must say is worked out by hand."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.explain import methods
from vesalius.explain.contract import PartSetting
from vesalius.explain.methods.sources import Asked
from vesalius.explain.part_measures import by_chance, fault, gain, toward
from vesalius.explain.parts import PartQuestion, thumbnails, when
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Example

NAMES = ("ct", "cine", "labs", "covariates")


class Heard(NamedTuple):
    there: torch.Tensor
    weights: torch.Tensor
    steps: dict[str, torch.Tensor]


class Joined(nn.Module):
    """Adds up the sources that are there: `ct` counts 3, frames their values, `labs` 2 unless `ct` is there, too."""

    names = NAMES
    weighs = True

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(64))
        self.ears: list[list[Heard]] = []

    @contextmanager
    def overheard(self) -> Any:
        heard: list[Heard] = []
        self.ears.append(heard)
        yield heard
        self.ears.remove(heard)

    def forward(self, batch: Any) -> torch.Tensor:
        def there(name: str) -> torch.Tensor:
            found = batch.present.get(name)
            return torch.zeros(batch.rows, dtype=torch.bool) if found is None else found

        has = torch.stack([there(n) for n in NAMES], dim=1)
        ct, cine, labs, beside = has.float().unbind(1)
        frames = torch.zeros(batch.rows, 1)
        if "cine" in batch.images:
            frames = batch.images["cine"].flatten(2).mean(2)
            frames = frames * (~batch.times_s["cine"].isnan()).float() * self.scale[: frames.shape[1]]
        for ear in self.ears:
            even = has.float() / has.sum(1, keepdim=True)
            ear.append(Heard(has, even, {"cine": torch.softmax(frames, dim=1)}))
        said = 3 * ct + frames.sum(1) * cine + 2 * labs * (1 - ct) + 0.5 * beside
        return said[:, None] + 1


class Says:
    """As much of a task as a question about parts needs."""

    name = "planted"

    def features(self, state: State) -> tuple[str, ...]:
        return ()

    def sources(self, state: State) -> tuple[str, ...]:
        return NAMES

    def step_names(self, example: Any, source: str, state: State) -> tuple[str, ...]:
        return ()

    def collate(self, examples: Any) -> Any:
        from vesalius.prepare.batch import collate

        return collate(examples)

    def without(self, model: Any, batch: Any, out: Any) -> Any:
        present, times = dict(batch.present), dict(batch.times_s)
        for name, bits in out.items():
            if bits.ndim > 1:
                times[name] = times[name].masked_fill(bits, math.nan)
                bits = bits.all(dim=1)
            present[name] = present[name] & ~bits
        return replace(batch, present=present, times_s=times)

    def infer(self, model: Any, batch: Any, generator: Any) -> torch.Tensor:
        found: torch.Tensor = model(batch)
        return found

    def scalar(self, raw: torch.Tensor, ask: Ask) -> torch.Tensor:
        return raw[:, 0]


def question(
    values: tuple[float, ...] = (0.0, 0.1, 2.0, 0.0, -0.5), *, lacks: tuple[str, ...] = ()
) -> PartQuestion:
    frames = np.array(values, np.float32).reshape(-1, 1, 1, 1, 1) * np.ones((1, 1, 1, 6, 6), np.float32)
    images = {"ct": np.ones((1, 1, 6, 6), np.float32), "cine": frames}
    made = Example(
        "planted",
        {k: v for k, v in images.items() if k not in lacks},
        covariates=None if "covariates" in lacks else np.ones(2, np.float32),
        courses={} if "labs" in lacks else {"labs": np.ones((1, 2), np.float32)},
        times_s={"cine": np.arange(len(values), dtype=np.float32), "labs": np.zeros(1, np.float32)},
    )
    task: Any = Says()
    plan: Any = None
    return PartQuestion(
        Members(task, [Joined().eval()], plan, torch.device("cpu")), made, Ask(words="it"), State({})
    )


def test_shapley_values_are_the_means_over_all_orders_and_add_up() -> None:
    asked = question()
    (bars,) = methods.get("sources").attribute(asked, PartSetting())
    worth = {"ct": 3.0, "cine": 1.6, "labs": 2.0, "covariates": 0.5}

    def value(kept: frozenset[str]) -> float:
        return sum(worth[n] for n in kept if not (n == "labs" and "ct" in kept))

    by_hand = dict.fromkeys(NAMES, 0.0)
    for order in permutations(NAMES):
        for k, name in enumerate(order):
            by_hand[name] += (value(frozenset(order[: k + 1])) - value(frozenset(order[:k]))) / 24
    assert bars.names == NAMES and bars.of == ""
    assert bars.values.tolist() == pytest.approx([by_hand[n] for n in NAMES], abs=1e-5)
    assert bars.values.sum() == pytest.approx(3 + 1.6 + 0.5, abs=1e-5)  # all there, less nothing there
    assert bars.weights is not None and bars.weights.tolist() == [0.25] * 4
    assert bars.figures["passes"] == 2**4 and bars.fails is None and bars.figures["gain"] > 0.2


def test_columns_share_what_they_say_together_and_a_category_is_one_column() -> None:
    class Table(nn.Module):  # 2 age + 3 sex=F, and -1 where both hold; `labs` is read and does not count
        def forward(self, batch: Any) -> torch.Tensor:
            age, female, _, labs = batch.covariates.unbind(1)
            return (2 * age + 3 * female - age * female + 0 * labs)[:, None]

    class Reads(Says):
        def sources(self, state: State) -> tuple[str, ...]:
            return ()

        def features(self, state: State) -> tuple[str, ...]:
            return ("age", "sex", "sex", "labs")

    made = Example("planted", {}, covariates=np.array([1.5, 1, 0, 0.7], np.float32))
    task: Any = Reads()
    plan: Any = None
    asked = PartQuestion(
        Members(task, [Table().eval()], plan, torch.device("cpu")), made, Ask(words="it"), State({})
    )
    found = methods.get("columns")
    (bars,) = found.attribute(asked, PartSetting(check="none"))
    assert bars.names == ("age", "sex", "labs") and bars.part == "column" and bars.fails is None
    assert bars.values.tolist() == pytest.approx([3 - 0.75, 3 - 0.75, 0], abs=1e-6), (
        "halves of what both share"
    )
    assert found.refuses(asked) is None and "no columns" in str(
        found.refuses(question(lacks=("covariates",)))
    )
    wide = replace(made, covariates=np.linspace(-1, 1, 12).astype(np.float32))
    task.features = lambda state: tuple(f"c{k}" for k in range(12))

    class Line(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slopes = nn.Parameter(torch.arange(12.0))

        def forward(self, batch: Any) -> torch.Tensor:
            return (batch.covariates * self.slopes).sum(1, keepdim=True)

    asked = PartQuestion(Members(task, [Line()], plan, torch.device("cpu")), wide, Ask(words="it"), State({}))
    (bars,) = found.attribute(asked, PartSetting())
    assert bars.values.tolist() == pytest.approx((np.linspace(-1, 1, 12) * np.arange(12)).tolist(), abs=1e-4)
    assert bars.figures["gain"] > bars.figures["gain_by_chance"]


def test_a_source_that_is_not_there_has_no_bar_and_one_alone_is_refused() -> None:
    asked = question(lacks=("labs", "covariates"))
    assert asked.names == ("ct", "cine") and asked.steps == {"cine": 5}
    (bars,) = methods.get("sources").attribute(asked, PartSetting(check="none"))
    assert bars.values.tolist() == pytest.approx([3.0, 1.6], abs=1e-5) and bars.figures == {"passes": 4.0}
    alone = question(lacks=("labs", "covariates", "cine"))
    assert methods.get("sources").refuses(alone) == "the case has one source alone, ct"
    assert "several frames" in str(methods.get("frames").refuses(alone))


def test_each_frame_counts_what_is_lost_without_it() -> None:
    asked = question()
    (bars,) = methods.get("frames").attribute(asked, PartSetting())
    assert bars.of == "cine" and bars.names[0] == "frame 1, 0 s" and len(bars.names) == 5
    assert bars.values.tolist() == pytest.approx([0.0, 0.1, 2.0, 0.0, -0.5], abs=1e-5)
    assert bars.weights is not None and int(bars.weights.argmax()) == 2
    assert bars.figures["gain"] > bars.figures["gain_by_chance"]


def test_many_frames_are_left_out_in_stretches_that_overlap() -> None:
    values = tuple(1.0 if 24 <= k < 32 else 0.0 for k in range(60))
    found = methods.get("frames")
    asked = question(values)
    (bars,) = found.attribute(asked, PartSetting(samples=15, check="none"))
    assert asked.passes <= 15 + 1
    assert 24 <= int(bars.values.argmax()) < 32 and bars.values[:16].max() < 1e-5


def test_the_gain_of_an_order_is_worked_out_by_hand() -> None:
    answers = Asked(question(lacks=("labs", "covariates")))  # nothing 1, ct 4, cine 2.6, both 5.6
    found = gain(answers, np.array([0, 1]))
    whole = 4.6
    insertion = (0 / 2 + 3 / whole + 1 / 2) / 2
    deletion = (1 / 2 + 1.6 / whole + 0 / 2) / 2
    assert found["insertion"] == pytest.approx(insertion, abs=1e-5)
    assert found["deletion"] == pytest.approx(deletion, abs=1e-5)
    assert by_chance(answers, 2, seed=0, times=200) == pytest.approx(0, abs=0.05)
    assert toward(np.array([1.0, 3.0]), answers).tolist() == [1, 0]


def test_bars_that_say_nothing_are_not_shown() -> None:
    asked = question((0.0, 0.0, 0.0))
    (bars,) = methods.get("frames").attribute(asked, PartSetting())
    assert bars.fails == "what is asked is answered alike without any step"
    assert fault({"gain": 0.1, "gain_by_chance": 0.2}, np.array([1.0, 2.0]), "step") is not None
    same = {"gain": 0.5, "gain_by_chance": 0.0, "same_without_learning": 0.9}
    assert fault(same, np.arange(9.0), "step") is not None and fault(same, np.arange(4.0), "step") is None


def test_answers_that_fall_are_ordered_by_what_made_them_fall() -> None:
    asked = question((0.0, -3.0, 0.5))  # without frames the answer is higher
    (bars,) = methods.get("frames").attribute(asked, PartSetting())
    assert bars.values.tolist() == pytest.approx([0.0, -3.0, 0.5], abs=1e-5)
    assert bars.figures["gain"] > 0 and bars.fails is None


def test_times_and_pictures_of_steps_are_told() -> None:
    assert when(0.48) == "0.48 s" and when(-86_400 * 365) == "365 days before" and when(7200) == "2 hours"
    asked = question()
    shown = thumbnails(asked.example, "cine", [1, 2])
    assert set(shown) == {1, 2} and shown[2].shape == (6, 6) and shown[2].max() == 1.0
    assert thumbnails(asked.example, "ct", [0]) == {}
