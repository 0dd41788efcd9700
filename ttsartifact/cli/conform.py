"""The acts behind conform and fixtures: hold a verifier to the kit, and hand the kit out or compare another with it."""

import os
from collections.abc import Sequence
from typing import Annotated

from ttsartifact.cli.options import Argument, Option
from ttsartifact.cli.speak import EXIT, Usage, paint, progress, say, show
from ttsartifact.conforming.ask import ask_all
from ttsartifact.conforming.kit import differences, hand_out, load


def conform(
    command: Annotated[
        Sequence[str], Argument("-- CMD...", "The verifier; the path of a file becomes its last argument.")
    ],
    *,
    kit: Annotated[str | None, Option("A kit of a different version.", metavar="DIR")] = None,
    format: Annotated[
        str, Option("Output format: a table, a document, or a test report.", choices=("text", "json", "junit"))
    ] = "text",
    jobs: Annotated[int, Option("Files at a time; 0 is one per processor.", metavar="N", least=0)] = 0,
    select: Annotated[
        str | None,
        Option("Only the files whose place in the kit begins with PLACE, such as fail/HSH.", metavar="PLACE"),
    ] = None,
    timeout: Annotated[float, Option("Seconds for each answer.", metavar="S", least=0.1)] = 30,
) -> int:
    """Ask `command` about every case of the kit (whose place begins with `select`) and return the exit code."""
    from ttsartifact.recording.pins import executable
    from ttsartifact.reporting import conformance

    cases = [case for case in load(kit) if select is None or case.file.startswith(select)]
    if not cases:
        raise Usage(f"--select {select}: no file of the kit begins with this")
    executable(command[0])
    answers = []
    for answer in ask_all(cases, command, jobs=jobs or os.cpu_count() or 1, timeout_s=timeout):
        answers.append(answer)
        progress(len(answers), len(cases), "cases")
    if format == "json":
        from ttsartifact.reporting.documents import as_json

        say(as_json(conformance.document(answers, command)))
    elif format == "junit":
        say(conformance.junit_lines(answers))
    else:
        show(conformance.lines(answers, paint()))
    return EXIT.OK if all(answer.passed for answer in answers) else EXIT.FINDINGS


def fixtures(
    *,
    out: Annotated[str, Option("The folder; a new one, or one to check.", short="-o", metavar="DIR")],
    check: Annotated[bool, Option("Only print where DIR differs from the kit.")] = False,
) -> int:
    """Write the kit into the folder `out`, or print how `out` differs from the kit; return the exit code."""
    from ttsartifact.reporting.terminal import safe

    if not check:
        say(f"{hand_out(out)} files in {safe(out)}")
        return EXIT.OK
    found = differences(out)
    say([safe(line) for line in found])
    say(f"{len(found)} differences from the kit" if found else "every byte is the kit's")
    return EXIT.FINDINGS if found else EXIT.OK
