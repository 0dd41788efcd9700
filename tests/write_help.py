"""Writes the table of recognised commands in docs/engines.md."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENGINES = ROOT / "docs" / "engines.md"


def engines() -> str:
    """Return docs/engines.md with the table of the commands whose options are read."""
    shapes = tomllib.loads((ROOT / "spec" / "1.0" / "registry" / "commands.toml").read_text(encoding="utf-8"))["shape"]
    rows = [f"| {', '.join(f'`{each}`' for each in shape['programs'])} | {shape['about']} |" for shape in shapes]
    table = "\n".join(["", "", "| command | what it is |", "| --- | --- |", *rows, "", ""])
    return re.sub(
        r"(?<=write_help.py -->).*?(?=<!-- end -->)", table, ENGINES.read_text(encoding="utf-8"), flags=re.DOTALL
    )


if __name__ == "__main__":
    ENGINES.write_text(engines(), encoding="utf-8")
