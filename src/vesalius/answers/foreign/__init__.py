"""Another tool's predictions, read as answers: masks by file name, classes and numbers from a table."""
