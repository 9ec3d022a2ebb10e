"""One tree of errors; each says what is wrong, what was found and what to try.

VesaliusError              exit code 2, one line
├── UsageError             an option of the command line that is not there, or a value that it does not take
├── UnknownName            a task, net, format, field … that does not exist (with the closest names)
├── DataError              the data cannot be used as it is
│   ├── FormatError        a file that cannot be read: truncated, corrupt, hostile, unsupported
│   │   └── NotAnImage     a sound file that holds something else: a segmentation, a report, a plan …
│   ├── NoImages           a place that can be looked at, and holds nothing to look at
│   ├── GeometryError      shape, affine or spacing contradict each other, or are missing where needed
│   ├── MismatchError      an image of another kind than a bundle learned from: other channels, modality or unit
│   ├── LeakError          the same patient (or image) on both sides of a split
│   ├── SourceError        a generator, or what else things come from one at a time, raised midway
│   └── CodeError          a file that another package brings does not do what its kind promises, or fails
├── PlanError              a plan that cannot be followed
├── BudgetError            not enough time, memory or disk for what was asked
│   └── LimitReached       a declared limit of time, memory or energy ended the work; exit code 3
├── RegisterError          something that cannot be registered: a name that is taken, or a part that is missing
├── BundleError            a bundle that is damaged, foreign or from a newer version
├── OutputError            a place that cannot be written to, or already holds something
├── Interrupted            Ctrl-C, where something can be said of what is kept; exit code 130
├── ClusterError           a cluster that is not there, is another than is needed, or lost its workers
├── UnsafeError            a setting that would leave patients' data open to others
├── MissingExtra           an optional library is not installed
└── MissingProgram         a program that is not installed is called for
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vesalius.core.words import listed


class VesaliusError(Exception):
    """Base of every error a person can cause and mend.

    `what` is wrong; `found` is what was there instead; `hint` is what to try. `str()` is one line.
    """

    exit_code = 2

    def __init__(self, what: str, *, found: str | None = None, hint: str | None = None) -> None:
        self.what, self.found, self.hint = what, found, hint
        parts = [what.rstrip(".")]
        if found:  # what a library says may begin with the same word
            parts.append(f"found {found.removeprefix('found ')}")
        if hint:
            parts.append(f"try: {hint}")
        super().__init__(" ".join("; ".join(parts).split()))


class UnknownName(VesaliusError):
    """A name that nothing answers to; the message carries the closest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        names = sorted(set(known))
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        shown = close or names[:8]
        more = "" if close or len(names) <= 8 else f" … ({len(names)} in all)"
        lead = "closest: " if close else "one of "
        colon = ":" if set(kind) & set("'/.") else ""  # where the kind ends in another name or in a file's
        super().__init__(
            f"unknown {kind}{colon} '{name}'" + ("" if names else "; there is none"),
            hint=hint or (f"{lead}{listed(shown)}{more}" if names else None),
        )
        self.name, self.close = name, close


def closest_path(path: Path | str, otherwise: str) -> str:
    """Return what to try where nothing lies at `path`: what is called most like it, or `otherwise`."""
    missing = Path(path)
    while missing.parent != missing and not missing.parent.exists():
        missing = missing.parent
    try:
        names = [p.name for p in missing.parent.iterdir()]
    except OSError:
        names = []
    close = difflib.get_close_matches(missing.name, names, n=3, cutoff=0.7)
    return f"closest: {', '.join(str(missing.parent / n) for n in close)}" if close else otherwise


class UsageError(VesaliusError):
    """An option of the command line is not there, or does not take the value that it was given."""


class DataError(VesaliusError):
    """The data cannot be used as it is."""


class FormatError(DataError):
    """A file that cannot be read: truncated, corrupt, hostile or unsupported."""


class NotAnImage(FormatError):
    """A sound file that holds something else than pixels to look at; `holds` names what, `code` in a word (`SEG`)."""

    def __init__(self, where: object, *, holds: str, code: str, hint: str | None = None) -> None:
        super().__init__(f"{where}: holds no image but a {holds}", found=code, hint=hint)
        self.holds, self.code = holds, code


class NoImages(DataError):
    """A place that can be looked at, and holds nothing to look at; `left` are notes of what it holds instead."""

    def __init__(self, what: str, *, hint: str | None = None, left: Iterable[str] = ()) -> None:
        self.left = tuple(left)
        super().__init__(
            what, found="; ".join(n.removeprefix("set aside: ") for n in self.left[:3]) or None, hint=hint
        )


class GeometryError(DataError):
    """Shape, affine or spacing contradict each other, or are missing where they are needed."""


class MismatchError(DataError):
    """An image is of another kind than a bundle learned from: other channels, another modality or another unit."""


class LeakError(DataError):
    """The same patient or image stands on both sides of a split."""


class CodeError(DataError):
    """A file that another package brings does not do what its kind promises, or fails; what it raised is the cause."""


class SourceError(DataError):
    """A generator, or what else things come from one at a time, raised midway; what it raised is the cause.

    `answers` are those that `predict` had made by then in memory, a `Predictions`; None where there are none.
    """

    answers: Any = None


class PlanError(VesaliusError):
    """A plan that cannot be followed."""


class BudgetError(VesaliusError):
    """Not enough time, memory or disk for what was asked."""


class LimitReached(BudgetError):
    """A declared limit ended the work in an orderly way: what is kept, what was used, and how to go on.

    `limit` is `time`, `memory` or `energy`.
    """

    exit_code = 3

    def __init__(self, what: str, *, limit: str, found: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, found=found, hint=hint)
        self.limit = limit


class RegisterError(VesaliusError):
    """Something that cannot be registered: its name is taken, or a part of what its kind promises is missing."""


class BundleError(VesaliusError):
    """A bundle that is damaged, foreign or from a newer version."""


class OutputError(VesaliusError):
    """A place that cannot be written to, or that already holds something."""


class ClusterError(VesaliusError):
    """A cluster is not there, is another than is needed, or has lost its workers."""


class UnsafeError(VesaliusError):
    """A setting that would leave patients' data open to others."""


class MissingExtra(VesaliusError):
    """An optional library is not installed; `extra` is what to install, by default the library by itself."""

    def __init__(self, library: str, extra: str | None = None) -> None:
        what = f"'vesalius[{extra}]'" if extra else library
        super().__init__(f"'{library}' is not installed", hint=f"pip install {what}")


class MissingProgram(VesaliusError):
    """A program that is not installed is called for; `package` is Debian's, for the hint."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"'{program}' is not installed", hint=f"apt-get install {package}")


class Interrupted(VesaliusError):
    """Ctrl-C: what is kept, and as the hint the command that goes on where there is one."""

    exit_code = 130


_REFUSED = (  # words of torch, of Python, of C++, of oneDNN, and our own
    "allocate memory",
    "start new thread",
    "out of memory",
    "std::bad_alloc",
    "could not create a primitive",
    "does not fit into memory",
)


def out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error, or what it came from, says that memory was refused, whichever library raised it."""
    while error is not None:
        if isinstance(error, MemoryError) or any(said in str(error) for said in _REFUSED):
            return True
        error = error.__cause__ or error.__context__
    return False
