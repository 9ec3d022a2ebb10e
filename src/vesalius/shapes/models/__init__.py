"""Statistical shape models: how an anatomy differs between people, learned from surfaces in correspondence."""
