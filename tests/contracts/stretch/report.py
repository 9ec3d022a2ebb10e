"""What would a radiologist write? An encoder and a small recurrent decoder with a vocabulary (throw-away)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from thirdparty._harness import balls, plan
from torch import nn
from torch.nn import functional as F

from vesalius.core.answers.text import Text
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task

PAD, BEGIN, END, UNKNOWN = range(4)
SPECIAL = ["", "<begin>", "<end>", "?"]
LENGTH = 8


class Writer(nn.Module):
    """The image is the decoder's first memory."""

    def __init__(self, net, words):
        super().__init__()
        self.net, self.words = net, nn.Embedding(words, 16)
        self.memory, self.decoder = nn.Linear(net.channels[-1], 16), nn.GRU(16, 16, batch_first=True)
        self.head = nn.Linear(16, words)

    def see(self, image):
        return self.memory(self.net(image)[-1].flatten(2).mean(dim=2))[None]  # (1, B, 16)

    def forward(self, memory, tokens):
        hidden, memory = self.decoder(self.words(tokens), memory)
        return self.head(hidden), memory  # (B, L, words)


class Report(Task):
    """Teacher forcing in training, the likeliest word each time in answering."""

    name, answer, targets, roles, run, primary = "report", Text, ("text",), ("encoder",), "whole", "bleu"

    def check(self, cohort, target):
        return () if any(c.report for c in cohort.cases) else ("a report for each case",)

    def state(self, cases, target, plan):
        words = sorted({w for c in cases if c.report for w in c.report.lower().split()})
        return State({"vocabulary": [*SPECIAL, *words], "section": "findings"})

    def encode(self, case, prepared, reference, state):
        if case.report is None:
            return Example(case.id, {"image": prepared.array})
        place = {w: k for k, w in enumerate(state.values["vocabulary"])}
        ids = [place.get(w, UNKNOWN) for w in case.report.lower().split()][: LENGTH - 2]
        tokens = np.full(LENGTH, PAD, dtype=np.int64)
        tokens[: len(ids) + 2] = [BEGIN, *ids, END]
        return Example(case.id, {"image": prepared.array}, tokens=tokens)

    def build(self, plan, state, nets):
        net = nets.build(plan.net.name, dims=3, in_channels=1, scale=plan.net.scale, size=plan.data.size)
        return Writer(net, len(state.values["vocabulary"]))

    def loss(self, model, batch, generator):
        logits, _ = model(model.see(batch.images["image"]), batch.tokens[:, :-1])
        return {"words": F.cross_entropy(logits.transpose(1, 2), batch.tokens[:, 1:], ignore_index=PAD)}

    def infer(self, model, batch, generator):
        memory = model.see(batch.images["image"])
        tokens = torch.full((memory.shape[1], 1), BEGIN, device=memory.device)
        for _ in range(LENGTH - 1):
            logits, memory = model(memory, tokens[:, -1:])
            logits[..., [PAD, BEGIN, UNKNOWN]] = -torch.inf
            tokens = torch.cat([tokens, logits.argmax(dim=2)], dim=1)
        return tokens  # (B, L)

    def decode(self, raw, state, calibration, reference, *, undo=None):
        ids = [int(t) for t in raw[0]][1:]  # the first member's
        ids = ids[: ids.index(END)] if END in ids else ids
        words = " ".join(state.values["vocabulary"][t] for t in ids)
        return Text(sections={state.values["section"]: words})

    def scalar(self, raw, what):
        return raw[:, what].float()

    def truth(self, case, state):
        return case.report


def example():
    texts = ["one ball", "a bright ball is seen", "One ball", "no fluid"]
    cases = [Case(str(k), {"image": i}, report=texts[k]) for k, (i, _, _) in enumerate(balls(4))]
    return cases, TargetInfo("truth", "text"), plan("report", net="cnn", whole=True)


def judge(answer, case, ask):
    known = {"one", "ball", "a", "bright", "is", "seen", "no", "fluid"}
    said = answer.sections["findings"].split()
    assert said and set(said) <= known, "words of the training reports"
    assert ask(replace(case, report="something else")).sections == answer.sections, (
        "it does not read the report"
    )
    state = TASK.state(*example())
    raw = np.array([[BEGIN, state.values["vocabulary"].index("fluid"), END, UNKNOWN]])
    assert TASK.decode(raw, state, {}, None).sections == {"findings": "fluid"}


TASK = Report()
