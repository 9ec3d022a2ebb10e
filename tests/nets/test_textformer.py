"""The text net: what is masked is not seen, order counts, and its size is what its parts come to."""

import pytest
import torch

from vesalius import nets
from vesalius.core.errors import PlanError


def tiny(words=20):
    torch.manual_seed(0)
    return nets.build(
        "textformer", dims=2, in_channels=words, scale=0.125, options={"layers": 2, "longest": 12}
    ).eval()


def test_what_is_masked_is_seen_by_no_word():
    net, tokens = tiny(), torch.tensor([[1, 5, 6, 2, 9, 9]])
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    other = tokens.clone()
    other[0, 4:] = 13
    with torch.inference_mode():
        one, two, short = net(tokens, mask), net(other, mask), net(tokens[:, :4])
    torch.testing.assert_close(one[:, :4], two[:, :4])
    torch.testing.assert_close(one[:, :4], short, atol=1e-5, rtol=1e-5)


def test_the_order_of_words_counts():
    net = tiny()
    with torch.inference_mode():
        one, two = (net.summed_up(net(torch.tensor([ids]))) for ids in ([1, 5, 6], [1, 6, 5]))
    assert (one - two).abs().max() > 1e-3


def test_its_size_by_hand():
    f, words, longest = 32, 20, 12  # per layer: attention 4 f² + 4 f, dense 8 f² + 5 f, two norms 4 f
    layer = 12 * f * f + 13 * f
    assert nets.count_parameters(tiny(words)) == (words + longest) * f + 2 * layer + 2 * f


def test_a_longer_text_is_refused():
    with pytest.raises(PlanError, match="at most 12"):
        tiny()(torch.ones(1, 13, dtype=torch.long))
