"""Loads on a real server: evidence behind every row, a schedule that hides nothing, and failures that are counted."""

from __future__ import annotations

import json
import random
from dataclasses import fields, replace
from fractions import Fraction
from math import comb
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pyarrow.parquet as pq
import pytest
import refusals
from serving_kit import TEXT, asked, example, serving

from ttsartifact import NotAnArtifact, Refused, _spec, verify
from ttsartifact.cli import main
from ttsartifact.formulas.latency import interval_ranks, quantile_cont
from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.serving.attempts import Attempt, Law, attempts_beside, read_attempts, write_attempts
from ttsartifact.serving.benching import Bench, bench
from ttsartifact.serving.exchange import Status
from ttsartifact.serving.loading import BatchEffect, Load, arrivals_ns, compared, loads_of
from ttsartifact.serving.summing import PROBABILITIES, summarise

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000
CLOSED = tuple(Load(law=Law.CLOSED, concurrency=number) for number in (1, 4, 8))
POISSON = Load(law=Law.POISSON, concurrency=64, rate_mhz=20_000, seed="7")


def silent(_: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Attempt], list[dict[str, Any]]]:
    """Bench a server at 1, 4 and 8 in flight and in an open loop; return the set, its rows, and the server's log."""
    out = str(tmp_path_factory.mktemp("load") / "set.tts.parquet")
    module = example()
    with serving(module.make_app(module.Desk(workers=3))) as url:
        requests = (asked(url, response_format="pcm"), asked(url, text="It was a dark night.", stream_format="sse"))
        bench(Bench(requests=requests, loads=(*CLOSED, POISSON), count=10, warmup=1), out, say=silent)
        log = httpx.get(f"{url}/requests").json()
    return out, read_attempts(attempts_beside(out)), log


def test_every_row_has_its_evidence(measured: tuple[str, list[Attempt], list[dict[str, Any]]]) -> None:
    """Every request that came back as audio is an artifact, INTACT and L2; every other one would be a row alone."""
    out, rows, _ = measured
    reports = verify(out)
    assert [(report.verdict, report.failures, report.level_reached) for report in reports] == [
        ("INTACT", (), "L2")
    ] * 40
    assert [row.status for row in rows] == [Status.OK] * 44
    assert sum(row.warmup for row in rows) == 4
    assert {row.run_id for row in rows if not row.warmup} == {
        artifact.descriptor.known("/run/run_id") for artifact in open_artifacts(out)
    }


def test_the_queue_is_the_servers_own_count(measured: tuple[str, list[Attempt], list[dict[str, Any]]]) -> None:
    """The queue's depth in the table and in each artifact is what the server logged when it accepted the request."""
    out, rows, log = measured
    logged = {entry["request_id"]: entry for entry in log}
    told = {row.request_id: logged[json.loads(row.stated or "{}")["x-request-id"]] for row in rows}
    assert [row.queue_depth for row in rows] == [told[row.request_id]["queue_depth"] for row in rows]
    assert [row.running for row in rows] == [told[row.request_id]["running"] for row in rows]
    assert max(row.queue_depth or 0 for row in rows if row.concurrency == 8) > 3  # more than it has workers
    depths = {row.run_id: row.queue_depth for row in rows}
    for artifact in open_artifacts(out):
        known = artifact.descriptor.known
        assert known("/run/load/queue_depth_at_submit") == depths[known("/run/run_id")]
        assert known("/run/request/load_seen_by") == "server"


def test_percentiles_are_those_of_duckdb(measured: tuple[str, list[Attempt], list[dict[str, Any]]]) -> None:
    """Whoever asks DuckDB for `quantile_cont` of both Parquet files gets the numbers that `stats` prints."""
    out, _, _ = measured
    tables = f"read_parquet('{attempts_beside(out)}') a JOIN read_parquet('{out}') s USING (run_id)"
    asks = {
        "ttfb_ns": "a.t_first_byte_ns - CASE WHEN a.law = 'poisson' THEN a.t_scheduled_ns ELSE a.t_submit_ns END",
        "ttfa_ns": "a.t_first_audio_ns - CASE WHEN a.law = 'poisson' THEN a.t_scheduled_ns ELSE a.t_submit_ns END",
        "rtf": "(s.t_last_token - s.t_submit) / a.audio_ns",
    }
    for group in summarise(out).groups:
        where = f"NOT a.warmup AND a.law = '{group.label['law']}' AND a.concurrency = {group.label['concurrency']}"
        for key, ask in asks.items():
            for name, probability in PROBABILITIES.items():
                sql = f"SELECT quantile_cont({ask}, {float(probability)}) FROM {tables} WHERE {where}"
                ((found,),) = duckdb.sql(sql).fetchall()
                assert group.quantities[key][1][name].value == pytest.approx(found, rel=1e-12), (key, name)


def test_the_schedule_follows_from_the_file(measured: tuple[str, list[Attempt], list[dict[str, Any]]]) -> None:
    """Law, rate, seed and place give the schedule again, in which no answer has a say (clause 7.9)."""
    _, rows, _ = measured
    opened = [row for row in rows if row.law is Law.POISSON and not row.warmup]
    scheduled = [row.t_scheduled_ns or 0 for row in opened]
    load = Load(law=Law.POISSON, concurrency=64, rate_mhz=opened[0].rate_mhz, seed=opened[0].seed)
    assert [t_ns - scheduled[0] for t_ns in scheduled] == arrivals_ns(load, len(opened))
    assert all((row.t_submit_ns or 0) >= (row.t_scheduled_ns or 0) for row in opened)


def test_nothing_disagrees_until_a_row_is_changed(
    measured: tuple[str, list[Attempt], list[dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row that says something else than its artifact, or lost it, is named, and `stats` ends in 1."""
    out, rows, _ = measured
    assert summarise(out).disagreements == ()
    index = next(place for place, row in enumerate(rows) if row.run_id)
    better = replace(rows[index], t_first_byte_ns=(rows[index].t_submit_ns or 0) + 1)
    beside = tmp_path / "better.attempts.parquet"
    write_attempts([*rows[:index], better, *rows[index + 1 :]], beside)
    assert summarise(out, beside).disagreements == (
        (
            f"request {better.request_id}: t_first_byte_ns is {better.t_first_byte_ns} in the table and "
            f"{rows[index].t_first_byte_ns} in its artifact"
        ),
    )
    assert main(["stats", out, "--attempts", str(beside), "--by", "engine"]) == 1
    assert "espeak-ng@" in capsys.readouterr().out
    write_attempts(rows[:-1], tmp_path / "short.attempts.parquet")
    assert summarise(out, tmp_path / "short.attempts.parquet").disagreements == (
        f"run {rows[-1].run_id}: no row of the attempts table",
    )


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "a slow one is called a warm-up": (
        {"warmup": True},
        "it is warm-up in the table and has its audio in the data set",
    ),
    "a slow one is called refused": (
        {"status": Status.REFUSED},
        "it is refused in the table and has its audio in the data set",
    ),
    "another text": (
        {"text_digest": "sha256:" + "0" * 64},
        "text_digest is sha256:{0} in the table and {own} in its artifact",
    ),
    "an end before the audio's": (
        {"t_end_ns": 1},
        "t_end_ns is 1 in the table, and the last audio came at {last}",
    ),
}


@pytest.mark.parametrize("named", FORGED)
def test_a_row_cannot_hide_its_run(
    measured: tuple[str, list[Attempt], list[dict[str, Any]]], tmp_path: Path, named: str
) -> None:
    """7.9: what a table says of a run that the data set holds is what the run says."""
    out, rows, _ = measured
    edits, words = FORGED[named]
    index = next(place for place, row in enumerate(rows) if row.run_id)
    changed = replace(rows[index], **edits)
    beside = tmp_path / "other.attempts.parquet"
    write_attempts([*rows[:index], changed, *rows[index + 1 :]], beside)
    run = next(each for each in open_artifacts(out) if each.descriptor.known("/run/run_id") == changed.run_id)
    last = run.descriptor.known("/run/times/t_last_token_ns")
    told = words.replace("{0}", "0" * 64).replace("{own}", str(rows[index].text_digest)).replace("{last}", str(last))
    assert summarise(out, beside).disagreements == (f"request {changed.request_id}: {told}",)


def test_a_run_has_one_row(measured: tuple[str, list[Attempt], list[dict[str, Any]]], tmp_path: Path) -> None:
    """7.9: a fast request that counts twice, and one that nobody made, are named."""
    out, rows, _ = measured
    held = next(row for row in rows if row.run_id)
    beside = tmp_path / "more.attempts.parquet"
    write_attempts([*rows, replace(held, request_id="again"), replace(held, request_id="made-up", run_id=None)], beside)
    assert summarise(out, beside).disagreements == (
        "request made-up: it returned audio, and names no run of the data set",
        f"run {held.run_id}: 2 rows of the attempts table",
    )


def paused(tmp_path: Path, load: Load, count: int) -> tuple[list[Attempt], int, list[int]]:
    """Bench a server of which request 2 stops the engine for 2 s; return rows, the pause's end, and the runs' times."""
    module = example()
    desk = module.Desk(workers=4, pause_at=2, pause_ms=2000)
    out = str(tmp_path / "set.tts.parquet")
    with serving(module.make_app(desk)) as url:
        plan = Bench(requests=(asked(url, text="Hello.", response_format="pcm"),), loads=(load,), count=count)
        bench(plan, out, say=silent)
    return (
        read_attempts(attempts_beside(out)),
        desk.entries[2].started_ns,
        [entry.accepted_ns for entry in desk.entries],
    )


def test_a_pause_is_seen_by_all_whom_it_delayed(tmp_path: Path) -> None:
    """Under an open load a pause of 2 s is at p99, and in every request that it held up."""
    load = Load(law=Law.CONSTANT, concurrency=256, rate_mhz=10_000)
    rows, ended_ns, accepted_ns = paused(tmp_path, load, 30)
    group = summarise(tmp_path / "set.tts.parquet").groups[0]
    assert group.quantities["ttfb_ns"][1]["p99"].value >= 1_900 * MS
    delayed = [place for place, t_ns in enumerate(accepted_ns) if place >= 2 and t_ns < ended_ns]
    assert len(delayed) >= 15
    first = rows[2].t_scheduled_ns or 0
    for place in delayed:
        row = rows[place]
        left = first + 2_000 * MS - (row.t_scheduled_ns or 0)
        assert (row.t_first_frame_ns or 0) - (row.t_scheduled_ns or 0) >= left


def test_a_closed_load_sees_a_pause_once(tmp_path: Path) -> None:
    """With one request in flight the same pause delays one request: why latencies of a closed load are no service's."""
    rows, _, _ = paused(tmp_path, CLOSED[0], 12)
    slow = [row for row in rows if (row.t_end_ns or 0) - (row.t_submit_ns or 0) >= 1_900 * MS]
    assert [row.place for row in slow] == [2]


def test_what_came_to_nothing_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refusals, time-outs, empty and cut answers, errors under status 200 and barge-in are rows with their reasons."""
    module = example()
    out = tmp_path / "set.tts.parquet"
    with serving(module.make_app(module.Desk(workers=8))) as url:
        requests = (
            asked(url, response_format="pcm"),
            asked(url, inject={"status": 429, "message": "slow down"}),
            asked(url, inject={"status": 200, "message": "out of memory"}),
            asked(url, inject={"empty": 1}),
            asked(url, timeout_s=0.2, inject={"pause_ms": 3000}),
            asked(url, response_format="pcm", inject={"cut_after": 9000}),
            asked(url, response_format="pcm", leave_after_s=0.05, inject={"pace_ms": 300}),
        )
        done = bench(Bench(requests=requests, loads=CLOSED[:1], count=7), out, say=silent)
    ends = [(row.status, row.http_status, row.reason) for row in done.attempts]
    assert ends[:5] == [
        ("ok", 200, None),
        ("refused", 429, "slow down"),
        ("not_audio", 200, "out of memory"),
        ("empty", 200, "no body"),
        ("timeout", 200, "no end within 0.2 s"),
    ]
    assert ends[5][:2] == ("broken", 200)
    assert ends[6] == ("cancelled", 200, "left 0.05 s after the first byte")
    assert done.kept is not None
    assert len(list((tmp_path / "set.kept").iterdir())) == 2
    assert summarise(out).groups[0].statuses == {str(status): 1 for status in Status if status is not Status.FAILED}
    assert summarise(out).groups[0].reasons["refused"] == "slow down"
    assert main(["stats", str(out), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["groups"][0]["statuses"]["refused"] == 1


def test_a_load_without_audio_has_its_table(tmp_path: Path) -> None:
    """Where every request is refused there is no data set, and the attempts say why; `stats` reads them alone."""
    module = example()
    out = tmp_path / "set.tts.parquet"
    with serving(module.make_app(module.Desk())) as url:
        plan = Bench(requests=(asked(url, inject={"status": 503}),), loads=CLOSED[:1], count=3)
        done = bench(plan, out, say=silent)
    assert (done.path, out.exists()) == (None, False)
    (group,) = summarise(done.attempts_path).groups
    assert (group.statuses, group.quantities) == ({"refused": 3}, {})


@pytest.mark.parametrize(
    ("inject", "outcome"),
    [
        ({}, BatchEffect.SAME),
        ({"batched": 1}, BatchEffect.DEPENDS_ON_LOAD),
        ({"restless": 1}, BatchEffect.NOT_REPEATABLE),
    ],
)
def test_the_same_text_in_other_company(tmp_path: Path, inject: dict[str, int], outcome: BatchEffect) -> None:
    """Samples that depend on the batch are told from an engine that never repeats itself, with the first chunk."""
    module = example()
    out = tmp_path / "set.tts.parquet"
    with serving(module.make_app(module.Desk(workers=4))) as url:
        wanted = asked(url, response_format="pcm", seed=1, inject=inject | {"pace_ms": 20})
        bench(Bench(requests=(wanted,), loads=(CLOSED[0], CLOSED[1]), count=5), out, say=silent)
    (found,) = compared(out, attempts_beside(out))
    assert (found.outcome, found.alone, found.in_company) == (outcome, 5, 5)
    if outcome is not BatchEffect.SAME:
        assert (found.frame, found.chunk) == (2205, 1)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`bench` writes both files and says what the load came to; `--same-seed` says whether samples depend on it."""
    module = example()
    out = str(tmp_path / "set.tts.parquet")
    with serving(module.make_app(module.Desk(workers=2))) as url:
        words = ["bench", url, "--text", TEXT, "-o", out, "--sensor", "none", "--param", "response_format=pcm"]
        assert main([*words, "--concurrency", "2", "--rate", "30", "--requests", "4"]) == 0
        told = capsys.readouterr().out
        assert "closed, 2 in flight: 4 requests, 4 ok; warm-up, not counted: 1" in told
        assert "poisson, 30 requests/s: 4 requests, 4 ok; warm-up, not counted: 1" in told
        assert told.splitlines()[-1].endswith("set.tts.parquet: 8 runs; " + attempts_beside(out) + ": 10 rows")
        assert main([*words, "--concurrency", "2"]) == 4  # both files exist
        capsys.readouterr()
        words += ["--same-seed", "--force"]
        assert main([*words, "--concurrency", "3", "--requests", "3", "--param", "seed=1"]) == 0
        assert capsys.readouterr().out.splitlines()[-1].endswith(": the same samples (3 alone, 3 in company)")
        assert main([*words, "--rate", "3"]) == 2
        assert main([*words, "--concurrency", "0"]) == 2
    assert main(["bench", "http://10.0.0.1", "--text", TEXT, "-o", out]) == 4


def test_the_table_is_that_of_the_specification(tmp_path: Path) -> None:
    """The layout's columns are the fields of a row, its words those of the code, and a table comes back as it was."""
    layout = _spec.load_json("attempts-layout.json")
    assert [column["name"] for column in layout["columns"]] == [field.name for field in fields(Attempt)]
    assert layout["status"] == list(Status)
    assert layout["law"] == list(Law)
    rows = [
        Attempt(request_id="a", source="bench", law=Law.CLOSED, place=0, status=Status.OK, origin_utc=1, t_submit_ns=5),
        Attempt(request_id="b", source="bench", law=Law.CLOSED, place=1, status=Status.EMPTY, reason="no body"),
    ]
    write_attempts(rows, tmp_path / "x.attempts.parquet")
    assert read_attempts(tmp_path / "x.attempts.parquet") == rows
    found = pq.read_table(tmp_path / "x.attempts.parquet").schema
    assert [str(found.field(name).type) for name in ("t_submit_ns", "origin_utc")] == ["int64", "timestamp[ns, tz=UTC]"]


def test_what_is_no_attempts_table(tmp_path: Path) -> None:
    """Other Parquet, other bytes, two rows of one request and strange words are refused, with the row."""
    row = Attempt(request_id="a", source="bench", law=Law.CLOSED, place=0, status=Status.OK)
    twice, other, text = (tmp_path / f"{name}.attempts.parquet" for name in ("twice", "other", "text"))
    write_attempts([row, row], twice)
    with refusals.raises(Refused, match="two rows have one request id: found a"):
        read_attempts(twice)
    table = pq.read_table(twice)
    pq.write_table(table.replace_schema_metadata({}), other)
    with refusals.raises(NotAnArtifact, match="this is not an attempts table"):
        read_attempts(other)
    text.write_text("no Parquet")
    with refusals.raises(NotAnArtifact, match="this is not an attempts table"):
        read_attempts(text)
    strange = table.slice(0, 1).set_column(
        table.schema.get_field_index("status"), table.schema.field("status"), [["fine"]]
    )
    pq.write_table(strange, other)
    with refusals.raises(Refused, match="a row of the attempts table is not valid: 'fine' is not a valid Status"):
        read_attempts(other)


def test_schedules_of_other_languages() -> None:
    """Vectors: the first arrivals of a constant and of a poisson law, in nanoseconds (clause 7.9)."""
    constant = Load(law=Law.CONSTANT, concurrency=1, rate_mhz=3_000)
    assert arrivals_ns(constant, 4) == [0, 333_333_333, 666_666_666, 999_999_999]
    poisson = Load(law=Law.POISSON, concurrency=1, rate_mhz=2_000, seed="4711")
    assert arrivals_ns(poisson, 4) == [0, 211_024_047, 2_396_640_768, 3_048_337_226]
    assert abs(arrivals_ns(replace(poisson, rate_mhz=10_000), 20_001)[-1] / 1e9 - 2_000) < 60


def test_a_rate_is_positive() -> None:
    with refusals.raises(Refused, match="the rate is not a number of requests per second in range"):
        loads_of((), (-1.0,), law=Law.POISSON, seed="1", most_in_flight=1)


@pytest.mark.property
@pytest.mark.parametrize("count", [1, 2, 3, 7, 40, 101])
def test_a_quantile_is_duckdbs(count: int) -> None:
    """7.9: `quantile_cont` of any values, ties among them, is what DuckDB says."""
    draws = random.Random(count)
    values = [draws.choice([-1, 1]) * draws.randrange(2 ** draws.randrange(1, 40)) for _ in range(count)]
    for probability in (*PROBABILITIES.values(), Fraction(0), Fraction(1), Fraction(1, 3)):
        sql = f"SELECT quantile_cont(v, {float(probability)}) FROM (SELECT unnest({values}::BIGINT[]) v)"
        ((found,),) = duckdb.sql(sql).fetchall()
        assert quantile_cont(values, probability) == pytest.approx(found, rel=1e-12, abs=1e-3)


@pytest.mark.parametrize("probability", PROBABILITIES.values())
def test_an_interval_covers_its_quantile(probability: Fraction) -> None:
    """The ranks l and u hold P(l <= B < u) >= 95 % exactly, with tails of at most 2.5 %, and are the nearest ones."""
    for count in (1, 5, 6, 20, 71, 72, 73, 200, 367, 368, 400):
        chances = [comb(count, k) * probability**k * (1 - probability) ** (count - k) for k in range(count + 1)]
        ranks = interval_ranks(count, probability)
        if ranks is None:
            assert chances[0] > Fraction(25, 1000) or chances[-1] > Fraction(25, 1000)
            continue
        low, high = ranks
        assert sum(chances[:low]) <= Fraction(25, 1000) < sum(chances[: low + 1])
        assert sum(chances[high:]) <= Fraction(25, 1000) < sum(chances[high - 1 :])
        assert 1 <= low < high <= count


def test_intervals_cover_in_practice() -> None:
    """Of 400 samples of 100 exponential values the interval of p95 holds the true one in about 95 of 100."""
    draws = random.Random(7)
    ranks = interval_ranks(100, Fraction(95, 100))
    assert ranks is not None
    held = 0
    for _ in range(400):
        values = sorted(draws.expovariate(1) for _ in range(100))
        held += values[ranks[0] - 1] <= 2.995732273553991 <= values[ranks[1] - 1]
    assert held >= 370


def test_each_quantity_is_the_time_that_its_name_says(tmp_path: Path) -> None:
    """Of one request whose times all differ: from its schedule, each to its own event."""
    row = Attempt(
        request_id="a",
        source="bench",
        law=Law.CONSTANT,
        concurrency=1,
        rate_mhz=1000,
        place=0,
        status=Status.OK,
        t_scheduled_ns=100,
        t_submit_ns=101,
        t_first_byte_ns=110,
        t_first_frame_ns=120,
        t_first_audio_ns=130,
        t_end_ns=140,
        stall_count=1,
        stall_ns=7,
    )
    write_attempts([row], tmp_path / "a.attempts.parquet")
    (group,) = summarise(tmp_path / "a.attempts.parquet").groups
    found = {key: quantiles["p50"].value for key, (_, quantiles) in group.quantities.items()}
    assert found == {
        "late_ns": 1, "ttfb_ns": 10, "first_frame_ns": 20, "ttfa_ns": 30, "end_ns": 40, "underrun_ns": 7
    }  # fmt: skip
