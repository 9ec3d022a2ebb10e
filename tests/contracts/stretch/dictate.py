"""What would a radiologist write? An encoder and a small recurrent decoder with a vocabulary (throw-away)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from vesalius.core.answers.text import Text
from vesalius.core.bundle import State
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task, planned_net

PAD, BEGIN, END, UNKNOWN = range(4)
NEVER = -1e4  # a logit
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

    name, answer, targets, roles, run, primary = "dictate", Text, (), ("encoder",), "whole", "bleu_1"
    needs_target = False  # what it learns from is the case's report

    def check(self, cohort, target):
        return () if any(c.report for c in cohort.cases) else ("a report for each case",)

    def summary(self, cases, target, plan):
        return Statistics({"words": Tally.of_each(c.report.lower().split() for c in cases if c.report)})

    def state(self, summary, target, plan):
        words = sorted(summary.part("words", Tally))
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
        return Writer(planned_net(plan, nets), len(state.values["vocabulary"]))

    def loss(self, model, batch, generator):
        logits, _ = model(model.see(batch.images["image"]), batch.tokens[:, :-1])
        return {"words": F.cross_entropy(logits.transpose(1, 2), batch.tokens[:, 1:], ignore_index=PAD)}

    def infer(self, model, batch, generator):
        memory, found = model.see(batch.images["image"]), []
        word = torch.full((memory.shape[1], 1), BEGIN, device=memory.device)
        for _ in range(LENGTH - 1):
            logits, memory = model(memory, word)
            logits = logits.index_fill(2, torch.tensor([PAD, BEGIN, UNKNOWN], device=word.device), NEVER)
            found.append(logits[:, 0])
            word = logits.argmax(dim=2)
        return torch.stack(found, dim=1)  # (B, L, words)

    def decode(self, raw, state, calibration, reference, *, undo=None):
        ids = np.asarray(raw).mean(axis=0).argmax(axis=1).tolist()  # of all members together
        ids = ids[: ids.index(END)] if END in ids else ids
        words = " ".join(state.values["vocabulary"][t] for t in ids)
        return Text(sections={state.values["section"]: words})

    def scalar(self, raw, ask):
        return raw[:, ask.place].amax(dim=1)

    def truth(self, case, state):
        return case.report


def given(made, folder):
    return {"data": made, "columns": {"report": "report"}}


def judge(trial):
    known = {"one", "ball", "a", "bright", "is", "seen", "no", "fluid"}
    answer, case = trial.answers[0], trial.cases[0]
    assert case.report and set(answer.sections["findings"].split()) <= known, "words of the training reports"
    other = replace(case, report="something else")
    assert trial.predictor(other).sections == answer.sections, "it does not read the report"
    tested, card = trial.space.test, trial.scorecard
    written = [trial.predictor(c).sections["findings"].split() for c in tested]
    pairs = [(Counter(w), Counter(c.report.lower().split())) for w, c in zip(written, tested, strict=True)]
    right, said, true = np.array([[(a & b).total(), a.total(), b.total()] for a, b in pairs]).sum(axis=0)
    assert card.target is None and card.n_cases == len(tested), "the truth is the case's report"
    wanted = right / max(said, 1) * np.exp(min(1 - true / max(said, 1e-9), 0))
    assert abs(card.metrics["bleu_1"].value - wanted) < 1e-6 and card.rivals["arms"][0]["n"] == len(tested)
    words = trial.state.values["vocabulary"]
    raw = np.eye(len(words))[[[words.index("fluid"), END, words.index("ball")]]]
    assert TASK.decode(raw, trial.state, {}, None).sections == {"findings": "fluid"}


TASK = Report()
