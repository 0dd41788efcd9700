"""Parse, call, speak, exit."""
