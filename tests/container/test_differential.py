"""Clause 3.10: generated files are heard alike by us and by every player, or refused by us with a reason in words.

Two hundred structures by default; five thousand, and a browser beside the other players, where the long tests run.
"""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import players
import pytest
import soundfile
from players import PLAYERS, SAME, Heard, same, samples_of
from structures import structure

from ttsartifact.container.bare import Bare, judge
from ttsartifact.container.sound import facts_of
from ttsartifact.errors import TtsArtifactError

if TYPE_CHECKING:
    from pathlib import Path

FEW, MANY, A_SEARCH = 200, 5_000, 50
DECODED = 5  # of so many encoded files, one goes through our own decoder too


def judged(data: bytes) -> tuple[Bare, str | None] | str:
    """Return our judgement and the digest of our samples, or why we refuse the file."""
    try:
        bare = judge([data])
    except TtsArtifactError as error:
        return error.message if error.where else ""
    if bare.codec != "wav":
        return bare, None
    return bare, samples_of(bare, data[slice(*bare.audio)])


def compared(seeds: range, folder: Path) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Return how often each player agreed, could not read, or was spared by a refusal; and every disagreement."""
    table: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    for seed in seeds:
        kind, data = structure(seed)
        found = judged(data)
        table["structures", kind] += 1
        if isinstance(found, str):
            assert len(found.split()) >= 3, (seed, found)
            table["refused by us", kind] += 1
            continue
        bare, ours = found
        path = folder / f"{seed}.{kind}"
        path.write_bytes(data)
        if bare.codec != "wav" and seed % DECODED == 0:
            assert facts_of([data], bare).frames == bare.frames
        for player, play in PLAYERS.items():
            heard = play(path, bare) if (player, bare.codec) in SAME else None
            _count(table, wrong, player, kind, bare, ours, heard, seed, len(data))
        path.unlink()
    return table, wrong


def _count(
    table: Counter[tuple[str, str]],
    wrong: list[str],
    player: str,
    kind: str,
    bare: Bare,
    ours: str | None,
    heard: Heard | None,
    seed: int,
    size: int,
) -> None:
    if heard is None:
        table[f"{player} cannot read", kind] += 1
    elif same(player, bare, ours, heard, size):
        table[f"{player} agrees", kind] += 1
    else:
        table[f"{player} disagrees", kind] += 1
        wrong.append(f"{seed} ({kind}): {player} hears {heard}, we {bare.frames} of {bare.channels} {bare.subtype}")


def printed(table: Counter[tuple[str, str]]) -> str:
    """Return the table with a row for each answer and a column for each carrier."""
    kinds = ("wav", "flac", "mp3", "ogg")
    rows = sorted({answer for answer, _ in table}, key=lambda answer: (answer != "structures", answer))
    head = f"{'':28}" + "".join(f"{kind:>7}" for kind in kinds)
    return "\n".join([head, *(f"{row:28}" + "".join(f"{table[row, kind]:7}" for kind in kinds) for row in rows)])


@pytest.mark.parametrize("part", range(FEW // A_SEARCH))
def test_players_hear_what_we_digest(part: int, tmp_path: Path) -> None:
    """Nobody plays more, less or other sound than what is digested, of any file that we accept."""
    table, wrong = compared(range(part * A_SEARCH, (part + 1) * A_SEARCH), tmp_path)
    print(printed(table))  # noqa: T201 - the table is what this test shows
    assert wrong == []


@pytest.mark.exhaustive
def test_players_hear_what_we_digest_of_many(tmp_path: Path) -> None:
    """The same over five thousand structures, with a browser among the players."""
    table, wrong = compared(range(MANY), tmp_path)
    if shutil.which("chromium"):
        _ask_browser(table, wrong)
    print(printed(table))  # noqa: T201 - the table is what this test shows
    assert wrong == []


def _ask_browser(table: Counter[tuple[str, str]], wrong: list[str]) -> None:
    accepted = [(seed, *structure(seed)) for seed in range(MANY)]
    asked = [(seed, kind, data, found) for seed, kind, data in accepted if not isinstance(found := judged(data), str)]
    for start in range(0, len(asked), 250):
        batch = asked[start : start + 250]
        heard = players.browser([(found[0].sample_rate_hz, data) for _, _, data, found in batch])
        for (seed, kind, data, found), one in zip(batch, heard, strict=True):
            _count(table, wrong, "browser", kind, found[0], None, one, seed, len(data))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("length_ms", [1, 5, 20, 100, 400, 1_000])
def test_a_short_vorbis_is_heard_to_its_granule_position(rate_hz: int, length_ms: int, tmp_path: Path) -> None:
    """3.10: what libvorbis writes of 1 ms to 1 s is as long as what it was given, one page or more."""
    frames = rate_hz * length_ms // 1_000
    noise = np.random.default_rng(length_ms).normal(size=frames) * 0.1
    soundfile.write(path := tmp_path / "short.ogg", noise, rate_hz, format="OGG", subtype="VORBIS")
    bare = judge([path.read_bytes()])
    heard = {player: play(path, bare) for player, play in PLAYERS.items()}
    assert bare.frames == heard["libsndfile"].frames == frames
    assert {player for player, one in heard.items() if one and not same(player, bare, None, one, 0)} == set()


@pytest.mark.parametrize("seed", [274, 314, 484])
def test_one_page_of_vorbis_is_cut_at_its_end(seed: int, tmp_path: Path) -> None:
    """3.10: libsndfile plays our count of a stream of one page; only there does FFmpeg play the last packet whole."""
    kind, data = structure(seed)
    bare = judge([data])
    path = tmp_path / f"{seed}.{kind}"
    path.write_bytes(data)
    assert (bare.walked.positions, players.libsndfile(path, bare).frames) == (1, bare.frames)
    assert 0 < bare.walked.cut_frames <= bare.walked.last_frames
    assert compared(range(seed, seed + 1), tmp_path)[1] == []


def test_every_player_and_codec_has_its_meaning_of_same() -> None:
    """What counts as the same sound is said for each pair that is compared."""
    codecs = {"wav", "flac", "mp3", "ogg_vorbis", "ogg_opus"}
    assert {codec for player, codec in SAME if player == "ffmpeg"} == codecs
    assert {player for player, _ in SAME} >= set(PLAYERS)
