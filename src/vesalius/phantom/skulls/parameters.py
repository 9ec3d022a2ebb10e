"""What skulls of the phantom are drawn from: measures of adults from the literature, fixed before a model saw any.

Length, breadth and the thickness of three bones are the means of 3000 adults by CT (Li et al., Int. J. Vehicle Safety
2(4), 2007). The mean distance of 533 heads from their mirror image is 1.5 ± 0.5 mm, 0.5 to 4.8 (Cho et al., Plast.
Reconstr. Surg., stereophotogrammetry); the law of `MIRROR_RMS_MM` gives that as a root mean square. What has no
source is a choice, and said to be one.
"""

from __future__ import annotations

FIELD_MM = 211.2  # a side of the cube: 96 voxels of 2.2 mm
MALE, FEMALE = "M", "F"
LENGTH_MM = {MALE: (175.8, 6.5), FEMALE: (170.6, 6.0)}  # mean of Li 2007; the deviation is a choice
BREADTH_MM = {MALE: (145.4, 5.5), FEMALE: (140.1, 5.0)}
HEIGHT_MM = {MALE: (134.0, 5.0), FEMALE: (128.0, 5.0)}  # from the base to the vertex: a choice
ABOVE = 0.61  # share of the height that lies above the origin, where length and breadth are largest
ROUNDNESS = 2.2  # exponent of the braincase's superellipsoid: 2 is an ellipsoid

# Thickness in mm of frontal, parietal, occipital bone (Li 2007), temporal bone and base (choices), by sex.
THICKNESS_MM = {MALE: (6.6, 5.4, 7.6, 3.9, 4.2), FEMALE: (7.5, 5.6, 8.2, 3.9, 4.2)}
THICKNESS_SPREAD = 0.12  # of a person's factor on all of them, as the deviation of its logarithm
REGION_SPREAD = 0.08  # of each bone's own factor
PATCHES = 0.06  # of smooth patches on either side alike, each as a share of the thickness
ODD_PATCHES = 0.04  # of those that differ between the sides
LEAST_MM = 3.2  # no shell of bone is thinner
TABLES_MM = (1.6, 1.3)  # compact bone outside and inside of the diploë

MIRROR_RMS_MM = (2.1, 0.30, 1.1, 4.0)  # median, deviation of the logarithm, least, most
FACE_SHIFT_MM = 1.2  # deviation of how far the lowest part of the face lies to a side

# Bumps of the braincase: direction (x left, y back, z up), mean height and deviation in mm, and how narrow: a bump
# falls to 1/e at an angle of sqrt(2/narrow). Those off the midline come on both sides.
BUMPS = {
    "brow": ((0.0, -1.0, -0.12), 2.0, 1.5, 18.0),
    "frontal": ((0.45, -0.8, 0.4), 1.0, 1.5, 9.0),
    "parietal": ((0.75, 0.3, 0.55), 2.0, 1.5, 9.0),
    "occiput": ((0.0, 0.98, -0.1), 3.0, 2.5, 10.0),
    "temple": ((0.8, -0.55, -0.1), -4.0, 1.5, 10.0),
    "vertex": ((0.0, 0.1, 1.0), 0.0, 2.0, 6.0),
}
FREE_BUMPS, FREE_MM, FREE_NARROW = 10, 1.2, 6.0  # further pairs alike on both sides: a deviation in mm
ODD_BUMPS, ODD_NARROW = 14, 4.5  # pairs with opposite signs: what makes sides differ

TILT_DEG = (6.0, 4.0, 7.0)  # deviations of turns about x, y and z
SHIFT_MM = (4.0, 4.0, 3.0)  # deviations of shifts; none goes beyond 2 deviations
MIDDLE_MM = (0.0, -3.0, -4.0)  # where the field's centre lies in the head

DIAMETER_MM = (22.0, 90.0)  # of a hole, of the circle that has its area; each as likely
MOST_MM = {"frontal": 90.0, "parietal": 90.0, "temporal": 60.0, "occipital": 80.0}
PLACES = {  # angle from the front towards a side, and above the horizontal, in degrees; how often
    "frontal": ((0.0, 50.0), (20.0, 60.0), 0.28),
    "parietal": ((65.0, 140.0), (35.0, 85.0), 0.34),
    "temporal": ((70.0, 110.0), (5.0, 30.0), 0.20),
    "occipital": ((140.0, 180.0), (5.0, 45.0), 0.18),
}
MIDLINE = 0.25  # share of the holes of frontal, parietal and occipital bone that are put at the midline
BEVEL_DEG = (0.0, 30.0)  # of the hole's walls: wider outside
LEAN_DEG = 6.0  # deviation of the saw from the surface's normal
DEPTH_MM = 45.0  # how far a saw reaches inward
FLOOR_DEG = {
    "frontal": 4.0,
    "parietal": -12.0,
    "temporal": -14.0,
    "occipital": -14.0,
}  # no hole reaches lower

# Hounsfield units: choices in the range of adults' CT. The noise is that of a reconstruction for bone.
AIR, SOFT, FAT, BRAIN, FLUID = -1000.0, 45.0, -80.0, 34.0, 8.0
COMPACT, DIPLOE, DIPLOE_SPREAD, SUTURE = 1350.0, 700.0, 130.0, 0.4
SCALP_MM = (5.0, 8.0)
NOISE_HU = (12.0, 30.0)
