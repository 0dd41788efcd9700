"""The acts behind `verify` and `validate`: find the files, ask, tell what was found, and say the worst."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.asking import asked_of_all
from ttsartifact.cli.files import files_under
from ttsartifact.cli.options import Files, Option
from ttsartifact.cli.report_streams import VOICES, voice
from ttsartifact.cli.speak import EXIT, Usage, worst
from ttsartifact.terms.finding import Severity, Verdict
from ttsartifact.terms.level import LEVELS
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.report import Report, exit_code

if TYPE_CHECKING:
    from ttsartifact.reporting.receipt import Difference, Receipt

__all__ = ["ignored", "validate", "verify"]


Format = Annotated[str, Option("How to print it: for eyes, for a forum, or for a machine.", choices=tuple(VOICES))]
Strict = Annotated[bool, Option("Also fail on warnings and on rules that could not be checked.")]
Jobs = Annotated[int, Option("Processes for many files; 0 chooses.", metavar="N", least=0)]


def _profiles() -> list[str]:
    from ttsartifact.verifying.profiles import profiles

    return list(profiles())


def verify(
    files: Files,
    *,
    format: Format = "text",
    text: Annotated[str | None, Option("The text, if you know it: its digest must be the run's.")] = None,
    text_file: Annotated[str | None, Option("The same, from a file.", metavar="FILE")] = None,
    ref: Annotated[Sequence[str], Option("A reference clip that you hold; may be repeated.", metavar="CLIP")] = (),
    receipt: Annotated[str | None, Option("The line that was posted for the run.", metavar="LINE")] = None,
    level: Annotated[str | None, Option("The level that you demand.", choices=LEVELS)] = None,
    profile: Annotated[
        Sequence[str], Option("A profile whose evidence you demand; may be repeated.", choices=_profiles)
    ] = (),
    ignore: Annotated[
        Sequence[str], Option("Suppress a rule's findings, for a reason; may be repeated.", metavar="ID=REASON")
    ] = (),
    trust: Annotated[
        str | None,
        Option(
            "Whose signatures, time-stamps and logs count: a trust file or OpenSSH's allowed_signers.", metavar="FILE"
        ),
    ] = None,
    log: Annotated[
        str | None, Option("The run log that you hold: history kept, nothing withheld.", metavar="DIR")
    ] = None,
    fail_on: Annotated[str, Option("The least severity that counts.", choices=("warn", "error"))] = "error",
    quick: Annotated[bool, Option("Check sizes and structure only; compute no digest.")] = False,
    strict: Strict = False,
    jobs: Jobs = 0,
) -> int:
    """Verify files against all rules and return the exit code."""
    asked: dict[str, Any] = {"level": level, "profiles": tuple(profile), "ignore": ignored(ignore), "quick": quick}
    demands = (profile, text is not None, text_file is not None, ref, receipt is not None, trust, log)
    if quick and any(demands):
        raise Usage(
            "--quick hashes nothing: a receipt, a profile, a text, a clip, trust and a log need a whole verification"
        )
    if text is not None and text_file is not None:
        raise Usage("--text and --text-file say the same thing; give one")
    if text is not None:
        asked["text"] = os.fsencode(text)
    if text_file is not None:
        asked["text"] = _bytes_of(text_file)
    if ref:
        asked["references"] = _references(ref)
    if trust is not None:
        from ttsartifact.attesting.trust import load_trust

        asked["trust"] = load_trust(trust)
    if log is not None:
        from ttsartifact.attesting.runlog import RunLog

        asked["log"] = RunLog(log)
    held = _receipt(receipt)
    if held is not None and len(files) != 1:
        raise Usage("--receipt speaks of one file")
    return _check(files, asked, format=format, fail_on=fail_on, strict=strict, jobs=jobs, receipt=held)


def validate(files: Files, *, format: Format = "text", strict: Strict = False, jobs: Jobs = 0) -> int:
    """Check structure and schema, hashing nothing, and return the exit code."""
    return _check(files, None, format=format, strict=strict, jobs=jobs)


def ignored(entries: Sequence[str]) -> dict[str, str]:
    """Return rule ids and the reasons for which their findings are not counted."""
    reasons: dict[str, str] = {}
    for entry in entries:
        rule, _, reason = entry.partition("=")
        if rule not in catalogue():
            raise Usage(f"--ignore {entry}: there is no rule {rule}")
        if not reason.strip():
            raise Usage(f"--ignore {rule}: a finding is put aside for a reason; write {rule}=REASON")
        reasons[rule] = reason
    return reasons


def _check(
    given: Sequence[str],
    asked: dict[str, Any] | None,
    *,
    format: str,
    strict: bool,
    jobs: int,
    fail_on: str = "error",
    receipt: "Receipt | None" = None,
) -> int:
    files = files_under(given)
    codes: set[int] = set()
    told = voice(format, strict=strict)
    told.many = len(files) > 1
    for path, found in zip(files, asked_of_all(files, asked, jobs), strict=True):
        for report, differences in zip(found, _differing(receipt, path, found), strict=True):
            code = worst(
                [exit_code(report, strict=strict, fail_on=Severity(fail_on)), EXIT.FINDINGS if differences else EXIT.OK]
            )
            codes.add(code)
            told.tell(report, differences, code)
    told.end()
    return worst(codes)


def _differing(
    receipt: "Receipt | None", path: str, reports: tuple[Report, ...]
) -> "list[tuple[Difference, ...] | None]":
    """Return, for each run of a file, the parts in which it is not the run of the receipt; None where nobody asked."""
    if receipt is None:
        return [None] * len(reports)
    from ttsartifact.reporting.receipt import bare_differences, differences

    if [report.verdict for report in reports] in ([Verdict.NOT_AN_ARTIFACT], [Verdict.CAPSULE_LOST]):
        from ttsartifact.reading.bare_audio import bare_audio

        return [bare_differences(receipt, bare_audio(path))]
    found: list[tuple[Difference, ...] | None] = [differences(receipt, report) for report in reports]
    # Of a file with many runs the receipt names one; the others are no liars for being others.
    return [None if any(not d for d in found) and d else d for d in found]


def _receipt(line: str | None) -> "Receipt | None":
    if line is None:
        return None
    from ttsartifact.reporting.receipt import parse

    try:
        return parse(line)
    except ValueError as error:
        raise Usage(f"--receipt: {error}") from error


def _references(paths: Sequence[str]) -> dict[str, bytes]:
    from ttsartifact.terms import digest

    return {digest.of(data): data for data in map(_bytes_of, paths)}


def _bytes_of(path: str) -> bytes:
    from ttsartifact.container.source import FileSource

    with FileSource(path) as file:
        return file.read_at(0, file.size)
