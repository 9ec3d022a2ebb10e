"""The look for texts that say the answer: planted names of classes, and none where words only look alike."""

from __future__ import annotations

from pathlib import Path

import vesalius as vs


def found(tmp_path: Path, notes: list[str], labels: list[str]) -> list[str]:
    rows = [f"c{k},p{k},{n},{y}" for k, (n, y) in enumerate(zip(notes, labels, strict=True))]
    table = tmp_path / "cohort.csv"
    table.write_text("\n".join(["id,patient,note,label", *rows]))
    columns = {"image": "", "text": "note", "label": "label"}
    findings = vs.inspect(table, columns=columns).findings
    return [f.text for f in findings if f.kind == "text says the answer"]


def test_a_text_that_holds_the_name_of_the_own_class_is_named(tmp_path: Path) -> None:
    notes = ["Pneumonia on the left.", "cough", "probable PNEUMONIA", "pneumonia again", "fever"]
    notes += ["no pneumonia", "cough", "fever", "well", "pneumonias of childhood"]
    labels = ["pneumonia"] * 5 + ["none"] * 5
    assert found(tmp_path, notes, labels) == [
        "the text 'note' holds 'pneumonia' in 3 of 5 cases of that label, and in 1 of 5 others"
    ]


def test_complaints_that_name_no_class_are_no_answer(tmp_path: Path) -> None:
    notes = ["cough", "fever", "pain", "dyspnoea"] * 2 + ["pneumonia once", "cough", "pain", "fever"]
    assert found(tmp_path, notes, ["pneumonia", "none"] * 6) == []
