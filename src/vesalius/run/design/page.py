"""The page of a design, for a surgeon: pictures first, then measures, rules, and what argues against believing it."""

from __future__ import annotations

from pathlib import Path

from vesalius.core import page as pages
from vesalius.core.registry import names
from vesalius.run.design.pictures import from_six_sides, sections, with_gap
from vesalius.run.design.result import NOT_FOR_USE, Design
from vesalius.shapes.rules import KIND

_HERE = Path(__file__).parent
BY = {
    "model": "a trained completion model",
    "shape": "a statistical shape model",
    "mirror": "the bone's own mirror image",
    "other-side": "the healthy bone of the other side",
    "mask": "a mask that was given",
}


def page(design: Design) -> str:
    """Return one self-contained page."""
    measures, texts = design.measures, names(KIND)
    gap = design.part.figures("clearance")
    build = design.part.figures("printable")
    return pages.render(
        _HERE / "design.html.j2",
        title="Design of an implant",
        subtitle=f"{design.case_id}: {design.place}",
        chips=(
            f"by {BY[design.by]}",
            f"{measures['volume_ml']:.1f} ml",
            f"{len(design.part.findings)} rules kept",
        ),
        warning=NOT_FOR_USE,
        notes=design.notes,
        sides=from_six_sides(design),
        gaps=with_gap(design),
        sections=sections(design),
        measures=[
            (
                "size",
                " × ".join(f"{measures[n]:.0f}" for n in ("length_mm", "width_mm", "height_mm")) + " mm",
            ),
            ("volume", f"{measures['volume_ml']:.2f} ml"),
            ("surface", f"{measures['area_cm2']:.1f} cm²"),
            *(
                (f"mass in {n[5:-2]}, solid", f"{v:.1f} g")
                for n, v in measures.items()
                if n.startswith("mass_")
            ),
            ("largest thickness", f"{measures['thickest_mm']:.1f} mm"),
            (
                "gap to the bone",
                f"{gap['least_mm']:.2f} mm at least, {gap['median_mm']:.2f} mm in the middle",
            ),
            ("wide gaps", f"95 % of the border within {gap['p95_mm']:.2f} mm"),
            ("drawn out along", ", ".join(f"{a:.2f}" for a in design.part.made.part.axis) + " (LPS)"),
            ("overhang when printed", f"{build['overhang_share']:.0%} in the best direction"),
        ],
        defect=[
            ("place", design.place),
            (
                "missing bone",
                f"{design.part.hole.volume_ml:.1f} ml, {design.part.hole.size_mm:.0f} mm across",
            ),
            ("found by", BY[design.by]),
        ],
        rules=[(f.rule, texts[f.rule], f.found) for f in design.part.findings],
        places=[p for f in design.part.findings for p in f.places_mm],
    )
