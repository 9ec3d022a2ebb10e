"""How an image is shown: its middle plane, and what is known of its geometry."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.core.image import Image
from vesalius.shown._looks import of_image
from vesalius.shown.contract import View, facts


class ImageView(View[Image]):
    """An image."""

    def picture(self, thing: Image) -> bytes:
        """Return the middle plane, upright, of the first frame."""
        return of_image(thing)

    def lines(self, thing: Image) -> list[Line]:
        """Return shape, type, geometry and unit; what is not known is said to be unknown."""
        axes = "(C, Z, Y, X)" if thing.times_s is None else "(T, C, Z, Y, X)"
        spacing = thing.spacing_mm
        return facts(
            (f"shape {axes}", " × ".join(map(str, thing.array.shape))),
            ("type", str(thing.array.dtype)),
            (
                "spacing x, y, z",
                "unknown" if spacing is None else f"{' × '.join(f'{s:.4g}' for s in spacing)} mm",
            ),
            ("orientation", "unknown" if thing.affine is None else "known, by an affine to LPS millimetres"),
            ("unit", thing.unit or "unknown"),
            ("modality", thing.modality or "unknown"),
            ("channels", ", ".join(thing.channels)),
        )


VIEW = ImageView()
