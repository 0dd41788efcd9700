"""The acts behind `verify` and `validate`: find the files, verify them, print the reports, return the worst code."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact._starting import NamedTuple
from ttsartifact.cli.files import bytes_of, files_under
from ttsartifact.cli.many_files import reports_of_all
from ttsartifact.cli.options import Files, Option
from ttsartifact.cli.report_streams import VOICES, TextStream, voice
from ttsartifact.cli.settings import NO_SETTINGS, Settings, find_settings, read_settings
from ttsartifact.cli.settings import ignored as checked
from ttsartifact.cli.speak import EXIT, Usage, worst
from ttsartifact.terms.finding import Severity, Verdict
from ttsartifact.terms.level import LEVELS
from ttsartifact.verifying.report import Report, exit_code

if TYPE_CHECKING:
    from ttsartifact.reporting.receipt import Receipt, ReceiptMismatch

_LONGEST_CLIP_BYTES = 1 << 30

Format = Annotated[str, Option("Output format.", choices=tuple(VOICES))]
Strict = Annotated[bool, Option("Also fail on warnings and on rules that could not be checked.")]
Jobs = Annotated[int, Option("Processes for many files; 0 chooses.", metavar="N", least=0)]


def _profiles() -> list[str]:
    from ttsartifact.formulas.levels import profiles

    return list(profiles())


class Held(NamedTuple):
    """What the reader holds about a run and compares the run with."""

    text: Annotated[str | None, Option("The text, if you know it; its digest must match.")] = None
    text_file: Annotated[str | None, Option("The same, from a file; - is stdin.", metavar="FILE", not_with="text")] = (
        None
    )
    ref: Annotated[Sequence[str], Option("A reference clip that you hold; may be repeated.", metavar="CLIP")] = ()
    receipt: Annotated[str | None, Option("The line that was posted for the run.", metavar="LINE")] = None
    trust: Annotated[
        str | None,
        Option("Trusted signers, time-stamps and logs: a trust file or OpenSSH's allowed_signers.", metavar="FILE"),
    ] = None
    log: Annotated[
        str | None, Option("Your copy of the run log: its history must be kept, with no run withheld.", metavar="DIR")
    ] = None

    @property
    def any(self) -> bool:
        """Return whether anything was given."""
        return any(given is not None and given != () for given in self)


class Demanded(NamedTuple):
    """What the reader wants of a run beside the rules, and which findings do not count."""

    level: Annotated[str | None, Option("The required level.", choices=LEVELS)] = None
    profile: Annotated[Sequence[str], Option("A required profile; may be repeated.", choices=_profiles)] = ()
    ignore: Annotated[
        Sequence[str], Option("Suppress a rule's findings, for a reason; may be repeated.", metavar="ID=REASON")
    ] = ()
    config: Annotated[
        str | None, Option("Read settings from here, not from the nearest ttsartifact.toml.", metavar="FILE")
    ] = None
    isolated: Annotated[bool, Option("Read no settings file.", not_with="config")] = False
    quick: Annotated[bool, Option("Check sizes and structure only; compute no digest.")] = False


def verify(
    files: Files,
    *,
    format: Format = "text",
    held: Held,
    demanded: Demanded,
    fail_on: Annotated[str, Option("The lowest severity that fails.", choices=("warn", "error"))] = "error",
    as_set: Annotated[
        bool, Option("Take all files as one data set: ids, sessions, samples and counts across them.")
    ] = False,
    strict: Strict = False,
    jobs: Jobs = 0,
) -> int:
    """Verify files against all rules and return the exit code."""
    if demanded.quick and (demanded.profile or held.any or as_set):
        raise Usage(
            "--quick computes no digest: a receipt, profile, text, clip, trust file, log or set needs a full "
            "verification"
        )
    receipt = _receipt(held.receipt)
    if receipt is not None and len(files) != 1:
        raise Usage(f"--receipt names one run, and {len(files)} files are given; verify them one by one")
    settings = _settings(demanded)
    asked = {
        "level": demanded.level,
        "profiles": tuple(dict.fromkeys([*settings.profiles, *demanded.profile])),
        "ignore": settings.ignore | ignored(demanded.ignore),
        "quick": demanded.quick,
    } | _compared_with(held)
    if as_set:
        files = files_under(files)
        asked["among"] = tuple(files)
    stream = voice(format, strict=strict, settings=settings if settings.path else None)
    return _check(files, asked, stream, fail_on=fail_on, jobs=jobs, receipt=receipt)


def _compared_with(held: Held) -> dict[str, Any]:
    """Return the keywords of `engine.verify` for what the reader holds."""
    found: dict[str, Any] = {}
    if held.text is not None:
        found["text"] = os.fsencode(held.text)
    if held.text_file is not None:
        found["text"] = bytes_of(held.text_file)
    if held.ref:
        found["references"] = _references(held.ref)
    if held.trust is not None:
        from ttsartifact.attesting.trust import load_trust

        found["trust"] = load_trust(held.trust)
    if held.log is not None:
        from ttsartifact.attesting.runlog import RunLog

        found["log"] = RunLog(held.log)
    return found


def validate(files: Files, *, format: Format = "text", strict: Strict = False, jobs: Jobs = 0) -> int:
    """Check structure and schema, hashing nothing, and return the exit code."""
    return _check(files, None, voice(format, strict=strict), jobs=jobs)


def ignored(entries: Sequence[str]) -> dict[str, str]:
    """Return rule ids and the reasons why their findings do not count, of words like ID=REASON."""
    pairs = (entry.partition("=") for entry in entries)
    return checked({rule: reason for rule, _, reason in pairs}, "--ignore")


def _settings(demanded: Demanded) -> Settings:
    """Return the settings to verify with: those of a file that is named or found, or none."""
    if demanded.isolated:
        return NO_SETTINGS
    found = find_settings() if demanded.config is None else read_settings(demanded.config)
    if found is None:
        return NO_SETTINGS
    return found._replace(profiles=()) if demanded.quick else found  # --quick computes no digest: it meets no profile


def _check(
    given: Sequence[str],
    asked: dict[str, Any] | None,
    stream: TextStream,
    *,
    jobs: int,
    fail_on: str = "error",
    receipt: "Receipt | None" = None,
) -> int:
    files = files_under(given)
    codes: set[int] = set()
    stream.many = len(files) > 1
    for path, found in zip(files, reports_of_all(files, asked, jobs), strict=True):
        for report, differences in zip(found, _differing(receipt, path, found), strict=True):
            code = worst(
                [
                    exit_code(report, strict=stream.strict, fail_on=Severity(fail_on)),
                    EXIT.FINDINGS if differences else EXIT.OK,
                ]
            )
            codes.add(code)
            stream.tell(report, differences, code)
    stream.end()
    return worst(codes)


def _differing(
    receipt: "Receipt | None", path: str, reports: tuple[Report, ...]
) -> "list[tuple[ReceiptMismatch, ...] | None]":
    """Return, for each run of a file, the parts in which it is not the run of the receipt; None if not compared."""
    if receipt is None:
        return [None] * len(reports)
    from ttsartifact.reporting.receipt import bare_differences, differences

    if [report.verdict for report in reports] in ([Verdict.NOT_AN_ARTIFACT], [Verdict.CAPSULE_LOST]):
        from ttsartifact.reading.recognising import bare_audio

        return [bare_differences(receipt, bare_audio(path))]
    found = [differences(receipt, report) for report in reports]
    # Of a file with many runs the receipt names one; the others are not liars for being others.
    is_here = () in found
    return [
        None if report.reason is not None or (is_here and d) else d for report, d in zip(reports, found, strict=True)
    ]


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

    return {digest.of(data): data for data in (bytes_of(path, _LONGEST_CLIP_BYTES) for path in paths)}
