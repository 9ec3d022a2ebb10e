"""What femora of the phantom are drawn from: measures of adults, fixed before a model saw any.

The sizes are rounded means of adults in textbooks of osteometry; deviations, tissue values and the size of what differs
between the sides are choices. Sides differ by about 1 mm on the surface, as those of a healthy person do.
"""

from __future__ import annotations

FIELD_MM = (380.0, 130.0, 510.0)  # x, y, z: 152 by 52 by 204 voxels of 2.5 mm
PLANES = 204
MALE, FEMALE = "M", "F"
LENGTH_MM = {MALE: (452.0, 20.0), FEMALE: (420.0, 18.0)}
HEAD_MM = {MALE: (24.0, 1.2), FEMALE: (21.2, 1.1)}  # radius
NECK_DEG = (126.0, 4.5)  # between neck and shaft
TURN_DEG = (13.0, 6.0)  # of the neck, forward
OFFSET_MM = {MALE: (44.0, 4.0), FEMALE: (40.0, 3.5)}  # from the shaft's axis to the head's middle
SHAFT_MM = {MALE: (14.0, 1.0), FEMALE: (12.8, 0.9)}  # radius at its narrowest
BOW_MM = (9.0, 2.5)  # how far the shaft bends forward in its middle
CONDYLES_MM = {MALE: (41.0, 2.2), FEMALE: (36.5, 2.0)}  # half the breadth of the lower end
CORTEX_MM = (6.5, 0.8)  # of the shaft
APART_MM = {MALE: (88.0, 4.0), FEMALE: (86.0, 4.0)}  # of a head's middle from the body's
SIDE_RMS_MM = (
    0.9,
    0.25,
    0.4,
    1.6,
)  # mirror error on the surface: median, deviation of the logarithm, least, most
LEAN_DEG = (2.0, 1.2, 4.0)  # deviation of each femur's own turn about x, y and z

PIECE_MM = (30.0, 80.0)  # length that is missing of a shaft
PIECE_AT = (0.35, 0.65)  # where its middle lies, as a share of the length from above
END_AT = (0.20, 0.28)  # where an upper end is sawn off
BREAK_AT = (0.3, 0.6)
BREAK_MM, BREAK_DEG = (4.0, 15.0), (3.0, 7.0)  # how far the lower fragment is moved and turned

AIR, FAT, MUSCLE, MARROW, SPONGE, COMPACT = -1000.0, -90.0, 55.0, -40.0, 320.0, 1450.0
NOISE_HU = (10.0, 25.0)
