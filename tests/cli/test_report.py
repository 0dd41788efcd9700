"""`ttsa report`: one file that says what verify, show and diff say, loads nothing, and executes nothing but its own."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import full_run
import kit
import numpy as np
import pytest
from matplotlib.figure import Figure
from page_kit import page_of, spoken_run
from reporting_kit import HOSTILE, poisoned

from ttsartifact.cli import main
from ttsartifact.comparing.sound import sound_of, sound_of_pcm
from ttsartifact.container.riff import WaveFormat
from ttsartifact.container.source import BytesSource, Span
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting import plot
from ttsartifact.reporting.page import lanes, many, picture
from ttsartifact.reporting.page.axis import Axis, stretches_of, thinned
from ttsartifact.reporting.page.markup import escaped
from ttsartifact.terms.descriptor import absent
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium")


class Seen(html.parser.HTMLParser):
    """What a page holds: exact values and words by their place in the documents, and every address."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.exact: dict[str, str] = {}
        self.words: dict[str, list[str]] = {}
        self.addresses: list[str] = []
        self.subjects: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self._key: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._key = given.get("data-key")
        if tag == "data" and self._key and given.get("value"):
            self.exact[self._key] = str(given["value"])
        if self._key in {"diff.changes", "diff.not_stated"}:
            self.subjects.append(str(given["data-subject"]))
        self.ids += [str(given["id"])] if "id" in given else []
        self.addresses += [str(v) for k, v in attrs if k in {"src", "href", "action", "srcset", "poster"}]
        assert not [k for k, _ in attrs if k.startswith("on") or k == "style"], attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._key:
            self.words.setdefault(self._key, []).append(data)
            self._key = None


def told(capsys: pytest.CaptureFixture[str], *call: object) -> Any:
    capsys.readouterr()
    main([*map(str, call), "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    return document[0] if isinstance(document, list) else document


def at(document: Any, place: str) -> Any:
    for step in place.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def test_one_run_says_what_verify_and_show_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verdict and every time are those of the documents, exactly, and so are the words for what was found."""
    path = full_run.artifact(tmp_path, patch=kit.put(run__notes="see /home/jo/notes"))
    seen = Seen(page_of(tmp_path, path))
    documents = {"run": {"verify": told(capsys, "verify", path), "show": told(capsys, "show", path)}}
    assert seen.words["run.verify.verdict"] == [documents["run"]["verify"]["verdict"]]
    derived = documents["run"]["show"]["derived"]
    assert len(seen.exact) == sum(isinstance(value, int | float) for value in derived.values())
    assert {key: at(documents, key) for key in seen.exact} == {k: json.loads(v) for k, v in seen.exact.items()}
    for finding in documents["run"]["verify"]["findings"]:
        assert finding["rule"] in seen.text
        assert finding["message"] in seen.text


def test_two_runs_say_what_diff_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same conditions, numbers and times, the likely cause first."""
    pair = full_run.artifact(tmp_path), kit.artifact(tmp_path, name="b.tts.wav")
    seen, document = Seen(page_of(tmp_path, *pair)), told(capsys, "diff", *pair)
    ids = [each["subject"] for each in document["changes"] + document["one_sided"]] + document["not_stated"]
    assert sorted(seen.subjects) == sorted(ids)
    assert seen.subjects[: len(document["blamed"])] == document["blamed"]
    exact = {key: json.loads(value) for key, value in seen.exact.items() if key.startswith("diff.")}
    assert {key: at({"diff": document}, key) for key in exact} == exact
    numbers = [q[s] for q in document["timing"]["quantities"] for s in "ab" if q[s] is not None]
    assert sum(key.startswith("diff.timing.") for key in exact) == len(numbers)
    assert [seen.words[f"{s}.verify.verdict"][0] for s in "ab"] == [document[s]["verdict"] for s in "ab"]


def test_a_set_says_the_verdict_and_the_times_of_each_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row a run, in the order in which the files were named."""
    paths = [kit.artifact(tmp_path, name=f"{n}.tts.wav", patch=kit.put(run__attempt__index=n)) for n in (1, 2, 3)]
    paths[1] = full_run.artifact(tmp_path, name="full.tts.wav")
    seen = Seen(page_of(tmp_path, *paths))
    documents = {
        "runs": [{"verify": told(capsys, "verify", p), "show": told(capsys, "show", p)} for p in paths],
    }
    assert [seen.words[f"runs.{n}.verify.verdict"][0] for n in range(3)] == [
        run["verify"]["verdict"] for run in documents["runs"]
    ]
    exact = {key: json.loads(value) for key, value in seen.exact.items()}
    assert len(exact) == 13
    assert {key: at(documents, key) for key in exact} == exact


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_id_names_one_element(tmp_path: Path, count: int) -> None:
    """A script, a label or a link that asks for an id gets the element that was meant."""
    ids = Seen(page_of(tmp_path, *(kit.artifact(tmp_path, name=f"{n}.tts.wav") for n in range(count)))).ids
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize(("count", "asked"), [(1, {"now"}), (2, {"now"}), (3, {"run-table", "filter", "shown"})])
def test_the_script_finds_what_it_looks_for(tmp_path: Path, count: int, asked: set[str]) -> None:
    """Each id that page.js names is that of an element; a player, its cursor and its pictures have one key."""
    page = page_of(tmp_path, *(kit.artifact(tmp_path, name=f"{n}.tts.wav") for n in range(count)))
    ids = set(re.findall(r' id="([^"]+)"', page))
    (data,) = re.findall(r'<script[^>]* id="data"[^>]*>(.*?)</script>', page, re.DOTALL)
    keys = {player["key"] for player in json.loads(data)["players"]}
    assert len(keys) == (count if count < 3 else 0)
    assert {"data", *asked} <= ids
    assert {f"{part}-{key}" for part in ("audio", "cursor", "plots") for key in keys} <= ids
    assert set(re.findall(r' data-copies="([^"]+)"', page)) <= ids
    assert set(re.findall(r' data-player="([^"]+)"', page)) <= keys
    named = set(re.findall(r'getElementById\("([^"]+)"\)', page))
    assert named == {"data", "now", "run-table", "filter", "shown"}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_nothing_is_loaded_and_the_policy_names_what_may_act(tmp_path: Path, count: int) -> None:
    """Every address is data; the policy denies all else and holds the digests of the one style and the one script."""
    paths = [kit.artifact(tmp_path, name=f"{n}.tts.wav") for n in range(count)]
    page = page_of(tmp_path, *paths)
    assert not re.search(r"https?:|//[a-z]", re.sub(r"<script>.*?</script>|;base64,[^\"]*", "", page, flags=re.DOTALL))
    assert all(address.startswith("data:") for address in Seen(page).addresses)
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in re.findall(r"<script>(.*?)</script>|$", page, re.DOTALL)[:1]
        + re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    ]
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}'; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )
    assert len(re.findall("<script", page)) == 2


def test_thirty_seconds_fit_a_mail(tmp_path: Path) -> None:
    """With its sound, bit for bit as FLAC, the page of a run of 30 s is at most 1.5 MB."""
    import soundfile

    path = spoken_run(tmp_path, 30)
    page = page_of(tmp_path, path)
    assert len(page) <= 1_500_000
    (packed,) = re.findall(r"data:audio/flac;base64,([A-Za-z0-9+/=]+)", page)
    flac = tmp_path / "sound.flac"
    flac.write_bytes(base64.b64decode(packed))
    samples, rate = soundfile.read(flac, dtype="int16")
    assert rate == 24_000
    assert samples.tobytes() in path.read_bytes()


def test_sound_that_is_too_large_is_played_from_beside_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit the page names the file by a relative address, and its policy allows files."""
    from ttsartifact.reporting.page import parts

    monkeypatch.setattr(parts, "LARGEST_BYTES", 100)
    page = page_of(tmp_path, kit.artifact(tmp_path, name="a #1.tts.wav"))
    assert "a%20%231.tts.wav" in Seen(page).addresses
    assert "media-src data: file: 'self';" in page


def test_a_thousand_runs_are_one_page(tmp_path: Path) -> None:
    """Every run has its row and its engine's picture has them all."""
    path = kit.artifact(tmp_path, name="one.tts.wav")
    page = page_of(tmp_path, *[path] * 1000)
    assert page.count("<tr><th ") == 1001
    assert "1000 runs, median 20.000 ms" in page


def test_a_broken_run_has_a_page_too(tmp_path: Path) -> None:
    """The verdict and the rule come first, and what cannot be decoded is not drawn."""
    path = kit.artifact(tmp_path)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    seen = Seen(page_of(tmp_path, path))
    assert seen.words["run.verify.verdict"] == ["AUDIO_CHANGED"]
    assert "HSH02" in seen.text


def test_what_is_no_artifact_has_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 4 and nothing written; a page that exists is replaced only on demand."""
    plain, out = tmp_path / "plain.wav", tmp_path / "page.html"
    plain.write_bytes(kit.wav())
    assert main(["report", str(plain), "-o", str(out)]) == 4
    assert not out.exists()
    out.write_text("mine")
    assert main(["report", str(kit.artifact(tmp_path)), "-o", str(out)]) == 4
    assert out.read_text() == "mine"
    assert "use --force to replace it" in capsys.readouterr().err


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_every_word_of_a_stranger_is_text(words: str, tmp_path: Path) -> None:
    """No element, attribute or character that reorders or controls comes out of an artifact."""
    path, clean = poisoned(tmp_path, words), kit.artifact(tmp_path, name="clean.tts.wav")
    page = page_of(tmp_path, path)
    assert all(" " <= character <= "~" or character == "\n" for character in page)
    assert len(re.findall("<script", page)) == 2
    kinds = set(re.findall(r"<([a-z0-9]+)", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)))
    assert "link" not in kinds
    assert all(address.startswith("data:") for address in Seen(page).addresses)
    page_of(tmp_path, path, clean, clean)


def test_escaping_is_whole_and_comes_once() -> None:
    """Markup is text, control characters are spelled, what was spelled stays."""
    assert escaped("<b a='1'>\"&") == "&lt;b a=&#x27;1&#x27;&gt;&quot;&amp;"
    assert escaped("a\u202eb") == "a\\u202eb"
    assert escaped("a\\u202eb") == "a\\u202eb"
    assert escaped("x" * 5000) == "x" * 4000 + "... (1000 more)"


def test_a_set_names_what_it_could_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page is written for the others, names the file and why, and the exit code is 4."""
    run, plain, out = kit.artifact(tmp_path), tmp_path / "plain.wav", tmp_path / "page.html"
    plain.write_bytes(kit.wav())
    assert main(["report", str(run), str(run), str(plain), "-o", str(out)]) == 4
    said = capsys.readouterr()
    assert said.err.startswith("ttsa: a WAV without a capsule")
    seen = Seen(out.read_text())
    assert "2 runs" in seen.text
    assert said.err.removeprefix("ttsa: ").strip() in seen.text


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_without_a_browser(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`show --plot` draws a run, the same bytes each time, with power and without."""
    heads = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for path in (full_run.artifact(tmp_path), kit.artifact(tmp_path, name="plain.tts.wav")):
        made = []
        for n in (1, 2):
            out = tmp_path / f"{n}.{suffix}"
            assert main(["show", str(path), "--plot", str(out), "--force"]) == 0
            said = capsys.readouterr().out
            assert said == f"{out}: waveform, spectrogram, chunks and power of {path}\n"
            made.append(out.read_bytes())
        assert made[0].startswith(heads[suffix])
        if suffix == "png":
            assert made[0] == made[1]


def test_a_line_ends_at_its_last_reading() -> None:
    """Power that was read until 1 s is not drawn to the end of playback at 10 s; a single reading is seen."""
    axis = Axis(start_s=0.0, stop_s=10.0)
    for readings, last in (([(0.5, 70.0), (1.0, 71.0)], 100.0), ([(1.0, 70.0)], 101.5), ([(10.0, 70.0)], 1000.0)):
        paths = re.findall(r'd="M([^"Z]*)', lanes._curve("Power", readings, "W", axis).svg)
        assert [max(float(pair.split()[0]) for pair in path.split("L")) for path in paths] == [last, last]
    assert thinned(list(range(4001))) == [*range(0, 3999, 3), 4000]


def test_why_a_queue_is_not_drawn(tmp_path: Path) -> None:
    """Its length was not known, or it was, and there is no trace of its course."""
    unknown = kit.put(run__load__queue_depth_at_submit=absent("unknown"))
    artifact = open_artifact(kit.artifact(tmp_path, patch=unknown))
    _, lacks = lanes.lanes_of(artifact, None, [], Axis(start_s=0.0, stop_s=1.0))
    assert [words for words in lacks if words.startswith("Queue")] == [
        "Queue, waiting: unknown",
        "Queue, running: no trace",
    ]


def test_every_shape_of_a_picture_has_a_style(tmp_path: Path) -> None:
    """What is filled, and how, is said by its class: without one it would be black."""
    artifact = open_artifact(full_run.artifact(tmp_path))
    with sound_of(artifact) as sound:
        stretches = stretches_of(artifact, sound.frames, sound.rate_hz)
        shown, _ = lanes.lanes_of(artifact, sound, stretches, Axis(start_s=0.0, stop_s=2.0))
    page = many.page_of_many([many.row_of(artifact, verify(artifact.where)[0])] * 2)
    shapes = re.findall(r"<(?:path|rect)\b[^>]*>", page + "".join(lane.svg for lane in shown))
    drawn = {"".join(re.findall(r' class="([^"]*)"', shape)) for shape in shapes}
    assert {"wave", "area", "line", "arrival", "played", "box", "mark", "median"} <= drawn
    styles = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    assert [name for name in drawn if not re.search(rf"\.{name or 'none'}\b", styles)] == []


def test_a_figure_that_no_run_states_is_named_all_the_same(tmp_path: Path) -> None:
    """Its heading stands over the words, in place of a picture."""
    path = kit.artifact(tmp_path, patch=kit.put(run__times__t_submit_ns=absent("unknown")))
    page = many.page_of_many([many.row_of(open_artifact(path), verify(path)[0])] * 3)
    assert re.findall(r"<h3>([^<]*)</h3><p>(No run states it.)</p>", page) == [
        (title, "No run states it.") for title in ("RTF, end to end", "TTFA", "first PCM")
    ]


def test_the_line_of_a_picture_ends_at_its_last_reading(tmp_path: Path) -> None:
    """`show --plot` holds no reading either."""
    artifact = open_artifact(full_run.artifact(tmp_path))
    panel = Figure().subplots()
    plot._draw_power(panel, artifact)
    times = [t for t, _ in lanes.readings_of(artifact, "telemetry", "power_mw", 1000)]
    assert list(panel.lines[0].get_xdata()) == times


def test_a_card_for_a_forum_begins_with_its_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`show --format markdown --plot` writes the picture and names it at the head of the card."""
    path, out = kit.artifact(tmp_path), tmp_path / "my run (1).png"
    assert main(["show", str(path), "--format", "markdown", "--plot", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    words = "waveform, spectrogram, chunks and power on one axis of time"
    assert lines[:3] == [f"![{words}](my%20run%20%281%29.png)", "", f"### `{path}`"]
    assert out.exists()


@pytest.mark.parametrize(("hertz", "columns"), [(80, 40), (180, 40), (440, 40)])
def test_the_pitch_of_a_buzz_is_drawn_where_it_is(hertz: int, columns: int) -> None:
    """Within 1 % for a sound with ten harmonics; silence and noise have none."""
    rate = 24_000
    time = np.arange(rate) / rate
    buzz = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 11)) * 3000
    noise = np.random.default_rng(7).normal(0, 3000, rate)
    middles = (np.arange(columns) + 0.5) / columns
    found = []
    for samples in (buzz, noise, np.zeros(rate)):
        source = BytesSource(samples.astype("<i2").tobytes())
        form = WaveFormat("pcm_s16", rate, 1, 16)
        found.append(picture.fundamental(sound_of_pcm(Span(source, 0, source.size), form), middles))
    inside = found[0][~np.isnan(found[0])]
    assert len(inside) > columns * 0.9
    assert inside == pytest.approx(np.full(len(inside), hertz), rel=0.01)
    assert np.isnan(found[1]).mean() > 0.9
    assert np.isnan(found[2]).all()


def test_a_recording_brings_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`record --report` writes both, and asks for a file of each before anything runs."""
    run, page = tmp_path / "run.tts.wav", tmp_path / "page.html"
    speak = ["--text", "Look.", "--", "espeak-ng", "-w", "{out}", "{text}"]
    assert main(["record", "-o", str(run), "--report", str(page), *speak]) == 0
    assert "one file of" in capsys.readouterr().out
    assert "INTACT" in Seen(page.read_text()).text
    assert main(["record", "-o", "-", "--report", str(page), *speak]) == 2
    assert "--report writes a second file; neither it nor --out can be - (" in capsys.readouterr().err


def test_a_picture_needs_one_run_and_a_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with the call is said, and nothing is left behind."""
    path, out = str(kit.artifact(tmp_path)), tmp_path / "out.gif"
    assert main(["show", path, "--plot", str(out)]) == 2
    assert capsys.readouterr().err == (
        "ttsa: give a file name that ends in .png, .svg or .pdf: found out.gif (at --plot)\n"
    )
    assert main(["show", path, "--plot"]) == 2
    assert capsys.readouterr().err == (
        "ttsa: usage: --plot PICTURE needs a value: Draw waveform, spectrogram, chunks and power of one run: .png, "
        ".svg or .pdf; - is a PNG on stdout (`ttsa show --help` for details)\n"
    )
    assert main(["show", path, path, "--plot", str(tmp_path / "out.png")]) == 2
    assert "--plot draws one run; name one file, or FILE#ROW" in capsys.readouterr().err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["run.tts.wav"]


SCRIPTS = (
    "<script>document.title='PWNED'</script>",
    "<img src=x onerror=\"document.title='PWNED'\">",
    "</script><script>document.title='PWNED'</script>",
    "'\"><svg onload=document.title='PWNED'>",
    "javascript:document.title='PWNED'",
)


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no browser executed the page")


@needs_chromium
def test_the_cursor_is_where_the_sound_is_and_b_begins_where_a_was(tmp_path: Path) -> None:
    """After a seek to 2.500 s the page is at 2.500 s; switched to the other run, it is at the same instant."""
    pair = [spoken_run(tmp_path, 3, name=f"{name}.tts.wav") for name in "ab"]
    page_of(tmp_path, *pair)
    dom = dom_of(tmp_path / "page.html", "t=2.5&player=b")
    assert "b: audio 2.500 s, 2.520 s after submit." in dom
    cursors = re.findall(r'id="cursor-([ab])" style="display: block; left: ([0-9.]+)%;"', dom)
    (player, _) = json.loads(re.findall(r'id="data">(.*?)</script>', dom)[0])["players"]
    place = (2.5 + player["stretches"][0][0] - player["start"]) / player["length"] * 100
    assert [(key, float(left)) for key, left in cursors] == [(key, pytest.approx(place, abs=0.01)) for key in "ab"]


@needs_chromium
def test_a_browser_executes_our_script_and_no_other(tmp_path: Path) -> None:
    """Scripts wherever a descriptor has room for words: the title stays, and the cursor is where ours put it."""
    path = poisoned(tmp_path, "".join(SCRIPTS))
    out = tmp_path / "page.html"
    page = page_of(tmp_path, path)
    assert dom_of(out).count("<title>PWNED") == 0
    # The policy holds even where a page is written without any escaping.
    out.write_text(page.replace("</h1>", "</h1>" + "".join(SCRIPTS), 1))
    assert "after submit." in dom_of(out)
    assert "<title>PWNED" not in dom_of(out)


def dom_of(page: Path, fragment: str = "") -> str:
    assert CHROMIUM is not None
    call = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}"]
    call += ["--virtual-time-budget=2000", "--dump-dom", f"{page.as_uri()}#{fragment}"]
    return subprocess.run(call, capture_output=True, text=True, check=True, timeout=300).stdout


def test_the_card_names_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line of show is the command that opens the run in a browser, ready to be typed."""
    path = kit.artifact(tmp_path, name="a run.tts.wav")
    assert main(["show", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"  page         ttsa report '{path}' -o page.html"


def test_the_lanes_of_a_full_run_say_what_they_show(tmp_path: Path) -> None:
    """Each picture has its range; those of numbers alone are drawn as they always were."""
    page = page_of(tmp_path, full_run.artifact(tmp_path))
    lanes = re.findall(r'<figure class="lane[^"]*"><figcaption>(.*?)</figcaption>(.*?)</figure>', page, re.DOTALL)
    said = {re.sub("<[^>]*>", "", caption): hashlib.sha256(svg.encode()).hexdigest()[:8] for caption, svg in lanes}
    drawn_by_fft = ("Waveform", "Spectrogram", "F0")
    assert [caption for caption in said if caption.startswith(drawn_by_fft)] == [
        "Waveform peak 0.275 of full scale, pcm_s16, 16000 Hz, 1 channel",
        "Spectrogram 0 to 8 kHz, -90 to 0 dBFS",
        "F0 60 to 500 Hz; median 444, quartiles 444 to 444 Hz",
    ]
    assert {caption: svg for caption, svg in said.items() if not caption.startswith(drawn_by_fft)} == {
        "Chunks 4 arrivals (above), playback (below): 2 stalls, 2.551 s": "6c74b46a",
        "Power 98 to 312.888 W": "8c029cc5",
        "Clock 345 to 1980 MHz": "6ad7507c",
        "Utilisation 0 to 87 %": "acecffd9",
        "Queue, waiting 0 to 1 requests": "ce135feb",
        "Queue, running 1 to 2 requests": "e61c1e72",
        "wall_power_mw 221000 to 401689 mW": "ddbb82cb",
        "seconds after submit": "e0dd9fab",
    }


def test_the_pitch_is_told_by_its_median_and_quartiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the voiced columns alone; none of them voiced is said in words."""
    path = kit.artifact(tmp_path)
    monkeypatch.setattr(picture, "fundamental", lambda *_: np.array([100, np.nan, 200, 300, 400, 500.0]))
    assert "60 to 500 Hz; median 300, quartiles 200 to 400 Hz" in page_of(tmp_path, path)
    monkeypatch.setattr(picture, "fundamental", lambda *_: np.array([np.nan]))
    assert "F0: no voiced frame was found" in page_of(tmp_path, path)
