"""vs.register: a net, a loss, a task of a script in the running process; and what its bundle says when it is gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import vesalius as vs
from vesalius import losses, nets, optimisers, schedules
from vesalius.core import registry
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import BundleError, PlanError, RegisterError, UnknownName
from vesalius.core.joining import digest_of


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """What a test registers goes with it."""
    yield
    for kind, stem in list(registry._joined):
        registry.leave(kind, stem)


class Plain(nn.Module):
    """Two convolutions, as anybody writes them."""

    def __init__(self, in_channels: int, width: int = 8) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y


def crossed(logits: Tensor, target: Tensor, power: float = 1.0) -> Tensor:
    """Soft cross-entropy to a power."""
    return (-(target * logits.log_softmax(dim=1)).sum(dim=1)).mean() ** power


def test_a_plain_module_is_a_net_whose_maps_are_measured() -> None:
    assert vs.register("nets", Plain) is Plain
    assert registry.names("nets")["plain"] == "Two convolutions, as anybody writes them"
    text = nets.describe("plain")
    assert text["ROLE"] == "encoder" and text["DIMS"] == (2,) and text["OPTIONS"] == {"width": 8}
    net = nets.build("plain", dims=2, in_channels=3, size=(32, 48), options={"width": 4})
    assert net.channels == (8,) and net.strides == ((4, 4),)
    assert net.head(5)(net(torch.zeros(2, 3, 32, 48))).shape == (2, 5)
    with pytest.raises(PlanError, match="no 3-D form"):
        nets.build("plain", dims=3, in_channels=1, size=(16, 16, 16))


def test_it_is_a_decorator_and_a_cell_may_be_run_twice() -> None:
    for _ in range(2):

        @vs.register("nets", name="cell-2")
        class Cell(nn.Module):
            """A linear layer over pixels."""

            DIMS = (2,)

            def __init__(self, in_channels: int) -> None:
                super().__init__()
                self.layer = nn.LazyConv2d(4, 1) if in_channels > 9 else nn.Conv2d(in_channels, 4, 1)

            def forward(self, x: Tensor) -> Tensor:
                y: Tensor = self.layer(x).flatten(2).mean(-1)
                return y

    net = nets.build("cell-2", dims=2, in_channels=1, size=(8, 8))
    assert net.channels == (4,) and net.strides == ((8, 8),), "features are one map of the whole image"


def test_names_that_are_taken_are_refused() -> None:
    with pytest.raises(RegisterError, match="there is a net 'resnet' already"):
        vs.register("nets", Plain, name="resnet")
    vs.register("nets", Plain, name="mine")

    class Other(Plain):
        """Another."""

    with pytest.raises(RegisterError, match="the net 'mine' is registered already; found .*Plain"):
        vs.register("nets", Other, name="mine")
    vs.register("nets", Other, name="mine", replace=True)
    assert (registry.provenance("nets", "mine") or {}).get("digest") == digest_of(Other)
    with pytest.raises(RegisterError, match="there is a net 'resnet' already"):
        vs.register("nets", Plain, name="resnet", replace=True)
    with pytest.raises(RegisterError, match=r"found an instance of Sequential, which is built.*its class"):
        vs.register("nets", nn.Sequential(), name="built")
    with pytest.raises(UnknownName, match="unknown kind 'net'.*nets"):
        vs.register("net", Plain)
    with pytest.raises(RegisterError, match="cannot be a name"):
        vs.register("nets", Plain, name="my net")


def test_what_the_notebook_that_runs_defines_is_replaced_by_what_it_defines_later() -> None:
    """A class may have another name in the edited cell, under the name that it is registered by."""
    first = type("First", (Plain,), {"__module__": "__main__"})
    second = type("Second", (Plain,), {"__module__": "__main__"})
    vs.register("nets", first, name="edited")
    vs.register("nets", second, name="edited")
    assert registry.stems("nets")["edited"] == "__main__.Second"
    with pytest.raises(RegisterError, match="registered already; found __main__.Second; .*replace=True"):
        vs.register("nets", Plain, name="edited")


@pytest.mark.parametrize(
    ("kind", "make", "says"),
    [
        ("nets", lambda: type("Needy", (Plain,), {"__init__": lambda self, in_channels, classes: None}), "'classes'"),
        ("nets", lambda: type("Broken", (Plain,), {"forward": lambda self, x: "no"}), "fails on|takes neither"),
        ("nets", lambda: crossed, "not a class of nn.Module"),
        ("losses", lambda: crossed, "lacks TARGETS"),
        ("losses", lambda: 3, "neither a class nor a function"),
        ("tasks", lambda: type("Half", (), {"name": "half"}), "no class of Task"),
        ("metrics", lambda: type("Few", (), {"ANSWER": "Scores"}), "lacks DESCRIPTIONS, rows"),
        ("metrics", lambda: 3, "neither a module nor a class"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_said_at_once(kind: str, make: Any, says: str) -> None:
    with pytest.raises(RegisterError, match=says):
        vs.register(kind, make(), name="odd" if kind != "tasks" else "half")
    assert "odd" not in registry.names(kind)


def test_functions_and_classes_of_other_kinds() -> None:
    vs.register("losses", crossed, literals={"TARGETS": ("class",)})
    loss = losses.build("crossed", options={"power": 2.0})
    logits, hot = torch.tensor([[2.0, 0.0]], requires_grad=True), torch.tensor([[1.0, 0.0]])
    assert loss(logits, hot).item() == pytest.approx(crossed(logits, hot).item() ** 2)
    with pytest.raises(PlanError, match="takes no class weights"):
        losses.build("crossed", weights=[1.0, 2.0])
    with pytest.raises(PlanError, match="loss.options.power must be a finite number"):
        losses.build("crossed", options={"power": "x"})

    def stairs(t: float, falls: int = 3) -> float:
        """Falls in steps."""
        return 0.5 ** int(t * falls)

    vs.register("schedules", stairs)
    assert schedules.factor("stairs", 0.5, options={"falls": 4}) == 0.25
    vs.register("optimisers", torch.optim.Rprop)
    assert isinstance(optimisers.build("rprop", nn.Linear(2, 2), lr=0.1, weight_decay=0.0), torch.optim.Rprop)
    module = ModuleType("theirs", "A module.")
    module.__dict__.update(factor=lambda t, options: 1 - t, OPTIONS={})
    vs.register("schedules", module, name="falling")
    assert schedules.factor("falling", 0.25) == 0.75


def test_what_is_trained_with_it_says_which_name_it_needs(pictures: Any, tmp_path: Path) -> None:
    vs.register("nets", Plain, name="mine")
    vs.register("losses", crossed, literals={"TARGETS": ("class",)})
    settings: Mapping[str, Any] = {
        "net.name": "mine", "net.options.width": 4, "loss.name": "crossed", "loss.class_weights": "none",
        "train.steps": 4, "train.batch": 4, "train.members": 1, "train.threads": 1, "data.size": [1, 32, 32],
    }  # fmt: skip
    run = vs.fit(pictures.data, tmp_path / "run", settings=settings)
    assert run.bundle is not None
    assert {(n.kind, n.name, n.origin) for n in run.bundle.needs} == {
        ("nets", "mine", "vs.register"), ("losses", "crossed", "vs.register"),
    }  # fmt: skip
    picture = next(pictures.data.parent.rglob("*.png"))
    assert vs.predict(run.bundle, picture).case_id
    assert open_bundle(pictures.bundle).needs == (), "our own names are not listed"

    class Plainer(Plain):
        """The same name, another net."""

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(-x)

    registry.leave("nets", "mine")
    vs.register("nets", Plainer, name="mine")
    with pytest.raises(BundleError, match="net 'mine' that is registered here is not the one"):
        open_bundle(tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-m", "vesalius", "predict", tmp_path / "run", picture, "-o", tmp_path / "out"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and not (tmp_path / "out").exists()
    assert "needs the loss 'crossed', which is not registered here" in done.stderr or (
        "needs the net 'mine', which is not registered here" in done.stderr
    )
    assert "vs.register(" in done.stderr and done.stderr.count("\n") == 1


def test_what_was_made_of_a_page_can_be_registered() -> None:
    """Its lines cannot be read as Python, so that nothing is known of its source."""
    page = Path(__file__).resolve().parents[2] / "docs" / "api.md"
    space: dict[str, object] = {}
    source = "\n" * 200 + "def of_a_page(logits, target):\n    return (logits * target).sum()\n"
    exec(compile(source, str(page), "exec"), space)
    vs.register("losses", space["of_a_page"], name="paged", literals={"TARGETS": ("class",)})
    assert losses.build("paged", options={}) is not None
