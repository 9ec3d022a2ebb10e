"""An archive answered study by study: a leader that hands out and writes down, and workers that answer."""
