"""BERT: a transformer that reads text, as Hugging Face's library transformers builds it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.nets._blocks import depth, read_options, width
from vesalius.nets._net import Net
from vesalius.nets._transformers import Family, form_of, instance

NAMES = {"bert": "BERT, a transformer that reads text, of Hugging Face, at any size or as a config says"}
ROLE = "text"
DIMS = (2, 3)
SOURCE = "Devlin et al.: BERT, NAACL 2019, arXiv:1810.04805"
EXTRA = "hf"
SMALLEST = 0.0625
TINY = {
    "config": '{"model_type":"bert","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,'
    '"intermediate_size":64,"vocab_size":50,"max_position_embeddings":32}'
}
OPTIONS = {"config": None, "longest": 512}

WIDTH, LAYERS, HEADS = 768, 12, 12  # of BERT-base, at scale 1
FAMILIES = {"bert": Family("BertConfig", "BertModel", {"add_pooling_layer": False})}


class Bert(Net):
    """Token ids `(B, L)` and which of them are words `(B, L)` → one vector a token, `(B, L, F)`.

    `inner` is the library's model, with the library's names. Images have no part in it: `dims` is that of the plan.
    """

    role: ClassVar[str] = "text"
    tables: ClassVar[tuple[str, ...]] = ("inner.embeddings.word_embeddings.weight",)
    places: ClassVar[tuple[str, ...]] = ("inner.embeddings.position_embeddings.weight",)

    def __init__(self, inner: nn.Module, *, dims: int, dropout: float) -> None:
        config: Any = inner.config
        super().__init__(dims, [int(config.hidden_size)], strides=[1], dropout=dropout)
        self.inner = inner
        self.longest = int(config.max_position_embeddings)
        self.words = int(config.vocab_size)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return `(B, L, F)`. `mask` is 1 where a token is one of the text's, by default everywhere.

        Raises PlanError for texts longer than the model's positions.
        """
        if tokens.ndim != 2 or tokens.shape[1] > self.longest:
            raise PlanError(
                f"BERT reads (B, L) of at most {self.longest} tokens", found=f"shape {tuple(tokens.shape)}"
            )
        out: Tensor = self.inner(tokens, attention_mask=mask, return_dict=True).last_hidden_state
        return out

    def summed_up(self, output: Any) -> Tensor:
        """Return `(B, F)`, the vector of each text's first token, `[CLS]`, out of what `forward` returned."""
        first: Tensor = output[:, 0]
        return first


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build BERT with freshly drawn weights: 12 layers of 12 heads and 768 channels at scale 1, which is BERT-base.

    `in_channels` is how many pieces it knows, and `longest` how many a text may have. With the option `config`, the
    JSON of the `config.json` beside weights, it is of that size instead, and knows as many pieces as that says where
    `in_channels` is 1. `size` means nothing to it. Raises MissingExtra without transformers, PlanError for a config
    that describes no BERT.
    """
    chosen = read_options(name, options, OPTIONS)
    config, changed = chosen["config"], {} if in_channels == 1 else {"vocab_size": in_channels}
    if config is not None:
        if scale != 1.0:
            raise PlanError(
                f"the size of net '{name}' is what its config says",
                found=f"scale {scale}",
                hint="net.scale=1",
            )
        return encoder(config, dims=dims, dropout=dropout, changed=changed)[0]
    wide = width(WIDTH, scale, multiple=16)
    drawn = {
        "model_type": "bert",
        "hidden_size": wide,
        "num_hidden_layers": depth(LAYERS, scale**1.5),
        "num_attention_heads": next(h for h in range(max(1, round(HEADS * scale)), 0, -1) if wide % h == 0),
        "intermediate_size": 4 * wide,
        "max_position_embeddings": chosen["longest"],
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }
    return encoder(json.dumps(drawn), dims=dims, dropout=dropout, changed=changed)[0]


def kept(config: Mapping[str, Any]) -> str:
    """Return what the option `config` holds of a whole `config.json`. Raises PlanError, MissingExtra."""
    return form_of(config, FAMILIES, net="bert")


def encoder(
    config: Any,
    *,
    dims: int = 2,
    dropout: float = 0.0,
    tensors: Mapping[str, Tensor] | None = None,
    changed: Mapping[str, Any] | None = None,
) -> tuple[Net, Mapping[str, Any]]:
    """Return the model of a config with freshly drawn weights, or with `tensors`; and what was told of these.

    See `huggingface.encoder`. Raises PlanError, MissingExtra.
    """
    inner, told = instance(config, FAMILIES, net="bert", changed=changed or {}, tensors=tensors)
    return Bert(inner, dims=dims, dropout=dropout), told
