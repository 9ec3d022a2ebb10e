"""GPT: a transformer that writes, as Hugging Face's library transformers builds GPT-2, and may look at an image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.options import options_of
from vesalius.nets._blocks import depth, width
from vesalius.nets._transformers import Family, form_of, instance, library
from vesalius.nets._writer import Cache, Writer

NAMES = {"gpt": "GPT-2, a transformer that writes, of Hugging Face, at any size or as a config says"}
ROLE = "writer"
DIMS = (2, 3)
SOURCE = "Radford et al.: Language models are unsupervised multitask learners, 2019"
EXTRA = "hf"
SMALLEST = 0.0625
TINY = {"words": 50, "longest": 32}
OPTIONS = {"config": "", "words": 4000, "longest": 256, "looks": True}
LIMITS = {"words": {"ge": 8}, "longest": {"ge": 4, "le": 8192}}

FAMILIES = {"gpt2": Family("GPT2Config", "GPT2Model")}
WIDTH, LAYERS, HEADS = 768, 12, 12  # of the published small model, at scale 1


class Gpt(Writer):
    """`inner` is the library's model, with the library's names; its table of pieces is the last layer, too.

    What it looks at goes through a linear layer and is attended to in every layer. Where it looked is the mean over the
    heads of the last layer, and adds up to one.
    """

    tables: ClassVar[tuple[str, ...]] = ("inner.wte.weight",)
    places: ClassVar[tuple[str, ...]] = ("inner.wpe.weight",)

    def __init__(self, inner: nn.Module, dims: int, in_channels: int, *, looks: bool, dropout: float) -> None:
        config: Any = inner.config
        super().__init__(
            dims,
            in_channels,
            int(config.n_embd),
            words=int(config.vocab_size),
            longest=int(config.n_positions),
            dropout=dropout,
        )
        self.inner, self.looks = inner, looks
        if looks:
            self.region = nn.Linear(in_channels, int(config.n_embd))
            self.finding = nn.Linear(in_channels, int(config.n_embd))

    def forward(
        self,
        tokens: Tensor,
        memory: Tensor | None = None,
        cache: Cache | None = None,
        *,
        findings: Tensor | None = None,
    ) -> tuple[Tensor, Cache, Tensor | None]:
        """See `Writer.forward`. The cache is a pair of keys and values for each layer."""
        before = 0 if cache is None else cache[0][0].shape[2]
        self.check_texts(tokens, memory, findings, before=before)
        parts = [] if memory is None or not self.looks else [self.region(memory)]
        parts += [] if findings is None or not self.looks else [self.finding(findings)]
        held, both = _unpacked(cache, self.inner)
        out = self.inner(
            tokens,
            cache=both,
            encoder_hidden_states=torch.cat(parts, dim=1) if parts else None,
            use_cache=True,
            output_attentions=bool(parts),
            return_dict=True,
        )
        looked = out.cross_attentions[-1].mean(dim=1) if parts else None
        return out.last_hidden_state, tuple((one.keys, one.values) for one in held.layers), looked

    def logits(self, hidden: Tensor) -> Tensor:
        """Return `(B, L, words)`."""
        table: Tensor = self.inner.wte.weight  # type: ignore[union-attr,assignment]
        return nn.functional.linear(hidden, table)


def _unpacked(cache: Cache | None, inner: Any) -> tuple[Any, Any]:
    """Return a cache of pieces as the library has it, and what it is given: the same, with room for what is seen."""
    lib = library()
    held = lib.DynamicCache(config=inner.config)
    for k, (keys, values) in enumerate(cache or ()):
        held.update(keys, values, k)
    if inner.config.add_cross_attention:
        return held, lib.EncoderDecoderCache(held, lib.DynamicCache(config=inner.config))
    return held, held


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Writer:
    """Build GPT-2 with freshly drawn weights: at scale 1 the published small one of 12 layers and 768 channels.

    `config` is the JSON of a `config.json` instead, whose size it then is. `words` is how many pieces its tokenizer
    knows, `longest` how many a text may have. With `looks` it attends to what it is shown, `in_channels` wide; without,
    it writes whatever it is shown. Raises MissingExtra without transformers, PlanError for a config of no GPT-2.
    """
    chosen = options_of("nets", name, options or {}, where=f"{name}: options")
    wide = width(WIDTH, scale, multiple=16)
    heads = next(h for h in range(max(1, round(HEADS * scale)), 0, -1) if wide % h == 0)
    drawn = {
        "model_type": "gpt2",
        "n_embd": wide,
        "n_layer": depth(LAYERS, scale**1.5),
        "n_head": heads,
        "vocab_size": chosen["words"],
        "n_positions": chosen["longest"],
    }
    changed: dict[str, Any] = {"vocab_size": chosen["words"], "add_cross_attention": bool(chosen["looks"])}
    changed |= {f"{part}_pdrop": dropout for part in ("resid", "embd", "attn")}
    text = chosen["config"] or json.dumps(drawn)
    inner, _ = instance(text, FAMILIES, net="gpt", changed=changed)
    inner.set_attn_implementation("eager")  # type: ignore[operator] # the others do not say where was looked
    return Gpt(inner, dims, in_channels, looks=bool(chosen["looks"]), dropout=dropout)


def kept(config: Mapping[str, Any]) -> str:
    """Return what the option `config` holds of a whole `config.json`. Raises PlanError, MissingExtra."""
    return form_of(config, FAMILIES, net="gpt")


def encoder(config: Any, *, tensors: Mapping[str, Tensor] | None = None) -> tuple[Writer, Mapping[str, Any]]:
    """Return the model of a config with `tensors` of a folder, which looks at nothing, and what was told of these.

    See `huggingface.encoder`. Raises PlanError, MissingExtra.
    """
    inner, told = instance(config, FAMILIES, net="gpt", changed={}, tensors=tensors)
    return Gpt(inner, 2, 1, looks=False, dropout=0.0), told
