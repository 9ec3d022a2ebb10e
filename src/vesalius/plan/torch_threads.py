"""The number of threads that torch computes with: the one place where it is read and set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def in_use() -> int:
    """Return how many threads compute on the processor."""
    import torch

    return torch.get_num_threads()


def use(threads: int | None) -> None:
    """Compute with that many threads from now on; None or 0 leaves their number as it is."""
    if threads:
        import torch

        torch.set_num_threads(threads)


@contextmanager
def only(threads: int) -> Iterator[None]:
    """Compute with that many threads inside this block, and with as many as before after it."""
    import torch

    before = torch.get_num_threads()
    use(threads)
    try:
        yield
    finally:
        use(before)
