"""The act behind statement: what we hold, as an in-toto statement that other people's tools read."""

import json
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.options import Argument, Option
from ttsartifact.cli.speak import EXIT, Usage, say

if TYPE_CHECKING:
    from ttsartifact.reading.artifact import Artifact

__all__ = ["statement"]

_FORMS = ("prml", "eval-result", "computation-receipt")
_LIMIT_BYTES = 16 << 20


def statement(
    form: Annotated[str, Argument("FORM", f"One of {', '.join(_FORMS)}.")],
    file: Annotated[str, Argument("FILE", "A claim, a result as JSON, or an artifact.")],
    *,
    at: Annotated[str | None, Option("prml, eval-result: when it was locked or evaluated.", metavar="UTC")] = None,
    by: Annotated[str | None, Option("prml, eval-result: who states it, a name or a URI.", metavar="WHO")] = None,
    dataset: Annotated[
        str | None, Option("prml: the texts that the runs speak, as NAME=FILE.", metavar="NAME=FILE")
    ] = None,
    expectation: Annotated[int, Option("prml: which expectation of the claim.", metavar="N", least=1)] = 1,
    key: Annotated[str | None, Option("Sign with this Ed25519 key, in a DSSE envelope.", metavar="FILE")] = None,
) -> int:
    """Print a statement, or the envelope that signs it."""
    if form not in _FORMS:
        raise Usage(f"unknown form {form}; expected one of {', '.join(_FORMS)}")
    made = _receipt(file) if form == "computation-receipt" else _stated(form, file, at, by, dataset, expectation)
    if key is not None:
        from ttsartifact.attesting.keys import load_private_key
        from ttsartifact.attesting.statements import enveloped

        made = enveloped(json.dumps(made, sort_keys=True).encode(), load_private_key(key))
    say(json.dumps(made, indent=2, sort_keys=True))
    return EXIT.OK


def _stated(
    form: str, file: str, at: str | None, by: str | None, dataset: str | None, expectation: int
) -> dict[str, Any]:
    from ttsartifact.claiming import exporting
    from ttsartifact.claiming.claim import load_claim

    if at is None or by is None:
        raise Usage(f"{form} needs --at UTC and --by WHO")
    if form == "prml":
        name, _, path = (dataset or "").partition("=")
        if not path:
            raise Usage("prml needs --dataset NAME=FILE")
        return exporting.prml(load_claim(file), place=expectation - 1, at=at, by=by, dataset=(name, _read(path)))
    if not file.endswith(".json"):
        return exporting.gate_result(_run(file), at=at, by=by)
    data = _read(file)
    return exporting.eval_result(_result(file, data), data, at=at, by=by)


def _receipt(file: str) -> dict[str, Any]:
    from ttsartifact.claiming.exporting import computation_receipt

    return computation_receipt(_run(file))


def _run(file: str) -> "Artifact":
    from ttsartifact.container.schemas import validator
    from ttsartifact.errors import Refused
    from ttsartifact.reading.artifact import open_artifact

    artifact = open_artifact(file)
    if not validator("descriptor").is_valid(artifact.descriptor.value):
        raise Refused("the descriptor breaks its schema; `ttsa validate` says where", where=file)
    return artifact


def _result(file: str, data: bytes) -> dict[str, Any]:
    from ttsartifact.container.schemas import validator

    try:
        value = json.loads(data, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Usage(f"{file}: not JSON") from error
    if not validator("claim-result").is_valid(value):
        raise Usage(f"{file}: not what `ttsa claim check --format json` prints")
    return dict(value)


def _read(path: str) -> bytes:
    from ttsartifact.container.source import FileSource

    with FileSource(path) as file:
        if file.size > _LIMIT_BYTES:
            raise Usage(f"{path}: {file.size} bytes, expected at most {_LIMIT_BYTES}")
        return file.read_at(0, file.size)
