"""The net of several sources: what is missing counts for nothing, whoever else is in the batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.course import Course
from vesalius.prepare.batch import Batch, Example, collate
from vesalius.prepare.case import Prepared
from vesalius.tasks import _sources
from vesalius.tasks import contract as tasks
from vesalius.tasks._together import Gate, LateHead, Source, Together, shown, without

SOURCES = (
    Source("cine", "image", timed=True),
    Source("view", "image"),
    Source("ecg", "course", width=3, timed=True),
    Source("note", "vector", width=5),
    Source("covariates", "covariates", width=2),
)


def eye(channels=1):
    return nets.build("resnet-10", dims=2, in_channels=channels, scale=0.125, size=(16, 16))


@pytest.fixture(scope="module", params=["attention", "concat", "late"])
def net(request):
    torch.manual_seed(0)
    gru = {n: nets.build("gru", dims=2, in_channels=c) for n, c in (("cine", eye().channels[-1]), ("ecg", 3))}
    made = Together(
        SOURCES,
        eyes={"cine": eye(), "view": eye()},
        over=gru,
        reads={"cine": "vectors", "ecg": "vectors"},
        fusion=request.param,
        dropout=0.0,
        dims=2,
        drop=0.5,
    )
    for gate in (m for m in made.modules() if isinstance(m, Gate)):
        torch.nn.init.normal_(gate.score.weight)
    return made.eval()


def example(seed, frames=4, *, lacks=()):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.normal(size=shape).astype(np.float32)

    images = {"cine": draw(frames, 1, 1, 16, 16), "view": draw(2, 1, 1, 16, 16)}
    times = {"cine": np.cumsum(rng.random(frames)).astype(np.float32), "view": np.zeros(2, np.float32)}
    times["ecg"] = np.arange(frames + 2, dtype=np.float32)
    ecg, note, beside = draw(frames + 2, 3), draw(5), draw(2)
    made = Example(
        f"c{seed}",
        {k: v for k, v in images.items() if k not in lacks},
        covariates=None if "covariates" in lacks else beside,
        courses={} if "ecg" in lacks else {"ecg": ecg},
        vectors={} if "note" in lacks else {"note": note},
    )
    return replace(made, times_s={k: v for k, v in times.items() if k not in lacks})


def said(net, *examples):
    return net.summed_up(net(collate(examples)))


def kept_of(model, batch, seed):
    present = shown(model, batch, torch.Generator().manual_seed(seed)).present
    return torch.stack([present[s.name] for s in SOURCES], dim=1)


def test_a_gate_begins_as_the_mean_and_its_steps_are_its_prefixes():
    torch.manual_seed(1)
    gate, tokens = Gate(8), torch.randn(2, 5, 8)
    there = torch.ones(2, 5, dtype=torch.bool)
    assert torch.allclose(gate(tokens, there)[0], tokens.mean(1), atol=1e-6)
    torch.nn.init.normal_(gate.score.weight)
    state = gate.begin(2, tokens)
    for k in range(5):
        out, state = gate.step(tokens[:, k : k + 1], there[:, k : k + 1], state)
        whole, weights = gate(tokens[:, : k + 1], there[:, : k + 1])
        assert torch.allclose(out, whole, atol=1e-6)
        assert torch.allclose(weights.sum(1), torch.ones(2), atol=1e-6)


def test_a_gate_without_tokens_says_zeros():
    out, weights = Gate(8)(torch.randn(1, 3, 8), torch.zeros(1, 3, dtype=torch.bool))
    assert not out.any() and not weights.any()


def test_a_case_is_answered_alike_whoever_is_beside_it(net):
    short, long = example(0, 3), example(1, 7, lacks=("view", "note"))
    with torch.inference_mode():
        both = said(net, short, long)
        assert torch.allclose(both[0], said(net, short)[0], atol=1e-5)
        assert torch.allclose(both[1], said(net, long)[0], atol=1e-5)


@pytest.mark.parametrize(
    "lacks", [("cine",), ("view", "ecg"), ("note", "covariates"), ("cine", "view", "ecg", "note")]
)
def test_leaving_a_source_out_is_as_if_it_were_not_there(net, lacks):
    whole = collate([example(0), example(1)])
    out = {name: torch.tensor([True, False]) for name in lacks}
    with torch.inference_mode():
        left = net.summed_up(net(without(whole, out, SOURCES)))
        lacking = said(net, example(0, lacks=lacks), example(1))
        assert torch.allclose(left, lacking, atol=1e-5)
        assert not torch.allclose(left[0], net.summed_up(net(whole))[0], atol=1e-3)
        assert torch.allclose(left[1], net.summed_up(net(whole))[1], atol=1e-5)


def test_weights_are_of_what_is_there_and_make_one(net):
    batch = collate([example(0, lacks=("view",)), example(1)])
    with torch.inference_mode():
        found = net.looked(batch)
    assert found.there.tolist() == [[True, False, True, True, True], [True] * 5]
    assert torch.allclose(found.weights.sum(1), torch.ones(2), atol=1e-5)
    assert found.weights[0, 1] == 0
    assert set(found.steps) == {"cine", "view", "ecg"}
    assert torch.allclose(found.steps["cine"].sum(1), torch.ones(2), atol=1e-5)


def test_in_training_sources_are_left_out_and_one_is_always_kept(net):
    batch = collate([example(k) for k in range(64)])
    model = torch.nn.Module()
    model.net, model.training = net, True
    kept = kept_of(model, batch, 0)
    assert kept.any(dim=1).all() and 0.35 < kept.float().mean() < 0.65
    assert (kept_of(model, batch, 0) == kept).all() and not (kept_of(model, batch, 1) == kept).all()
    model.training = False
    assert shown(model, batch, torch.Generator()) is batch


def test_a_late_head_asks_nobody_who_is_not_there():
    head = LateHead(2, 3, dropout=0.0)
    vectors = torch.randn(2, 128, 2)
    there = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    out = head([vectors, there])
    assert torch.allclose(out[0], head.each[0](vectors[0, :, 0]))
    assert torch.allclose(out[1], head.each[1](vectors[1, :, 1]))


def test_windows_of_causal_cines_are_frames_in_a_row():
    made = Together(
        SOURCES[:1],
        eyes={"cine": eye()},
        over={},
        reads={},
        fusion="attention",
        dropout=0.0,
        dims=2,
        frames=3,
    )
    batch = collate(
        [example(k, n, lacks=("view", "ecg", "note", "covariates")) for k, n in enumerate((2, 5, 9))]
    )
    cut = made.shown(batch, torch.Generator().manual_seed(0))
    assert cut.images["cine"].shape[1] == 3
    for row, (whole, part) in enumerate(zip(batch.times_s["cine"], cut.times_s["cine"], strict=True)):
        known = part[~part.isnan()].tolist()
        place = whole.tolist().index(known[0])
        assert known == whole[place : place + len(known)].tolist()
        assert torch.equal(cut.images["cine"][row, 0], batch.images["cine"][row, place])
        assert 1 <= len(known) <= min(3, (2, 5, 9)[row])


def test_half_of_the_causal_cines_end_with_a_random_frame():
    causal, other = (
        Together(
            SOURCES[:1], eyes={"cine": eye()}, over={}, reads={}, fusion="attention", dropout=0.0, dims=2,
            frames=frames,
        )
        for frames in (8, 0)
    )  # fmt: skip
    batch = collate([example(k, 4 + k % 3, lacks=("view", "ecg", "note", "covariates")) for k in range(200)])
    cut = causal.shown(batch, torch.Generator().manual_seed(0))
    whole, kept = ((~b.times_s["cine"].isnan()).sum(dim=1) for b in (batch, cut))
    known = ~cut.times_s["cine"].isnan()
    assert torch.equal(known, known.cummin(dim=1).values), "the first ones are kept"
    assert (kept >= 1).all() and (kept <= whole).all()
    assert 0.3 < (kept < whole).float().mean() < 0.5  # half are cut, of which a fifth or so after their last
    assert set(kept[whole == 4].tolist()) == {1, 2, 3, 4}
    assert torch.equal(cut.images["cine"], batch.images["cine"])
    same = other.shown(batch, torch.Generator().manual_seed(0)).times_s["cine"]
    assert torch.equal(same.isnan(), batch.times_s["cine"].isnan())


def test_frames_that_are_not_there_leave_the_statistics_of_batches_alone():
    torch.manual_seed(0)
    made = Together(
        SOURCES[:1], eyes={"cine": eye()}, over={}, reads={}, fusion="attention", dropout=0.0, dims=2
    )
    alone = collate([example(0, 3, lacks=("view", "ecg", "note", "covariates"))])
    padded = replace(
        alone,
        images={"cine": torch.cat([alone.images["cine"], torch.full((1, 4, 1, 1, 16, 16), 99.0)], dim=1)},
        times_s={"cine": torch.cat([alone.times_s["cine"], torch.full((1, 4), float("nan"))], dim=1)},
    )
    made.train()
    assert torch.allclose(made(alone)[0], made(padded)[0], atol=1e-5)


def test_what_is_no_batch_is_refused(net):
    with pytest.raises(Exception, match="takes a batch"):
        net(torch.zeros(1, 1, 16, 16))
    assert isinstance(collate([example(0)]), Batch)


def test_a_cine_is_answered_alike_with_longer_ones_in_its_batch():
    """A net that sees all frames at once passes by those that a case lacks, in the middle as at the end."""
    torch.manual_seed(0)
    eye_of_cines = nets.build("r2plus1d", dims=2, in_channels=1, scale=0.0625, options={"layers": 10})
    source = Source("cine", "image", timed=True)
    made = Together(
        (source,), eyes={"cine": eye_of_cines}, over={}, reads={}, fusion="attention", dropout=0.0, dims=2
    ).eval()
    few = ("view", "ecg", "note", "covariates")
    short, long = example(1, 15, lacks=few), example(2, 20, lacks=few)
    torch.nn.init.normal_(made.gates["source_cine"].score.weight)
    with torch.no_grad():
        alone, both = (made.looked(collate(e)).joined[0] for e in ([short], [short, long]))
        gap = collate([example(3, 7, lacks=few)])
        gap.times_s["cine"][0, 2:4] = np.nan
        kept = replace(
            gap,
            images={"cine": gap.images["cine"][:, [0, 1, 4, 5, 6]]},
            times_s={"cine": gap.times_s["cine"][:, [0, 1, 4, 5, 6]]},
        )
        with_gap, without_gap = made.looked(gap).joined, made.looked(kept).joined
    torch.testing.assert_close(both, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(with_gap, without_gap, atol=1e-5, rtol=0)


def test_a_case_of_which_nothing_is_known_is_answered_and_marked() -> None:
    learned = {"age": {"mean": 60.0, "sd": 10.0, "low": 40.0, "high": 80.0, "missing": 1}}
    state = State(
        {"covariates": learned, "sources": {"images": [], "courses": {}, "texts": {}}, "bare": True}
    )
    bare = Case("x", {}, reference=None, covariates={"age": None})
    found = _sources.seen(bare, Prepared("x", {}, None, None), state)
    assert found.covariates.tolist() == [0.0, 0.0]
    task = tasks.get("classify")
    assert "nothing that the model knows" in task.outside(bare, state)[0]
    assert task.outside(Case("y", {}, reference=None, covariates={"age": 50.0}), state) == ()


def test_a_time_course_in_another_unit_is_said_to_lie_outside() -> None:
    about = {"columns": ["creatinine"], "names": ["creatinine"], "mean": [1.0], "sd": [0.3], "tree": False}
    state = State({"covariates": {}, "sources": {"images": [], "courses": {"labs": about}, "texts": {}}})

    def case(scale: float) -> Case:
        values = scale * np.array([[0.9], [1.4], [np.nan]])
        return Case("a", {}, courses={"labs": Course(values, ("creatinine",), (0.0, 1.0, 2.0))})

    assert tasks.get("regress").outside(case(1.0), state) == ()
    (said,) = tasks.get("regress").outside(case(88.4), state)  # µmol/l, where mg/dl were learned
    assert (
        said
        == "'creatinine' of the time course 'labs' is about 101.7, learned from 1 ± 0.3: in another unit?"
    )
