"""`vesalius design`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from vesalius.cli._app import number_or_word, pairs
from vesalius.cli._outcome import Outcome, Talk, add


def design(
    talk: Talk,
    bone: Path = typer.Argument(
        help="The bone with its defect: a mask or a CT, a file or the folder of a series."
    ),
    out: Path = typer.Option(
        ...,
        "--output",
        "-o",
        "--out",
        help="A new folder for the meshes, the mask, design.json and design.html.",
    ),
    by: str | None = typer.Option(
        None,
        "--by",
        help="How what is missing is found: model, shape, mirror, other-side or mask.",
        show_default="the best that is given, else mirror",
    ),
    model: Path | None = typer.Option(None, "--model", help="A bundle of `fit --task implant`."),
    shape: Path | None = typer.Option(None, "--shape", help="A statistical shape model of the bone."),
    other: Path | None = typer.Option(
        None, "--other", help="The healthy bone of the other side, on the same grid."
    ),
    missing: Path | None = typer.Option(
        None, "--missing", help="A mask of what is missing, where somebody drew it."
    ),
    rule: list[str] | None = typer.Option(
        None,
        "--rule",
        help="NAME=VALUE or NAME.VALUE=NUMBER of a rule, in mm; see `vesalius rules`; can be repeated.",
    ),
    axis: str | None = typer.Option(
        None, "--axis", help="X,Y,Z in LPS, in which the part is drawn out.", show_default="found"
    ),
    defect: int | None = typer.Option(
        None, "--defect", min=1, help="Which of several defects; the largest is 1."
    ),
    bone_value: float | None = typer.Option(
        None, "--bone", help="The least value of bone.", show_default="200 HU of a CT"
    ),
    label: int | None = typer.Option(
        None, "--label", help="Of a mask with several labels, that of the bone."
    ),
    other_label: int | None = typer.Option(None, "--other-label", help="The same of --other."),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """Design the part that fills a bone's defect: an implant that keeps rules, or a prosthesis by the other side."""
    from vesalius.run.design.written import FILES
    from vesalius.verbs.design import design as verb

    found = verb(
        bone,
        out,
        by=by,
        model=model,
        shape=shape,
        other=other,
        missing=missing,
        rules={k: _millimetres(v) for k, v in pairs(rule, "--rule").items()},
        axis=None if axis is None else _numbers(axis),
        defect=defect,
        threshold=bone_value,
        label=label,
        other_label=other_label,
        device=device,
        progress=talk.progress,
    )
    result = found.json()
    files = {name: str(out / file) for name, file in FILES.items()}

    def show() -> None:
        measures = result["measures"]
        typer.echo(f"{found.case_id}: {found.place}; by {found.by}")
        sides = " × ".join(f"{measures[n]:.0f}" for n in ("length_mm", "width_mm", "height_mm"))
        masses = ", ".join(f"{v:.1f} g in {n[5:-2]}" for n, v in measures.items() if n.startswith("mass_"))
        typer.echo(f"part  {sides} mm, {measures['volume_ml']:.2f} ml, {masses}")
        width = max(len(one["rule"]) for one in result["rules"])
        for one in result["rules"]:
            typer.echo(f"  {one['rule']:<{width}}  {one['found']}")
        typer.echo(f"page  {files['page']}")
        typer.echo(result["warning"])

    return Outcome({"out": out, "files": files, **result}, show, warnings=[("note", n) for n in found.notes])


def _millimetres(text: str) -> Any:
    """Return a rule's value as a number, without its unit, as in `0.5mm`."""
    return number_or_word(text.removesuffix("mm").strip())


def _numbers(text: str) -> list[float]:
    """Return numbers between commas. Raises UsageError."""
    from vesalius.core.errors import UsageError

    try:
        return [float(x) for x in text.split(",")]
    except ValueError as error:
        raise UsageError("--axis takes three numbers", found=text, hint="--axis 0,0,1") from error


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "design", design)
