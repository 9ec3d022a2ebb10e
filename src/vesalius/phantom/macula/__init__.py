"""Parts of the OCT phantom: the layers of a macula, drusen and fluid between them, and the scanner."""
