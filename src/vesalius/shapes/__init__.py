"""Surfaces of what masks hold: made, checked, measured, thinned, read and written; and what is built on them.

`extract` lays a closed mesh about a label's voxels in LPS millimetres, `checks` says whether a mesh is sound,
`measures`, `distances` and `thickness` how large, how far and how thick it is, `reduce` makes it smaller or smoother,
and `files` reads and writes it. All take and give the answer `Surface`.
"""
