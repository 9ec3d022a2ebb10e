"""Which sentences are true of which images, held against cases worked out by hand."""

import pytest
import torch

pairs = pytest.importorskip("vesalius.tasks._pairs")


@pytest.mark.parametrize(
    ("said", "held", "told"),
    [
        (-1, -1, 1), (-1, 1, 0), (-1, 2, 0), (-1, 0, -1),
        (1, 1, 1), (1, 3, 1), (1, 4, 1), (1, -1, 0), (1, 0, -1),
        (2, 2, 1), (2, 4, 1), (2, 3, 0), (2, 1, -1), (2, -1, 0), (2, 0, -1),
        (3, 2, 0), (3, 3, 1),
        (4, 4, 1), (4, 2, 0), (4, 1, -1), (4, -1, 0),
        (0, 1, -1), (0, -1, -1),
    ],
)  # fmt: skip
def test_one_claim_about_one_image(said, held, told):
    assert pairs.true_of(torch.tensor([[said]]), torch.tensor([[held]])).tolist() == [[told]]


def test_a_sentence_is_true_where_all_is_and_wrong_where_anything_is():
    said = torch.tensor([[1, -1, 0]])  # "a nodule, no effusion"
    held = torch.tensor([[1, -1, 1], [1, 1, -1], [1, 0, 0], [0, 1, 0]])
    assert pairs.true_of(said, held).tolist() == [[1, 0, -1, 0]]


def test_equal_sentences_stand_once_and_know_their_owners():
    tokens = torch.tensor([[[7, 1], [8, 1]], [[8, 1], [-1, -1]]])
    keys = torch.tensor([[70, 80], [80, 0]])
    words = pairs.words_of(tokens, torch.zeros(2, 2, 1), keys, torch.tensor([True, True]))
    assert words.tokens.tolist() == [[7, 1], [8, 1]]
    assert words.of.tolist() == [[True, False], [True, True]]
    alone = pairs.words_of(tokens, torch.zeros(2, 2, 1), keys, torch.tensor([False, True]))
    assert alone.tokens.tolist() == [[8, 1]], "what a case without a report holds is no sentence"


def test_what_is_truly_there_counts_more_than_who_wrote_it():
    """A sentence with the wrong side is no positive of its own image."""
    words = pairs.Words(
        torch.zeros(2, 3), torch.tensor([[2], [0]]), torch.tensor([1, 2]), torch.eye(2, dtype=torch.bool)
    )
    told, weight = pairs.sentence_pairs(words, torch.tensor([[3], [2]]))
    assert told.tolist() == [[0, 1], [0, 1]] and weight.tolist() == [1.0, pairs.BARE]


def test_reports_of_equal_findings_are_no_negatives():
    held = torch.tensor([[1, -1], [1, -1], [2, -1], [0, 0], [0, 0]])
    told = pairs.report_pairs(held, torch.tensor([1, 2, 3, 4, 4]))
    assert told.tolist() == [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 1, 1],
        [0, 0, 0, 1, 1],
    ]
