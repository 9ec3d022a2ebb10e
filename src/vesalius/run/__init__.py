"""Run: what fit stands on, and a run's folder from its plan to its report."""
