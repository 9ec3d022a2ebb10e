"""What answers are drawn with: the slice to show, the figures of a report, and the overlay on an image."""
