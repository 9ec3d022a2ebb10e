"""Which layers are sensitive: those that stay in single precision, so that the others may be integers.

Layers are ranked by how far integers move what they put out from what single precision does, on training cases; then
more and more of the most sensitive stay as they are, until the answers move by no more than a third of what they moved
when all were integers. The search looks at raw answers to training cases alone, never at those that the gate goes by.
Source: the ranking is by signal to noise, as in Lin, Talathi, Annapureddy, Fixed Point Quantization of Deep
Convolutional Networks, ICML 2016.
"""

from __future__ import annotations

from vesalius.compress.graphing import Arrays
from vesalius.compress.quantising.deviating import deviation, outputs
from vesalius.compress.quantising.integers import WEIGHTED, beside_raw, quantised
from vesalius.infer.feeds import RAW
from vesalius.infer.graphs import Graph

SHARES = (0.1, 0.25, 0.5)  # of the layers, that stay as they are
ENOUGH = 1 / 3  # of the deviation of all integers
LOOKED_AT = 8  # training cases that layers are ranked by


def mixed(graph: Graph, arrays: Arrays) -> tuple[Graph, tuple[str, ...], float]:
    """Return a graph of integers but for its sensitive layers, which these are, and how far its answers deviate.

    The deviation is relative: the root of the mean squared difference over that of the answers.
    """
    few = list(arrays[:LOOKED_AT])
    whole = quantised(graph, arrays)
    exact = outputs(graph, [RAW], few)
    worst = deviation(exact, outputs(whole, [RAW], few))
    order = ranked(graph, whole, few)
    best, left = whole, worst
    kept: tuple[str, ...] = ()
    for share in SHARES:
        chosen = tuple(order[: max(1, round(share * len(order)))])
        made = quantised(graph, arrays, kept=chosen)
        now = deviation(exact, outputs(made, [RAW], few))
        if now < left:
            best, kept, left = made, chosen, now
        if left <= ENOUGH * worst:
            break
    return best, kept, left


def ranked(graph: Graph, whole: Graph, few: Arrays) -> list[str]:
    """Return the names of the layers with weights, the most sensitive first."""
    beside = beside_raw(graph)
    layers = {
        node.output[0]: node.name
        for node in graph.proto.graph.node
        if node.op_type in WEIGHTED and node.name not in beside
    }
    there = {name for node in whole.proto.graph.node for name in node.output}
    names = [name for name in layers if name in there]
    one, other = outputs(graph, names, few), outputs(whole, names, few)
    noise = {name: deviation({name: one[name]}, {name: other[name]}) for name in names}
    return [layers[name] for name in sorted(names, key=lambda name: -noise[name])]
