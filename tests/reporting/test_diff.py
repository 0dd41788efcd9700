"""What a diff says, asserted whole: the first line names the cause, and every format tells the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ttsartifact.comparing.audio import AudioComparison, Divergence
from ttsartifact.comparing.changes import Change, Unstated
from ttsartifact.comparing.conditions import Difference, StageComparison
from ttsartifact.comparing.diff import Diff, Side
from ttsartifact.comparing.timing import Quantity, Timing
from ttsartifact.reporting.diff import DIFF_COLUMNS, cause_line, diff_card, diff_lines, diff_rows

A, B = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32


def side(name: str, artifact_id: str, **facts: Any) -> Side:
    told: dict[str, Any] = {
        "carrier": "wav",
        "run_id": None,
        "verdict": "INTACT",
        "broken": (),
        "faulty": (),
        "promise": None,
        "repeats": None,
    }
    return Side(where=f"{name}.tts.wav", artifact_id=artifact_id, **(told | facts))


def change(subject: str, a: Any, b: Any, *, cause: str = "numerics", b_stated: bool = True, parts: int = 1) -> Change:
    each = Difference(pointer="/x", subject=subject, label=subject, cause=cause, a=a, b=b, b_stated=b_stated)
    return Change(
        subject=subject, label=subject, cause=cause, a=a, b=b, a_stated=True, b_stated=b_stated, parts=(each,) * parts
    )


EQUAL = AudioComparison(
    pcm_a=A,
    pcm_b=A,
    frames_a=800,
    frames_b=800,
    format_a="pcm_s16, 16000 Hz, 1 channel",
    format_b="pcm_s16, 16000 Hz, 1 channel",
    encoded_equal=True,
    pcm_equal=True,
)
OTHER = replace(
    EQUAL,
    pcm_b=B,
    frames_b=790,
    encoded_equal=False,
    pcm_equal=False,
    divergence=Divergence(frame=400, t_ns=25_000_000, chunk=1, located_by="chunk_log"),
    max_difference_lsb=1700.0,
    worst_16bit_lsb=1700.0,
    share_16bit=0.1,
    differing_samples=79,
    compared_samples=790,
    snr_db=12.34,
    lag_frames=-16,
    lag_ns=-1_000_000,
    aligned_snr_db=30.0,
    mel_distance_db=1.5,
)
ROUNDED = replace(
    OTHER,
    frames_b=800,
    max_difference_lsb=1.0,
    worst_16bit_lsb=1.0,
    share_16bit=0.005,
    differing_samples=4,
    compared_samples=800,
    snr_db=98.0,
)
PARTED = StageComparison(
    count_a=3, count_b=3, equal=("text", "phoneme"), first="duration", margin_a_nano=28_087_616, margin_b_nano=3_360_000
)
SEED = change("seed of stage mel", "7", "8", parts=2)
QUEUE = change("queue depth", 0, 12, cause="other")
MODEL = change("model", "uri@1", None, cause="weights", b_stated=False)


def found(**facts: Any) -> Diff:
    told: dict[str, Any] = {
        "a": side("a", A),
        "b": side("b", B),
        "changes": (),
        "one_sided": (),
        "not_stated": (),
        "blamed": (),
        "exact": False,
        "stages": StageComparison(count_a=0, count_b=0, equal=()),
        "audio": EQUAL,
        "audio_lacks": None,
        "timing": Timing(quantities=(), observed=()),
    }
    return Diff(**(told | facts))


@pytest.mark.parametrize(
    ("facts", "line", "exit_code"),
    [
        ({}, "no difference: all samples and all conditions that both files state are equal", 0),
        ({"b": side("b", A)}, "no difference: both files hold the same run", 0),
        (
            {"one_sided": (MODEL,)},
            (
                "no difference: all samples and all conditions that both files state are equal, but only one file "
                "states model"
            ),
            3,
        ),
        ({"changes": (SEED,)}, "seed of stage mel: 7 -> 8 - yet every sample is the same", 1),
        ({"changes": (QUEUE,)}, "queue depth: 0 -> 12 - every sample is the same", 1),
        (
            {"changes": (change("parameter:rate", 150, None),)},
            "parameter:rate: 150 -> not stated - yet every sample is the same",
            1,
        ),
        ({"changes": (change("seeds", 7, None),)}, "seeds: 7 -> none - yet every sample is the same", 1),
        (
            {"changes": (SEED, QUEUE), "blamed": (SEED,), "audio": OTHER},
            "seed of stage mel: 7 -> 8 - different audio from 25.000 ms on",
            1,
        ),
        (
            {"changes": (SEED, QUEUE), "blamed": (SEED, QUEUE), "audio": OTHER, "stages": PARTED},
            (
                "seed of stage mel: 7 -> 8, and 1 more change - different audio, "
                "equal up to phoneme, then duration differs"
            ),
            1,
        ),
        (
            {"changes": (SEED,), "blamed": (SEED,), "audio": ROUNDED},
            "seed of stage mel: 7 -> 8 - the same audio up to rounding, at most 1 LSB apart in 0.50% of the samples",
            1,
        ),
        (
            {"changes": (QUEUE,), "audio": OTHER},
            "different audio from 25.000 ms on; no known difference explains it: queue depth: 0 -> 12",
            1,
        ),
        (
            {"audio": OTHER, "one_sided": (MODEL,)},
            "different audio from 25.000 ms on, but no stated condition differs: only one file states model",
            1,
        ),
        (
            {
                "audio": OTHER,
                "not_stated": (
                    Unstated("/pins/model", "model"),
                    Unstated("/generation/seeds", "seeds"),
                ),
            },
            "different audio from 25.000 ms on, but no stated condition differs: neither file states model, seeds",
            1,
        ),
        (
            {"audio": OTHER, "exact": True},
            (
                "different audio from 25.000 ms on, but no stated condition differs: exact numerics give equal samples "
                "under equal conditions: one file is false, or the runner has a bug"
            ),
            1,
        ),
        (
            {"audio": OTHER, "b": side("b", B, promise="none")},
            "b states determinism none, so no condition can be blamed: different audio from 25.000 ms on",
            1,
        ),
        (
            {"audio": OTHER, "b": side("b", B, promise="statistical")},
            (
                "different audio from 25.000 ms on, but no stated condition differs: repeats of the run "
                "differ: its determinism is not stated or statistical"
            ),
            1,
        ),
        (
            {"b": side("b", A, verdict="BROKEN", broken=("HSH01",))},
            "b is not what was recorded (BROKEN), so its conditions do not explain a difference",
            1,
        ),
        (
            {"audio": None, "audio_lacks": "no decoder", "changes": (SEED,)},
            "seed of stage mel: 7 -> 8 - the audio could not be compared",
            1,
        ),
        ({"audio": None, "audio_lacks": "x"}, "no stated condition differs - the audio could not be compared", 3),
    ],
)
def test_the_first_line_names_the_cause(facts: dict[str, Any], line: str, exit_code: int) -> None:
    """It says what changed, what came of it, and what nobody can know."""
    diff = found(**facts)
    assert (cause_line(diff), diff.exit_code) == (line, exit_code)
    assert next(diff_lines(diff)) == line


def test_a_diff_says_conditions_then_audio_then_times() -> None:
    """All that is known, in the order in which people ask."""
    timing = Timing(
        quantities=(
            Quantity(label="first chunk", unit="ns", source="x", a=200_000_000, b=300_000_000),
            Quantity(label="RTF end to end", unit="ratio", source="x", a=0.5, b=0.25),
            Quantity(label="power", unit="mw", source="x", a=71_500, b=None, b_lacks="not_measured"),
            Quantity(label="TTFA", unit="ns", source="x", a=34_433_000_000, b=142_338_000),
            Quantity(label="stalls", unit="count", source="x", a=0, b=0),
            Quantity(label="stalled for", unit="ns", source="x", a=0, b=0),
            Quantity(label="RTF, compute", unit="ratio", source="x", a=None, b=None),
            Quantity(label="energy", unit="mj", source="x", a=None, b=None, a_lacks="unknown", b_lacks="unknown"),
        ),
        observed=(("observer", "client", "in_process"), ("first call", True, None)),
    )
    diff = found(
        changes=(SEED, QUEUE),
        blamed=(SEED,),
        one_sided=(MODEL,),
        not_stated=(Unstated("/pins/frontend", "text front end"),),
        audio=OTHER,
        stages=PARTED,
        timing=timing,
        b=side("b", B, verdict="RETAGGED", broken=("HSH01",)),
    )
    assert list(diff_lines(diff)) == [
        "seed of stage mel: 7 -> 8 - different audio, equal up to phoneme, then duration differs",
        "  a         a.tts.wav: INTACT, sha256:abababababab…",
        "  b         b.tts.wav: RETAGGED, 1 rule failed: HSH01, sha256:cdcdcdcdcdcd…",
        "  suspect   seed of stage mel: 7 -> 8 (with 1 detail)",
        "  changed   queue depth: 0 -> 12",
        "  one side  model: uri@1, stated by a only",
        "  unstated  text front end: neither file states it, so it may differ",
        (
            "  stages    text, phoneme equal; duration is the first that differs, decided by a margin of a 0.028088, "
            "b 0.003360"
        ),
        "  audio     800 frames of pcm_s16, 16000 Hz, 1 channel in a",
        "            790 frames of pcm_s16, 16000 Hz, 1 channel in b, 10 fewer",
        "  from      chunk 1, frame 400, 25.000 ms on",
        "  apart     10.00% of the samples over the common 790 frames, at most 1700 LSB, SNR 12.3 dB",
        "  aligned   b is 16 frames earlier than a, SNR 30.0 dB",
        "  spectra   1.50 dB apart on the mel scale",
        "  times     first chunk         200.000 ms -> 300.000 ms  (x 1.50)",
        "            RTF end to end      0.500 -> 0.250  (x 0.50)",
        "            power               71.5 W -> not measured",
        "            TTFA                34.433 s -> 142.338 ms  (x 0.004)",
        "            equal               stalls 0; stalled for 0 ns",
        "            not stated          RTF, compute; energy",
        "            measured otherwise  observer: client -> in_process",
        "            measured otherwise  first call: true -> not stated",
        "            one run each: the spread of repeats is unknown",
    ]
    rows = [line.split("\t") for line in diff_rows(diff)]
    assert {len(cells) for cells in rows} == {len(DIFF_COLUMNS)}
    assert ["condition", "seed of stage mel", "numerics", "true", "true", "7", "8", r"\N"] in rows
    assert ["condition", "model", "weights", "false", "false", "uri@1", r"\N", r"\N"] in rows
    assert "| `queue depth` |  | `0` | `12` |" in list(diff_card(diff))


def test_the_spread_of_repeats_is_asked_of_two_runs() -> None:
    """One run beside itself has no repeat."""
    said = "            one run each: the spread of repeats is unknown"
    assert said in list(diff_lines(found()))
    assert said not in list(diff_lines(found(b=side("b", A))))


def test_few_differing_samples_are_counted() -> None:
    """A share that would round to none, or to all, is said as the number of samples."""
    shares = {
        (1, 48_000): "1 of 48000 samples",
        (47_999, 48_000): "47999 of 48000 samples",
        (48_000, 48_000): "100.00% of the samples",
    }
    for (differing, compared), words in shares.items():
        audio = replace(OTHER, frames_b=800, differing_samples=differing, compared_samples=compared)
        assert f"  apart     {words}, at most 1700 LSB, SNR 12.3 dB" in list(diff_lines(found(audio=audio)))
        near = replace(ROUNDED, differing_samples=differing, compared_samples=compared)
        assert cause_line(found(audio=near)).partition(" apart in ")[2].startswith(f"{words}, but")


def test_what_neither_states_may_differ_between_two_runs_alone() -> None:
    """One and the same run does not differ from itself; of many conditions the first line names four."""
    unstated = tuple(Unstated(f"/pins/{name}", name) for name in ("model", "vocoder", "lock", "frontend", "build"))
    one, two = (list(diff_lines(found(b=side("b", b), not_stated=unstated))) for b in (A, B))
    assert not any("unstated" in line for line in one)
    assert "  unstated  model, vocoder, lock, frontend, build: neither file states them, so they may differ" in two
    line = cause_line(found(audio=OTHER, not_stated=unstated))
    assert line.endswith("neither file states model, vocoder, lock, frontend and 1 more")


def test_long_values_are_shown_where_they_part() -> None:
    """Two long texts that begin alike show the words that differ, and digests are as long as eyes need them."""
    same = "All of these words are the same on both sides, and there are many of them, until one comes that is "
    diff = found(changes=(change("text", f"{same}red.", f"{same}blue."), change("clip", A, B)))
    lines = list(diff_lines(diff))
    assert lines[3:5] == [
        '  changed   text: "…e comes that is red." -> "…e comes that is blue."',
        "            clip: sha256:abababababab… -> sha256:cdcdcdcdcdcd…",
    ]


def test_what_is_left_out_is_counted() -> None:
    """In lines and on the card; the document and the table have all."""
    many = tuple(change(f"seed {place}", 1, 2) for place in range(14))
    diff = found(changes=many, one_sided=tuple(replace(each, b_stated=False) for each in many))
    assert [line for line in diff_lines(diff) if "more;" in line] == [
        "            and 2 more; --format json has all"
    ] * 2
    card = list(diff_card(diff))
    assert [line for line in card if " more |" in line] == [
        "| and 2 more | differ |  |  |",
        "| and 2 more | stated by one only |  |  |",
    ]


def test_a_strangers_words_stay_words() -> None:
    """No escape reaches a terminal, no markup a page, no formula a spreadsheet."""
    nasty = "\x1b[31m`|<b>=cmd()\n\u202e"
    diff = found(
        changes=(change(nasty, nasty, "=1+1"),),
        one_sided=(change(nasty, nasty, None, b_stated=False),),
        a=side(nasty, A),
        stages=replace(PARTED, equal=(nasty,), first=nasty),
        audio=None,
        audio_lacks=nasty,
    )
    spoken = [*diff_lines(diff), *diff_rows(diff), *diff_card(diff)]
    assert all(line.replace("\t", "").isprintable() for line in spoken)
    assert not any(cell.startswith("=") for line in diff_rows(diff) for cell in line.split("\t"))
    assert not any("<b>" in line and "`" not in line for line in diff_card(diff))


def test_a_command_is_shown_as_a_shell_takes_it() -> None:
    """Each word can be pasted: quotes stand where they were."""
    argv = ["sh", "-c", 'say "$1"', "my prog", "{text}"]
    line = cause_line(found(changes=(replace(change("command", argv, [*argv, "-x"]), label="command line"),)))
    quoted = """sh -c 'say "$1"' 'my prog' '{text}'"""
    assert line.startswith(f"command line: {quoted} -> {quoted} -x - ")
