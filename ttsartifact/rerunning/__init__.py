"""A published run made again, by nothing that the file names."""
