"""`vesalius mesh`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def mesh(
    talk: Talk,
    source: Path = typer.Argument(
        metavar="INPUT", help="A mask, an answer, a folder of masks as predict writes it, or a mesh."
    ),
    out: Path = typer.Option(
        ...,
        "--output",
        "-o",
        help="A file: .stl, .obj, .ply, .glb, .3mf, .stl.dcm, .obj.dcm; or a new folder.",
    ),
    label: list[str] | None = typer.Option(
        None, "--label", help="A label's name or value; can be repeated.", show_default="all"
    ),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="VALUE=NAME: what a mask's value is called; can be repeated."
    ),
    smooth: float | None = typer.Option(
        None,
        "--smooth",
        min=0.0,
        help="Voxels over which a mask's steps are smoothed; of a mesh, tens of rounds.",
        show_default="1, of a mesh 0",
    ),
    faces: int | None = typer.Option(
        None, "--faces", min=4, help="About how many faces are wanted.", show_default="as many as there are"
    ),
    within: float | None = typer.Option(
        None,
        "--within",
        min=0.0,
        help="Millimetres that fewer faces may move the surface.",
        show_default="half a voxel's largest side",
    ),
    keep: str = typer.Option("all", "--keep", help="All pieces of a label, or the largest."),
    split: bool = typer.Option(False, "--split", help="One file a label, in a folder."),
    form: str = typer.Option("stl", "--format", help="Of the files in a folder: stl, obj, ply, glb or 3mf."),
    frame: str | None = typer.Option(
        None,
        "--frame",
        help="lps or ras, of a mesh whose file does not say.",
        show_default="as the file says",
    ),
    study: Path | None = typer.Option(
        None, "--source", help="The DICOM series into whose study .stl.dcm and .obj.dcm are written."
    ),
) -> Outcome:
    """Closed surfaces of masks in millimetres, checked and measured; and meshes from one format into another."""
    from vesalius.core.errors import UsageError
    from vesalius.verbs.mesh import mesh as verb

    named = pairs(labels, "--labels")
    if any(not value.lstrip("-").isdigit() for value in named):
        raise UsageError("--labels takes a mask's values", found=", ".join(named), hint="--labels 1=liver")
    found = verb(
        source,
        out,
        labels=label,
        names={int(value): name for value, name in named.items()},
        smooth=smooth,
        faces=faces,
        within_mm=within,
        keep=keep,  # type: ignore[arg-type]
        split=split,
        form=form.lower().removeprefix("."),
        frame=frame,
        study=study,
        progress=talk.progress,
    )

    def show() -> None:
        for one in found.meshes:
            if len(found.meshes) > 1:
                typer.echo(one.name)
            typer.echo(f"{'label':<20} {'ml':>10} {'mask ml':>10} {'cm²':>9} {'faces':>9}  state")
            for piece in one.pieces:
                told = ["–" if v is None else f"{v:.4g}" for v in (piece.measures.volume_ml, piece.mask_ml)]
                state = "sound" if piece.checks.sound else ", ".join(piece.checks.faults)
                typer.echo(
                    f"{piece.name:<20} {told[0]:>10} {told[1]:>10} {piece.measures.area_cm2:>9.4g} "
                    f"{len(piece.surface.faces):>9}  {state}"
                )
        for path in found.files:
            typer.echo(f"file  {path}")

    code = 1 if found.set_aside or not found.sound else 0
    warnings = [("note", text) for text in found.notes]
    warnings += [("set_aside", f"{a.case}: {a.reason}") for a in found.set_aside]
    return Outcome({"out": out, **found.json()}, show, code=code, warnings=warnings)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "mesh", mesh)
