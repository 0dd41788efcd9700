"""Parts of a run in words: its adapted voice, its attestations, its marking, and what a gate decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.credential import places_in
from ttsartifact.container.source import JoinedSource
from ttsartifact.formulas.chain import LINKS
from ttsartifact.formulas.conditions import and_more
from ttsartifact.formulas.levels import holds
from ttsartifact.reporting.phrases import Paint, counted, spoken, stated
from ttsartifact.reporting.terminal import safe
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttsartifact.attesting.checking import Attested
    from ttsartifact.attesting.trust import ContentCredential
    from ttsartifact.container.hard_binding import Credential
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.running.adapt import Adapted


def adaptation_words(adaptation: dict[str, Any]) -> str:
    """Return one line: what was adapted, to how many clips, and whether the base was preserved.

    It is read from files whose schema may not hold, so nothing in it is taken for granted.
    """
    clips, priors = (_count(adaptation.get(key)) for key in ("target_refs", "prior_refs"))
    kept = f"{counted(priors, 'prior clip')} to preserve the base" if priors else "no prior preservation"
    chain = "with its chain" if isinstance(adaptation.get("chain"), dict) else "without a chain"
    early = ", stopped early" if adaptation.get("stopped_early") is True else ""
    return (
        f"{spoken(adaptation.get('method'))}, {counted(clips, 'target clip')}, {kept}, "
        f"{spoken(adaptation.get('steps'))} steps{early}, {chain}; "
        f"delta {spoken(adaptation.get('delta'))} on base {spoken(adaptation.get('base'))}"
    )


def adapted_lines(adapted: Adapted, paths: Sequence[str], out: str, paint: Paint = Paint()) -> Iterator[str]:  # noqa: B008 - frozen
    """Yield what was written and what it was made of; a clip that is unlike the others is reported."""
    record = adapted.record
    yield f"{safe(out)}: {paint('strong', adapted.delta)}"
    yield f"  base      {record['base']}"
    measured = record.get("quality", [{}] * len(paths))
    for path, entry, quality in zip(paths, _of_role(adapted, "target"), measured, strict=True):
        yield f"  clip      {safe(path)}: {_quality(quality)}, {entry['digest']}"
    priors = _count(record["prior_refs"])
    yield f"  prior     {'preserved by ' + counted(priors, 'sample') if priors else 'not preserved'}"
    early = ", stopped early" if record.get("stopped_early") else ""
    yield f"  learnt    {record['steps']} steps{early}{_losses(record)}"
    for name in LINKS:
        yield f"  {'chain' if name == LINKS[0] else '     '}     {name:<6} {record['chain'][name]}"
    for path, quality in zip(paths, measured, strict=True):
        if quality.get("outlier"):
            advice = "listen to it, check its words, or leave it out"
            yield f"  {paint('warn', 'outlier')}   {safe(path)} is unlike the other clips: {advice}"
    yield f"  next      ttsa run TEXT --voice {safe(out)} -o OUT"


def _of_role(adapted: Adapted, role: str) -> list[dict[str, Any]]:
    return [entry for entry in adapted.references if entry["role"] == role]


def _quality(quality: dict[str, Any]) -> str:
    if not quality:
        return "not measured"
    parts = [f"{quality['duration_ms'] / 1000:.2f} s"]
    if isinstance(quality["snr_millidb"], int):
        parts.append(f"SNR {quality['snr_millidb'] / 1000:.1f} dB")
    if quality["clipped_samples"]:
        parts.append(f"{counted(quality['clipped_samples'], 'sample')} clipped")
    if isinstance(quality["alignment_milli"], int):
        parts.append(f"alignment {quality['alignment_milli'] / 1000:.2f}")
    return ", ".join(parts)


def _losses(record: dict[str, Any]) -> str:
    losses = record.get("loss_micro", {})
    parts = []
    for side in ("target", "prior"):
        first, last = (losses.get(f"{side}_{end}") for end in ("first", "last"))
        if isinstance(first, int) and isinstance(last, int):
            parts.append(f"{side} loss {first / 1e6:.4f} to {last / 1e6:.4f}")
    return "".join(f", {each}" for each in parts)


def _count(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


NOT_ATTESTED = "not signed: no signature, time-stamp or log proof says who made the file, or when"

_NAMES = {"dsse": "signature", "sshsig": "SSH signature", "rfc3161": "time-stamp", "tlog_proof": "run log"}
_STANDINGS = {
    "holds": ("good", "holds"),
    "broken": ("bad", "does not hold"),
    "unchecked": ("quiet", "not checked"),
    "unavailable": ("quiet", "not checked"),
}


def unchecked_attestations(count: int) -> str:
    """Return the line about `count` attestations that nobody has checked."""
    return f"{counted(count, 'attestation')}, not checked; run `ttsa verify`" if count else NOT_ATTESTED


def attestation_words(given: Attested, paint: Paint = Paint()) -> str:  # noqa: B008 - frozen
    """Return one line about an attestation; a stranger's words pass `safe`."""
    colour, standing = _STANDINGS[given.standing]
    words = [f"{_NAMES.get(given.kind or '', 'not an attestation')} {paint(colour, standing)}"]
    if given.signer is not None:
        words.append(f"by {safe(given.trusted)}" if given.trusted else f"by {safe(given.signer)}, not in a trust file")
    if given.rerun is not None:
        words.append(f"who made the run again: {safe(given.rerun)}")
    if given.time is not None:
        doubt = "" if given.time_trusted else " as it states"
        words.append(f"at {given.time:%Y-%m-%dT%H:%M:%SZ}{doubt}")
    if given.problem:
        words.append(safe(given.problem))
    return "; ".join(words)


_MOST_SHOWN = 4


def marking_words(marking: Any) -> str:
    """Return /generation/marking in one line."""
    if not isinstance(marking, list):
        return stated(marking)
    shown = [_entry_words(entry) for entry in marking[:_MOST_SHOWN] if isinstance(entry, dict)]
    return "; ".join(shown) + and_more(marking, _MOST_SHOWN)


def credential_words(credential: Credential) -> str:
    """Return what a credential is and whether its hash holds over the bare file."""
    from ttsartifact.container.hard_binding import State  # not on the way of verify

    by = f" by {safe(' '.join(credential.generator))}" if credential.generator else ""
    binding = credential.binding
    holds = {
        State.HOLDS: "whose hash matches the bare file",
        State.BROKEN: f"whose hash does not match the bare file: {safe(binding.why)}",
        State.UNREAD: f"whose hash was not checked: {safe(binding.why)}",
    }[binding.state]
    return f"a C2PA credential{by} ({credential.place.within}), {holds}"


def signer_words(found: ContentCredential) -> str:
    """Return who signed a credential, whether a trusted root vouches for them, and what C2PA finds wrong with it."""
    who = " of ".join(safe(name) for name in (found.signer, found.issuer) if name) or "a signer without a name"
    state = {
        "Trusted": f"signed by {who}, whom a trusted root vouches for",
        "Valid": f"signed by {who}, whom no trusted root vouches for",
    }.get(found.state, f"invalid, signed by {who}")
    return state + (f" ({safe(', '.join(found.faults))})" if found.faults else "")


def kept_words(credential: Credential) -> str:
    """Return what becomes of a credential when its file becomes an artifact."""
    from ttsartifact.container.hard_binding import State

    if credential.binding.state == State.BROKEN:
        return f"the audio carries {credential_words(credential)}; it is kept as it was delivered"
    return (
        f"the audio carries {credential_words(credential)}; readers of C2PA find it whole on the stripped file "
        "(`ttsa strip`) and not on the artifact"
    )


def stripped_words(artifact: Artifact) -> list[str]:
    """Return what becomes of the credentials of an artifact whose bare file was written."""
    from ttsartifact.container.hard_binding import credentials_in

    held = credentials_in(JoinedSource(artifact.audio))
    return [*_left_out(artifact), *(f"the file carries {credential_words(credential)}" for credential in held)]


def converted_words(artifact: Artifact) -> list[str]:
    """Return what becomes of the credentials of an artifact that goes into another carrier."""
    audio = JoinedSource(artifact.audio)
    return [
        *_left_out(artifact),
        *(
            f"{safe(artifact.where)}: the C2PA credential of the audio is kept; readers of C2PA find it on the "
            "stripped file (`ttsa strip`)"
            for _ in places_in(audio)
        ),
    ]


def _left_out(artifact: Artifact) -> list[str]:
    if artifact.capsule is None:
        return []  # a row of Parquet has nothing around it
    outer = len(places_in(artifact.source)) > len(places_in(JoinedSource(artifact.audio)))
    if not outer and not artifact.is_wrapped:
        return []
    what = "C2PA credential" if outer else "tag"
    return [
        f"{safe(artifact.where)}: the {what} that was added to the artifact is dropped; it describes that file only"
    ]


def _entry_words(entry: dict[str, Any]) -> str:
    words = [stated(entry.get("kind"))]
    words += [stated(entry["scheme"])] if _is_stated(entry.get("scheme")) else []
    words += [f"at {stated(entry['stage'])}"] if _is_stated(entry.get("stage")) else []
    tool, detector = entry.get("tool"), entry.get("detector")
    words += [f"by {_tool_words(tool)}"] if isinstance(tool, dict) and not is_absent(tool) else []
    if isinstance(detector, dict) and not is_absent(detector):
        words.append(f"({stated(detector.get('result'))} to {_tool_words(detector.get('tool'))})".replace("_", " "))
    return " ".join(words)


def _tool_words(tool: Any) -> str:
    return " ".join(stated(tool.get(key)) for key in ("name", "version")) if isinstance(tool, dict) else stated(tool)


def _is_stated(value: Any) -> bool:
    return value is not None and not is_absent(value)


def decision(gate: Mapping[str, Any]) -> str:
    """Return the decision, and of a reject every input that does not hold."""
    policy = f"{gate['policy']['id']} {gate['policy']['version']}"
    broken = [_broken(entry) for entry in gate["inputs"] if not holds(entry)]
    return f"failed {policy}: {'; '.join(broken)}" if broken else f"promoted by {policy}"


def in_units(milli: int) -> str:
    """Return thousandths as a decimal fraction."""
    sign, whole = "-" if milli < 0 else "", abs(milli)
    return f"{sign}{whole // 1000}.{whole % 1000:03}"


def _broken(entry: Mapping[str, Any]) -> str:
    metric, value, repeats = entry["metric"], entry["value_milli"], entry.get("repeats_milli", ())
    if type(value) is not int:
        return f"{metric} has no value ({value.get('detail', value['reason'])})"
    if repeats and max(repeats) - min(repeats) > entry.get("spread_milli", 0):
        apart = in_units(max(repeats) - min(repeats))
        return f"{metric} changed by {apart} when it was measured again, more than {in_units(entry['spread_milli'])}"
    return f"{metric} {in_units(value)} is not {entry['operator']} {in_units(entry['threshold_milli'])}"
