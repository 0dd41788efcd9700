"""Tables of attempts: their limits, what is summed up of them by hand, and results of other tools beyond ours."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import kit
import numpy as np
import pytest
import refusals

from ttsartifact.reading.artifact import open_artifact
from ttsartifact.serving import attempts, body, foreign, request
from ttsartifact.serving.attempts import Attempt, Law, attempts_beside, read_attempts, write_attempts
from ttsartifact.serving.exchange import Status
from ttsartifact.serving.foreign import imported, missing_columns
from ttsartifact.serving.summing import QUANTITIES, summarise

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000
ROW = Attempt(request_id="a", source="hand", law=Law.CONSTANT, place=0, status=Status.OK)


def made(number: int, **edits: Any) -> Attempt:
    """Return request `number`: planned at 10 ms each, sent 1 ms late, and answered in longer and longer times."""
    plan = 10 * MS * number
    times = {
        "t_scheduled_ns": plan,
        "t_submit_ns": plan + MS,
        "t_first_byte_ns": plan + (2 + number) * MS,
        "t_first_frame_ns": plan + (3 + number) * MS,
        "t_first_audio_ns": plan + (4 + number) * MS,
        "t_end_ns": plan + (5 + number) * MS,
    }
    rest = {
        "audio_ns": 50 * MS,
        "stall_count": number % 2,
        "stall_ns": number * MS,
        "origin_utc": 7,
        "rate_mhz": 100_000,
    }
    return replace(ROW, **{"request_id": str(number), "place": number, "concurrency": 64} | times | rest | edits)


def test_a_table_is_summed_up_as_one_does_by_hand(tmp_path: Path) -> None:
    """7.9: from the plan of an open load, over what came back as audio, warm-ups apart; numpy has the quantiles."""
    rows = [made(number) for number in range(20)]
    rows += [made(20, warmup=True), made(21, status=Status.FAILED), made(22, status=Status.TIMEOUT, t_end_ns=None)]
    write_attempts(rows, tmp_path / "a.attempts.parquet")
    summary = summarise(tmp_path / "a.attempts.parquet")
    (group,) = summary.groups
    assert (summary.runs, summary.rows, summary.disagreements) == (0, 23, ())
    assert group.label == {
        "source": "hand",
        "url": None,
        "law": "constant",
        "concurrency": 64,
        "rate_mhz": 100_000,
    }
    assert (group.statuses, group.warmups) == ({"ok": 20, "failed": 1, "timeout": 1}, 1)
    spread = {"late_ns": [MS] * 20, "underrun_ns": [number * MS for number in range(20)]}
    spread |= {
        key: [(first + number) * MS for number in range(20)]
        for key, first in {"ttfb_ns": 2, "first_frame_ns": 3, "ttfa_ns": 4, "end_ns": 5}.items()
    }
    spread["rtf"] = [(4 + number) / 50 for number in range(20)]  # from the request to the end, over 50 ms of audio
    assert set(group.quantities) == set(spread)
    for key, values in spread.items():
        count, found = group.quantities[key]
        assert count == 20
        assert [found[name].value for name in ("p50", "p95", "p99")] == pytest.approx(
            np.percentile(values, [50, 95, 99])
        )
    assert group.underrun_share == Fraction(1, 2)
    # from the first plan to the last end, of request 21, whose audio does not count
    assert group.audio_per_second == pytest.approx(20 * 50 / (210 + 26))


def test_a_closed_load_counts_from_the_request(tmp_path: Path) -> None:
    """7.9: where the next request waits for an answer, a plan says nothing."""
    for law in Law:
        write_attempts([made(3, law=law)], tmp_path / "a.attempts.parquet", replace=True)
        (group,) = summarise(tmp_path / "a.attempts.parquet").groups
        is_open = law in {Law.CONSTANT, Law.POISSON}
        assert group.quantities["ttfb_ns"][1]["p50"].value == (5 if is_open else 4) * MS
        assert ("late_ns" in group.quantities) is is_open
        assert group.label["law"] == law == law.lower()


@pytest.mark.parametrize(
    ("edits", "rate"),
    [
        ({}, 1000 * 50 / 5),
        ({"origin_utc": None}, None),
        ({"audio_ns": None}, None),
        ({"t_end_ns": None}, None),
        ({"t_scheduled_ns": None}, None),
        ({"t_end_ns": 0}, None),
        ({"t_end_ns": 1}, 50 * MS),
        ({"status": Status.FAILED}, None),
    ],
    ids=str,
)
def test_audio_in_a_second_needs_one_clock_and_both_ends(
    edits: dict[str, Any], rate: float | None, tmp_path: Path
) -> None:
    """7.9: otherwise there is no such number."""
    write_attempts([made(0, **edits)], tmp_path / "a.attempts.parquet")
    (group,) = summarise(tmp_path / "a.attempts.parquet").groups
    assert group.audio_per_second == (None if rate is None else pytest.approx(rate / 1000 if rate < MS else rate))


def test_loads_apart_are_summed_up_apart(tmp_path: Path) -> None:
    """By what the request went to, and how; by its engine where that is asked for."""
    rows = [made(0), made(1, url="http://b"), made(2, engine="x@1"), made(3, rate_mhz=1), made(4, source="other")]
    write_attempts(rows, tmp_path / "a.attempts.parquet")
    assert [sum(group.statuses.values()) for group in summarise(tmp_path).groups] == [2, 1, 1, 1]
    by_engine = summarise(tmp_path, by_engine=True).groups
    assert [(group.label["engine"], sum(group.statuses.values())) for group in by_engine] == [
        (None, 1),
        (None, 1),
        ("x@1", 1),
        (None, 1),
        (None, 1),
    ]


def test_what_people_read_of_a_load() -> None:
    """The words beside the numbers of `ttsa stats`."""
    words = "sent late by|TTFB|first frame|TTFA|end|RTF|longest gap|underruns"
    assert "|".join(QUANTITIES.values()) == words


def test_a_folder_without_runs_has_nothing_to_sum_up(tmp_path: Path) -> None:
    """And a data set alone has no rows."""
    with refusals.raises():
        summarise(tmp_path)
    path = kit.artifact(tmp_path)
    summary = summarise(path)
    assert (summary.runs, summary.rows, len(summary.groups)) == (1, 0, 1)
    (group,) = summary.groups
    known = open_artifact(path).descriptor.known
    assert group.label["source"] == "artifacts"
    assert group.label["law"] == ("unknown" if known("/run/times/t_scheduled_ns") is None else "constant")
    assert group.quantities["end_ns"][1]["p50"].value == 40_000_026
    assert group.quantities["rtf"][1]["p50"].value == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("set.tts.parquet", "set.attempts.parquet"),
        ("SET.TTS.PARQUET", "SET.attempts.parquet"),
        ("run.tts.wav", "run.tts.wav.attempts.parquet"),
    ],
)
def test_attempts_lie_beside_their_set(name: str, beside: str) -> None:
    """Under the name of the set."""
    assert attempts_beside(name) == beside


def written(folder: Path, count: int = 3) -> Path:
    path = folder / "a.attempts.parquet"
    write_attempts([replace(ROW, request_id=str(number)) for number in range(count)], path)
    return path


@pytest.mark.parametrize("limit", ["_MOST_ROWS", "_MOST_BYTES", "_MOST_DECODED"])
def test_a_table_has_its_limits(limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3.8: the last that is read, and the first that is not."""
    import pyarrow.parquet as pq

    path = written(tmp_path)
    with pq.ParquetFile(path) as file:
        decoded = sum(file.metadata.row_group(place).total_byte_size for place in range(file.metadata.num_row_groups))
    most = {"_MOST_ROWS": 3, "_MOST_BYTES": path.stat().st_size, "_MOST_DECODED": decoded}[limit]
    monkeypatch.setattr(attempts, limit, most)
    assert len(read_attempts(path)) == 3
    monkeypatch.setattr(attempts, limit, most - 1)
    with pytest.raises(attempts.TooLarge, match="the attempts table is too large: found"):
        read_attempts(path)


def test_the_limits_are_those_of_the_format() -> None:
    """A million rows, and 256 MiB that decode to a GiB: a load of a day at ten requests a second."""
    assert (attempts._MOST_ROWS, attempts._MOST_BYTES, attempts._MOST_DECODED) == (10**6, 268_435_456, 1_073_741_824)
    assert (foreign._MOST_ROWS, foreign._MOST_BYTES, body._MOST_BYTES) == (10**6, 268_435_456, 1_073_741_824)


VLLM = {"completed": 2, "failed": 1, "duration": 3.0, "errors": ["", "out of memory", ""]}
CSV = "id,latency_s,audio_duration_s,is_success\n1,0.5,1.0,true\n2,0.5,1.0,TRUE\n"
FOREIGN: dict[str, tuple[str, int, bytes]] = {
    "bytes of a result": ("_MOST_BYTES", 5, b"123456"),
    "requests of vLLM": ("_MOST_ROWS", 2, json.dumps(VLLM).encode()),
    "lines of sglang": ("_MOST_ROWS", 1, CSV.encode()),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_result_has_its_limits(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is too much."""
    constant, most, data = FOREIGN[name]
    (tmp_path / "result").write_bytes(data)
    monkeypatch.setattr(foreign, constant, most)
    with refusals.raises():
        imported(tmp_path / "result")
    monkeypatch.setattr(foreign, constant, most + 1)
    if name != "bytes of a result":
        assert len(imported(tmp_path / "result")[1]) == most + 1


@pytest.mark.parametrize("data", [b"\xff\xfe", b"{}\x80"], ids=["at once", "behind two bytes"])
def test_a_result_is_text(data: bytes, tmp_path: Path) -> None:
    """UTF-8, and where it is not."""
    (tmp_path / "result").write_bytes(data)
    with refusals.raises():
        imported(tmp_path / "result")


def test_every_field_of_a_request_of_vllm(tmp_path: Path) -> None:
    """Times count from the first request, a rate is one in a thousand seconds, and a failure has its words."""
    held = VLLM | {
        "start_times": [5.0, 5.25, 6.0],
        "audio_ttfps": [0.5, 0.75],
        "audio_durations": [2.0, 0.0, 3.0],
        "max_concurrency": 4,
        "request_rate": 2.5,
        "model_id": "voice",
        "burstiness": 1.0,
    }
    (tmp_path / "result").write_text(json.dumps(held))
    form, rows = imported(tmp_path / "result")
    assert form == "the JSON of vllm bench serve"
    common: dict[str, Any] = {
        "source": "import vllm-bench-serve",
        "law": Law.UNKNOWN,
        "concurrency": 4,
        "rate_mhz": 2_500,
        "stated": '{"model_id": "voice", "burstiness": 1.0}',
    }
    assert rows == [
        Attempt(
            **common,
            request_id="0",
            place=0,
            t_submit_ns=0,
            t_first_byte_ns=500 * MS,
            audio_ns=2_000 * MS,
            status=Status.OK,
        ),
        Attempt(**common, request_id="1", place=1, t_submit_ns=250 * MS, status=Status.FAILED, reason="out of memory"),
        Attempt(
            **common,
            request_id="2",
            place=2,
            t_submit_ns=1_000 * MS,
            t_first_byte_ns=1_750 * MS,
            audio_ns=3_000 * MS,
            status=Status.OK,
        ),
    ]
    assert set(missing_columns(rows)) == {
        *("run_id", "url", "engine", "origin_utc", "seed", "text_digest", "t_scheduled_ns", "t_head_ns"),
        *("t_first_frame_ns", "t_first_audio_ns", "t_end_ns", "stall_count", "stall_ns", "body_bytes", "http_status"),
        *("in_flight", "queue_depth", "running", "batch_size"),
    }


@pytest.mark.parametrize(
    ("edits", "failed", "rate"),
    [
        ({"errors": None, "request_rate": "inf"}, [False, False, True], None),
        ({"errors": None, "request_rate": 1e9}, [False, False, True], None),
        ({"errors": None, "failed": None, "request_rate": 0}, [False, False], None),
        ({"errors": None, "failed": -1, "request_rate": "0.001"}, [False, False], 1),
        ({"errors": None, "completed": 0, "failed": 2, "request_rate": 999_999_999}, [True, True], 999_999_999_000),
        ({"errors": None, "completed": True, "request_rate": None}, [True], None),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_result_that_counts_alone(
    edits: dict[str, Any], failed: list[bool], rate: int | None, tmp_path: Path
) -> None:
    """The last ones stand for those that failed; what is no rate is none."""
    (tmp_path / "result").write_text(json.dumps(VLLM | edits))
    _, rows = imported(tmp_path / "result")
    assert [row.status is Status.FAILED for row in rows] == failed
    assert {row.rate_mhz for row in rows} == {rate}
    assert {row.reason for row in rows} == {None}


def test_every_field_of_a_request_of_sglang(tmp_path: Path) -> None:
    """Times count from each request; the first byte goes by any of four names; what failed says why."""
    table = (
        "id,text,latency_s,audio_duration_s,is_success,error,audio_ttfp_s,ttfp_s,ttfb_s,ttft_s,rtf\n"
        "a,Hi,0.5,1.25,True,,0.125,9,9,9,0.4\n"
        ",,,,false,,,,,,\n"
        "c,,0.5,1.0,false,out of memory,0.1,,,,\n"
        "d,,0.5,,true,,,0.25,9,9,\n"
        "e,,0.5,,true,,,,0.5,9,\n"
        "f,,0.5,,true,,,,,0.75,\n"
    )
    (tmp_path / "result").write_text(table)
    form, rows = imported(tmp_path / "result")
    assert form == "the CSV of sglang-omni"
    first = rows[0]
    assert (first.request_id, first.source, first.law, first.place) == ("a", "import sglang-omni", Law.UNKNOWN, 0)
    assert (first.t_submit_ns, first.t_first_byte_ns, first.t_end_ns, first.audio_ns) == (
        0,
        125 * MS,
        500 * MS,
        1_250 * MS,
    )
    assert first.text_digest == "sha256:3639efcd08abb273b1619e82e78c29a7df02c1051b1820e99fc395dcaa3326b8"
    assert (first.status, first.reason, first.stated) == (Status.OK, None, '{"rtf": "0.4"}')
    second, third = rows[1:3]
    assert (second.request_id, second.t_end_ns, second.audio_ns, second.reason) == ("1", None, None, "not stated")
    assert (third.t_first_byte_ns, third.audio_ns, third.status, third.reason) == (
        None,
        None,
        Status.FAILED,
        "out of memory",
    )
    assert [row.t_first_byte_ns for row in rows[3:]] == [250 * MS, 500 * MS, 750 * MS]


@pytest.mark.parametrize(
    ("value", "is_one"), [("999999999.9", True), ("1e9", False), ("-1e9", False), ("inf", False), ("", True)]
)
def test_a_number_of_seconds_is_below_a_billion(value: str, is_one: bool, tmp_path: Path) -> None:
    """Thirty years; a time of more is none."""
    (tmp_path / "result").write_text(f"id,latency_s,audio_duration_s,is_success\n1,{value},1.0,true\n")
    if is_one:
        assert imported(tmp_path / "result")[1][0].t_end_ns == (round(float(value) * 1e9) if value else None)
    else:
        with refusals.raises():
            imported(tmp_path / "result")


def test_a_reason_is_kept_to_1000_characters(tmp_path: Path) -> None:
    """Of either tool."""
    (tmp_path / "result").write_text(json.dumps(VLLM | {"errors": ["x" * 1_001]}))
    assert len(imported(tmp_path / "result")[1][0].reason or "") == 1_000
    (tmp_path / "result").write_text(f"id,latency_s,audio_duration_s,is_success,error\n1,,,no,{'y' * 1_001}\n")
    assert imported(tmp_path / "result")[1][0].reason == "y" * 1_000


def test_a_json_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of a gibibyte and a byte is none that is waited for."""
    monkeypatch.setattr(body, "_MOST_BYTES", 10)
    held = body.BodyReader("application/json", None)
    assert held.take(b"1234567890") == b""
    with refusals.raises():
        held.take(b"1")


@pytest.mark.parametrize("name", ["httpx", "h11"])
def test_what_a_server_needs_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it; nothing is written before that."""
    monkeypatch.setitem(sys.modules, name, None)
    with refusals.raises():
        request.require_library() if name == "httpx" else _gather(tmp_path, monkeypatch)
    assert list(tmp_path.iterdir()) == []


def _gather(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from ttsartifact.serving import gathering

    monkeypatch.delitem(sys.modules, "ttsartifact.serving.proxying", raising=False)
    asyncio.run(gathering.gather("http://127.0.0.1:1", ("127.0.0.1", 0), str(folder), stated={}, pcm=None, say=print))
