"""Writing: greedy and beam against an exhaustive search over all texts, what is allowed, and what is cut off."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch

from vesalius import nets
from vesalius.core.errors import DataError, PlanError
from vesalius.language.generate import Written, generate, reordered
from vesalius.language.tokenizers import BEGIN, END

WORDS = 9  # three of which are no special pieces


@pytest.fixture(scope="module", params=["writer-lstm", "writer-transformer"])
def writer(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(2)
    net: Any = nets.build(
        request.param, dims=2, in_channels=4, scale=0.0625, options={"words": WORDS, "longest": 12}
    )
    with torch.no_grad():
        net.table.weight.mul_(3.0)  # so that some pieces are much likelier than others
    return net.eval()


MEMORY = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))


def likelihood(writer: Any, memory: torch.Tensor, ids: tuple[int, ...]) -> float:
    """The log-likelihood of a text that ends, without a cache, over the pieces that may come up."""
    tokens = torch.tensor([[BEGIN, *ids]])
    with torch.no_grad():
        logits = writer.logits(writer(tokens, memory)[0])[0]
    logits[:, [0, 1, 3, 4]] = -math.inf
    return float(logits.log_softmax(-1)[torch.arange(len(ids) + 1), torch.tensor([*ids, END])].sum())


def every(length: int) -> list[tuple[int, ...]]:
    return [ids for n in range(length) for ids in itertools.product(range(5, WORDS), repeat=n)]


def test_many_beams_find_the_likeliest_text_of_all(writer: Any) -> None:
    for row in range(3):
        memory = MEMORY[row : row + 1]
        each = {ids: likelihood(writer, memory, ids) for ids in every(4)}
        best = max(each, key=lambda ids: each[ids])
        (found,) = generate(writer, memory, longest=4, beams=400, alpha=0.0)
        assert found.ids == best and found.ended
        assert found.logp == pytest.approx(each[best], abs=1e-4)


def test_greedy_takes_the_likeliest_piece_each_time_in_a_batch_as_alone(writer: Any) -> None:
    together = generate(writer, MEMORY, longest=6)
    for row, found in enumerate(together):
        ids: list[int] = []
        for _ in range(6):
            with torch.no_grad():
                logits = writer.logits(writer(torch.tensor([[BEGIN, *ids]]), MEMORY[row : row + 1])[0])[0, -1]
            logits[[0, 1, 3, 4]] = -math.inf
            if int(logits.argmax()) == END:
                break
            ids.append(int(logits.argmax()))
        assert list(found.ids) == ids
        assert found.ended == (len(ids) < 6)
        if found.ended:
            assert found.logp == pytest.approx(likelihood(writer, MEMORY[row : row + 1], found.ids), abs=1e-4)
        assert found.attention is None if not ids else found.attention.shape == (len(ids), 5)  # type: ignore[union-attr]


def test_one_beam_of_two_or_more_is_never_less_likely_than_greedy(writer: Any) -> None:
    plain = generate(writer, MEMORY, longest=5)
    wide = generate(writer, MEMORY, longest=5, beams=300, alpha=0.0)
    assert all(w.logp >= p.logp - 1e-5 for w, p in zip(wide, plain, strict=True) if p.ended)


@pytest.mark.parametrize("beams", [1, 3])
def test_nothing_is_written_but_what_is_allowed(writer: Any, beams: int) -> None:
    wanted = ((6, 5, 7), (5, 5), (8,))

    def allowed(row: int, ids: Any) -> list[int]:
        return [wanted[row][len(ids)]] if len(ids) < len(wanted[row]) else [END]

    found = generate(writer, MEMORY, beams=beams, allowed=allowed)
    assert tuple(w.ids for w in found) == wanted and all(w.ended for w in found)
    assert all(w.logp == pytest.approx(0.0) for w in found)
    with pytest.raises(DataError, match="nothing is allowed"):
        generate(writer, MEMORY, beams=beams, allowed=lambda row, ids: [])


@pytest.mark.parametrize("beams", [1, 2])
def test_a_text_that_was_cut_off_says_so(writer: Any, beams: int) -> None:
    found: list[Written] = generate(writer, rows=2, beams=beams, allowed=lambda row, ids: [5, 6])
    assert [len(w.ids) for w in found] == [12, 12] and not any(w.ended for w in found)


def test_a_prompt_is_read_and_not_repeated(writer: Any) -> None:
    (alone,) = generate(writer, MEMORY[:1], longest=5, allowed=lambda row, ids: [5, 6, 7, 8])
    (after,) = generate(
        writer,
        MEMORY[:1],
        prompt=(BEGIN, *alone.ids[:2]),
        longest=3,
        allowed=lambda row, ids: [5, 6, 7, 8],
    )
    assert after.ids == alone.ids[2:]


def test_numbers_that_do_not_fit_are_refused(writer: Any) -> None:
    with pytest.raises(PlanError, match="no room"):
        generate(writer, rows=1, prompt=[5] * 14)
    with pytest.raises(PlanError, match="rows do not fit"):
        generate(writer, MEMORY, rows=2)
    with pytest.raises(PlanError, match="at least is kept"):
        generate(writer, MEMORY, beams=0)


def test_a_cache_is_copied_row_by_row() -> None:
    cache = ((torch.arange(6).reshape(3, 2), torch.arange(3)),)
    ((one, two),) = reordered(cache, [2, 2, 0])
    assert one.tolist() == [[4, 5], [4, 5], [0, 1]] and two.tolist() == [2, 2, 0]
