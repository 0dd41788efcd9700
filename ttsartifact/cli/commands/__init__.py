"""The commands as typer takes them, one file a group: declarations and help; the acts lie beside."""
