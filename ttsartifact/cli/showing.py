"""The act behind `show`: the card, the document, the line or the receipt of each run of a file."""

from typing import TYPE_CHECKING, Annotated

from ttsartifact.cli.files import STANDARD_OUTPUT, bytes_of, delivered, files_under
from ttsartifact.cli.options import Files, Force, Option
from ttsartifact.cli.speak import EXIT, Usage, error_line, exit_of, paint, say, say_written, tell, worst
from ttsartifact.cli.speak import show as show_lines
from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import Artifact, open_artifacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def show(
    files: Files,
    *,
    format: Annotated[
        str,
        Option(
            "Output format: a card, a document, the columns, or a card for a forum.",
            choices=("text", "json", "tsv", "markdown"),
        ),
    ] = "text",
    receipt: Annotated[bool, Option("Print the one line to post with the file.", not_with="format plot")] = False,
    plot: Annotated[
        str | None,
        Option(
            "Draw waveform, spectrogram, chunks and power of one run: .png, .svg or .pdf; - is a PNG on stdout.",
            metavar="PICTURE",
            not_with="format=json format=tsv",
        ),
    ] = None,
    c2pa: Annotated[
        str | None,
        Option(
            "Also ask c2pa-python who signed the audio's C2PA credential, trusting the roots in this file (PEM).",
            metavar="ROOTS",
            not_with="format plot receipt",
        ),
    ] = None,
    force: Force = False,
) -> int:
    """Print what files state about their runs and return the exit code; no rule is checked."""
    if plot is not None:
        return _plot(files, plot, format, force=force)
    roots = None if c2pa is None else bytes_of(c2pa).decode("ascii", "replace")
    documents = []
    codes = []
    if format == "tsv" and not receipt:
        from ttsartifact.reporting import tables

        say(tables.row([*tables.SEED_COLUMNS, "artifact_id"]))
    for path in files_under(files):
        try:
            for artifact in open_artifacts(path):
                if format == "json" and not receipt:
                    from ttsartifact.reporting.documents import show_document

                    documents.append(show_document(artifact))
                else:
                    (show_lines if format == "text" and not receipt else say)(_lines(artifact, format, receipt=receipt))
                if roots is not None:
                    codes.append(_say_signer(artifact, roots))
        except TtsArtifactError as error:
            tell(error_line(error))
            codes.append(exit_of(error))
    if documents:
        from ttsartifact.reporting.documents import as_json

        say(as_json(documents[0] if len(documents) == 1 else documents))
    return worst(codes) if codes else EXIT.OK


def _lines(artifact: Artifact, format: str, *, receipt: bool) -> "Iterator[str]":
    if receipt:
        from ttsartifact.reporting.receipt import of

        yield str(of(artifact.descriptor))
    elif format == "tsv":
        from ttsartifact.reporting.documents import columns_of
        from ttsartifact.reporting.tables import show_row

        yield show_row(columns_of(artifact), artifact.artifact_id)
    elif format == "markdown":
        from ttsartifact.reporting.markdown import card

        yield from card(artifact)
    else:
        from ttsartifact.reporting.card import card_lines

        yield from card_lines(artifact, paint())
        yield f"  page         ttsa report {_quoted(artifact.where)} -o page.html"


def _say_signer(artifact: Artifact, roots: str) -> int:
    """Print who signed the credential of a run's audio, and return 0 where a trusted root vouches for them."""
    from ttsartifact.attesting.trust import content_credential
    from ttsartifact.reporting.statements import signer_words

    found = content_credential(artifact.audio, artifact.descriptor.known("/audio/media_type"), anchors=roots)
    show_lines([f"  credential   {signer_words(found)}"])
    return EXIT.OK if found.state == "Trusted" else EXIT.FINDINGS


def _quoted(path: str) -> str:
    import shlex

    from ttsartifact.reporting.terminal import safe

    return safe(shlex.quote(path))


def _plot(files: "Sequence[str]", out: str, format: str, *, force: bool) -> int:
    """Draw one run; a card for a forum begins with the picture, which is uploaded beside it."""
    from ttsartifact.container.source import require_room, write_whole
    from ttsartifact.reading.artifact import open_artifact
    from ttsartifact.reporting.plot import plot
    from ttsartifact.reporting.terminal import safe

    if len(files) != 1:
        raise Usage("--plot draws one run; name one file, or FILE#ROW")
    if out != STANDARD_OUTPUT:
        require_room(out, replace=force)
    artifact = open_artifact(files[0])
    with delivered(out, ".png") as path, write_whole(path, replace=force) as file:
        plot(artifact, file, path)
    if format == "markdown" and out != STANDARD_OUTPUT:
        from ttsartifact.reporting.markdown import card, image

        say([image("waveform, spectrogram, chunks and power on one axis of time", out), "", *card(artifact)])
    else:
        say_written(out, f"{safe(out)}: waveform, spectrogram, chunks and power of {safe(files[0])}")
    return EXIT.OK
