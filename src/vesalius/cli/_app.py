"""The command group, and what every command needs: pairs of options, progress, a quiet stand for libraries."""

from __future__ import annotations

import logging
import math
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from vesalius.core.errors import UsageError, VesaliusError

if TYPE_CHECKING:
    from vesalius.core.progress import Progress

app = typer.Typer(
    name="vesalius",
    help="Large models for medical images: from a folder of studies to a validated, deployable model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@contextmanager
def when_told_to_stop(act: Callable[[], object]) -> Iterator[None]:
    """While it lasts, Ctrl-C and SIGTERM do this, and nothing else."""
    before = {n: signal.signal(n, lambda *_: act()) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def version(show: bool) -> None:
    """Print the version and leave."""
    if show:
        from vesalius.core.version import VERSION

        typer.echo(f"vesalius {VERSION}")
        raise typer.Exit


@app.callback()
def root(
    shown: bool = typer.Option(
        False, "--version", callback=version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Large models for medical images: from a folder of studies to a validated, deployable model."""
    for talkative in ("pydicom", "lightning_fabric.utilities.rank_zero"):
        logging.getLogger(talkative).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")


def pairs(items: Sequence[str] | None, option: str) -> dict[str, str]:
    """`["a=1", …]` as a mapping; a column's role given twice holds both columns. Raises VesaliusError without '='."""
    found: dict[str, str] = {}
    for item in items or ():
        name, sign, value = item.partition("=")
        if not sign or not name.strip():
            raise VesaliusError(f"{option} takes NAME=VALUE", found=repr(item))
        name, value = name.strip(), value.strip()
        if option == "--stage" and name in found:
            raise VesaliusError(
                f"two stages are called '{name}'", found=f"{option} {name}=… twice", hint="another name"
            )
        if option == "--where" and name in found:
            raise VesaliusError(
                f"two conditions on '{name}'",
                found=f"{option} {name}=… twice",
                hint=f"{name}=LOW..HIGH, or {name}=A,B",
            )
        found[name] = f"{found[name]},{value}" if option == "--column" and name in found else value
    return found


def columns_of(items: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the columns of `--by`; None where it is not given, and no column for `none` alone."""
    return () if items == ["none"] else tuple(items) if items else None


def parts(text: str) -> list[str]:
    """Return what stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str, option: str, *, whole: bool = False) -> list[str]:
    """Return numbers that stand between commas, as text. Raises UsageError."""
    found = parts(text)
    for part in found:
        try:
            _ = int(part) if whole else float(part)
        except ValueError as error:
            kind = "whole numbers" if whole else "numbers"
            raise UsageError(f"{option} takes {kind} between commas", found=repr(part)) from error
    return found


def number_or_word(text: str) -> float | str:
    """Return a finite number where a text is one, and otherwise the text, as a column of a table is read."""
    try:
        found = float(text)
    except ValueError:
        return text
    return found if math.isfinite(found) else text


def process_began() -> float:
    """Return the `time.monotonic()` of this process's first moment: what a person waits for counts from there."""
    import psutil

    now = time.monotonic()
    try:
        old = time.time() - psutil.Process().create_time()
    except psutil.Error:
        return now
    return now - old if 0 <= old < 600 else now


def shown_progress() -> Progress:
    """Bars with an estimate of the time left on a terminal, plain lines elsewhere; both on standard error."""
    from vesalius.core.progress import watched

    return watched(True)
