"""Ways to learn from normal cases alone what is normal, and to say how far each place of an image is from it.

One file is one way, of the same name as the recipe that trains it (`learn/recipes/`). Another package adds one by an
entry point in the group `vesalius.anomalies`, beside one in `vesalius.learn.recipes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vesalius.core.registry import lookup

if TYPE_CHECKING:
    from vesalius.anomalies.contract import Normality, Size

KIND = "anomalies"


def build(
    name: str, net: Any, *, size: Size, channels: int, cases: int, options: Mapping[str, Any]
) -> Normality:
    """Return a model of what is normal, over an encoder, that has learned nothing yet.

    `size` is that of a prepared image, `(Z, Y, X)`, and `channels` how many it has; `cases` is how many normal ones
    there are at most. Raises UnknownName.
    """
    model: Normality = lookup(KIND, name).build(
        net, size=size, channels=channels, cases=cases, options=options
    )
    return model
