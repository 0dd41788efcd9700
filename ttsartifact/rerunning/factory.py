"""A run that was recorded inside a process, made again by a function that the reader names.

The function runs in this process, as the reader, with the reader's environment: so the reader should have read it.
What the file states about it is shown and never imported (clause 10.5).
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import CommandFailed, Refused, TtsArtifactError, Unavailable, cause_of
from ttsartifact.recording.factories import NAME, name_of
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.wrapping import recorded_call, undecorated
from ttsartifact.rerunning.plan import Consent, InputMissing, Plan, references_of, text_of
from ttsartifact.rerunning.verdict import not_comparable
from ttsartifact.rerunning.workplace import Rerun, announce, compared, require_space, verified, workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.recording.references import Reference

    PathLike = str | os.PathLike[str] | Path


def rerun_factory(
    path: PathLike,
    factory: str | Callable[..., Any],
    *,
    text: bytes | str | None = None,
    references: Sequence[PathLike] = (),
    parameters: Mapping[str, Any] | None = None,
    keep: PathLike | None = None,
    replace: bool = False,
    on_plan: Callable[[Plan], None] | None = None,
) -> Rerun:
    """Make a run again with a Python function of the caller, and compare.

    Args:
        path: The artifact.
        factory: The function, or its name `package.module:function`; a module of the current folder is found too. It is
            called with the text and with those of the run's parameters, `seed`, `lang` and `references` (paths) that it
            takes by name. It returns its sound, or an iterator of chunks, awaited or not.
        text: The text, where the artifact does not hold it.
        references: Reference clips, where the artifact does not hold them.
        parameters: Parameters that replace those of the run; the comparison names them.
        keep: Where the new artifact is kept; by default it is not.
        replace: Whether a file `keep` may be written over.
        on_plan: Called with the plan first; raising there stops everything.

    Raises:
        Refused: The artifact does not verify, or the name has another form.
        Unavailable: The function cannot be imported.
        CommandFailed: The function raises, or delivers no audio.

    Example:
        `rerun_factory("run.tts.wav", "my_engine:speak").judgement.words`
    """
    first = verified(path)
    require_space(keep, replace=replace)
    function = _imported(factory) if isinstance(factory, str) else factory
    try:
        text_bytes, text_input = text_of(first, text.encode() if isinstance(text, str) else text)
        clips, planned = references_of(first, [_read(clip) for clip in references])
    except InputMissing as missing:
        return Rerun(artifact_id=first.artifact_id, judgement=not_comparable(str(missing)))
    taken = _taken(function, _wanted(first, parameters or {}))
    plan = Plan(
        artifact_id=first.artifact_id,
        consent=Consent.L1,
        factory=factory if isinstance(factory, str) else _name(function),
        parameters=taken,
        inputs=(text_input, *planned),
        network=True,
        wall_s=None,
    )
    announce(plan, on_plan)
    with workplace(first, clips, keep) as (out, given):
        _made(first, function, factory, text_bytes.decode("utf-8"), taken, given, out)
        return compared(first, out, plan, keep, replace=replace)


def _imported(name: str) -> Callable[..., Any]:
    """Return the function of a name that the reader typed."""
    if not NAME.fullmatch(name):
        raise Refused("not the name of a function", where="--factory", found=name, expected="package.module:function")
    module, _, places = name.partition(":")
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
        for place in places.split("."):
            found = getattr(found, place)
    except (ImportError, AttributeError) as error:
        raise Unavailable(f"cannot import the factory: {error}", where="--factory", found=name) from error
    finally:
        if added:
            sys.path.remove(here)
    if not callable(found):
        raise Refused("the factory is not callable", where="--factory", found=type(found).__name__)
    function: Callable[..., Any] = found
    return function


def _wanted(first: Artifact, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the run was made with, by the names under which a function may take it."""
    wanted = {**first.descriptor.value["generation"]["params"], **parameters}
    seeds = first.descriptor.known("/generation/seeds") or []
    engine_seeds = [seed for seed in seeds if seed["stage"] == "engine"]
    for kind in ("requested", "effective"):
        if engine_seeds and isinstance(engine_seeds[0][kind], str) and engine_seeds[0][kind].lstrip("-").isdigit():
            wanted.setdefault("seed", int(engine_seeds[0][kind]))
    language = first.descriptor.known("/input/text/lang")
    return wanted if language is None else {"lang": language} | wanted


def _taken(function: Callable[..., Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `wanted` that the function takes by name; the text is its first argument."""
    named = _named(function)
    return {name: value for name, value in wanted.items() if named is None or name in named}


def _named(function: Callable[..., Any]) -> frozenset[str] | None:
    """Return the names under which a function takes what follows the text; None where it takes any."""
    parameters = list(inspect.signature(undecorated(function)).parameters.values())
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return None
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return frozenset(each.name for each in parameters[1:] if each.kind in kinds)


def _made(
    first: Artifact,
    function: Callable[..., Any],
    factory: str | Callable[..., Any],
    text: str,
    taken: Mapping[str, Any],
    given: Sequence[Reference],
    out: str,
) -> None:
    """Call the function once and record what it gives, in the format of the first run."""
    audio = first.descriptor.value["audio"]
    beside = {"seed", "lang"} - first.descriptor.value["generation"]["params"].keys()
    stated: dict[str, Any] = {name: value for name, value in taken.items() if name in beside}
    stated |= {
        "factory": name_of(undecorated(function)) or factory,
        "params": {name: value for name, value in taken.items() if name not in beside},
    }
    if (language := first.descriptor.known("/input/text/lang")) is not None:
        stated["lang"] = language  # of the same text, so it is the same
    keywords = dict(taken)
    named = _named(function)
    if given and (named is None or "references" in named):
        keywords["references"] = [reference.path for reference in given]
        stated["references"] = list(given)
    recorder = Recorder(
        out,
        text=text,
        sample_rate_hz=audio["sample_rate_hz"],
        channels=audio["channels"],
        subtype=audio["subtype"],
        on_error="raise",
        **stated,
    )
    try:
        result = recorded_call(lambda: undecorated(function)(text, **keywords), recorder)
        _exhausted(result)
    except TtsArtifactError:
        raise
    except Exception as error:
        raise CommandFailed(f"the factory raised {cause_of(error)}", where="--factory") from error


def _exhausted(result: Any) -> None:
    """Take everything that a recorded call gives, awaited or not."""
    if hasattr(result, "__anext__"):
        asyncio.run(_to_the_end(result))
    elif inspect.isawaitable(result):
        asyncio.run(_awaited(result))
    elif hasattr(result, "__next__"):
        for _ in result:
            pass


async def _to_the_end(chunks: Any) -> None:
    async for _ in chunks:
        pass


async def _awaited(result: Any) -> None:
    await result


def _name(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', type(function).__name__)}"


def _read(path: PathLike) -> bytes:
    from ttsartifact.container.source import FileSource

    with FileSource(path) as source:
        return source.read_at(0, source.size)
