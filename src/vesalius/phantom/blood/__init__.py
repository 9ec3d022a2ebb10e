"""The stained blood smear: its cells, where they lie, and how slide and camera show them."""
