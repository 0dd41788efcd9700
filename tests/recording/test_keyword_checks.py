"""Every keyword of a recording: another shape than its own is refused before the engine runs, with an example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ttsartifact.errors import Refused
from ttsartifact.recording.bursting import SyncBurst
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.statements import Stated
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

OWN = ("roles", "observer", "semantics", "includes", "waiting", "running", "period_ns", "sensor", "clock", "sync_burst")
OWN += ("say", "beside", "sample_rate_hz", "channels", "subtype", "on_error", "text")
WRONG: tuple[Any, ...] = (object(), 5, -1, 2**70, 1.5, "N/A", [], {}, [5], {"a": 1}, [{"a": 1}], True, [None], b"x")


def entered(folder: Path, **given: Any) -> Recorder | Exception:
    """Return the recorder that was entered, or how it was refused."""
    told: dict[str, Any] = {"text": "Ah.", "sample_rate_hz": 16_000, "replace": True, "on_error": "raise"}
    told |= {"say": lambda _: None} | given
    try:
        return Recorder(folder / "run.tts.wav", **told).__enter__()
    except (Refused, TypeError) as error:
        return error


@pytest.mark.parametrize("key", [*Stated.__annotations__, *OWN])
def test_a_wrong_shape_is_refused_at_entry(tmp_path: Path, key: str) -> None:
    """Whatever is given: it is taken and recorded, or refused at entry in words that show the right form."""
    for wrong in WRONG:
        found = entered(tmp_path, **{key: wrong})
        if isinstance(found, Recorder):
            found.submit()
            found.chunk(bytes(64_000))
            assert found.finish().descriptor.value["audio"]["frames"]
        elif isinstance(found, Refused):
            assert found.expected, (wrong, found)
        else:  # a keyword beside another that excludes it, or of another name
            assert f"{key}=" in str(found), (wrong, found)


def test_none_is_as_if_not_given(tmp_path: Path) -> None:
    """A caller that passes on what it was not given states nothing by it."""
    nothing: dict[str, Any] = dict.fromkeys(Stated.__annotations__)
    with Recorder(tmp_path / "run.tts.wav", text="Ah.", sample_rate_hz=16_000, on_error="raise", **nothing) as recorder:
        recorder.submit()
        recorder.chunk(bytes(64_000))
    assert recorder.packed is not None


@pytest.mark.parametrize(
    ("key", "wrong", "message"),
    [
        (
            "devices",
            "cuda:0",
            (
                "this condition cannot be recorded: found 'cuda:0', expected devices=[device], with all of index, "
                "model, uuid_digest, driver, firmware, partition, power_limit_mw, max_clock_mhz, memory_mib; "
                'absent("unknown") where one is not known (at devices=)'
            ),
        ),
        (
            "includes",
            "model_load",
            (
                "this condition cannot be recorded: found 'model_load', expected includes=[\"model_load\"]; of "
                "process_start, model_load, reference_decode, network, container_encode (at includes=)"
            ),
        ),
        (
            "notes",
            5,
            (
                'this condition cannot be recorded: found 5, expected notes="the second take"; omit it instead of '
                "writing a word such as N/A (at /run/notes)"
            ),
        ),
        (
            "claims",
            ["loudness"],
            'this condition cannot be recorded: found loudness, expected claims=["latency"] (at /claims/0)',
        ),
        (
            "gate",
            {"passed": True},
            (
                "this condition cannot be recorded: found {'passed': True}, expected gate=load_policy(FILE), or /gate "
                "as a third party decided it (at /gate)"
            ),
        ),
        (
            "sensor",
            "nvml",
            (
                "this condition cannot be recorded: found 'nvml', expected a Sensor, with the methods open, devices, "
                "runtime, channels, read, close (at sensor=)"
            ),
        ),
        ("channels", True, "channels is not a whole number in range: found True, expected 1 to 65535 (at channels)"),
    ],
)
def test_the_words_show_the_right_form(tmp_path: Path, key: str, wrong: Any, message: str) -> None:
    """The keyword or its place, what was given, and an example to copy."""
    given: dict[str, Any] = {"text": "Ah.", "sample_rate_hz": 16_000, key: wrong}
    with pytest.raises(Refused) as refused, Recorder(tmp_path / "run.tts.wav", **given):
        pass
    assert str(refused.value) == message


def test_what_is_stated_at_the_end_is_held_to_the_same(tmp_path: Path) -> None:
    """The audio is there by then: it is kept beside the journal, and the words are those of the entry."""
    recorder = Recorder(tmp_path / "run.tts.wav", text="Ah.", sample_rate_hz=16_000, say=lambda _: None)
    recorder.__enter__()
    recorder.submit()
    recorder.chunk(bytes(640))
    with pytest.raises(Refused, match=r"found 'cuda', expected devices=\[device\]"):
        recorder.finish(devices="cuda")  # type: ignore[arg-type]
    assert (tmp_path / "run.tts.wav.part.wav").read_bytes().endswith(bytes(640))


CALLED: dict[str, Any] = {"absent": absent, "SyncBurst": SyncBurst, "print": print}
OTHER_WORDS = {
    "factory": 'factory="package.module:function"',
    "sensor": "a Sensor, with the methods open, devices, runtime, channels, read, close",
    "clock": "a Clock, with the methods now_ns, utc_ns, clocks",
    "period_ns": "at least 1",
    "sample_rate_hz": "1 to 4294967295",
    "channels": "1 to 65535",
    "subtype": "pcm_s16, pcm_s24, pcm_s32, pcm_f32",
    "on_error": "log or raise",
    "seeds": 'seed=7, or seeds=[{"stage": "decoder", "requested": "7", "effective": "7", "generator": "philox"}]',
    "marking": (
        "none, or KIND[:SCHEME][,stage=STAGE][,tool=NAME@VERSION][,message=DIGEST][,detector=NAME@VERSION,result=WORD]"
    ),
}
ANY_JSON = "text, a number, true or false, a list or a dictionary of them"


def shown_to(folder: Path, key: str) -> str:
    """Return the example that a refusal of some wrong value shows for a keyword."""
    for wrong in WRONG:
        found = entered(folder, **{key: wrong})
        if isinstance(found, Recorder):
            found.submit()
            found.chunk(bytes(64_000))
            found.finish()
        elif isinstance(found, Refused) and found.expected != ANY_JSON:
            return str(found.expected)
    return ""


def written_in(words: str) -> Any:
    """Return the value that an example writes behind its keyword: of `seed=7, or ...` that is 7."""
    value = words.partition("=")[2]
    for end in (end for end in range(len(value), 0, -1) if value[end - 1] not in ", "):
        try:
            return eval(value[:end], {}, CALLED)  # an example of ours
        except (SyntaxError, NameError, TypeError):  # a shorter part of the words may be a value
            continue
    raise AssertionError(words)


@pytest.mark.parametrize("key", [*Stated.__annotations__, *OWN])
def test_an_example_that_is_shown_is_taken(tmp_path: Path, key: str) -> None:
    """It names the keyword; who copies it is not refused again."""
    words = shown_to(tmp_path, key)
    assert words == OTHER_WORDS.get(key, words)
    if key in OTHER_WORDS:
        return
    assert words.startswith(f"{key}=")
    if "..." in words or "COMMIT" in words or key in {"references", "gate", "beside", "devices", "factory"}:
        return
    found = entered(tmp_path, **{key: written_in(words)})
    assert isinstance(found, Recorder), found
    found.submit()
    found.chunk(bytes(64_000))
    assert found.finish().path
