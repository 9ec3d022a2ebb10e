"""Picture: an image that a model made."""

from __future__ import annotations

from typing import Any

from vesalius.answers.contract import Handling
from vesalius.core.answers.picture import Picture


class PictureHandling(Handling[Picture]):
    """What is done with a picture."""

    kind = Picture

    def columns(self, answer: Picture) -> dict[str, Any]:
        """Return no column: the picture is a file of its own."""
        return {}


HANDLING = PictureHandling()
