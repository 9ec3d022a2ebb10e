"""Further processes that work on the same search, and end with the one that began them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from vesalius.core.parent import end_with_parent
from vesalius.core.progress import Progress

PATIENCE_S = 10.0  # for a process to end by itself


@contextmanager
def helped(work: Callable[[Any, int], None], asked: Any, *, many: int, progress: Progress) -> Iterator[None]:
    """Let `many` processes call `work(asked, number)`, from 1 on, while this block runs; then wait for them.

    Both must be picklable. One that ends otherwise than by itself is told of: what it worked on is taken up by others.
    """
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_bound, args=(work, asked, k), daemon=True, name=f"worker-{k}")
        for k in range(1, many + 1)
    ]
    for process in processes:
        process.start()
    try:
        yield
        for process in processes:
            process.join(PATIENCE_S)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
            process.join()
            if process.exitcode:
                progress.note(f"{process.name} ended with {process.exitcode}; others took up what it left")


def _bound(work: Callable[[Any, int], None], asked: Any, number: int) -> None:
    """Work in a process that ends where the one that began it does, however that ends."""
    end_with_parent()
    work(asked, number)
