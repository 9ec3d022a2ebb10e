"""Found: a file of tensors as it lies there, under the names that its maker gave them; nothing in it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Found:
    """Tensors by their maker's names; `about` is what else the file, or a JSON file beside it, holds as plain data.

    `origin` is what they are called in a plan: without a path, with a part of the file's SHA-256. `aside` are names of
    tensors that stand outside the net that is looked at, such as a second net or a loss.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    origin: str
    about: Mapping[str, Any] = field(default_factory=dict)
    aside: tuple[str, ...] = ()
