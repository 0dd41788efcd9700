"""The card of one run: what it was made of, under which conditions, and what would make it again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.conditions import and_more, member_words, role_words
from ttsartifact.formulas.latency import name_of
from ttsartifact.reporting.documents import derived_of
from ttsartifact.reporting.phrases import INCOMPLETE, Paint, counted, seconds, stated
from ttsartifact.reporting.phrases import stated as _say
from ttsartifact.reporting.statements import adaptation_words, marking_words, unchecked_attestations
from ttsartifact.reporting.terminal import safe
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttsartifact.reading.artifact import Artifact


def card_lines(artifact: Artifact, paint: Paint = Paint()) -> Iterator[str]:  # noqa: B008 - frozen
    """Yield the lines of the card."""
    at = artifact.descriptor.at
    tool = _tool(at("/pins/engine"))
    yield f"{safe(artifact.where)}: {paint('strong', 'a run of ' + tool)}{INCOMPLETE * (at('/run/incomplete') is True)}"
    for label, value in card_rows(artifact):
        yield f"  {label:<13}{value}"


def card_rows(artifact: Artifact) -> tuple[tuple[str, str], ...]:
    """Return the card as labels and what stands behind each."""
    at = artifact.descriptor.at
    derived = derived_of(artifact)
    adapted = artifact.descriptor.known("/pins/adaptation")
    return (
        ("artifact", artifact.artifact_id),
        ("run", _with(at("/run/run_id"), session=at("/run/session_id"))),
        ("level", f"{_say(at('/level'))} claimed, not checked; run `ttsa verify`"),
        ("text", _text(at("/input/text"))),
        ("references", _references(at("/input/refs"))),
        ("model", _repository(at("/pins/model"))),
        *((("adaptation", adaptation_words(adapted)),) if _field(adapted, "target_refs") else ()),
        ("vocoder", _repository(at("/pins/vocoder"))),
        ("engine", _tool(at("/pins/engine"))),
        ("device", _device(artifact)),
        ("audio", _audio(at("/audio"), derived)),
        ("times", _times(derived)),
        ("speed", _speed(derived)),
        ("measured", _measured(at("/run/times"))),
        ("chunks", _chunks(derived)),
        ("load", _load(at("/run/load"))),
        ("telemetry", _telemetry(at("/summary"), derived.get("energy_error_mj"))),
        *_meters(at("/channels")),
        ("submitted", f"{_say(derived.get('t_submit_utc'))}, UTC within {_ns(derived.get('alignment_bound_ns'))}"),
        ("clock", _clock(at("/timebase"), derived)),
        ("marking", marking_words(at("/generation/marking"))),
        *recipe_rows(at, artifact.where),
        ("imperfection", _imperfection(at("/imperfection"))),
        ("promotion", _gate(at("/gate"))),
        ("attested", unchecked_attestations(sum(name.startswith("attestation/") for name in artifact.parts.names()))),
        ("notes", _say(at("/run/notes"))),
    )


def _ns(value: Any) -> str:
    return seconds(value) if type(value) is int else _say(value)


def _with(value: Any, **others: Any) -> str:
    parts = [f"{name} {_say(other)}" for name, other in others.items() if other is not None and not is_absent(other)]
    return ", ".join([_say(value), *parts])


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _tool(tool: Any) -> str:
    if not isinstance(tool, dict) or is_absent(tool):
        return f"an engine that is {_say(tool)}" if is_absent(tool) else _say(tool)
    build = tool.get("build")
    return f"{_say(tool.get('name'))} {_say(tool.get('version'))}" + (f" ({_say(build)})" if build else "")


def _repository(repository: Any) -> str:
    if not isinstance(repository, dict) or is_absent(repository):
        return _say(repository)
    if repository.get("integrated"):
        return f"integrated: {_say(repository.get('detail'))}"
    files = repository.get("files")
    count = f", {counted(len(files), 'file')} pinned" if isinstance(files, list) else ""
    tag = f" ({_say(repository['tag'])})" if repository.get("tag") else ""
    # The family first: of two models of one name, the address of a local file tells neither.
    family = f"{_say(repository['family'])}, " if repository.get("family") else ""
    uri, revision = _say(repository.get("uri")), _say(repository.get("revision"))
    return f"{family}{revision if uri == f'urn:{revision}' else f'{uri}@{revision}'}{tag}{count}"


def _text(text: Any) -> str:
    value = _field(text, "value")
    parts = _say(value) if value is None or is_absent(value) else f'"{safe(value, longest=120)}"'
    lang = _field(text, "lang")
    language = f"language {_say(lang)}" if is_absent(lang) else _say(lang)
    return f"{parts}, {language}, {_say(_field(text, 'digest'))}"


def _references(references: Any) -> str:
    if not isinstance(references, list):
        return _say(references)
    if not references:
        return "none"
    shown = [f"{_role(entry)} {_say(_field(entry, 'digest'))}" for entry in references[:4]]
    return "; ".join(shown) + and_more(references, 4)


def _role(entry: Any) -> str:
    role = _field(entry, "role")
    return _say(role_words(role) if isinstance(role, str) else role)


def _device(artifact: Artifact) -> str:
    at = artifact.descriptor.at
    devices = at("/env/devices")
    models = [_say(_field(device, "model")) for device in devices] if isinstance(devices, list) else []
    device = at("/generation/device")
    computed = not is_absent(device) and (models or device == "cpu")
    models = models or [_say(_field(at("/env/cpu"), "model"))]
    return f"{_say(device)}{':' if computed else '; the machine has'} {', '.join(models)}"


def _audio(audio: Any, derived: dict[str, Any]) -> str:
    if not isinstance(audio, dict):
        return _say(audio)
    channels = audio.get("channels")
    spelled = counted(channels, "channel") if type(channels) is int else f"{_say(channels)} channels"
    facts = (
        f"{_say(audio.get('codec'))} {_say(audio.get('subtype'))}, {_say(audio.get('sample_rate_hz'))} Hz, {spelled}"
    )
    return f"{facts}, {_ns(derived.get('duration_ns'))}, {_say(audio.get('digest'))}"


def _times(derived: dict[str, Any]) -> str:
    """Return the times from submit that a listener notices, and the first byte, if it was recorded."""
    keys = ["time_to_first_token_ns", "time_to_first_audio_ns", "time_to_last_token_ns"]
    if type(derived.get("time_to_first_byte_ns")) is int:
        keys.insert(0, "time_to_first_byte_ns")
    parts = [f"{name_of(key)} {_ns(derived.get(key))}" for key in keys]
    silence = derived.get("leading_silence_ns")
    behind = f", leading silence {seconds(silence)}" if type(silence) is int and silence else ""
    return f"from submit: {', '.join(parts)}{behind}"


def _speed(derived: dict[str, Any]) -> str:
    keys = ("rtf_e2e", "rtf_compute", "rtf_steady")
    return "; ".join(f"{name_of(key)} {_ratio(derived.get(key))}" for key in keys)


def _measured(times: Any) -> str:
    """Return by whom the times were taken, and what else than synthesis is in them."""
    includes = _field(times, "includes")
    if isinstance(includes, list):
        parts = ", ".join(_say(each).replace("_", " ") for each in includes) or "the request only"
    else:
        parts = _say(includes)
    observer = _say(_field(times, "observer")).replace("_", " ")
    return f"{'' if observer.startswith('in ') else 'by '}{observer}; the times include {parts}"


def _chunks(derived: dict[str, Any]) -> str:
    count = derived.get("chunk_count")
    if type(count) is not int:
        return _say(count)
    if count == 1:
        return "1: all of the audio came at once"
    keys = ("median_gap_ns", "longest_gap_ns", "underrun_margin_ns")
    return ", ".join([str(count), *(f"{name_of(key)} {_ns(derived.get(key))}" for key in keys)])


def _clock(timebase: Any, derived: dict[str, Any]) -> str:
    """Return how well the clock of UTC was set, as the kernel said, and how it drifted."""
    clocks, snapshots = _field(timebase, "clocks"), _field(timebase, "snapshots")
    if not isinstance(clocks, list) or not isinstance(snapshots, list):
        return _say(timebase)
    read = [entry for entry in snapshots if isinstance(entry, dict) and "utc" in entry]
    name = read[0].get("clock") if read else None
    sync = next((_field(clock, "sync") for clock in clocks if _field(clock, "id") == name), None)
    synced = _field(sync, "synced")
    words = {True: "synchronised", False: "not synchronised"}.get(synced, _say(sync)) if read else "UTC was never read"
    drift, error = derived.get("utc_drift_ppb"), derived.get("utc_drift_error_ppb")
    if type(error) is not int:
        line = _say(drift)
    elif type(drift) is int:
        line = f"{drift / 1000:+.3g} ±{error / 1000:.2g} ppm"
    else:
        line = f"below {error / 1000:.2g} ppm, not resolved"
    return f"{words}, {counted(len(read), 'snapshot')} of UTC, drift {line}"


def _load(load: Any) -> str:
    keys = {"queue depth": "queue_depth_at_submit", "running at start": "running_at_start"}
    keys |= {"batch size": "batch_size", "concurrency": "concurrency"}
    if not isinstance(load, dict) or all(is_absent(load.get(key)) for key in keys.values()):
        return _say(_field(load, "queue_depth_at_submit") or load)
    return ", ".join(f"{name} {_say(load.get(key))}" for name, key in keys.items())


def _telemetry(summary: Any, energy_error_mj: Any) -> str:
    if not isinstance(summary, dict):
        return _say(summary)
    absences = set(map(_say, summary.values()))
    if len(absences) == 1 and all(map(is_absent, summary.values())):
        return absences.pop()
    units = {"clock_mhz": ("clock", "MHz"), "power_w": ("power", "W"), "util_gpu": ("utilisation", "%")}
    parts = []
    for key, (name, unit) in units.items():
        mean = _field(summary.get(key), "mean_milli")
        parts.append(f"{name} {mean / 1000:.1f} {unit}" if type(mean) is int else f"{name} {_say(summary.get(key))}")
    energy_mj = summary.get("energy_mj")
    if type(energy_mj) is int:
        error = f" ±{energy_error_mj / 1000:.1f}" if type(energy_error_mj) is int else ""
        parts.append(f"energy {energy_mj / 1000:.1f}{error} J")
    return ", ".join(parts)


def _meters(channels: Any) -> Iterator[tuple[str, str]]:
    """Yield a row for each log that was aligned with the run: whose it is, and how far off its times may be."""
    for channel in channels if isinstance(channels, list) else ():
        mapping, meter = _field(channel, "mapping"), _field(channel, "meter")
        if _field(mapping, "method"):
            named = [_say(meter[key]) for key in ("make", "model", "measurement_point") if _field(meter, key)]
            place = f"aligned by {_say(mapping['method'])} within {_ns(_field(mapping, 'bound_ns'))}"
            yield "meter", ", ".join([f"channel {_say(_field(channel, 'name'))}", *named, place])


def _imperfection(imperfection: Any) -> str:
    layers = _field(imperfection, "layers")
    if isinstance(layers, list):
        shown = [f"{_say(_field(layer, 'kind'))} in {_say(_field(layer, 'stage'))}" for layer in layers[:8]]
        return "; ".join(shown) + and_more(layers, 8)
    return _say(imperfection)


def _gate(gate: Any) -> str:
    failed = _field(gate, "failed_promotion")
    if failed is None:
        return _say(gate)
    policy = _field(gate, "policy")
    word = {0: "passed", 1: "failed"}.get(failed, _say(failed)) if type(failed) is int else _say(failed)
    return f"{word} by {_say(_field(policy, 'id'))} {_say(_field(policy, 'version'))}"


def _ratio(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else _say(value)


_MOST = 24


def recipe_rows(at: Callable[[str], Any], where: str) -> tuple[tuple[str, str], ...]:
    """Return the rows of a card, each a label and words; `at` reads a descriptor by pointer."""
    return (
        ("seeds", _seeds(at("/generation/seeds"))),
        ("parameters", _pairs(at("/generation/params"))),
        ("numerics", _numerics(at("/generation/numerics"))),
        ("precision", _pairs(at("/generation/precision"))),
        ("promise", _promise(at("/generation/determinism"))),
        ("lock", _lock(at("/pins/lock"))),
        ("rerun with", recorded_command(at, where)),
    )


def recorded_command(at: Callable[[str], Any], where: str) -> str:
    """Return the line that makes the run again, of what the run states; nothing here ever runs it."""
    command, runner = at("/generation/command"), at("/generation/runner")
    argv = command.get("argv") if isinstance(command, dict) else None
    line = f"ttsa rerun {shlex.quote(where)}" + " --text-file FILE" * is_absent(at("/input/text/value"))
    if isinstance(argv, list) and argv:
        options = _raw_format(at) if "{out}" not in " ".join(map(str, argv)) else ""
        return safe(f"{line}{options} -- {shlex.join(map(str, argv))}", longest=1000)
    if isinstance(runner, dict) and isinstance(runner.get("factory"), str):
        return safe(f"{line} --factory {shlex.quote(runner['factory'])}")
    if isinstance(runner, dict) and isinstance(runner.get("name"), str):
        return f"{safe(line)} (runner {safe(runner['name'])} {stated(runner.get('version'))})"
    return f"not stated: no runner, and the command is {stated(command)}"


def _raw_format(at: Callable[[str], Any]) -> str:
    """Return the option that names the format of raw samples, of a command that encoded none of its audio."""
    includes, subtype = at("/run/times/includes"), at("/audio/subtype")
    if not isinstance(includes, list) or "container_encode" in includes or not isinstance(subtype, str):
        return ""
    words = subtype.removeprefix("pcm_")
    order = "" if words in {"u8", "alaw", "mulaw"} else "le"
    return f" --pcm {words}{order}:{at('/audio/sample_rate_hz')}:{at('/audio/channels')}"


def _seeds(seeds: Any) -> str:
    if not isinstance(seeds, list):
        return stated(seeds)
    return ", ".join(map(_seed, seeds[:_MOST])) + and_more(seeds, _MOST) or "none: no random numbers are used"


def _seed(seed: Any) -> str:
    if not isinstance(seed, dict):
        return stated(seed)
    asked, used = seed.get("requested"), seed.get("effective")
    value = stated(used) if is_absent(asked) else stated(asked)
    other = f" (used: {stated(used)})" if asked != used and not is_absent(asked) else ""
    return f"{stated(seed.get('stage'))} {value}{other}"


def _pairs(value: Any) -> str:
    if not isinstance(value, dict) or is_absent(value):
        return stated(value)
    words = {key: stated(member_words(each) if isinstance(each, str) else each) for key, each in value.items()}
    pairs = [f"{safe(key)} {each}" for key, each in list(words.items())[:_MOST]]
    return ", ".join(pairs) + and_more(value, _MOST) or "none"


def _numerics(value: Any) -> str:
    if not isinstance(value, dict) or is_absent(value):
        return stated(value)
    test = value.get("kat_passed")
    passed = "passed" if test is True else "failed" if test is False else stated(test)
    return f"{stated(value.get('profile'))}, known-answer test {passed}, fingerprint {stated(value.get('fingerprint'))}"


def _promise(value: Any) -> str:
    if not isinstance(value, dict) or is_absent(value):
        return stated(value)
    return f"determinism {stated(value.get('class'))}; own repeat {stated(value.get('self_repeat'))}"


def _lock(value: Any) -> str:
    if not isinstance(value, dict) or is_absent(value):
        return stated(value)
    packages = value.get("packages")
    count = counted(packages, "package") if type(packages) is int else f"{stated(packages)} packages"
    return f"{stated(value.get('kind'))}, {count}, {stated(value.get('digest'))}"
