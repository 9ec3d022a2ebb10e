"""Recipes: how a member's weights are found; to add one (a teacher, two optimisers, a federation), add a file.

A file's `RECIPE` is its class (see `contract.py`). Another package adds one by an entry point in the group
`vesalius.learn.recipes`.
"""

HOLDS = "RECIPE"
