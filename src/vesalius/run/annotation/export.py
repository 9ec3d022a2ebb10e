"""What an export is of: a project, its readings, the cases whose images are as they were, and where files go."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.file_names import FileNames
from vesalius.run.annotation.project import Project, assert_unchanged, open_cases
from vesalius.run.annotation.reading import Reading
from vesalius.run.annotation.store import DRAWINGS, newest, readings_in

READINGS = "readings"


class Export:
    """One export: a project, the cases whose images are as they were, and where files go."""

    def __init__(self, folder: Path, project: Project, out: Path) -> None:
        self.folder, self.project, self.out = folder, project, out
        _, cases = open_cases(folder, project)
        self.versions = list(readings_in(folder, project.id))
        self.newest = newest(iter(self.versions))
        self.cases: dict[str, Case] = {}
        self.left_out: list[tuple[str, str]] = []
        for one in project.cases:
            if one.key not in self.newest:
                continue
            try:
                assert_unchanged(one, cases[one.key])
                self.cases[one.key] = cases[one.key]
            except DataError as error:
                self.left_out.append((one.id, str(error)))
        self.newest = {key: each for key, each in self.newest.items() if key in self.cases}
        self.named = FileNames(case.id for case in self.cases.values())
        self.people = FileNames(sorted({r.annotator for r in self.versions}))

    def drawing(self, digest: str) -> Path:
        """Return the file in which something drawn is kept."""
        return self.folder / DRAWINGS / f"{digest}.nii.gz"

    def done(self) -> list[Reading]:
        """Return the readings that are done, by case in the project's order."""
        return [r for key in self.cases for r in self.newest[key] if r.done]

    def seconds(self, reading: Reading) -> float:
        """Return how long somebody worked on a reading, over all its versions."""
        whose = (reading.case, reading.annotator, reading.role)
        return sum(v.seconds for v in self.versions if (v.case, v.annotator, v.role) == whose)

    def place(self, reading: Reading) -> str:
        """Return where the drawing of a reading goes, relative to the output."""
        name = self.named[self.cases[reading.case].id]
        of = self.people[reading.annotator] + ("" if reading.role == "reading" else f" ({reading.role})")
        return f"{READINGS}/masks/{of}/{name}"
