"""How often processes that were lost are begun again, and with how many."""

from __future__ import annotations

import pytest

from vesalius.core.errors import DataError
from vesalius.learn.parallel.launch import Loss, _next_size


class Heard:
    """Progress that keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def start(self, name: str, total: int | None = None) -> None: ...
    def advance(self, name: str, done: int = 1, text: str = "") -> None: ...
    def finish(self, name: str) -> None: ...


def test_the_fourth_loss_takes_one_process_fewer_and_one_alone_ends_after_its_fourth() -> None:
    heard, lost, sizes, size = Heard(), list[Loss](), list[int](), 2
    with pytest.raises(DataError, match="its processes ended each time") as error:
        while True:
            lost.append(Loss(size, {size - 1: "was ended by signal 9"}))
            size = _next_size(lost, heard)
            sizes.append(size)
    assert sizes == [2, 2, 2, 1, 1, 1, 1], "three times as many, then one fewer, which has three times again"
    assert ["with 1 process" in note for note in heard.notes] == [False] * 3 + [True] + [False] * 3
    assert "process 0 was ended by signal 9 (of 1)" in str(error.value) and len(lost) == 8
