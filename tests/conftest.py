"""Fixtures that every test may use: where the real data lies, and quiet, bounded torch."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from vesalius.core import registry

# `make test` runs a worker a core, and each computes with one thread; pytest alone may take two. Waiting threads sleep.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Processes that tests start need not compile the package anew, each for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A busy machine is no fault of what is tested.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared" / "data"


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the garbage collector need not look through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the project; the test is skipped, and says so, where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real data (../shared/data) is not beside the project")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def quick_fits() -> Iterator[None]:
    """Fits time a step or two, look at validation cases twice at most where nothing is said of it, resample their
    cases fifty times, and lay their drawings out without measuring labels.

    So it is seen that there are intervals and drawings; what these show is asked where they are made (`evaluate`,
    `metrics`, `answers`). Where no test needs torch, there are no fits, and it is not imported for them.
    """
    if "torch" not in sys.modules:
        yield
        return
    from vesalius.answers.drawing import figures
    from vesalius.core.plan import Plan, override
    from vesalius.evaluate import scoring
    from vesalius.run import budgeting, out_of_fold, planning

    with pytest.MonkeyPatch.context() as patch:
        time_step, budgeted = budgeting.time_step, planning.budgeted

        def timed(*args: Any, seconds: float, **options: Any) -> float:
            return time_step(*args, **{**options, "steps": 2 if seconds else 1}, seconds=min(0.3, seconds))

        def planned(space: Any, plan: Plan, *args: Any, **options: Any) -> Any:
            if "train.validations" not in plan.reasons:
                plan = override(plan, {"train.validations": 2}, reason="a test")
            return budgeted(space, plan, *args, **options)

        patch.setattr(budgeting, "time_step", timed)
        patch.setattr(planning, "budgeted", planned)
        for scores in (scoring, out_of_fold):
            patch.setattr(scores, "scorecard", functools.partial(scores.scorecard, resamples=50))
        patch.setattr(figures, "LAYOUT", None)
        yield


@pytest.fixture(autouse=True)
def registry_as_it_was() -> Iterator[None]:
    """What a test registers for its process leaves with it."""
    before = dict(registry._joined)
    yield
    for kind, stem in registry._joined.keys() - before.keys():
        registry.leave(kind, stem)


@pytest.fixture(scope="session")
def dictated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Pictures with reports, and a model that compares them with words."""
    from tests._dictated import fitted

    return fitted(tmp_path_factory.mktemp("dictated"))
