"""Time courses as they lie in files, read when they are needed."""

from __future__ import annotations

from vesalius.core.case import Ref
from vesalius.core.course import Course
from vesalius.core.errors import DataError


def load_course(item: Ref | Course) -> Course:
    """Return a time course, read where only its place is known. Raises DataError."""
    if isinstance(item, Course):
        return item
    raise DataError("a time course in a file cannot be read yet", found=str(item))
