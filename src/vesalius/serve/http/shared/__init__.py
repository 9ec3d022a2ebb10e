"""What several service processes share: one queue in a database, and one folder of uploads and results."""
