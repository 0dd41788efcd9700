"""What `conform` says: a line a failed case and the sum; one JSON document; or JUnit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.reporting.documents import tool
from ttsartifact.reporting.machines import attributes
from ttsartifact.reporting.phrases import Paint
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.conforming.ask import CaseResult


def lines(answers: Sequence[CaseResult], paint: Paint = Paint()) -> Iterator[str]:  # noqa: B008 - frozen
    """Yield a table of the kit's folders, each failed case, and the sum."""
    folders: dict[str, list[CaseResult]] = {}
    for answer in answers:
        folders.setdefault(answer.case.id.partition("/")[0], []).append(answer)
    for folder, held in folders.items():
        yield f"{folder:<12} {sum(a.passed for a in held):>4} of {len(held)}"
    for answer in answers:
        if not answer.passed:
            yield f"{paint('bad', 'failed')}       {safe(answer.case.file)}: {safe('; '.join(answer.faults))}"
    passed = sum(answer.passed for answer in answers)
    yield f"{paint('good' if passed == len(answers) else 'bad', f'{passed} of {len(answers)}')} conform"


def document(answers: Sequence[CaseResult], command: Sequence[str]) -> dict[str, Any]:
    """Return the outcome of all cases as JSON."""
    passed = sum(answer.passed for answer in answers)
    return {
        "schema": "urn:ttsartifact:1.0:conformance",
        "spec_version": _spec.FORMAT_VERSION,
        "tool": tool(),
        "command": list(command),
        "passed": passed,
        "failed": len(answers) - passed,
        "must_fail": sum(answer.case.must_fail for answer in answers),
        "cases": [
            {
                "id": answer.case.id,
                "passed": answer.passed,
                "faults": list(answer.faults),
                "expected": {
                    "verdict": answer.case.verdict,
                    "exit_code": list(answer.case.exit_codes),
                    "fail": sorted(answer.case.fail),
                },
                "found": {
                    "exit_code": answer.exit_code,
                    "fail": None if answer.fail is None else sorted(answer.fail),
                },
            }
            for answer in answers
        ],
    }


def junit_lines(answers: Sequence[CaseResult]) -> Iterator[str]:
    """Yield one suite per folder of the kit, one case per file."""
    folders: dict[str, list[CaseResult]] = {}
    for answer in answers:
        folders.setdefault(answer.case.id.partition("/")[0], []).append(answer)
    sums = {"name": "ttsa conform", "tests": len(answers), "failures": sum(not a.passed for a in answers)}
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f"<testsuites{attributes(sums)}>"
    for folder, held in folders.items():
        counts = {"name": folder, "tests": len(held), "failures": sum(not a.passed for a in held)}
        yield f"  <testsuite{attributes(counts)}>"
        for answer in held:
            head = f"    <testcase{attributes({'classname': folder, 'name': safe(answer.case.file)})}"
            if answer.passed:
                yield f"{head}/>"
            else:
                yield f"{head}><failure{attributes({'message': safe('; '.join(answer.faults))})}/></testcase>"
        yield "  </testsuite>"
    yield "</testsuites>"
