"""Evaluate: scorecards, calibration, and the report and card that people read."""
