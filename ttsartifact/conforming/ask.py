"""Run an external verifier on a file: path in, report out (spec/1.0/conform.md).

What is not an answer (a crash, a timeout, other output) is a failure of the case; it never counts as "the file is
invalid", or a verifier that always crashes would pass every case that must fail.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.container.canonical import read_json
from ttsartifact.errors import TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.conforming.kit import Case

MAX_ANSWER_BYTES = 16 << 20
_EXIT_CODES = frozenset({0, 1, 3, 4})
_VERDICTS = ("INTACT", "REWRAPPED", "RETAGGED", "AUDIO_CHANGED", "BROKEN", "CAPSULE_LOST", "NOT_AN_ARTIFACT")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """How one case went: nothing in `faults` is a pass."""

    case: Case
    faults: tuple[str, ...]
    exit_code: int | None = None
    fail: frozenset[str] | None = None
    """The rules that the verifier calls broken, or None where it gave no answer."""

    @property
    def passed(self) -> bool:
        """Whether the verifier said what the kit expects."""
        return not self.faults


def ask_all(
    cases: Sequence[Case], command: Sequence[str], *, jobs: int = 1, timeout_s: float = 30
) -> Iterator[CaseResult]:
    """Yield the answers of `command` in the order of `cases`, asking about `jobs` files at a time."""
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        yield from pool.map(lambda case: ask(case, command, timeout_s=timeout_s), cases)


def ask(case: Case, command: Sequence[str], *, timeout_s: float = 30) -> CaseResult:
    """Run `command` on the file of one case, without a shell, and compare what it says."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(
                [*command, case.path], stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        except OSError as error:
            return CaseResult(case=case, faults=(f"cannot start: {error.strerror or error}",))
        try:
            code = child.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return CaseResult(case=case, faults=(f"no answer within {timeout_s:g} s",))
        finally:
            _end(child)
        answer, complaint = _read(out), _read(err, most=2000).decode("utf-8", "replace").strip()
    if code not in _EXIT_CODES:
        died = f"was ended by signal {-code}" if code < 0 else f"exit code {code}, which is not a verdict"
        return CaseResult(case=case, faults=(died + (f": {complaint[-300:]}" if complaint else ""),), exit_code=code)
    try:
        reports = _reports(answer)
    except ValueError as error:
        return CaseResult(case=case, faults=(f"its output is not a report: {error}",), exit_code=code)
    return _compared(case, code, reports)


def _end(child: subprocess.Popen[bytes]) -> None:
    # It may have left children behind, whether it answered or not; they share its group.
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()


def _read(file: Any, *, most: int = MAX_ANSWER_BYTES + 1) -> bytes:
    file.seek(0)
    return bytes(file.read(most))


def _reports(answer: bytes) -> list[dict[str, Any]]:
    if len(answer) > MAX_ANSWER_BYTES:
        raise ValueError(f"more than {MAX_ANSWER_BYTES} bytes")
    try:
        value = read_json(answer)
    except TtsArtifactError as error:
        raise ValueError(str(error)) from error
    reports = value if isinstance(value, list) else [value]
    if not reports:
        raise ValueError("an empty list")
    for report in reports:
        findings = report.get("findings") if isinstance(report, dict) else None
        if not isinstance(findings, list) or not all(
            isinstance(each, dict) and isinstance(each.get("rule"), str) and isinstance(each.get("outcome"), str)
            for each in findings
        ):
            raise ValueError("no `findings`, each with `rule` and `outcome`")
    return reports


def _compared(case: Case, code: int, reports: list[dict[str, Any]]) -> CaseResult:
    fail = frozenset(each["rule"] for report in reports for each in report["findings"] if each["outcome"] == "fail")
    faults = []
    if missed := case.fail - fail:
        faults.append(f"does not see {', '.join(sorted(missed))}")
    if more := fail - case.fail:
        faults.append(f"also calls {', '.join(sorted(more))} broken")
    if code not in case.exit_codes:
        faults.append(f"exit code {code}, expected {' or '.join(map(str, case.exit_codes))}")
    verdicts = [report["verdict"] for report in reports if "verdict" in report]
    worst = max(verdicts, key=lambda word: _VERDICTS.index(word) if word in _VERDICTS else 99) if verdicts else None
    if worst is not None and worst != case.verdict:
        faults.append(f"verdict {worst}, expected {case.verdict}")
    return CaseResult(case=case, faults=tuple(faults), exit_code=code, fail=fail)
