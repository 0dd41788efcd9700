"""Parse, call, speak, exit. Everything heavy is imported inside the command that needs it."""

from __future__ import annotations

from ttsartifact.cli.entry import main

__all__ = ["main"]
