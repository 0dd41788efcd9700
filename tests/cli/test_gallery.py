"""`ttsa gallery`: kind by probability and rate on one page, as counted by the instrument itself."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import kit
from imperfect_voice import voice, voiced_run
from page_kit import require_named

from ttsartifact.cli import main
from ttsartifact.formulas.pcm_kinds import CLIP_KINDS, KINDS, PcmFormat
from ttsartifact.perturbing.gallery import gallery
from ttsartifact.reporting.page.gallery import page_of_gallery

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MONO = PcmFormat(16_000, 1, 2)


def test_every_kind_has_six_cells() -> None:
    """Three probabilities and three rates; what is added is what the samples grew by."""
    clean, clip = voice(), voice(800)
    cells = gallery(clean, MONO, clip=clip)
    assert [cell.kind for cell in cells] == [kind for kind in KINDS for _ in range(6)]
    for cell in cells:
        assert cell.opportunities == 150
        assert len(cell.spans) == cell.events
        assert len(cell.pcm) // 2 == 24_000 + cell.added_frames
        assert cell.expected in {1.5, 4.5, 15.0, 0.75, 3.0, 7.5}
    assert {cell.kind for cell in gallery(clean, MONO)} == KINDS.keys() - CLIP_KINDS


def test_the_page_holds_every_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture, a sound and a row of figures for each, and nothing that is loaded."""
    run, out = voiced_run(tmp_path), tmp_path / "g.html"
    (tmp_path / "um.wav").write_bytes(kit.wav(voice(1600)))
    assert main(["gallery", str(run), "-o", str(out), "--clip", str(tmp_path / "um.wav"), "--seed", "4711"]) == 0
    assert capsys.readouterr().out.startswith(f"{out}: 120 cells of 20 kinds, one file of ")
    page = out.read_text()
    assert len(re.findall("<audio ", page)) == len(re.findall("<svg ", page)) == 120
    assert len(re.findall('<th scope="row">', page)) == 120
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert main(["gallery", str(run), "-o", str(tmp_path / "h.html")]) == 0
    said = capsys.readouterr()
    assert "102 cells of 17 kinds" in said.out
    assert "breath, filled_pause and interjection need --clip WAV and were skipped" in said.err


def test_a_page_says_what_was_declared_and_what_was_measured() -> None:
    """Headings, a row of figures for each cell, and a caption for each picture."""
    cells = [cell for cell in gallery(voice(), MONO) if cell.kind in {"block", "dropout"}]
    page = str(page_of_gallery("<run>", cells, MONO, "7"))
    require_named(page)
    assert "<title>Imperfections of &lt;run&gt;</title>" in page
    assert re.findall("<h[12]>(.*?)</h[12]>", page) == [
        "Imperfections of &lt;run&gt;",
        "Declared and measured",
        "block",
        "dropout",
    ]
    assert "<p>Seed 7. One opportunity every 10 ms; events are red; lengths are random (clause 6.7).</p>" in page
    assert re.findall('<th scope="col">(.*?)</th>', page) == [
        *("kind", "declared", "expected", "events", "tail", "added", "changed", "RMS", "peak")
    ]
    rows = [re.findall("<t[hd].*?>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", page)][1:]
    assert [rows[place] for place in (0, 5, 6, 7)] == [
        ["block", "1 % every 10 ms", "1.5 of 150", "1", "0.557", "+152 ms", "0 ms", "-20.7 dBFS", "-12.3 dBFS"],
        ["block", "300 a minute", "7.5 of 150", "7", "0.523", "+722 ms", "0 ms", "-22.0 dBFS", "-12.3 dBFS"],
        ["dropout", "1 % every 10 ms", "1.5 of 150", "0", "0.221", "+0 ms", "0 ms", "-20.3 dBFS", "-12.3 dBFS"],
        ["dropout", "3 % every 10 ms", "4.5 of 150", "4", "0.531", "+0 ms", "370 ms", "-21.7 dBFS", "-12.3 dBFS"],
    ]
    caption = "<figcaption><b>1 % every 10 ms</b><span>1 event, 1.5 expected</span></figcaption>"
    assert f'<figure class="lane">{caption}<svg viewBox="0 0 1000 60" preserveAspectRatio="none" role="img"' in page
    assert 'aria-label="1 % every 10 ms: 1 event, 1.5 expected"' in page
    assert '<rect x="133.1" y="8" width="92.3" height="44" class="event"></rect>' in page
    silent = [replace(cells[0], pcm=bytes(3200))]
    assert "<td>silence</td><td>silence</td>" in str(page_of_gallery("x", silent, MONO, "7"))


def test_a_long_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page holds every sound, so that it must be short."""
    path = kit.artifact(tmp_path, audio=kit.wav(bytes(2 * 16_000 * 9)), run=kit.draft(traces=()))
    assert main(["gallery", str(path), "-o", str(tmp_path / "g.html")]) == 4
    assert "the run is too long for a gallery: found 9.0 s, expected at most 8 s" in capsys.readouterr().err
