"""Results of other harnesses become rows, and what they did not keep is said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import refusals

from ttsartifact import Refused
from ttsartifact.cli import main
from ttsartifact.serving.attempts import Law, read_attempts
from ttsartifact.serving.foreign import imported, missing_columns
from ttsartifact.serving.summing import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results"
MS = 1_000_000


def test_a_detailed_result_of_vllm() -> None:
    """Each request is a row at its own start; a list of the successful ones alone is laid upon those."""
    form, rows = imported(RESULTS / "vllm-detailed.json")
    assert form == "the JSON of vllm bench serve"
    assert [row.status for row in rows] == ["ok", "ok", "failed", "ok"]
    assert [row.reason for row in rows] == [None, None, "Internal Server Error", None]
    assert [row.t_submit_ns for row in rows] == [0, 0, 500 * MS, 750 * MS]
    assert [row.t_first_byte_ns for row in rows] == [200 * MS, 400 * MS, None, 1050 * MS]
    assert {(row.law, row.concurrency, row.rate_mhz) for row in rows} == {(Law.UNKNOWN, 2, None)}


def test_a_result_of_vllm_for_text_has_other_words_for_the_first(tmp_path: Path) -> None:
    """`ttfts` where no first audio was measured."""
    text = (RESULTS / "vllm-detailed.json").read_text(encoding="utf-8")
    (tmp_path / "result.json").write_text(text.replace("audio_ttfps", "ttfts"), encoding="utf-8")
    assert "audio_ttfps" in text
    assert imported(tmp_path / "result.json") == imported(RESULTS / "vllm-detailed.json")


def test_a_result_of_vllm_without_its_requests() -> None:
    """Counts alone are rows without a time: a mean is no measurement that anybody can look at again."""
    _, rows = imported(RESULTS / "vllm.json")
    assert [row.status for row in rows] == ["ok", "ok", "failed"]
    assert {(row.t_submit_ns, row.t_first_byte_ns, row.rate_mhz) for row in rows} == {(None, None, 2000)}


def test_a_result_of_sglang() -> None:
    """Latency is the end and not the first byte, which this harness does not keep."""
    form, rows = imported(RESULTS / "sglang.csv")
    assert form == "the CSV of sglang-omni"
    assert [row.request_id for row in rows] == ["en-001", "en-002", "en-003"]
    assert [row.t_end_ns for row in rows] == [812_500_000, 500 * MS, 30_000 * MS]
    assert [row.audio_ns for row in rows] == [2_500 * MS, 1_000 * MS, None]
    assert rows[2].reason == "TimeoutError: 30 s"
    assert "t_first_byte_ns" in missing_columns(rows)


def test_what_sglang_leaves_out_is_not_made_up(tmp_path: Path) -> None:
    """A failure without words, a row without an id, a first byte by its name, facts as they were written."""
    head = "id,text,latency_s,audio_duration_s,is_success,error,ttft_s,rtf"
    rows = [",,,,False,,,", "b,Hi.,1.5,2,true,late,0.25,0.75", f"c,Hi.,1,1,no,{'x' * 1001},0.5,"]
    (tmp_path / "r.csv").write_text("\n".join([head, *rows]) + "\n")
    _, found = imported(tmp_path / "r.csv")
    assert [row.request_id for row in found] == ["0", "b", "c"]
    assert [row.reason for row in found] == ["not stated", None, "x" * 1000]
    assert [row.t_end_ns for row in found] == [None, 1500 * MS, 1000 * MS]
    assert [row.t_first_byte_ns for row in found] == [None, 250 * MS, None]
    assert [row.audio_ns for row in found] == [None, 2000 * MS, None]
    assert [row.stated for row in found] == [None, '{"rtf": "0.75"}', None]
    assert [row.text_digest is None for row in found] == [True, False, False]
    assert {(row.source, row.law, row.t_submit_ns) for row in found} == {("import sglang-omni", Law.UNKNOWN, 0)}
    assert [row.place for row in found] == [0, 1, 2]


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`import` says what is missing, and `stats` sums up what is there."""
    out = str(tmp_path / "foreign.attempts.parquet")
    assert main(["import", str(RESULTS / "sglang.csv"), "-o", out]) == 0
    said = capsys.readouterr()
    assert said.out == f"{out}: 3 requests from the CSV of sglang-omni\n"
    assert said.err == (
        "ttsa: it lacks audio, and therefore run_id, url, engine, origin_utc, concurrency, rate_mhz, seed, "
        "t_scheduled_ns, t_head_ns, t_first_byte_ns, t_first_frame_ns, t_first_audio_ns, stall_count, stall_ns, "
        "body_bytes, http_status, in_flight, queue_depth, running, batch_size\n"
    )
    assert len(read_attempts(out)) == 3
    (group,) = summarise(out).groups
    assert group.statuses == {"ok": 2, "failed": 1}
    assert group.quantities["rtf"][1]["p50"].value == pytest.approx(0.4125)
    assert "ttfb_ns" not in group.quantities
    assert main(["import", str(RESULTS / "sglang.csv"), "-o", str(tmp_path / "x.parquet")]) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: "", "unknown form of a result: expected the JSON of vllm"),
        (lambda _: "[1, 2]", "unknown form of a result"),
        (lambda _: "[" * 100_000, "unknown form of a result"),
        (
            lambda text: text.replace("0.8125", "soon"),
            "not a number of seconds: found 'soon'",
        ),
        (lambda text: text.replace("0.8125", "nan"), "not a number of seconds: found 'nan'"),
    ],
    ids=["empty", "a list", "depth", "words", "NaN"],
)
def test_what_is_no_result(tmp_path: Path, make: Callable[[str], str], words: str) -> None:
    """Other files and numbers that are none are refused, with the line."""
    path = tmp_path / "result"
    path.write_text(make((RESULTS / "sglang.csv").read_text()))
    with refusals.raises(Refused) as caught:
        imported(path)
    assert str(caught.value).startswith(words)


def test_lists_of_no_sound_length(tmp_path: Path) -> None:
    """A list that is neither of all requests nor of the successful ones belongs to nobody."""
    path = tmp_path / "result.json"
    path.write_text((RESULTS / "vllm-detailed.json").read_text().replace("[0.2, 0.4, 0.3]", "[0.2, 0.4]"))
    with refusals.raises(Refused, match="a list has neither an entry for each request"):
        imported(path)
