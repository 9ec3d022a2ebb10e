"""What `fairness` measures on, fixed before anything was trained or drawn: phantoms, score models and repetitions."""

from __future__ import annotations

CASES = 480  # of a cohort of spots: about 96 test patients and 384 to learn from and validate on
GAP = {"contrast": 48.0, "noise": 32.0, "gap": 0.5, "share": 0.3}  # spots half as bright, in 3 of 10 patients
EVEN = {**GAP, "gap": 0.0}
MARKER = {"contrast": 30.0, "noise": 32.0, "marker": 0.9, "share": 0.5}  # a short cut for one of two sexes
SEEDS = (0, 1, 2, 3, 4)

# scores drawn from two normal distributions a group (binormal model): the area under the curve is known exactly
AREA = 0.90  # of the better group
LESS = 0.12  # how much smaller it is in the other, where a gap is planted
PATIENTS = 300
SHARE = 0.4  # of them in the other group
POSITIVE = 0.4
OTHER_POSITIVE = 0.2  # of the other group, where the groups differ in how many have it, and in nothing else
REPETITIONS = 300
SHUFFLES = 199
