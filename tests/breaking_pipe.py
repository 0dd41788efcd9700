"""A standard output that takes only so much."""

from __future__ import annotations

import io


class Pipe(io.StringIO):
    """Standard output that takes `most` bytes, as a file on a full disk does."""

    def __init__(self, most: int = 1 << 30, *, terminal: bool = False) -> None:
        super().__init__()
        self.most, self.terminal, self.taken = most, terminal, io.BytesIO()
        self.buffer = self  # type: ignore[assignment]

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take bytes, or break."""
        if len(self.taken.getvalue()) + len(data) > self.most:
            raise OSError(28, "No space left on device")
        return self.taken.write(data)

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        return self.terminal
