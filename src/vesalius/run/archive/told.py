"""How an archive is answered: by how many workers, how patiently, from where and to where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vesalius.core.cluster_address import read_address
from vesalius.core.errors import UsageError
from vesalius.run.limits.allowance import allowance


@dataclass(frozen=True, kw_only=True)
class Archive:
    """How `predict` answers an archive: a folder of studies, or a DICOMweb server's.

    `workers` is how many processes answer, each with its share of the cores. A study that ends its process is tried
    `tries` times, the last ones alone, and then set aside; one that takes longer than `case_limit` (`"10m"`, or
    seconds) ends its process, too. A study is left until nothing of it was changed for `settle` (`"60s"`), and lies
    `depth` folders below the archive's own. `where` are conditions on the studies and series of a server, such as
    `{"Modality": "CT", "StudyDate": "20260101-20260131"}`. DICOM objects are stored `to` a server, such as
    `dicomweb+https://host/dicom-web`. `login` and `ca` are for the server that studies are from, `to_login` and `to_ca`
    for the one that results go to. With `cluster`, `ray://HOST:PORT` or `ray://local`, the workers are those of a Ray
    cluster.
    """

    workers: int = 1
    tries: int = 3
    case_limit: str | float | None = None
    settle: str | float | None = None
    depth: int = 1
    where: Mapping[str, str] = field(default_factory=dict)
    to: str | None = None
    login: Path | str | None = None
    ca: Path | str | None = None
    to_login: Path | str | None = None
    to_ca: Path | str | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.cluster is not None:
            read_address(self.cluster)
        for name in ("workers", "tries", "depth"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} begin at 1", found=str(getattr(self, name)))

    @property
    def case_limit_s(self) -> float | None:
        """The seconds that a study may take. Raises BudgetError where it is no time."""
        return None if self.case_limit is None else allowance(self.case_limit).time_s

    @property
    def settle_s(self) -> float:
        """The seconds for which a study must rest. Raises BudgetError where it is no time."""
        return 0.0 if self.settle is None else allowance(self.settle).time_s or 0.0
