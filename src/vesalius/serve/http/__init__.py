"""The HTTP service: bundles behind an API, with keys, limits, jobs and an audit log; it knows no task."""
