"""Families AUD and CHK, and HSH13: each rule fails alone on a run that is otherwise sound."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from functools import partial

import full_run
import kit
import numpy as np
import pytest
import refusals
import soundfile
from ogg_pages import page, pages_of

from ttsartifact.container import crc
from ttsartifact.container import flac as flac_carrier
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

FLAC_MD5 = slice(26, 42)  # behind the magic, a block header, and 18 bytes of STREAMINFO
LAME = {"name": "LAME", "version": "3.100", "mode": "cbr", "bitrate_bps": 64_000}


def case(rule, slug, *, also=(), exit_code=1, make=kit.artifact, traces=None, **edits):
    return kit.Case(
        rule=rule,
        slug=slug,
        make=partial(make, patch=kit.put(**edits), traces=traces),
        also=frozenset(also),
        exit_code=exit_code,
    )


def noise(frames=4_000):
    return np.random.default_rng(7).integers(-9000, 9000, frames).astype("i2")


def encoded(kind, subtype=None):
    file = io.BytesIO()
    soundfile.write(file, noise(), kit.RATE_HZ, format=kind, subtype=subtype)
    return file.getvalue()


def flac():
    return encoded("FLAC", "PCM_16")


def without_tracks():
    """Return a FLAC with a cue sheet of no tracks behind STREAMINFO: only flac itself opens it."""
    return flac()[:42] + b"\5" + (396).to_bytes(3) + bytes(396) + flac()[42:]


def other_md5(data, md5):
    return data[: FLAC_MD5.start] + md5 + data[FLAC_MD5.stop :]


def in_parquet(folder, audio, *, encoder=None, patch=None, name="run.tts.parquet"):
    """Write a run that comes without a chunk log, as one of encoded audio does."""
    times = kit.descriptor()["run"]
    times["times"] |= {"first_chunk_frames": absent("not_measured"), "stalls": absent("not_measured")}
    draft = kit.draft(audio={"encoder": encoder or absent("unknown")}, traces=(), run=times)
    return kit.artifact(folder, name=name, audio=audio, run=draft, patch=patch)


def of_parquet(rule, slug, audio, *, also=(), exit_code=1, encoder=None, **edits):
    def make(folder):
        return in_parquet(folder, audio(), encoder=encoder, patch=kit.put(**edits))

    return kit.Case(rule=rule, slug=slug, make=make, also=frozenset(also), exit_code=exit_code)


def swapped(rule, slug, honest, bare, *, name="run.tts.parquet", also=(), exit_code=1, **edits):
    """Return a case of a run whose audio another producer put in the place of an honest one's."""

    def make(folder):
        path = in_parquet(folder, honest(), name=name)
        return kit.swapped(path, bare(), folder / f"other.{name}", patch=kit.put(**edits))

    return kit.Case(rule=rule, slug=slug, make=make, also=frozenset(also), exit_code=exit_code)


def undecodable():
    """Return a FLAC whose one frame holds, under check sums that fit, a subframe of a reserved kind."""
    data = bytearray(flac())
    start = flac_carrier.walk(BytesSource(bytes(data))).audio
    data[start + 8] = 0x04
    data[-2:] = crc.crc16(0, bytes(data[start:-2])).to_bytes(2)
    return bytes(data)


def ogg_of(data):
    """Return an Ogg under a fixed serial number: libsndfile draws one."""
    return b"".join(page(each, serial=7) for each in pages_of(data))


def chained():
    """Return two Ogg streams, one behind the other."""
    return ogg_of(encoded("OGG", "OPUS")) * 2


def long_last():
    """Return a Vorbis of 1 kHz in one page: its last packet is of 256 ms, and FFmpeg plays it whole."""
    soundfile.write(file := io.BytesIO(), noise(), 1_000, format="OGG", subtype="VORBIS")
    return ogg_of(file.getvalue())


def hidden():
    """Return a WAV whose PCM is four frames of MPEG layer III, which FFmpeg plays in its place."""
    return kit.wav((b"\xff\xfb\x90\x64" + bytes(413)) * 4)


def other_rate():
    """Return a FLAC whose STREAMINFO has another rate than its frames."""
    data = bytearray(flac())
    packed = int.from_bytes(data[18:26]) & (1 << 44) - 1 | 48_000 << 44
    return bytes(data[:18] + packed.to_bytes(8) + data[26:])


def two_in_a_row():
    """Return two MP3 files in a row, the first of which counts its own frames only."""
    return encoded("MP3") * 2


def frames_in_a_tag():
    """Return the MP3 with an APE tag that holds frames of another rate and layer, which FFmpeg plays."""
    items = struct.pack("<II", 2 * 417, 2) + b"Art\0" + (b"\xff\xfd\x80\x04" + bytes(413)) * 2
    return encoded("MP3") + items + b"APETAGEX" + struct.pack("<IIII", 2000, len(items) + 32, 1, 0) + bytes(8)


def before_data(chunk):
    """Return the WAV with a chunk before its data."""
    plain = kit.wav()
    return plain[:4] + struct.pack("<I", len(plain) - 8 + len(chunk)) + plain[8:36] + chunk + plain[36:]


def data_in_a_list():
    """Return the WAV with a list of words that names `data`: libsndfile plays from there to the end of the file."""
    return before_data(b"LIST" + struct.pack("<I", 12) + b"INFOdata\xf0\xff\xff\xff")


def cue_of_two():
    """Return the WAV with a cue chunk that counts more points than it holds: libsndfile takes the rest of the sound."""
    return before_data(b"cue " + struct.pack("<II", 28, 2) + bytes(24))


def id_of_nul():
    """Return the WAV with a chunk whose id has a NUL: SoX takes the letters behind it for the length."""
    return before_data(b"ab\0d" + struct.pack("<I", 2) + bytes(2))


def long_padding():
    """Return the MP3 whose LAME tag states more padding than encoders add, which FFmpeg keeps behind a long tag."""
    data = encoded("MP3")
    place = data.index(b"LAME") + 21
    return data[:place] + (576 << 12 | 4095).to_bytes(3, "big") + data[place + 3 :]


def longer_wave():
    """Return a WAV with bytes behind its end."""
    return kit.wav() + b"more"


def floats(*samples):
    """Return a WAV of 32-bit floats in which `samples` stand first."""
    values = [*samples, *([0.25] * (800 - len(samples)))]
    return kit.wav(struct.pack("<800f", *values), bits=32, tag=3)


def of_floats(slug, *samples, clipped=0):
    bare = floats(*samples)
    edits = {"audio__clipped_samples": clipped, "audio__pcm": digest.of(bare[44:])}
    return swapped("AUD12", slug, floats, lambda: bare, name="run.tts.wav", **edits)


def chunks(**columns):
    def edit(values):
        trace = values["chunks"]
        trace["columns"] |= columns
        trace["rows"] = len(trace["columns"]["t_ns"])

    return edit


def last_chunk_lost(values):
    trace = values["chunks"]
    for column in trace["columns"].values():
        del column[-1]
    trace["rows"] -= 1


CASES = [
    case("AUD01", "44100", audio__sample_rate_hz=44_100),
    case("AUD01", "one-off", audio__sample_rate_hz=kit.RATE_HZ + 1),
    case("AUD02", "stereo", audio__channels=2, audio__roles=[{"role": "output"}] * 2),
    case("AUD02", "roleless", audio__roles=[{"role": "output"}] * 2),
    case("AUD03", "24-bit", audio__bit_depth=24),
    case("AUD03", "float", audio__subtype="pcm_s24"),
    case("AUD03", "depth-not-told", audio__bit_depth=absent("unknown")),
    case("AUD04", "media-type", audio__media_type="audio/flac"),
    case("AUD05", "one-more", audio__frames=801),
    of_parquet("AUD06", "flac-without-level", flac, encoder={"name": "libFLAC", "version": "1.4.3"}),
    of_parquet(
        "AUD06",
        "mp3-without-bitrate",
        lambda: encoded("MP3"),
        encoder={**LAME, "bitrate_bps": 64_000},
        audio__encoder__bitrate_bps=...,
    ),
    of_parquet("AUD06", "mp3-without-mode", lambda: encoded("MP3"), encoder=LAME, audio__encoder__mode=...),
    of_parquet("AUD06", "mp3-without-version", lambda: encoded("MP3"), encoder={**LAME, "version": absent("unknown")}),
    of_floats("nan", float("nan")),
    of_floats("infinite", float("inf")),
    of_floats("negative-infinite", 0.5, float("-inf")),
    of_floats("uncounted", 1.5, -1.25),
    case("CHK01", "gap", traces=chunks(frame_start=[0, 401], frame_count=[400, 399])),
    case("CHK01", "overlap", traces=chunks(frame_start=[0, 399], frame_count=[400, 401])),
    case(
        "CHK01",
        "not-from-0",
        traces=chunks(frame_start=[1, 400], frame_count=[399, 400]),
        run__times__first_chunk_frames=399,
    ),
    case(
        "CHK01", "empty", traces=chunks(frame_start=[0, 800], frame_count=[800, 0]), run__times__first_chunk_frames=800
    ),
    case("CHK02", "last-chunk-lost", traces=last_chunk_lost, run__times__t_last_token_ns=21_000_017),
    case(
        "CHK03",
        "backwards",
        make=full_run.artifact,
        traces=chunks(
            t_ns=[full_run.FIRST_NS, full_run.FIRST_NS + 9_000_007, full_run.FIRST_NS + 9_000_006, full_run.LAST_NS]
        ),
    ),
    case(
        "CHK04",
        "all-at-once",
        exit_code=0,
        traces=chunks(t_ns=[41_000_029] * 2),
        run__times__t_first_token_ns=41_000_029,
    ),
    case("CHK05", "count", run__times__stalls={"count": 1, "total_ns": 0}),
    case("CHK05", "one-ns", make=full_run.artifact, run__times__stalls={"count": 2, "total_ns": 1}),
]
CASES += [  # these are decoded
    swapped("HSH13", "other-md5", flac, lambda: other_md5(flac(), b"\x01" * 16)),
    of_parquet("HSH13", "left-out", lambda: other_md5(flac(), bytes(16)), exit_code=0),
    of_parquet("AUD01", "flac", flac, audio__sample_rate_hz=44_100),
    of_parquet("AUD05", "mp3", lambda: encoded("MP3"), audio__frames=4_001),
    of_parquet(
        "AUD04",
        "mp3-for-vorbis",
        lambda: encoded("MP3"),
        audio__codec="ogg_vorbis",
        audio__media_type="audio/ogg",
    ),
    swapped("AUD07", "reserved-subframe", flac, undecodable),
    kit.Case(
        rule="AUD20", slug="other-scale", make=partial(full_run.rendered, patch=kit.put(audio__roles__2__offset=0))
    ),
    swapped("AUD15", "flac-rate", flac, other_rate, name="run.tts.flac"),
    swapped("AUD15", "flac-rate-in-parquet", flac, other_rate),
    swapped(
        "AUD15",
        "cue-sheet-without-tracks",
        flac,
        without_tracks,
        name="run.tts.flac",
    ),
    swapped("AUD15", "two-mp3-in-a-row", lambda: encoded("MP3"), two_in_a_row, name="run.tts.mp3"),
    swapped("AUD15", "two-mp3-in-a-row-in-parquet", lambda: encoded("MP3"), two_in_a_row),
    swapped("AUD15", "chained-ogg", lambda: encoded("OGG", "OPUS"), chained),
    swapped("AUD15", "long-last-packet-in-one-page", lambda: ogg_of(encoded("OGG", "VORBIS")), long_last),
    swapped("AUD15", "wav-and-more-in-parquet", kit.wav, longer_wave),
    swapped("AUD15", "mpeg-frames-in-a-tag", lambda: encoded("MP3"), frames_in_a_tag, name="run.tts.mp3"),
    swapped("AUD15", "data-in-a-list-in-parquet", kit.wav, data_in_a_list),
    swapped("AUD15", "cue-of-more-points-in-parquet", kit.wav, cue_of_two),
    swapped("AUD15", "nul-in-a-chunk-id-in-parquet", kit.wav, id_of_nul),
    swapped("AUD15", "more-padding-than-encoders-add", lambda: encoded("MP3"), long_padding, name="run.tts.mp3"),
    swapped(
        "AUD15",
        "pcm-that-is-mp3",
        lambda: kit.wav(kit.tone(834)),
        hidden,
        name="run.tts.wav",
        audio__pcm=digest.of(hidden()[44:]),
    ),
    of_parquet("HSH19", "other-frames", lambda: encoded("MP3"), audio__coded=digest.of(b"other frames")),
    of_parquet("HSH19", "of-flac", flac, audio__coded=digest.of(b"frames")),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


@pytest.mark.parametrize(
    ("audio", "encoder"),
    [
        (flac, {"name": "libFLAC", "version": "1.4.3", "level": "5"}),
        (flac, None),
        (lambda: encoded("MP3"), LAME),
        (lambda: encoded("OGG", "VORBIS"), {"name": "libvorbis", "version": "1.3.7", "mode": "vbr", "quality": "0.4"}),
        (lambda: encoded("OGG", "OPUS"), None),
    ],
)
def test_encoded_audio_passes(audio, encoder, tmp_path):
    """6.2: encoded audio whose facts are as it says them holds; an encoder that nobody knows may be absent."""
    (report,) = refusals.verify(in_parquet(tmp_path, audio(), encoder=encoder))
    assert report.findings == ()
    assert {"AUD01", "AUD02", "AUD03", "AUD04", "AUD05", "AUD07", "AUD15"} <= set(report.passed)
    assert ("HSH19" in report.passed) is (report.not_applicable.count("HSH19") == 0)
    assert ("AUD06" in report.passed) is (encoder is not None)


def test_a_tag_behind_an_mp3_leaves_its_frames(tmp_path):
    """10.2: a tagger changes the file and no frame: RETAGGED, as it is for a WAV."""
    path = in_parquet(tmp_path, encoded("MP3"), name="run.tts.mp3")
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    (report,) = refusals.verify(path)
    assert report.verdict == "RETAGGED"
    assert "HSH19" in report.passed
    cut = path.read_bytes()[: -128 - len(encoded("MP3")) // 4]
    path.write_bytes(cut)
    (report,) = refusals.verify(path)
    assert report.verdict != "RETAGGED"


@pytest.mark.parametrize(
    ("audio", "rule"),
    [
        (hidden, "CON02"),
        (other_rate, "CON02"),
        (chained, "CON02"),
        (two_in_a_row, "CON02"),
        (undecodable, "AUD07"),
        (lambda: floats(float("nan")), "AUD12"),
        (lambda: other_md5(flac(), b"\x01" * 16), "HSH13"),
    ],
)
def test_what_verify_would_fail_is_told_before_it_is_published(audio, rule, tmp_path):
    """3.10: a producer refuses audio that its own verification would fail, and writes nothing."""
    with pytest.raises(TtsArtifactError) as caught:
        in_parquet(tmp_path, audio())
    assert caught.value.rule == rule
    assert list(tmp_path.iterdir()) == []


FORMATS = {"ULAW": "mulaw", "ALAW": "alaw", "PCM_U8": "pcm_u8", "DOUBLE": "pcm_f64", "FLOAT": "pcm_f32"}


@pytest.mark.parametrize("subtype", FORMATS)
@pytest.mark.parametrize("name", ["run.tts.wav", "run.tts.parquet"])
def test_common_sample_formats_hold(subtype, name, tmp_path):
    """8.3: telephone codes, bytes and doubles are digested as they are stored, and nothing is said against them."""
    out = io.BytesIO()
    soundfile.write(out, noise() / 32_768, kit.RATE_HZ, format="WAV", subtype=subtype)
    path = in_parquet(tmp_path, out.getvalue(), name=name)
    (report,) = refusals.verify(path)
    assert report.findings == ()
    assert open_artifact(path).descriptor.known("/audio/subtype") == FORMATS[subtype]
    assert "HSH03" in report.passed


def test_flac_has_a_witness(tmp_path):
    """8.3: the MD5 of STREAMINFO is a second opinion on the samples."""
    (report,) = refusals.verify(in_parquet(tmp_path, flac()))
    assert "HSH13" in report.passed


@pytest.mark.parametrize(
    ("samples", "clipped"), [((1.0, -1.0), 0), ((1.5,), 1), ((1.5,), 3), ((1.5,), absent("unknown"))]
)
def test_floats_that_pass(samples, clipped, tmp_path):
    """6.1: full scale is no clipping, and what lies outside is counted or not known."""
    (report,) = refusals.verify(
        kit.artifact(tmp_path, audio=floats(*samples), patch=kit.put(audio__clipped_samples=clipped))
    )
    assert report.findings == ()
    assert "AUD12" in report.passed


def test_one_chunk_is_no_stream(tmp_path):
    """6.3: several chunks at one instant are only strange when the run says that it streamed."""
    edits = kit.put(run__times__t_first_token_ns=41_000_029, run__times__streaming=False)
    (report,) = refusals.verify(kit.artifact(tmp_path, traces=chunks(t_ns=[41_000_029] * 2), patch=edits))
    assert report.findings == ()


def test_a_misstated_rate_blocks_what_it_measures(tmp_path):
    """6.3: stalls are counted in frames a second, and are not asked about when the rate is wrong."""
    (report,) = refusals.verify(kit.artifact(tmp_path, patch=kit.put(audio__sample_rate_hz=44_100)))
    assert [(f.rule, f.blocked_by) for f in report.unchecked] == [("CHK05", "AUD01")]
    (finding,) = report.findings
    assert (finding.where, finding.found, finding.expected) == ("/audio/sample_rate_hz", 44_100, 16_000)


def test_a_wav_needs_no_decoder(tmp_path):
    """6.1: a WAV is verified without a sound library and without numpy."""
    path = kit.artifact(tmp_path)
    program = (
        "import sys; from ttsartifact.verifying.engine import verify; (report,) = verify(sys.argv[1]);"
        "assert report.conformant;"
        "print(sorted({'numpy', 'soundfile', 'pyarrow', 'jsonschema', 'rich', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
