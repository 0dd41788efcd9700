"""What record, run, rerun and adapt share: texts, clips, parameters and seeds as typed, and what is said after."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.files import bytes_of
from ttsartifact.cli.manner import manner
from ttsartifact.cli.options import Option
from ttsartifact.cli.speak import Usage, passing, say_written, tell, tell_last
from ttsartifact.errors import Refused
from ttsartifact.formulas.levels import with_options
from ttsartifact.reporting.phrases import INCOMPLETE
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttsartifact.packing.pack import Packed
    from ttsartifact.recording.bursting import SyncBurst
    from ttsartifact.recording.references import Reference
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.running.runner_protocol import RunnerInfo
    from ttsartifact.terms.policy import Policy

Attempt = Annotated[int | None, Option("Number of this attempt, counting all earlier ones.", metavar="N", least=1)]
Gate = Annotated[
    str | None, Option("A policy that promotes or rejects the run; the file is kept either way.", metavar="TOML")
]
Lang = Annotated[str | None, Option("Language of the text, as a BCP 47 tag.", metavar="TAG")]
Notes = Annotated[str | None, Option("A free text for people.")]
Preregistered = Annotated[
    Sequence[str],
    Option(
        "A claim or policy that was written before this run: its file, or the digest; may be repeated.",
        metavar="FILE|DIGEST",
    ),
]
Ref = Annotated[Sequence[str], Option("A reference clip; may be repeated, in order.", metavar="CLIP", not_with="http")]
SyncBurstFlag = Annotated[
    bool,
    Option(
        "Load the CPU in a pattern of 15 steps before and after the run, which `ttsa align` finds in a meter's log.",
        not_with="http",
    ),
]
SyncChip = Annotated[
    int | None,
    Option("Length of a step (chip) of that pattern; default 1000.", metavar="MS", least=10, needs="sync_burst"),
]
SensorName = Annotated[
    str,
    Option(
        "Sensor of clock, power and energy: auto (NVML if available), nvml, amdsmi, rapl, none, replay:FILE, "
        "meter:FILE[,COLUMN[,UNIT[,BAUD]]].",
        metavar="SENSOR",
    ),
]
Session = Annotated[str | None, Option("The session that the run belongs to.", metavar="ID")]

# Of the schema's kinds of origin those that a name alone can follow; a data set needs its item, an address its time.
_ORIGINS = ("recording", "synthetic", "adaptation", "other")
_LARGEST_CLAIM_BYTES = 1 << 20


def given_text(text: str | None, text_file: str | None) -> bytes:
    """Return the bytes of the text, which are what is digested."""
    if (text is None) == (text_file is None):
        raise Usage("give the text by one of --text TEXT and --text-file FILE")
    if text is not None:
        return os.fsencode(text)
    assert text_file is not None
    return bytes_of(text_file)


def seed_words(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return (stage, digits) of seeds typed as N or as STAGE=N; the stage is empty where none was named."""
    found = []
    for word in words:
        stage, _, digits = word.rpartition("=")
        if not re.fullmatch(r"-?(0|[1-9][0-9]{0,39})", digits):
            raise Usage(f"--seed {word}: expected a whole number, or STAGE=NUMBER")
        found.append((stage, digits))
    return found


def refuse_strange(info: RunnerInfo, wanted: Mapping[str, Any], kind: str = "runner") -> None:
    """Raise Usage for an option that does not apply to this runner, or to the `kind` of act."""
    known = [parameter.name for parameter in info.parameters]
    for key in wanted:
        if key not in known:
            taken = ", ".join(known) or "no parameter"
            raise Usage(
                f"--{key.replace('_', '-')}: {kind} {info.name} has no parameter {key}; it takes {taken} (--param)"
            )


def as_usage(info: RunnerInfo, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return `wanted` when the runner takes it; what it does not take is in the call."""
    from ttsartifact.errors import Refused

    try:
        info.checked(wanted)
    except Refused as error:
        option = error.where.rpartition("/")[2].replace("_", "-")
        raise Usage(f"--{option}: {error.message}: found {error.found}, expected {error.expected}") from error
    return wanted


def numbers(words: Sequence[str]) -> dict[str, Any]:
    """Return parameters given as NAME=VALUE: a JSON number, true or false as such, anything else as words."""
    found: dict[str, Any] = {}
    for word in words:
        name, mark, value = word.partition("=")
        if not mark or not name:
            raise Usage(f"--param {word}: expected NAME=VALUE")
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        found[name] = parsed if isinstance(parsed, (bool, int, float)) else value
    return found


def usual(group: str, option: str) -> str:
    """Return the name that is meant where none is said: stable-tts, or the only one of its group."""
    from ttsartifact.running.runner_protocol import installed

    found = sorted(installed(group))
    if "stable-tts" in found or not found:
        return "stable-tts"
    if len(found) > 1:
        raise Usage(f"{option}: several are installed; name one of {', '.join(found)}")
    return found[0]


def clips_of(paths: Sequence[str], words: str | None = None, role: str = "timbre") -> list[Reference]:
    """Return reference clips, with where they come from in `words` like `recording:WHO`."""
    from ttsartifact.recording.references import Reference

    clip_origin = None if words is None else origin(words, "--ref-origin")
    return [Reference(path=path, origin=clip_origin, role=role) for path in paths]


def origin(words: str, option: str, *, plain: bool = False) -> dict[str, Any]:
    """Return where a clip came from, said as KIND:NAME; `plain` words without a kind are of kind `other`."""
    kind, _, name = words.partition(":")
    if kind not in _ORIGINS or not name:
        if not plain:
            raise Usage(f"{option} {words}: expected KIND:NAME, where KIND is one of {', '.join(_ORIGINS)}")
        kind, name = "other", words
    return {"kind": kind, "name": name.strip()}


def burst_of(*, given: bool, chip_ms: int | None) -> SyncBurst | None:
    """Return the coded load around a run, where it was asked for."""
    if not given:
        return None
    from ttsartifact.recording.bursting import SyncBurst

    try:
        return SyncBurst() if chip_ms is None else SyncBurst(chip_s=chip_ms / 1000)
    except Refused as error:
        raise Usage(f"--sync-chip {chip_ms}: expected at most 60000 ms") from error


def sensor_of(name: str) -> Sensor | None:
    """Return the sensor of a name, not yet opened; None for `none`."""
    from ttsartifact.recording.sensors.choosing import named_sensor

    return named_sensor(name)


def policy_of(path: str | None) -> Policy | None:
    """Return the policy that --gate names; raises Refused if it needs a score, which does not exist yet."""
    if path is None:
        return None
    from ttsartifact.gating.deciding import require_scores
    from ttsartifact.gating.policy_file import load_policy

    policy = load_policy(path)
    require_scores(policy, {})
    return policy


def note(words: str) -> None:
    """Say on stderr what a user should know, in place of what goes on; `-q` leaves it out.

    What names a journal is about a recording that did not end, and is said after the error that ended it.
    """
    if manner().quiet:
        return
    passing()
    (tell_last if ".journal.jsonl" in words else tell)(f"ttsa: {safe(words)}")


def note_credentials(packed: Packed) -> None:
    """Say on stderr what becomes of the C2PA credentials that the audio carries."""
    if packed.credentials:
        from ttsartifact.reporting.statements import kept_words

        for credential in packed.credentials:
            note(kept_words(credential))


def print_written(packed: Packed, level: str | None = None, out: str | None = None) -> None:
    """Say what was written, and on stderr what the next level lacks, or all that `level` does.

    `out` is what the user typed, where it is not the path of what was written.
    """
    out = os.fspath(packed.path) if out is None else out
    cut = INCOMPLETE * (packed.descriptor.at("/run/incomplete") is True)
    say_written(out, f"{safe(out)}: {packed.artifact_id}, level {packed.level}{cut}")
    gate = packed.descriptor.known("/gate")
    if gate is not None:
        from ttsartifact.reporting.statements import decision

        say_written(out, f"  {safe(decision(gate))}")
    if not cut:  # of what is over, nothing more can be stated
        note_lacking(packed, level)
    _note_faults(os.fspath(packed.path))


def _note_faults(path: str) -> None:
    """Say on stderr what is wrong with what was stated, before others find it."""
    if not os.path.exists(path):  # it went to standard output
        return
    from ttsartifact.reporting.phrases import finding_line
    from ttsartifact.verifying.engine import faults_of_statements

    for finding in faults_of_statements(path):
        note(f"verify will find {finding.rule}: {finding_line(finding)}; `ttsa explain {finding.rule}`")


def note_lacking(packed: Packed, level: str | None) -> None:
    """Say on stderr what the next level lacks, or all that `level` does."""
    for following, lacks in packed.missing_for(level).items():
        note(f"{following} also needs {with_options(lacks)}")


def registered(word: str) -> str:
    """Return the digest by which a run states, and a run log holds, a claim or policy (clause 10.7)."""
    from ttsartifact.terms import digest

    if re.fullmatch(r"sha256:[0-9a-f]{64}", word):
        return word
    data = bytes_of(word, _LARGEST_CLAIM_BYTES)
    return _digest_of_claim(word, data) or digest.of(data)


def _digest_of_claim(path: str, data: bytes) -> str | None:
    """Return the digest of a claim in its canonical form (clause 10.9); None for any other file."""
    import tomllib

    try:
        if "claim" not in tomllib.loads(data.decode("utf-8-sig")):
            return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return None
    from ttsartifact.claiming.claim import parsed_claim

    return parsed_claim(data, path).digest
