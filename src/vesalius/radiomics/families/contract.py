"""The contract of a family of radiomics features: one file in `radiomics/families/`, ending in `FAMILY = Family(…)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings


@dataclass(frozen=True)
class Family:
    """Features that belong together.

    `called` is what columns call it: `original_CALLED_FEATURE`. `features` are their names, in the order of columns.
    `measure` returns each by its name, NaN where the definition has none. `of` says which regions have it. `textured`
    says that it looks at where grey levels lie, so that it depends on the voxels' size.
    """

    called: str
    features: tuple[str, ...]
    measure: Callable[[Region, Settings], dict[str, float]]
    of: Literal["any", "pictures", "volumes"] = "any"
    textured: bool = True

    @property
    def prefix(self) -> str:
        """How the names of its columns begin."""
        return f"original_{self.called}_"
