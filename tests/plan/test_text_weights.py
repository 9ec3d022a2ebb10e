"""Weights of text models are never begun from by an image model that nobody gave any."""

from vesalius.plan.weights import first_of


def test_a_sentence_encoder_is_not_taken_for_images() -> None:
    assert first_of(["minilm-sentences"]) is None
    assert first_of(["minilm-sentences", "efficientnetlite0-imagenet"]) == "efficientnetlite0-imagenet"
