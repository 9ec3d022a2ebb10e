"""Tasks of another package that learn nothing: only what they answer is their own."""

from __future__ import annotations

from textwrap import indent

UNTRAINED = '''"""{about}: nothing is learned."""
import numpy as np
import torch

{imports}
from vesalius.core.bundle import State
from vesalius.tasks.contract import Example, Task


class Untrained(Task):
    name, answer, targets, roles, run, primary = "{name}", {answer}, (), (), "whole", "{primary}"

    def check(self, cohort, target):
        return ()

    def state(self, summary, target, plan):
        return State({{}})

    def encode(self, case, prepared, reference, state):
        return Example(case.id, {{"image": prepared.array}})

    def build(self, plan, state, nets):
        return torch.nn.Linear(1, 1)

    def loss(self, model, batch, generator):
        return {{}}

    def infer(self, model, batch, generator):
        return torch.zeros(len(batch.images["image"]), 1)

    def scalar(self, raw, what):
        return raw[:, 0]

    def decode(self, raw, state, calibration, reference, *, undo=None):
{decode}


TASK = Untrained()
'''


def untrained(name: str, answer: str, *, about: str, imports: str, primary: str, decode: str) -> str:
    """Return the file of a task that answers with what the lines `decode` make of `reference`, the image."""
    lines = indent(decode.strip("\n"), " " * 8)
    return UNTRAINED.format(
        name=name, answer=answer, about=about, imports=imports.strip("\n"), primary=primary, decode=lines
    )
