"""What a leader tells its workers, and what they give back; all of it can be pickled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vesalius.run.predict_settings import PredictSettings

STAGING = ".staging"  # in a folder of answers: what workers wrote and the leader has not taken over
SPOOL = ".spool"  # there, too: studies of a server while they are answered


@dataclass(frozen=True, kw_only=True)
class WebPlace:
    """A DICOMweb server: its root, a file that holds `user:password`, and one of certificates."""

    url: str
    login: str | None = None
    ca: str | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """What every worker is told once: the bundle, how it answers, the folder of answers and where studies are from.

    `source` is a folder, or None where `web` is the server that studies are fetched from; `series` are conditions on
    its series. DICOM objects are stored `to` another server, or the same.
    """

    bundle: str
    hash: str
    settings: PredictSettings
    out: str
    source: str | None = None
    web: WebPlace | None = None
    series: Mapping[str, str] = field(default_factory=dict)
    to: WebPlace | None = None
    device: str | None = None
    threads: int = 1
    settle_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """One study: its number in the ledger, what its cases are called by, and where it is in the source.

    `place` is a path below the source's folder, or a StudyInstanceUID. `stored` are files in the folder of answers that
    are only to be stored, of a study that was answered before.
    """

    n: int
    study: str
    place: str
    stored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What was answered about one case: its row, and the rows of what it lists, by table.

    `series` and `objects`, a hash of its objects' UIDs, tell it from cases of other studies; `patient` is a hash.
    """

    case: str
    row: Mapping[str, Any]
    listed: Mapping[str, Sequence[Mapping[str, Any]]]
    series: str = ""
    objects: str = ""
    patient: str = ""
    outside: bool = False
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a worker says of a study whose files it wrote to a folder of its own in `STAGING`, called `staged`.

    `faults` are pairs of a case and why it, or one of its files, is not there; `refused` counts those of another kind
    than the bundle learned from. `fingerprint` tells the study's files by name, size and time.
    `young_s` is for how long the study must yet rest, where it is not answered for being changed just now. `unstored`
    says why a server did not take the objects.
    """

    n: int
    cases: tuple[CaseResult, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    drift: tuple[Mapping[str, Any], ...] = ()
    refused: int = 0
    fingerprint: str = ""
    files: int = 0
    size: int = 0
    seconds: float = 0.0
    rss: int = 0
    staged: str = ""
    made: tuple[str, ...] = ()
    young_s: float = 0.0
    unstored: str = ""
    stored: bool = False
    notes: tuple[str, ...] = ()
