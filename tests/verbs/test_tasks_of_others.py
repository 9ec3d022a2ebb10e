"""Another package's tasks go through `fit`: the tutorial's number, and a task that learns without a target."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import vesalius as vs
from vesalius.core import registry
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import PlanError
from vesalius.learn.stepper import build
from vesalius.tasks import contract
from vesalius.testing import check_task
from vesalius.verbs.phantom import phantom

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-a-task.md"
SMALL = {
    "net.scale": 0.125, "train.threads": 1, "train.members": 2, "train.steps": 6, "train.batch": 4,
    "train.validations": 2, "data.size": [1, 32, 32],
}  # fmt: skip
BLIND = '''"""How bright is an image? Learned from the images themselves (throw-away)."""

import numpy as np
from torch import nn

from vesalius.core.answers.value import Value
from vesalius.core.bundle import State
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task, planned_net


class Meter(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.head = net, net.head(1)

    def forward(self, x):
        return self.head(self.net(x[:, :, 0]))


class Blind(Task):
    name, answer, targets, roles, run, primary = "blind", Value, (), ("encoder",), "whole", "r2"
    needs_target = False

    def check(self, cohort, target):
        return ()

    def state(self, summary, target, plan):
        assert target is None
        return State({})

    def encode(self, case, prepared, reference, state):
        return Example(case.id, {"image": prepared.array})

    def build(self, plan, state, nets):
        return Meter(planned_net(plan, nets))

    def loss(self, model, batch, generator):
        image = batch.images["image"]
        return {"brightness": ((model(image)[:, 0] - image.flatten(1).mean(1)) ** 2).mean()}

    def infer(self, model, batch, generator):
        return model(batch.images["image"])

    def decode(self, raw, state, calibration, reference, *, undo=None):
        return Value(x=float(np.mean(raw)), unit="")

    def remember(self, model, examples, state, *, cases):
        assert not model.training and len(examples) == len(cases)
        return State({"seen": len(cases), "of": sum(p.numel() for p in model.parameters())})

    def scalar(self, raw, ask):
        return raw[:, 0]


TASK = Blind()
'''


TWO = '''"""A number from what two nets see, one of them half of the size (throw-away)."""

import numpy as np
import torch
from torch import nn

from vesalius.core.answers.value import Value
from vesalius.core.bundle import State
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task, planned_net


class Both(nn.Module):
    def __init__(self, net, detail):
        super().__init__()
        self.net, self.detail = net, detail
        self.head = nn.Linear(net.channels[-1] + detail.channels[-1], 1)

    def forward(self, x):
        seen = (self.net(x[:, :, 0]), self.detail(x[:, :, 0, ::2, ::2]))
        return self.head(torch.cat([maps[-1].mean(dim=(-2, -1)) for maps in seen], dim=1))


class Two(Task):
    name, answer, targets, roles, run, primary = "two", Value, ("number",), ("encoder",), "whole", "r2"
    nets = {"detail": ("encoder",)}

    def defaults(self, prints, machine, target):
        draft = super().defaults(prints, machine, target)
        draft.set("nets.detail.name", "resnet-10", "small parts need no deep net")
        draft.set("nets.detail.scale", 0.125, "they are small")
        return draft

    def check(self, cohort, target):
        return ()

    def state(self, summary, target, plan):
        return State({"target": target.name})

    def encode(self, case, prepared, reference, state):
        known = case.targets.get(state.values["target"])
        targets = {} if known is None else {"number": np.float32(known)}
        return Example(case.id, {"image": prepared.array}, targets)

    def build(self, plan, state, nets):
        return Both(planned_net(plan, nets), planned_net(plan, nets, "detail"))

    def loss(self, model, batch, generator):
        return {"error": ((self.infer(model, batch, generator)[:, 0] - batch.targets["number"]) ** 2).mean()}

    def infer(self, model, batch, generator):
        return model(batch.images["image"])

    def decode(self, raw, state, calibration, reference, *, undo=None):
        return Value(x=float(np.mean(raw)), unit="")

    def scalar(self, raw, ask):
        return raw[:, 0]


TASK = Two()
'''


def forget() -> None:
    for cache in (registry.stems, registry.literals, registry.names):
        cache.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Install another package's task: its stem and its text."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def put(stem: str, text: str) -> None:
        (site / f"theirs_{stem}.py").write_text(text, encoding="utf-8")
        about = site / f"theirs_{stem}-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: theirs-{stem}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[vesalius.tasks]\n{stem} = theirs_{stem}\n")
        forget()

    yield put
    forget()
    for name in [m for m in sys.modules if m.startswith("theirs_")]:
        del sys.modules[name]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Ten slices with a made-up age."""
    made = phantom(tmp_path / "made", cases=10, seed=3, size=(16, 48, 48), format="png")
    rows = list(csv.DictReader((made / "cohort.csv").open()))
    path = made / "ages.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "age"])
        writer.writerows([row["image"], 40.5 + 3.25 * k] for k, row in enumerate(rows))
    return path


def test_the_tutorials_task_is_fitted_and_resumed_and_answers(
    quick: None, install: Callable[[str, str], None], table: Path, tmp_path: Path
) -> None:
    text = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    install("age", text[1])
    columns = {"value": "age"}
    run = vs.fit(table, tmp_path / "run", task="age", columns=columns, settings=SMALL)
    assert run.plan.loss.name == "mse" and run.plan.task.target == "age"
    assert run.scorecard is not None and run.scorecard.answer == "Value"
    again = vs.fit(table, tmp_path / "run", task="age", resume=True)
    assert again.plan.train == run.plan.train and again.plan.task == run.plan.task
    answer = vs.predict(tmp_path / "run" / "bundle", next(table.parent.glob("**/*.png")))
    assert answer.unit == "years"
    unasked = vs.fit(table, columns=columns, settings=SMALL, dry_run=True).plan
    assert unasked.task.name == "regress", "which is chosen where no task is named"


def test_the_tutorials_task_keeps_every_promise_and_is_shown(
    install: Callable[[str, str], None], table: Path, tmp_path: Path
) -> None:
    text = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    install("age", text[1])
    trial = check_task("age", table, columns={"value": "age"}, folder=tmp_path / "checked")
    for report in (trial.run_folder / "report.html", trial.folder / "evaluated" / "report.html"):
        shown = report.read_text(encoding="utf-8")
        assert all(words in shown for words in ("MAE", "Spearman ρ", "Answer against truth"))
    assert "Age: ages.csv" in (trial.run_folder / "report.html").read_text(encoding="utf-8")
    assert trial.served.about["task"] == "age" and trial.served.about["answer"] == "Value"
    (row,) = trial.served.body["answers"]  # all that the viewer draws from
    assert (row["answer"]["x"], row["answer"]["unit"]) == (trial.answers[0].x, "years")
    assert row["summary"]["fields"] == {"value": row["answer"]["x"], "unit": "years"}
    assert trial.served.files["overlay.png"].startswith(b"\x89PNG")


def test_a_task_without_a_target_is_planned_and_trained(
    quick: None, install: Callable[[str, str], None], table: Path, tmp_path: Path
) -> None:
    install("blind", BLIND)
    plan = vs.fit(table, task="blind", settings=SMALL, dry_run=True).plan
    assert plan.task.target is None and plan.loss.name == "own"
    run = vs.fit(table, tmp_path / "run", task="blind", settings=SMALL)
    assert run.bundle is not None


def test_a_task_with_a_further_net_is_planned_fitted_and_answers_with_both(
    quick: None, install: Callable[[str, str], None], table: Path, tmp_path: Path
) -> None:
    install("two", TWO)
    columns = {"value": "age"}
    settings = {**SMALL, "train.members": 1, "nets.detail.scale": 0.25}
    with pytest.raises(PlanError, match="does not suit two's 'detail'"):
        vs.fit(table, task="two", columns=columns, settings={"nets.detail.name": "unet"}, dry_run=True)
    run = vs.fit(table, tmp_path / "run", task="two", columns=columns, settings=settings)
    assert (run.plan.nets["detail"].scale, run.plan.net.scale) == (0.25, 0.125)
    assert run.plan.reasons["nets.detail.name"] == "small parts need no deep net"
    stage = open_bundle(tmp_path / "run").stages[0]
    ended = load_file(tmp_path / "run" / "bundle" / stage.members[0])
    began = build(contract.get("two"), stage.plan, stage.state, 0).state_dict()
    for part in ("net.", "detail.", "head."):
        assert any(not torch.equal(ended[n], began[n]) for n in began if n.startswith(part)), part
    widths = [
        next(t for n, t in ended.items() if n.startswith(p) and t.dim() == 4) for p in ("net.", "detail.")
    ]
    assert widths[1].shape[0] > widths[0].shape[0], "each as wide as it is planned"
    image = next(table.parent.glob("**/*.png"))
    answer = vs.predict(tmp_path / "run" / "bundle", image)
    assert np.isfinite(answer.x)
