"""What nets over time share: time codes, steps that are not there, streams, 5,000 steps, and the errors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from vesalius import nets
from vesalius.core.errors import PlanError, UnknownName
from vesalius.nets._overtime import last_of
from vesalius.nets._timecode import TimeCode, started, told

CAUSAL = ("lstm", "gru", "convlstm", "tcn", "timeformer")
ALL = [(name, {}) for name in (*CAUSAL, "bilstm", "bigru")] + [
    (name, {"causal": False}) for name in ("tcn", "timeformer")
]
CPU = torch.device("cpu")


def built(name: str, options: dict[str, Any] | None = None, **more: Any) -> Any:
    torch.manual_seed(0)
    given = {"dims": 2, "in_channels": 3, "scale": 0.125, **more}
    return nets.build(name, options=options, **given).eval()


def steps(name: str, rows: int, count: int) -> Tensor:
    size = (3, 2) if name == "convlstm" else ()
    return torch.randn(rows, count, 3, *size, generator=torch.Generator().manual_seed(1))


def told_of(times: list[list[float]]) -> tuple[Tensor, Tensor]:
    given = torch.tensor(times, dtype=torch.float64)
    when, _ = told(given, started(len(given), CPU), steps=given.shape[1])
    return when


def test_times_become_gaps_and_times_since_the_first() -> None:
    gap, since = told_of([[100.0, 100.5, 103.0], [-86_400.0, 0.0, 0.0]])
    assert gap.tolist() == [[0.0, 0.5, 2.5], [0.0, 86_400.0, 0.0]]
    assert since.tolist() == [[0.0, 0.5, 3.0], [0.0, 86_400.0, 86_400.0]]


def test_a_time_that_is_not_known_is_a_second_after_the_one_before() -> None:
    gap, since = told_of([[5.0, math.nan, 9.0, 10.0]])
    assert gap.tolist() == [[0.0, 1.0, 1.0, 1.0]] and since.tolist() == [[0.0, 1.0, 2.0, 3.0]]
    when, _ = told(None, started(1, CPU), steps=3)
    assert when.since_s.tolist() == [[0.0, 1.0, 2.0]]


def test_the_code_is_sines_of_the_log_of_one_plus_seconds() -> None:
    """By hand: 1 s is log 2 = .6931; over the longest wave, of 64, that is an angle of .06805."""
    when, _ = told(torch.tensor([[0.0, 1.0]]), started(1, CPU), steps=2)
    code = TimeCode()(when)
    assert code.shape == (1, 2, 36)
    gap_sines, since_cosines = code[0, 1, :9], code[0, 1, 27:]
    assert gap_sines[8] == pytest.approx(math.sin(2 * math.pi * math.log(2) / 64), abs=1e-6)
    assert gap_sines[8] == pytest.approx(0.06800, abs=1e-5)
    assert gap_sines[0] == pytest.approx(math.sin(2 * math.pi * math.log(2) / 0.25), abs=1e-5)
    assert since_cosines[8] == pytest.approx(math.cos(0.06805), abs=1e-5)
    assert code[0, 0].tolist() == [0.0] * 18 + [1.0] * 18
    assert TimeCode("gap")(when).shape[-1] == 18 and TimeCode("none")(when).shape[-1] == 0


def test_codes_tell_milliseconds_and_years_apart_and_stay_the_same_far_from_zero() -> None:
    def of(*times: float) -> Tensor:
        when, _ = told(torch.tensor([times], dtype=torch.float64), started(1, CPU), steps=len(times))
        return TimeCode()(when)[0, -1]

    day = 86_400.0
    assert (of(0.0, 0.030) - of(0.0, 0.040)).abs().max() > 0.1
    assert (of(0.0, 365 * day) - of(0.0, 366 * day)).abs().max() > 0.05
    now = 1.8e9  # seconds since 1970: 32 bits would tell no frame from the next
    assert torch.allclose(of(now, now + 0.03), of(0.0, 0.03), atol=1e-4)
    assert not torch.allclose(of(10.0, 5.0), of(5.0, 10.0)), "times that are out of order are not in order"


@pytest.mark.parametrize(("name", "options"), ALL)
def test_times_count_unless_they_are_not_to(name: str, options: dict[str, Any]) -> None:
    x = steps(name, 2, 5)
    even = torch.arange(5.0, dtype=torch.float64).repeat(2, 1)
    net = built(name, options)
    with torch.no_grad():
        assert torch.equal(net(x), net(x, even)), "without times all steps are a second apart"
        assert (net(x, even) - net(x, even**2 / 2)).abs().max() > 1e-4
        blind = built(name, {**options, "times": "none"})
        assert torch.equal(blind(x, even), blind(x, even**2 / 2))


@pytest.mark.parametrize(("name", "options"), ALL)
def test_padding_a_batch_changes_nothing(name: str, options: dict[str, Any]) -> None:
    net, x = built(name, options), steps(name, 3, 9)
    there = torch.arange(9) < torch.tensor([9, 4, 1])[:, None]
    longer = torch.cat([x, torch.full_like(x, 1e6)], dim=1)
    flags = torch.cat([there, torch.zeros_like(there)], dim=1)
    with torch.no_grad():
        out, padded = net(x, None, there), net(longer, None, flags)
    torch.testing.assert_close(padded[:, :9], out, atol=1e-5, rtol=0)
    assert not padded[:, 9:].any()


@pytest.mark.parametrize(("name", "options"), ALL)
def test_a_sequence_without_any_step_is_answered_with_zeros(name: str, options: dict[str, Any]) -> None:
    net, x = built(name, options).train(), steps(name, 2, 4).requires_grad_()
    out = net(x, None, torch.tensor([[True] * 4, [False] * 4]))
    assert torch.isfinite(out).all() and not out[1].any() and out[0].any()
    out.sum().backward()
    assert torch.isfinite(x.grad).all() and not x.grad[1].any()


@pytest.mark.parametrize("name", CAUSAL)
def test_a_stream_goes_on_where_a_file_is_cut(name: str) -> None:
    """Rows of a batch may lack a step while others have one; each goes on by itself."""
    net, x = built(name), steps(name, 3, 12)
    generator = torch.Generator().manual_seed(2)
    times = torch.rand(3, 12, generator=generator, dtype=torch.float64).cumsum(1) * 40
    there = torch.rand(3, 12, generator=generator) < 0.7
    with torch.no_grad():
        wanted, state = net(x, times, there), net.begin(3)
        for k in range(12):
            out, state = net.step(x[:, k], times[:, k], state, there[:, k])
            torch.testing.assert_close(out, wanted[:, k], atol=1e-5, rtol=0)
    assert all(len(part) == 3 for part in state.values()), "each part of a state has a row a sequence"


@pytest.mark.parametrize("name", CAUSAL)
def test_a_step_whose_time_is_nan_is_not_there(name: str) -> None:
    net, x = built(name), steps(name, 1, 3)
    times = torch.tensor([[0.0, math.nan, 2.0]], dtype=torch.float64)
    with torch.no_grad():
        out = net(x, times)
        torch.testing.assert_close(out[:, [0, 2]], net(x[:, [0, 2]], times[:, [0, 2]]), atol=1e-6, rtol=0)
        said = net(x, times, torch.ones(1, 3, dtype=torch.bool))
        _, state = net.step(x[:, 0], times[:, 0], net.begin(1))
        skipped, after = net.step(x[:, 1], times[:, 1], state)
    assert not out[0, 1].any() and not skipped.any() and said[0, 1].any()
    assert all(torch.equal(after[k], state[k]) for k in state if not state[k].isnan().any())


@pytest.mark.parametrize(("name", "options"), ALL)
@pytest.mark.parametrize("count", [1, 5000])
def test_one_step_and_five_thousand(name: str, options: dict[str, Any], count: int) -> None:
    net, x = built(name, options, scale=0.0625), steps(name, 1, count)
    with torch.no_grad():
        out = net(x)
        assert out.shape[:2] == (1, count) and torch.isfinite(out).all()
        x[0, -1] += 1.0
        assert (net(x) - out)[0, -1].abs().max() > 1e-4, "the last step counts"


@pytest.mark.parametrize("name", ["lstm", "tcn", "timeformer"])
def test_gradients_reach_the_last_of_five_thousand_steps(name: str) -> None:
    x = steps(name, 1, 5000).requires_grad_()
    out = built(name, scale=0.0625).train()(x)
    (out[0, -1] * torch.arange(out.shape[-1])).sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad[:, -1].any()


@pytest.mark.parametrize("name", CAUSAL)
def test_long_sequences_in_parts_have_the_same_gradients(name: str) -> None:
    """In parts nothing of the inside is kept for the way back, and it is computed once more there."""
    found = []
    for chunk in (64, 3):
        net = built(name).train()
        net.chunk = chunk
        x = steps(name, 2, 11).requires_grad_()
        net(x).square().sum().backward()
        found.append([x.grad, *(p.grad for p in net.parameters())])
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(whole, parts, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CAUSAL)
def test_a_stream_keeps_the_memory_that_it_had(name: str) -> None:
    net, x = built(name), steps(name, 1, 3)
    state, sizes = net.begin(1), set()
    with torch.no_grad():
        for k in range(100):
            _, state = net.step(x[:, k % 3], torch.tensor([0.04 * k]), state)
            sizes.add(sum(part.numel() for part in state.values()))
    assert len(sizes) == 1


@pytest.mark.parametrize("name", [*CAUSAL, "bilstm", "treelstm"])
def test_dropout_acts_in_training_alone(name: str) -> None:
    net, x = built(name, dropout=0.5), steps(name, 2, 6)
    beside = torch.tensor([[-1, 0, 0, 1, 1, 2]]).repeat(2, 1) if name == "treelstm" else None
    with torch.no_grad():
        assert torch.equal(net(x, beside), net(x, beside))
        assert not torch.equal(net.train()(x, beside), net(x, beside))
        drawn = []
        for _ in range(2):
            torch.manual_seed(5)
            drawn.append(net(x, beside))
    assert torch.equal(*drawn), "a seed makes it again"


def test_the_last_step_that_is_there() -> None:
    out = torch.arange(12.0).reshape(3, 4, 1)
    there = torch.tensor([[True, True, False, False], [True, False, False, True], [False] * 4])
    assert last_of(out, there).tolist() == [[1.0], [7.0], [0.0]]
    assert last_of(out).tolist() == [[3.0], [7.0], [11.0]]


def test_nets_are_found_by_what_they_read() -> None:
    assert nets.names_for("sequence", over="maps") == ["convlstm"]
    assert nets.names_for("sequence", over="tree") == ["treelstm"]
    assert {"lstm", "gru", "bilstm", "bigru", "tcn", "timeformer"} <= set(
        nets.names_for("sequence", over="vectors")
    )
    assert nets.names_for("cine") == ["r2plus1d"]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lstm", {"causal": False}, "layers, times"),
        ("lstm", {"layers": 0}, "at least 1"),
        ("gru", {"times": "days"}, "both, gap, none"),
        ("tcn", {"kernel": 1}, "at least 2"),
        ("tcn", {"causal": 0}, "true or false"),
        ("timeformer", {"memory": 1.5}, "whole number"),
        ("convlstm", {"kernel": 4}, "1, 3, 5, 7"),
        ("r2plus1d", {"layers": 50}, "10, 18, 34"),
        ("treelstm", {"layers": 2}, "layers"),
    ],
)
def test_a_wrong_option_is_one_line(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises((PlanError, UnknownName)) as raised:
        nets.build(name, dims=2, in_channels=1, options=options)
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_what_does_not_fit_is_one_line() -> None:
    net, x = built("gru"), steps("gru", 2, 4)
    with pytest.raises(PlanError, match=r"\(B, T, F\) of 3 channels"):
        net(x[..., :2])
    with pytest.raises(PlanError, match=r"times_s has a value a step"):
        net(x, torch.zeros(2, 5))
    with pytest.raises(PlanError, match="truth values"):
        net(x, None, torch.ones(2, 4))
    with pytest.raises(PlanError, match=r"\(B, T, C, Y, X\) of 3 channels"):
        built("convlstm")(x)
    with pytest.raises(PlanError, match="looks ahead"):
        built("bigru").begin(1)
    with pytest.raises(PlanError, match="looks ahead"):
        built("tcn", {"causal": False}).begin(1)
