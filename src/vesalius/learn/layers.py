"""Layers: the nets in a model and their depths, and the share of the learning rate that a parameter has by its depth.

Layer-wise rates keep what is general, near the input, and let change what is particular, near the head (Howard and
Ruder 2018, arXiv 1801.06146; as a power of one number in Bao et al. 2022, BEiT, arXiv 2106.08254).
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from vesalius.nets import Net


def outer_nets(model: nn.Module) -> list[tuple[str, Net]]:
    """Return the nets of a model with their names in it, without those that lie within another net."""
    nets = [(name, m) for name, m in model.named_modules() if isinstance(m, Net)]
    return [
        (n, m) for n, m in nets if not any(n != o and n.startswith(f"{o}." if o else "") for o, _ in nets)
    ]


def depths_of(model: nn.Module) -> list[tuple[tuple[str, ...], ...]]:
    """Return, for each net of a model, its depths from the input on, by the model's names of its parts."""
    return [
        tuple(tuple(".".join(filter(None, (name, part))) for part in depth) for depth in net.depths)
        for name, net in outer_nets(model)
    ]


def rate_scales(model: nn.Module, decay: float, taken: Iterable[str]) -> dict[str, float]:
    """Return the share of the learning rate of each parameter whose share is not 1, by name.

    It is `decay ** k` for a parameter that was taken over from given weights and lies `k` depths below the head: 1 for
    the deepest, as many as there are depths for the one nearest to the input. Heads, decoders and what nothing has
    learned yet have the full rate.
    """
    if decay == 1.0:
        return {}
    given, found = set(taken), {}
    for depths in depths_of(model):
        for number, depth in enumerate(depths):
            scale = decay ** (len(depths) - number)
            for name, _ in model.named_parameters():
                if name in given and any(name == part or name.startswith(f"{part}.") for part in depth):
                    found[name] = scale
    return found
