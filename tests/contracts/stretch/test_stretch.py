"""Seven tasks that the contract must carry: three steps, save, load, answer; none may need a change in `src`.

They lie in a package of their own that joins through the entry-point group, as another author's would.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius.core import registry
from vesalius.core.bundle import open_bundle, save_bundle
from vesalius.core.cohort import Cohort
from vesalius.infer.predictor import Loaded, Predictor
from vesalius.plan import machine
from vesalius.run import budgeting
from vesalius.tasks import contract

HERE = Path(__file__).parent
NAMES = ("cox", "boxes", "twostage", "report", "pretrain", "cine", "tabular")


def forget() -> None:
    for cache in (registry.stems, registry.literals, registry.names):
        cache.cache_clear()


@pytest.fixture(scope="module")
def thirdparty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An installed package `thirdparty` whose entry points name the tasks."""
    site = tmp_path_factory.mktemp("site")
    (site / "thirdparty").mkdir()
    for name in (*NAMES, "_harness"):
        shutil.copy(HERE / f"{name}.py", site / "thirdparty")
    about = site / "thirdparty-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: thirdparty\nVersion: 1\n", encoding="utf-8")
    points = "".join(f"{name} = thirdparty.{name}\n" for name in NAMES)
    (about / "entry_points.txt").write_text(f"[vesalius.tasks]\n{points}", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        forget()
        yield
    for name in [m for m in sys.modules if m.partition(".")[0] == "thirdparty"]:
        del sys.modules[name]
    forget()


def same(a: Any, b: Any) -> bool:
    """Bit for bit, through every field."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return bool(type(a) is type(b) and a == b)


def test_they_stand_among_the_tasks(thirdparty: None) -> None:
    listed = registry.names("tasks")
    assert set(NAMES) < set(listed) and "throw-away" in listed["cox"]
    assert all(contract.get(name).name == name for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_is_saved_and_answers(name: str, thirdparty: None, tmp_path: Path) -> None:
    task = contract.get(name)
    module = importlib.import_module(f"thirdparty.{name}")
    learn = importlib.import_module("thirdparty._harness").learn
    cases, target, plan = module.example()
    cohort = Cohort(tmp_path, "none", tuple(cases), {"truth": target} if target else {})
    assert task.check(cohort, target) == ()
    learned = [learn(task, plan, cases, target, tmp_path)]
    if hasattr(module, "second"):
        fine, takes, crop = module.second(plan)
        learned.append(learn(task, fine, cases, target, tmp_path, number=1, takes=takes, crop=crop))
    stages = tuple(stage for stage, _ in learned)
    bundle = save_bundle(tmp_path / "bundle", stages, data_hash="0" * 64, made_by="a test")

    (tmp_path / "bundle").rename(tmp_path / "moved")
    loaded = Predictor(open_bundle(tmp_path / "moved"), device="cpu")
    kept = Predictor(open_bundle(tmp_path / "moved"), device="cpu")
    kept.stages = tuple(Loaded(stage, task, (model,)) for stage, model in learned)  # as it was before saving
    new = replace(cases[-1], targets={}, id=str(len(cases) - 1))
    answer = loaded(new)
    assert type(answer) is task.answer
    assert answer.case_id == new.id and answer.bundle == bundle.hash
    assert same(answer, kept(new)), "saved and loaded, another answer"
    assert same(answer, loaded(new)), "asked twice, another answer"
    module.judge(answer, new, loaded)


def test_a_cine_and_a_case_without_images_go_through_the_front_door(
    thirdparty: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = replace(machine.measure(), cores=1)
    monkeypatch.setattr(machine, "measure", lambda: alone)
    monkeypatch.setattr(budgeting, "time_step", lambda *args, **kwargs: 0.01)
    threads = torch.get_num_threads()
    settings = {"train.steps": 3, "train.batch": 4, "train.members": 1, "net.scale": 0.125, "train.folds": 2}
    for name, few in (("cine", {"data.size": [8, 16, 16]}), ("tabular", {})):
        cases, target, _ = importlib.import_module(f"thirdparty.{name}").example()
        cases = [replace(c, id=f"{k}{c.id}") for k in range(3) for c in cases]
        cohort = Cohort(tmp_path, "none", tuple(cases), {"truth": target})
        run = vs.fit(
            cohort, tmp_path / name, task=name, target="truth", settings=settings | few, device="cpu"
        )
        assert run.scorecard is not None and run.scorecard.n_cases > 0
        asked = replace(cohort, cases=(replace(cases[0], targets={}),))
        answer = vs.predict(run.path or "", asked, device="cpu")
        assert type(answer) is contract.get(name).answer and answer.case_id == cases[0].id
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short(name: str) -> None:
    assert len((HERE / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 120
