"""Annotation by several people: a project, what each annotator saved, how far they agree, and new targets."""
