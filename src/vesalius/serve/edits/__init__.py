"""Reports that people have changed: kept on the disk beside a service, and told again as a table to learn from."""
