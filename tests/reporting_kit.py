"""What the tests of the speaking parts share: words that a stranger may write, and a report to write them into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kit

from ttsartifact.verifying.report import Report

if TYPE_CHECKING:
    from pathlib import Path

LONG = 4096

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b[2J\x1b[H",
    "\x1b[1A\x1b[2KINTACT",
    "\x1b]0;title\x07",
    "\x1b]2;title\x1b\\",
    "\x1b]8;;https://example.org\x1b\\a link\x1b]8;;\x1b\\",
    "\x1b]52;c;Y2xpcGJvYXJk\x07",
    "\x1bP+q544e\x1b\\",
    "\x1b_Gf=100;AAAA\x1b\\",
    "\x1b[?1049h",
    "\x1b[6n",
    "\x9b31mC1 CSI",
    "\x9d0;C1 OSC\x9c",
    "\x90C1 DCS\x9c",
    "\x00NUL",
    "\x07bell",
    "\x08\x08\x08backspace",
    "\rINTACT",
    "line\nfeed",
    "line\r\nfeed",
    "\x0bvertical\x0cform",
    "\x7fDEL",
    "\x85next line",
    "\u2028line separator",
    "\u2029paragraph separator",
    "\u202eoverride\u202c",
    "\u2066isolate\u2069",
    "\u200b\u200c\u200d zero width",
    "\ufeffbyte order mark",
    "\u00adsoft hyphen",
    "\U000e0041\U000e0042 tags",
    "\ue000 private \U000f0000",
    "\ud800 lone surrogate",
    "\uffff not a character",
    "[bold red]markup[/bold red] [link=https://example.org]x[/link]",
    "::error file=a.py::a workflow command",
    '=HYPERLINK("https://example.org")',
    "+1+1",
    "@SUM(1+1)",
    "-2+3\tand a tab",
    "\tTAB first",
    "back\\slash \\x1b \\N",
    "<script>alert(1)</script>",
    "A" * 100_000,
)

ID = "sha256:" + "ab" * 32


def report(**changes: object) -> Report:
    whole = {
        "where": "fox.tts.wav",
        "carrier": "wav",
        "artifact_id": ID,
        "run_id": "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e2f",
        "verdict": "INTACT",
        "level_claimed": "L1",
        "level_reached": "L1",
        "findings": (),
        "unchecked": (),
        "passed": ("CON01", "CON02", "HSH02"),
        "not_applicable_because": (("TEL01", "the run has no telemetry"),),
    }
    return Report(**(whole | changes))  # type: ignore[arg-type]


def poisoned(folder: Path, words: str) -> str:
    """Put `words` wherever the descriptor has room for them, allowed there or not."""
    words = words.encode("utf-8", "ignore").decode()[:LONG] or "."

    def patch(value: dict[str, Any]) -> None:
        value["run"]["notes"] = words
        value["run"]["session_id"] = words
        value["input"]["text"]["value"] = words
        value["input"]["text"]["lang"] = words
        value["pins"]["engine"] |= {"name": words, "version": words, "build": words}
        value["pins"]["adaptation"] = {"method": words, "steps": words, "target_refs": [words], "delta": words}
        value["pins"]["model"] = {"uri": words, "revision": words, "tag": words, "files": []}
        value["env"]["cpu"]["model"] = words
        value["generation"]["command"]["argv"] = [words]
        value["gate"] = {"failed_promotion": words, "policy": {"id": words}}
        value["summary"]["power_w"] = {"value": None, "reason": words, "detail": words}
        value["timebase"]["origin"]["utc"] = words
        value["audio"]["codec"] = words

    return str(kit.artifact(folder, patch=patch))
