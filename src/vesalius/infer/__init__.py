"""Answers from a bundle: prepare, tiles in bounded memory, blend, undo, decode."""
