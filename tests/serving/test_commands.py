"""The commands as processes: what is written when they are ended, and what follows a load."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pytest
from serving_kit import TEXT, example, serving

from ttsartifact import verify
from ttsartifact.cli import main
from ttsartifact.serving.attempts import attempts_beside, read_attempts
from ttsartifact.serving.summing import summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parent.parent.parent / "docs" / "servers.md"
POLICY = """
id = "load"
version = "1"
[[check]]
metric = "duration"
operator = ">="
threshold = 1
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    module = example()
    with serving(module.make_app(module.Desk(workers=2), with_hibari=True)) as address:
        yield address


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ttsartifact", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _answered(url: str) -> bool:
    log = httpx.get(f"{url}/requests", trust_env=False).json()
    return sum(entry["outcome"] == "whole" for entry in log) >= 3


def test_a_load_that_is_interrupted_is_written(url: str, tmp_path: Path) -> None:
    """Ctrl-C ends a load and loses nothing: what came is an artifact, and what was not sent has its row too."""
    out = tmp_path / "set.tts.parquet"
    words = ["--text", TEXT, "--rate", "4", "--arrivals", "constant", "--requests", "200", "--warmup", "0"]
    process = started("bench", url, *words, "--sensor", "none", "-o", str(out))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not _answered(url):
        time.sleep(0.05)
    time.sleep(0.5)  # the client sees the end of what the server has sent
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    rows = read_attempts(attempts_beside(out))
    assert len(rows) == 200
    statuses = {str(row.status) for row in rows}
    assert {"ok", "cancelled"} <= statuses
    assert "the load was ended before it was sent" in {row.reason for row in rows}
    assert [report.verdict for report in verify(out)] == ["INTACT"] * sum(row.status == "ok" for row in rows)
    assert not list(tmp_path.glob(".ttsa-*"))


def test_a_load_whose_server_is_silent_ends_each_request(tmp_path: Path) -> None:
    """--idle-timeout is a limit of each request, and its row says how it ended."""
    out = tmp_path / "set.tts.parquet"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        words = ["bench", url, "--text", TEXT, "--requests", "2", "--warmup", "0", "--sensor", "none", "-o", str(out)]
        assert main([*words, "--idle-timeout", "0.2"]) == 1
    assert [row.reason for row in read_attempts(attempts_beside(out))] == ["nothing came for 0.2 s"] * 2


def test_a_proxy_that_is_ended_has_written_its_table(url: str, tmp_path: Path) -> None:
    """SIGTERM ends a proxy as Ctrl-C does, and `stats` takes its folder."""
    folder = tmp_path / "heard"
    process = started("proxy", "--to", url, "-o", str(folder))
    assert process.stdout is not None
    found = re.match(r"http://127\.0\.0\.1:(\d+) -> ", process.stdout.readline())
    assert found is not None
    asked = {"input": TEXT, "response_format": "pcm"}
    for _ in range(2):
        httpx.post(f"http://127.0.0.1:{found[1]}/v1/audio/speech", json=asked, timeout=60, trust_env=False)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == f"{folder}: 2 artifacts; {folder}/proxy.attempts.parquet: 2 rows\n"
    summary = summarise(folder)
    assert (summary.runs, summary.rows, summary.disagreements) == (2, 2, ())
    assert summary.groups[0].quantities["ttfa_ns"][0] == 2
    assert sorted(path.suffix for path in folder.iterdir()) == [".parquet", ".wav", ".wav"]


def test_a_load_with_its_gate_and_its_page(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--gate judges the runs, rejects stay, the table still joins them; --report draws them."""
    policy, out, page = tmp_path / "policy.toml", tmp_path / "set.tts.parquet", tmp_path / "page.html"
    policy.write_text(POLICY)
    words = ["bench", url, "--text", TEXT, "--requests", "3", "--param", "model=hibari-tts", "--param", "seed=3"]
    words += ["--sensor", "none", "-o", str(out), "--gate", str(policy), "--report", str(page)]
    assert main(words) == 0
    assert "policy load: 0 of 3 runs failed promotion, all kept" in capsys.readouterr().err
    assert {(report.verdict, report.failures, report.level_reached) for report in verify(out)} == {("INTACT", (), "L2")}
    assert summarise(out).disagreements == ()
    assert page.read_text().startswith("<!")
    assert main([*words, "--gate", str(tmp_path / "none.toml"), "--force"]) == 4


def test_the_page_asks_what_stats_says(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SQL of docs/servers.md runs on the two files, and gives the p99 of TTFA that `stats` prints."""
    monkeypatch.chdir(tmp_path)
    words = ["--requests", "4", "--concurrency", "1,2", "--rate", "20", "--sensor", "none", "-o", "set.tts.parquet"]
    assert main(["bench", url, "--text", TEXT, "--param", "response_format=pcm", *words]) == 0
    (sql,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    asked: dict[tuple[Any, ...], float] = {tuple(row[:3]): row[3] for row in duckdb.sql(sql).fetchall()}
    for group in summarise("set.tts.parquet").groups:
        label = group.label
        found = group.quantities["ttfa_ns"][1]["p99"].value / 1e6
        assert asked[label["law"], label["concurrency"], label["rate_mhz"]] == pytest.approx(found, rel=1e-9)
