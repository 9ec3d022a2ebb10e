"""What a verb says that is stopped by Ctrl-C and cannot go on: that nothing was written; and what makes it true."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vesalius.core.errors import Interrupted
from vesalius.run.limits.watch import current


@contextmanager
def all_or_nothing(folder: Path | None = None) -> Iterator[None]:
    """Leave nothing of the new `folder` where what is done inside fails. Raises Interrupted after Ctrl-C.

    Where limits are open around it, the first cases say whether they can be kept; if not, it is refused at once.
    """
    watch = current()
    try:
        if watch is not None:
            watch.whole += 1
        yield
    except BaseException as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted("interrupted; nothing was written") from error
        raise
    finally:
        if watch is not None:
            watch.whole -= 1
