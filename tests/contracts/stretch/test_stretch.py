"""Eight ways to learn that the contract must carry, each through the front door; none may need a change in `src`.

They lie in a package of their own that joins through entry points, as another author's would: seven tasks, the phantom
that they learn from, and the recipe of a mean teacher.
"""

from __future__ import annotations

import csv
import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import vesalius as vs
from vesalius.core import registry
from vesalius.core.errors import PlanError
from vesalius.tasks import contract
from vesalius.testing import check_phantom, check_task
from vesalius.testing.task import trial_of

HERE = Path(__file__).parent
NAMES = ("cox", "boxes", "twostage", "dictate", "pretrain", "cine", "tabular")
GROUPS = {"tasks": NAMES, "phantom": ("balls",), "learn.recipes": ("teacher",)}
TEACHER = HERE.parents[1] / "learn" / "_teacher.py"


def forget() -> None:
    for cache in (registry.stems, registry.literals, registry.names):
        cache.cache_clear()


@pytest.fixture(scope="module")
def thirdparty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An installed package `thirdparty` whose entry points name the tasks, the phantom and the recipe."""
    site = tmp_path_factory.mktemp("site")
    (site / "thirdparty").mkdir()
    for name in (*NAMES, "balls"):
        shutil.copy(HERE / f"{name}.py", site / "thirdparty")
    shutil.copy(TEACHER, site / "thirdparty" / "teacher.py")
    about = site / "thirdparty-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: thirdparty\nVersion: 1\n", encoding="utf-8")
    points = []
    for group, names in GROUPS.items():
        points += [f"[vesalius.{group}]", *(f"{name} = thirdparty.{name}" for name in names)]
    (about / "entry_points.txt").write_text("\n".join(points), encoding="utf-8")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        forget()
        yield
    for name in [m for m in sys.modules if m.partition(".")[0] == "thirdparty"]:
        del sys.modules[name]
    forget()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(thirdparty: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of the package's own phantom: its folder."""
    return vs.phantom(tmp_path_factory.mktemp("made") / "balls", kind="balls", cases=8)


def test_they_stand_among_ours(thirdparty: None) -> None:
    listed = registry.names("tasks")
    assert set(NAMES) < set(listed) and "throw-away" in listed["cox"]
    assert all(contract.get(name).name == name for name in NAMES)


def test_their_phantom_keeps_its_promises(thirdparty: None, tmp_path: Path) -> None:
    check_phantom("balls", folder=tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_through_the_front_door(name: str, made: Path, tmp_path: Path) -> None:
    module = importlib.import_module(f"thirdparty.{name}")
    module.judge(check_task(name, **module.given(made, tmp_path), folder=tmp_path))


def test_mirror_images_of_what_is_joined_tile_by_tile_are_refused_before_training(
    made: Path, tmp_path: Path
) -> None:
    cohort = importlib.import_module("thirdparty.boxes").given(made, tmp_path)["data"]
    plan = vs.fit(cohort, task="boxes", dry_run=True).plan
    assert plan.infer.mirror == () and "run in tiles" in plan.reasons["infer.mirror"]
    edited = plan.model_copy(update={"infer": plan.infer.model_copy(update={"mirror": ("x",)})})
    why = r"boxes about mirror images cannot be joined.*run in tiles; try: --set infer.mirror=\[\]"
    for told in ({"settings": {"infer.mirror": '["x"]'}}, {"plan": edited}):
        with pytest.raises(PlanError, match=why):
            vs.fit(cohort, tmp_path / "run", task="boxes", **told)  # type: ignore[arg-type]
        assert not (tmp_path / "run").exists()


def test_a_teacher_learns_from_labelled_and_unlabelled(made: Path, tmp_path: Path) -> None:
    settings, weights = {"train.recipe": "teacher", "train.ema": 0}, []
    for name, kept in (("all", 8), ("labelled", 6)):
        rows = list(csv.DictReader((made / "cohort.csv").open()))[:kept]
        table = shutil.copytree(made, tmp_path / name) / "cohort.csv"
        with table.open("w", newline="") as file:
            lines = [
                [r["case"], r["patient"], r["image"], r["class"] if k < 6 else ""] for k, r in enumerate(rows)
            ]
            csv.writer(file).writerows([["case", "patient", "image", "class"], *lines])
        folder = tmp_path / f"run-{name}"
        if name == "all":
            trial = check_task("classify", table, settings=settings, folder=folder)
        else:
            trial = trial_of("classify", table, folder, settings=settings)
        assert trial.run.plan.train.recipe == "teacher"
        assert len(trial.space.cohort.cases) == kept and len(trial.space.training) < 6
        weights.append((trial.bundle / "weights-0-0.safetensors").read_bytes())
        record = json.loads((trial.run_folder / "folds.json").read_text())
        assert [set(ids) for ids in record.get("unlabelled", ())] == [{"ball-006", "ball-007"}] * 2 * (
            kept > 6
        )
        report = (trial.run_folder / "report.html").read_text(encoding="utf-8")
        assert ("2 cases without the target" in report) == (kept > 6)
    assert weights[0] != weights[1], "the unlabelled cases are learned from"


@pytest.mark.parametrize("name", (*NAMES, "balls"))
def test_it_is_short(name: str) -> None:
    assert len((HERE / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 120
