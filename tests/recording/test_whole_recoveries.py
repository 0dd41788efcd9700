"""What becomes of journals, sound and damaged: the artifact or the refusal, held to kept outputs (tests/kept)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kit
import pytest
from kept import assert_kept, document_lines
from test_whole_recordings import Clock, plain

from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording import clock
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.recovering import recover
from ttsartifact.recording.sensors.choosing import Absent
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def abandoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a recording that broke after two chunks, each line of its journal at a time of its own."""
    folder = tmp_path_factory.mktemp("abandoned")
    out = folder / "run.tts.wav"
    with (
        pytest.raises(ZeroDivisionError),
        Recorder(
            out, text="Hello.", sample_rate_hz=16_000, say=lambda _: None, clock=Clock(1_013), sensor=Absent("why"),
            notes="Mine.", engine="mine@1", lock={"kind": "other", "digest": "sha256:" + "0" * 64, "packages": 1},
        ) as recorder,
    ):  # fmt: skip
        recorder.submit(waiting=2, running=1)
        recorder.start()
        recorder.batch(4, 3)
        recorder.chunk(kit.tone(400))
        recorder.event("phrase", "the end")
        recorder.queue_depth(1, 1)
        recorder.chunk(kit.tone(400))
        _ = 1 / 0
    journal = Path(f"{out}.journal.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    lines = [line | {"t_ns": 1_000_000 * place} for place, line in enumerate(lines)]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def of(what: str, **changes: Any) -> Callable[[Lines], Lines]:
    """Return an edit of the lines of one kind; a value of ... takes a member away."""

    def edit(lines: Lines) -> Lines:
        assert any(line["what"] == what for line in lines)
        changed = [line | changes if line["what"] == what else line for line in lines]
        return [{key: value for key, value in line.items() if value is not ...} for line in changed]

    return edit


def without(*whats: str) -> Callable[[Lines], Lines]:
    return lambda lines: [line for line in lines if line["what"] not in whats and line.get("name") not in whats]


def only(count: int) -> Callable[[Lines], Lines]:
    return lambda lines: lines[:count]


def sleepy(lines: Lines) -> Lines:
    """Add a third clock, which is read beside UTC, as on a machine that can sleep."""
    lines = json.loads(json.dumps(lines))
    for line in lines:
        if line["what"] == "timebase":
            line["clocks"].append({**line["clocks"][0], "id": "host.boottime", "counts_suspend": True})
            line["snapshots"] += [
                {
                    "at": each["at"],
                    "t_ns": each["t_ns"] + 2_000,
                    "bracket_ns": 900,
                    "clock": "host.boottime",
                    "value_ns": each["t_ns"] + 7_000,
                }
                for each in line["snapshots"]
            ]
    return lines


RATE = {"t_ns": 5, "what": "rate", "sample_rate_hz": 24_000}
READS = [{"t_ns": 7, "what": "read", "bytes": 100}, {"t_ns": 9, "what": "read", "bytes": 1680}]
EDITS: dict[str, Callable[[Lines], Lines]] = {
    "whole": lambda lines: lines,
    "no word about the end": without("abandoned", "kept"),
    "no submit": without("submit"),
    "no conditions": without("conditions"),
    "no begin": without("begin"),
    "another format": of("begin", format=99),
    "no format": of("begin", format=...),
    "another recorder": of("begin", recorder="command"),
    "a name elsewhere": of("begin", out="/elsewhere/other.tts.wav"),
    "a header of another length": of("audio", header_bytes=44),
    "no header": of("audio", header_bytes=0),
    "a file elsewhere": of("audio", file="/etc/passwd"),
    "a file above": of("kept", file="../run.tts.wav.part.wav"),
    "a file that is gone": of("kept", file="gone.wav"),
    "no file": lambda lines: of("audio", file="")(without("kept", "abandoned")(lines)),
    "another rate": of("audio", sample_rate_hz=8_000),
    "a rate that came later": lambda lines: [*lines[:6], RATE, *lines[6:]],
    "a rate that no header holds": of("audio", sample_rate_hz=1 << 32),
    "no channel": of("audio", channels=0),
    "an unknown subtype": of("audio", subtype="zzz"),
    "frames of two channels": of("audio", channels=2),
    "a fault": lambda lines: [*without("abandoned")(lines), {"t_ns": 9, "what": "fault", "why": "another rate"}],
    "no chunk": without("chunk"),
    "fewer chunks": lambda lines: [line for line in lines if line.get("frame_start") != 400],
    "reads": lambda lines: [*without("chunk")(lines), *READS],
    "no observer": of("conditions", observer=...),
    "no pins": of("conditions", sections={"input": {}}),
    "sections that are none": of("conditions", sections=[1]),
    "roles": of("conditions", roles=[{"role": "output"}]),
    "elsewhere": of("conditions", elsewhere=True),
    "no times": lambda lines: [{key: value for key, value in line.items() if key != "t_ns"} for line in lines],
    "a machine that sleeps": sleepy,
    "a machine that sleeps, without an end": lambda lines: without("abandoned")(sleepy(lines[:-2])),
    "one line": only(1),
    "nothing": only(0),
    "four lines": only(4),
    "unknown lines": lambda lines: [*lines, {"t_ns": 99_000_000, "what": "something new"}],
}
TEXTS: dict[str, Callable[[str], str]] = {
    "cut": lambda text: text[:-20],
    "cut in its first line": lambda text: text[:20],
    "of text": lambda _: "The run.\n",
}


def recovered(folder: Path, name: str, text: str) -> list[str]:
    """Return what becomes of a journal."""
    place = folder / "again"
    place.mkdir(exist_ok=True)
    for path in place.iterdir():
        path.unlink()
    journal = place / "run.tts.wav.journal.jsonl"
    journal.write_text(text)
    (place / "run.tts.wav.part.wav").write_bytes((folder / "run.tts.wav.part.wav").read_bytes())
    try:
        packed = recover(journal)
    except TtsArtifactError as refused:
        return [f"{name}:", f"  {type(refused).__name__}: {refused}"]
    value = plain(open_artifact(packed.path).descriptor.value)
    if name != "whole":
        value = {key: value[key] for key in ("audio", "run", "timebase")}
        kept = ("frames", "sample_rate_hz", "channels", "roles", "encoder")
        value["audio"] = {key: value["audio"][key] for key in kept}
    log = open_artifact(packed.path).trace("chunks")
    names = ("t_ns", "frame_start", "frame_count")
    chunks = [] if log is None else [f"chunks: {list(zip(*(log.columns[each] for each in names), strict=True))}"]
    return [f"{name}: {Path(packed.path).name}", *(f"  {line}" for line in [*document_lines(value), *chunks])]


def test_a_journal_is_recovered_or_refused_as_kept(abandoned: Path) -> None:
    """Of one that is whole the descriptor; of others what of it differs, or the words of the refusal."""
    text = (abandoned / "run.tts.wav.journal.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    said = []
    whole: list[str] = []
    for name, edit in EDITS.items():
        found = recovered(abandoned, name, "".join(json.dumps(line) + "\n" for line in edit(lines)))
        whole = whole or found
        said += found if found is whole else [line for line in found if line not in whole]
    for name, cut in TEXTS.items():
        said += [line for line in recovered(abandoned, name, cut(text)) if line not in whole]
    assert_kept("recording/recovered.txt", "\n".join(said), abandoned)


@pytest.mark.parametrize(
    ("journal", "words"),
    [
        (
            "-",
            "a journal cannot be read from standard input: its audio lies beside it: expected *.journal.jsonl (at -)",
        ),
        ("none", "cannot read the journal: No such file or directory: expected *.journal.jsonl (at none)"),
        ("bytes", "cannot read the journal: it is not UTF-8: expected *.journal.jsonl (at bytes)"),
    ],
)
def test_what_cannot_be_read_as_a_journal_is_said(
    journal: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard input, no file, and bytes that are no text."""
    monkeypatch.chdir(tmp_path)
    Path("bytes").write_bytes(b"\xff")
    with pytest.raises(TtsArtifactError) as refused:
        recover(journal)
    assert str(refused.value) == words


def test_the_kernels_word_on_the_clock_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """7.1: microseconds become nanoseconds, the bit of an unsynchronised clock counts, and an error has its name."""

    def answers(status: int, maximum: int, estimate: int, code: int = 0) -> None:
        def adjtimex(given: Any) -> int:
            state = given._obj
            assert state.modes == 0
            state.status, state.maxerror, state.esterror = status, maximum, estimate
            return code

        monkeypatch.setattr(clock, "_adjtimex", lambda: adjtimex)

    answers(0x2001, 16_000, 5)
    synced = {"source": "kernel", "synced": True, "est_error_ns": 5_000, "max_error_ns": 16_000_000, "smear": "unknown"}
    assert clock._kernel_sync() == synced
    answers(0x0040, 16_000_000, -1)
    assert clock._kernel_sync() == {
        "source": "none", "synced": False, "est_error_ns": 0, "max_error_ns": 16_000_000_000, "smear": "unknown",
    }  # fmt: skip
    answers(0, 0, 0, code=-1)
    monkeypatch.setattr(clock.ctypes, "get_errno", lambda: 1)
    assert clock._kernel_sync() == absent("not_measured", "adjtimex: Operation not permitted")
    monkeypatch.setattr(clock, "_adjtimex", lambda: None)
    monkeypatch.setattr(clock.sys, "platform", "plan9")
    assert clock._kernel_sync() == absent("not_measured", "adjtimex is not there on plan9")
    assert clock._monotonic_counts_suspend() == absent("unknown", "not documented for plan9")
    for platform in ("linux", "darwin"):
        monkeypatch.setattr(clock.sys, "platform", platform)
        assert clock._monotonic_counts_suspend() is False
    monkeypatch.setattr(clock, "_boot_digest", lambda: None)
    assert clock._boot_domain() == absent("unknown", "this system states no boot id")


def test_the_states_of_synchronisation_are_joined_by_their_worse_member() -> None:
    """7.1: errors by the larger one, whichever came first; the smear is the last word."""
    first = {"source": "kernel", "synced": True, "est_error_ns": 7, "max_error_ns": 9, "smear": "unknown"}
    last = {"source": "kernel", "synced": True, "est_error_ns": 3, "max_error_ns": 11, "smear": "none"}
    assert clock.worse_sync(first, last) == {
        "source": "kernel", "synced": True, "est_error_ns": 7, "max_error_ns": 11, "smear": "none",
    }  # fmt: skip
    assert clock.worse_sync(first, last | {"synced": False})["source"] == "none"
