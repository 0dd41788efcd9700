"""The act behind `export`: runs in the format of an external viewer."""

from typing import Annotated

from ttsartifact.cli.files import delivered, files_under
from ttsartifact.cli.options import Files, Force, Option
from ttsartifact.cli.speak import EXIT, Usage, say_written
from ttsartifact.reporting.safe import safe

__all__ = ["export"]


def export(
    files: Files,
    *,
    perfetto: Annotated[bool, Option("As trace events for ui.perfetto.dev.")] = False,
    out: Annotated[str, Option("The file to write atomically; - is stdout.", short="-o", metavar="OUT")],
    force: Force = False,
) -> int:
    """Write the runs of all files into one document."""
    if not perfetto:
        raise Usage("say which form: --perfetto")
    from ttsartifact.container.source import write_whole
    from ttsartifact.reading.artifact import open_artifacts
    from ttsartifact.reporting.documents import as_json_line
    from ttsartifact.reporting.perfetto import perfetto_trace
    from ttsartifact.reporting.phrases import counted

    runs = [run for path in files_under(files) for run in open_artifacts(path)]
    document = perfetto_trace(runs)
    with delivered(out) as path, write_whole(path, replace=force) as file:
        file.write(as_json_line(document).encode("ascii"))
    events = counted(len(document["traceEvents"]), "event")
    say_written(out, f"{safe(out)}: {events} of {counted(len(runs), 'run')}; open it at ui.perfetto.dev")
    return EXIT.OK
