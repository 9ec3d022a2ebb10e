"""Labels of images, read out of their reports: by rules or by a bundle, and written as a cohort."""
