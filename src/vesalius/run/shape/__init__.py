"""Shape models as a run: shapes read from a cohort or a folder of meshes, registrations kept, a page written."""
