"""`--set sources.causal=true` alone is enough: the plan then normalises by no frame that is still to come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vesalius.core.plan import USER, Plan, override
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.rules import draft_plan
from vesalius.plan.sources import TimePrint
from vesalius.plan.together import steadied
from vesalius.tasks import contract as tasks

MR = Fingerprint(
    cases=60, patients=60, images=("image",), channels=1, grey=True, flat=True, shape_median=(1, 64, 64),
    shape_max=(1, 64, 64), spacing_median=None, spacing_known=False, unit=None, bits=16, low=3.0, high=900.0,
    mean=210.0, sd=77.0, inside=False, classes={"a": 30, "b": 30}, voxels={}, labels=("a", "b"), sided=False,
    times=TimePrint(60, 30, 40, 0.04),
)  # fmt: skip
FIXED = {"method": "fixed", "low": 3.0, "high": 900.0, "mean": 210.0, "sd": 77.0}


def planned(prints: Fingerprint = MR, **settings: Any) -> Plan:
    drafted = draft_plan(tasks.get("classify"), None, prints, Machine(2, 8 << 30, None, 0, False))
    asked = {name.replace("__", "."): value for name, value in settings.items()}
    return steadied(override(drafted, asked), asked)


def test_an_image_is_normalised_by_itself_unless_the_plan_is_causal() -> None:
    assert [n.method for n in planned().data.normalise] == ["zscore"]
    causal = planned(sources__causal=True)
    assert [n.model_dump(exclude={"masked"}) for n in causal.data.normalise] == [FIXED]
    assert causal.reasons["data.normalise"].startswith("causal: no mean of frames that are still to come")
    assert "window" in causal.reasons["sources.frames"] and "spread" in planned().reasons["sources.frames"]
    tasks.get("classify").check_plan(causal, None)


def test_what_a_user_sets_is_kept() -> None:
    own = planned(sources__causal=True, data__normalise=[{"method": "zscore"}], sources__frames=8)
    assert own.data.normalise[0].method == "zscore" and own.reasons["sources.frames"] == USER
    eight_bit = planned(replace(MR, bits=8), sources__causal=True)
    assert eight_bit.reasons["data.normalise"].startswith("8-bit pictures")


def test_each_image_apart_has_its_own_numbers() -> None:
    several = planned(sources__causal=True)
    plan = several.model_copy(
        update={
            "data": several.data.model_copy(update={"images": ("a", "b"), "channels": 2}),
            "fingerprint": {
                **several.fingerprint,
                "intensities": {"b": {"low": 1, "high": 2, "mean": 1.5, "sd": 0.25}},
            },
        }
    )
    plan = override(plan, {"data.normalise": [{"method": "zscore"}, {"method": "zscore"}]}, reason="a rule")
    assert [n.mean for n in steadied(plan, {"sources.causal": True}).data.normalise] == [210.0, 1.5]
