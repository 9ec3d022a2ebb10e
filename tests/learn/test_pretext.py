"""Recipes without targets: losses against independent ones, hidden places, a teacher and its centre, resuming."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.errors import Interrupted, PlanError
from vesalius.core.plan import Plan, override, parse_plan
from vesalius.core.progress import Silent
from vesalius.learn import checkpoint
from vesalius.learn.loop import train
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes import dino, mae, restore, simclr, vicreg
from vesalius.learn.recipes.contract import Held, Member
from vesalius.learn.stepper import fabric_for
from vesalius.prepare.batch import Example
from vesalius.tasks import contract as tasks

NETS = {
    "resnet": {"name": "resnet-10", "scale": 0.125, "options": {"stem": "half"}},
    "vit": {"name": "vit-tiny", "scale": 0.125, "options": {"patch": 4}},
    "unet": {"name": "unet", "scale": 0.125},
}
STATE = State({"images": ["image"]})


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def plan_of(recipe: str, net: str = "resnet", dims: int = 2, **settings: Any) -> Plan:
    flat = dims == 2
    plan = parse_plan(
        {
            "task": {"name": "represent"},
            "data": {
                "dims": dims,
                "channels": 1,
                "sampling": "whole" if flat else "patches",
                "size": [1, 16, 16] if flat else [8, 16, 16],
                "normalise": [{"method": "zscore"}],
            },
            "net": NETS[net],
            "loss": {"name": "own"},
            "train": {"steps": 3, "batch": 4, "recipe": recipe, "ema": 0.9, "validations": 1},
            "augment": {"rotate_deg": 10, "crop": 0.3, "noise": 0.1, "flip_axes": ["x"]},
        }
    )
    return override(plan, settings) if settings else plan


def examples_of(dims: int = 2, many: int = 12) -> list[Example]:
    rng = np.random.default_rng(0)
    shape = (1, 1, 16, 16) if dims == 2 else (1, 10, 18, 18)
    return [
        Example(f"c{k}", {"image": rng.normal(k % 2, 1, shape).astype(np.float32)}, patient=f"p{k // 2}")
        for k in range(many)
    ]


def begun(plan: Plan, held: Held | None = None) -> Any:
    examples = examples_of(plan.data.dims)
    given = Member(
        tasks.get("represent"), plan, STATE, examples, 0, fabric_for(plan, "cpu"), held=held or Held()
    )
    return recipes.begin(given)


# --- losses


def test_nt_xent_is_a_plain_double_loop() -> None:
    torch.manual_seed(0)
    one, other, queue = (nn.functional.normalize(torch.randn(n, 6), dim=1) for n in (4, 4, 5))
    owners, whose = torch.tensor([0, 1, 1, 2]), torch.tensor([7, 1, 8, 0, 9])
    found = simclr.nt_xent(one, other, temperature=0.3, owners=owners, queue=queue, queue_owners=whose)
    views, who = [*one, *other], [*owners.tolist(), *owners.tolist()]
    total = 0.0
    for i in range(8):
        partner = (i + 4) % 8
        against = []
        for j in range(8):
            stranger = j == partner or who[j] != who[i]
            if j != i and stranger:
                against.append(math.exp(float(views[i] @ views[j]) / 0.3))
        against += [
            math.exp(float(views[i] @ q) / 0.3)
            for q, w in zip(queue, whose.tolist(), strict=True)
            if w != who[i]
        ]
        total -= math.log(math.exp(float(views[i] @ views[partner]) / 0.3) / sum(against))
    assert float(found) == pytest.approx(total / 8, rel=1e-5)


def test_the_terms_of_vicreg_by_hand() -> None:
    one = torch.tensor([[0.0, 0.0], [0.2, 1.0]])
    other = torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    found = {name: float(value) for name, value in vicreg.vicreg(one, other).items()}
    assert found["invariance"] == pytest.approx((0.2**2 + 3.0**2) / 4)
    deviations = [[math.sqrt(v + 1e-4) for v in row] for row in ((0.02, 0.5), (0.0, 8.0))]  # of N - 1
    by_hand = [sum(max(0.0, 1 - d) for d in row) / 2 for row in deviations]
    assert found["variance"] == pytest.approx(sum(by_hand) / 2, rel=1e-5)
    across = 2 * (0.1 * 0.5)  # the covariance of the first view, over N - 1 = 1; of the second it is 0
    assert found["covariance"] == pytest.approx(2 * across**2 / 2, rel=1e-5)


def test_the_centre_of_dino_keeps_one_prototype_from_taking_all() -> None:
    said = torch.tensor([[3.0, 0.0, 0.0], [3.0, 0.1, 0.0]])
    alone = dino.sharpened(said, torch.zeros(3), 0.5)
    assert torch.allclose(alone.sum(dim=1), torch.ones(2)) and bool((alone.argmax(dim=1) == 0).all())
    centred = dino.sharpened(said, said.mean(dim=0), 0.5)
    by_hand = torch.exp((said - said.mean(dim=0)) / 0.5)
    assert torch.allclose(centred, by_hand / by_hand.sum(dim=1, keepdim=True))
    assert centred.argmax(dim=1).tolist() != [0, 0]


def test_the_teacher_and_the_centre_of_dino_move_as_their_momentum_says() -> None:
    recipe = begun(
        plan_of("dino", **{"train.recipe_options.momentum": 0.75, "train.recipe_options.local": 1})
    )
    before = {k: v.clone() for k, v in recipe.heads.teacher.state_dict().items()}
    assert all(torch.equal(v, recipe.heads.student.state_dict()[k]) for k, v in before.items())
    recipe.step(0, 1e-2)
    for name, value in recipe.heads.teacher.state_dict().items():
        student = recipe.heads.student.state_dict()[name]
        assert torch.allclose(value, 0.75 * before[name] + 0.25 * student, atol=1e-6), name
        assert not torch.equal(student, before[name])
    assert torch.allclose(recipe.heads.centre, 0.1 * recipe._said.mean(dim=0), atol=1e-6)
    assert not any(p.requires_grad for p in recipe.heads.teacher_net.parameters())


# --- what is hidden


@pytest.mark.parametrize(("net", "dims"), [("resnet", 2), ("vit", 2), ("unet", 2), ("resnet", 3), ("vit", 3)])
def test_what_is_hidden_changes_nothing(net: str, dims: int) -> None:
    """Also while batch norms look at the batch: training mode is what learning sees."""
    recipe = begun(plan_of("mae", net, dims))
    size = (16, 16) if dims == 2 else (8, 16, 16)
    x = torch.randn(2, 1, *size)
    cell = recipe.heads.cell
    places = math.prod(n // c for n, c in zip(size, cell, strict=True))
    hidden = mae.hidden_of(2, places, 0.5, torch.Generator().manual_seed(0))
    grid = [n // c for n, c in zip(size, cell, strict=True)]
    where = mae.spread_to(hidden.reshape(2, 1, *grid).float(), size)
    other = torch.where(where > 0, torch.randn_like(x) * 9, x)
    assert not torch.equal(x, other)
    with torch.no_grad():
        one, again = recipe.heads(recipe.net, x, hidden), recipe.heads(recipe.net, other, hidden)
        seen = recipe.heads(recipe.net, torch.where(where > 0, x, x + 1), hidden)
    assert torch.equal(one, again) and not torch.allclose(one, seen)


def test_a_sparse_norm_finds_its_statistics_on_what_is_visible() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.BatchNorm2d(3)).train()
    x = torch.randn(4, 3, 8, 8) * 2 + 5
    seen = (torch.rand(4, 1, 4, 4) < 0.4).float()
    mask = mae.spread_to(seen, (8, 8))
    with mae.sparse(net, seen):
        out = net(x * mask)
    shown = x.movedim(1, -1)[mask[:, 0] > 0]
    by_hand = (x - shown.mean(dim=0).reshape(1, 3, 1, 1)) / shown.std(dim=0).reshape(1, 3, 1, 1) * mask
    assert torch.allclose(out, by_hand, atol=0.05) and bool((out[(mask == 0).expand_as(out)] == 0).all())


def test_a_transformer_that_is_shown_all_patches_says_what_it_always_says() -> None:
    net = nets.build(
        "vit-tiny", dims=3, in_channels=1, scale=0.125, size=(8, 16, 16), options={"patch": 4}
    ).eval()
    x = torch.randn(2, 1, 8, 16, 16)
    with torch.no_grad():
        patches, token = net(x)
        every = net.visible(x, torch.arange(32).repeat(2, 1))
    assert torch.allclose(every[:, 0], token.flatten(1), atol=1e-5)
    assert torch.allclose(every[:, 1:], patches.flatten(2).transpose(1, 2), atol=1e-5)


def test_cells_are_cut_and_normalised_as_by_hand() -> None:
    x = torch.arange(2 * 2 * 4 * 6.0).reshape(2, 2, 4, 6)
    found = mae.cells(x, (2, 3))
    assert found.shape == (2, 4, 12)
    assert torch.equal(found[1, 1], torch.cat((x[1, 0, :2, 3:].flatten(), x[1, 1, :2, 3:].flatten())))
    each = mae.normalised(found, 2)[0, 0].reshape(2, 6)
    assert torch.allclose(each.mean(dim=1), torch.zeros(2), atol=1e-5)
    assert torch.allclose(each.std(dim=1, unbiased=False), torch.ones(2), atol=1e-2)


# --- restoring


def test_what_is_spoilt_is_what_was_drawn() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 16, 16)
    greys = restore.regraded(x, generator)
    order = x.flatten().argsort()
    steps = greys.flatten()[order].diff()
    assert bool((steps >= -1e-4).all()) or bool((steps <= 1e-4).all()), (
        "greys keep their order, or turn it round"
    )
    assert float(greys.min()) >= float(x.min()) - 1e-5 and float(greys.max()) <= float(x.max()) + 1e-5
    moved = restore.shuffled(x, 8, generator)
    assert not torch.equal(moved, x) and torch.equal(moved.flatten().sort().values, x.flatten().sort().values)
    inner, outer = restore.painted(x, False, generator), restore.painted(x, True, generator)
    assert 0 < float((inner != x).float().mean()) < 0.6 < float((outer != x).float().mean()) + 0.4
    kept = restore.spoil(x[None], restore.RestoreOptions(greys=0, shuffled=0, painted=0), generator)
    assert torch.equal(kept[0], x)


def test_an_encoder_cannot_restore() -> None:
    with pytest.raises(
        PlanError, match="gives back whole images, which an encoder alone cannot; found resnet-10"
    ):
        begun(plan_of("restore"))


# --- a member in training


class Stop(Silent):
    """A progress that ends training after two steps."""

    left = 2

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        self.left -= done
        if done and self.left < 0:
            raise Interrupted("as if the power went")


@pytest.mark.parametrize(
    ("recipe", "net", "dims"),
    [
        ("simclr", "resnet", 2),
        ("dino", "vit", 2),
        ("vicreg", "resnet", 3),
        ("mae", "vit", 2),
        ("restore", "unet", 3),
    ],
)
def test_it_is_interrupted_and_resumed_to_the_bit(recipe: str, net: str, dims: int, tmp_path: Path) -> None:
    plan = plan_of(recipe, net, dims, **{"train.checkpoint_every_s": 1e-9})
    every = examples_of(dims)
    held = Held(every[8:], {e.case_id: "ab"[k % 2] for k, e in enumerate(every)}, "class")

    def go(folder: Path, progress: Silent) -> Any:
        task = tasks.get("represent")
        return train(
            task,
            plan,
            STATE,
            every[:8],
            None,
            member=0,
            folder=folder,
            progress=progress,
            held=held,
            device="cpu",
        )

    straight = go(tmp_path / "straight", Silent())
    with pytest.raises(Interrupted):
        go(tmp_path / "other", Stop())
    saved = checkpoint.load(tmp_path / "other" / "checkpoints" / "member-0.pt")
    assert saved.step == 2 and set(saved.extra) == {"heads"}
    again = go(tmp_path / "other", Silent())
    assert all(torch.equal(v, again.weights[k]) for k, v in straight.weights.items())
    assert again.history == straight.history and [h["step"] for h in again.history] == [0.0, 3.0]
    assert again.history[0]["neighbours"] >= 0 and again.history[-1]["held_out_loss"] == -again.score
    assert all(name.startswith(("net.", "redraw.")) for name in again.weights), "heads stay in the run"
    assert not straight.weights["redraw.weight"].any(), "the task's own guess is not trained by the way"


def test_the_queue_holds_the_latest_and_whose_they_were() -> None:
    recipe = begun(plan_of("simclr", **{"train.recipe_options.queue": 6}))
    recipe.step(0, 1e-3)
    first = recipe.heads.queue.clone()
    assert (recipe.heads.owners >= 0).tolist() == [True] * 4 + [False] * 2
    recipe.step(1, 1e-3)
    assert torch.equal(recipe.heads.queue[4:], first[:2]) and bool((recipe.heads.owners >= 0).all())
    lengths: Tensor = recipe.heads.queue.norm(dim=1)
    assert torch.allclose(lengths, torch.ones(6), atol=1e-5)


def test_targets_are_never_seen() -> None:
    """The task encodes none, so that no recipe can be given one, and labels of `Held` change no weight."""
    plan = plan_of("vicreg")
    every = examples_of()
    plain = begun(plan)
    told = begun(plan, Held(every[8:], {e.case_id: "ab"[k % 3 == 0] for k, e in enumerate(every)}, "class"))
    for step in range(2):
        plain.step(step, 1e-3)
        told.step(step, 1e-3)
        assert told.looked()["neighbours"] >= 0
    assert all(torch.equal(v, told.weights()[k]) for k, v in plain.weights().items())


@pytest.mark.parametrize("negatives", [True, False])
def test_a_collapse_shows_in_what_the_loss_compares(negatives: bool) -> None:
    """Pulling views together, and nothing apart, makes all images the same; with others beside them it does not."""
    plan = plan_of("simclr", **{"train.recipe_options.negatives": negatives, "train.batch": 8})
    recipe = begun(plan, Held(examples_of(many=24)[12:]))
    history = [{"step": 0.0, **recipe.looked()}]
    for step in range(60):
        recipe.step(step, 1e-2)
    history.append({"step": 60.0, **recipe.looked()})
    told = type(recipe).wrong(history)
    assert ("the same for all held-out cases, a spread of 0.0" in told) is not negatives
    assert type(recipe).wrong(history[:1] + [{**history[1], "step": 20.0}]) == "", "too early to tell"
    flat = {**history[1], "embedding_spread": 1.0, "embedding_rank": 9.0, "spread": history[0]["spread"] / 20}
    assert "its features are all but the same" in type(recipe).wrong([history[0], flat])
