"""The truth in the label values that a bundle learned: a label keeps its name, whatever number it has in other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vesalius.cohorts._masked import with_values
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError


def aligned(cohort: Cohort, target: str, learned: Sequence[Label]) -> Cohort:
    """Return the cohort with the masks of `target` in the values of the labels in `learned`.

    Labels are matched by name; one that nothing names is matched by its value, and a single one of 0/255 with one
    of 0/1. Labels that were not learned get values that no answer has. Raises DataError where no label was learned.
    """
    info = cohort.targets[target]
    new = _matched(info, learned)
    if info.labels and not set(new.values()) & {x.value for x in learned}:
        raise DataError(
            f"the bundle learned none of the labels of target '{target}'",
            found=f"{_listed(info.labels)}; it learned {_listed(learned)}",
            hint=f"--labels {info.labels[0].name}={learned[0].name} where one is meant",
        )
    pairs = tuple((old, value) for old, value in new.items() if old != value)
    if not pairs:
        return cohort
    labels = tuple(replace(x, value=new[x.value]) for x in info.labels)
    cases = tuple(with_values(case, {target: pairs}) for case in cohort.cases)
    return replace(cohort, cases=cases, targets={**cohort.targets, target: replace(info, labels=labels)})


def _matched(info: TargetInfo, learned: Sequence[Label]) -> dict[int, int]:
    """Return the learned value of each of the data's label values; of others a value that nothing has."""
    by_name, by_value = {_plain(x.name): x.value for x in learned}, {x.value: x for x in learned}
    free = max([*by_value, *(x.value for x in info.labels), 255]) + 1
    alone = len(info.labels) == 1 and len(learned) == 1
    found: dict[int, int] = {}
    for label in info.labels:
        same = by_value.get(label.value)
        if _plain(label.name) in by_name:
            found[label.value] = by_name[_plain(label.name)]
        elif same is not None and (_unnamed(label) or _unnamed(same)):
            found[label.value] = label.value
        elif alone and _unnamed(label) and {label.value, learned[0].value} == {1, 255}:
            found[label.value] = learned[0].value
        else:
            found[label.value] = free
            free += 1
    return found


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").split()).casefold()


def _unnamed(label: Label) -> bool:
    return label.name == str(label.value)


def _listed(labels: Sequence[Label]) -> str:
    return ", ".join(f"{x.value} '{x.name}'" for x in labels[:5])
