"""FLAC and MP3 as carriers: silent to every player, and the same run in each that can hold its audio."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import encoded
import kit
import pytest
import refusals
import soundfile

from ttsartifact.errors import Damaged, InvalidDescriptor, NotAnArtifact, Refused
from ttsartifact.gating.policy_file import load_policy
from ttsartifact.packing import carriers
from ttsartifact.packing.judging import gate
from ttsartifact.perturbing.perturb import perturb
from ttsartifact.perturbing.plan import load_plan
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FULL_FLAC = encoded.bare_flac(
    encoded.SEEKPOINTS, encoded.comment("TITLE=a fox"), encoded.picture(), (encoded.PADDING, bytes(64))
)
BARE = {
    "flac": FULL_FLAC,
    "flac-streaminfo-last": encoded.bare_flac(),
    "flac-tagged": encoded.id3(encoded.TITLE) + FULL_FLAC,
    "mp3": encoded.mp3(),
    "mp3-tagged": encoded.id3(encoded.TITLE) + encoded.mp3() + encoded.ape() + encoded.ID3V1,
}


def _output(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


PLAYERS: dict[str, Callable[[Path], bytes]] = {
    "libsndfile": lambda file: soundfile.read(file, dtype="int16")[0].tobytes(),
    "ffmpeg": lambda file: _output("ffmpeg", "-loglevel", "error", "-i", str(file), "-f", "s16le", "-"),
    "sox": lambda file: _output("sox", str(file), "-t", "raw", "-"),
    "mpg123": lambda file: _output("mpg123", "-q", "-s", str(file)),
}
_SOX_PLAYS_MP3 = b" mp3" in _output("sox", "--help")  # Debian has MP3 in a package of its own


def players_of(carrier: str) -> list[Callable[[Path], bytes]]:
    """Return the players of a codec that are installed here."""
    if carrier == "flac":
        absent = {"mpg123"}
    else:
        absent = ({"sox"} if not _SOX_PLAYS_MP3 else set()) | ({"mpg123"} if not shutil.which("mpg123") else set())
    return [player for name, player in PLAYERS.items() if name not in absent]


@pytest.mark.parametrize("name", BARE)
def test_one_run_in_every_carrier(tmp_path: Path, name: str) -> None:
    """3.6: strip gives the encoder's bytes; to Parquet and back gives the same artifact, seal included."""
    carrier = name.partition("-")[0]
    path = encoded.artifact(tmp_path, carrier, audio=BARE[name])
    (report,) = verify(path)
    assert (report.verdict, report.carrier, report.findings) == ("INTACT", carrier, ())
    carriers.strip(path, tmp_path / "bare")
    assert (tmp_path / "bare").read_bytes() == BARE[name]
    (first,) = carriers.convert([path], tmp_path / "run.tts.parquet")
    (second,) = carriers.convert([tmp_path / "run.tts.parquet"], tmp_path / f"back.tts.{carrier}")
    assert first == second == report.artifact_id
    assert (tmp_path / f"back.tts.{carrier}").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("held", "asked"), [("wav", "flac"), ("flac", "wav"), ("flac", "mp3"), ("mp3", "flac")])
def test_a_converter_transcodes_nothing(tmp_path: Path, held: str, asked: str) -> None:
    """3.6: a carrier of another codec is refused in a sentence, and nothing is written."""
    path = kit.artifact(tmp_path) if held == "wav" else encoded.artifact(tmp_path, held)
    with refusals.raises(Refused) as caught:
        carriers.convert([path], tmp_path / f"other.tts.{asked}")
    assert str(caught.value) == (
        f"the {asked.upper()} carrier holds {asked.upper()} audio only and other audio is not transcoded; "
        f"write .tts.parquet (at {tmp_path / f'other.tts.{asked}'})"
    )
    assert not (tmp_path / f"other.tts.{asked}").exists()


@pytest.mark.parametrize("carrier", ["wav", "flac", "mp3"])
def test_a_run_that_changed_is_not_sealed_again(tmp_path: Path, carrier: str) -> None:
    """3.6: a new seal around another descriptor would make an INTACT file of a damaged one, under another identity."""
    make = kit.artifact if carrier == "wav" else lambda folder: encoded.artifact(folder, carrier)
    sound = make(tmp_path)
    bare, capsule = tmp_path / f"bare.{carrier}", tmp_path / "capsule"
    carriers.strip(sound, bare)
    carriers.detach(sound, capsule)
    for path, part in ((sound, b'"run_id":"'), (capsule, b'"run_id":"')):
        data = bytearray(path.read_bytes())
        data[data.index(part) + 12] ^= 1
        path.write_bytes(data)
    again, out = tmp_path / f"again.tts.{carrier}", tmp_path / "runs.tts.parquet"
    policy, plan = tmp_path / "policy.toml", tmp_path / "plan.toml"
    check = 'id = "house"\nversion = "1.0"\n[[check]]\nmetric = "clipping"\noperator = "=="\nthreshold = 0\n'
    policy.write_text(check)
    plan.write_text('seed = "1"\n[[layer]]\nid = "a"\nstage = "pcm"\nkind = "dropout"\nper_word = 0.5\n')
    for act in (
        lambda: carriers.convert([sound], out),
        lambda: carriers.rewrite(sound, again, lambda _, parts: parts),
        lambda: carriers.detach(sound, tmp_path / "other"),
        lambda: carriers.reattach(bare, sound, again),
        lambda: carriers.reattach(bare, capsule, again),
        lambda: gate([sound], load_policy(policy), again),
        lambda: perturb(sound, load_plan(plan), again),
    ):
        with refusals.raises(Refused, match="the descriptor or a part is not as it was sealed"):
            act()
    assert not {out, again, tmp_path / "other"} & set(tmp_path.iterdir())


@pytest.mark.parametrize("carrier", ["flac", "mp3"])
def test_reattach_and_unpack(tmp_path: Path, carrier: str) -> None:
    """3.6: what lost its capsule gets it back, from a capsule, an artifact or a folder; other audio does not."""
    path = encoded.artifact(tmp_path, carrier, audio=BARE[carrier])
    carriers.strip(path, tmp_path / "bare")
    carriers.detach(path, tmp_path / "run.capsule")
    names = carriers.unpack(path, tmp_path / "open")
    assert f"audio.{carrier}" in names
    for source in (tmp_path / "run.capsule", path, tmp_path / "open"):
        carriers.reattach(tmp_path / "bare", source, tmp_path / f"again.tts.{carrier}", replace=True)
        assert (tmp_path / f"again.tts.{carrier}").read_bytes() == path.read_bytes()
    (tmp_path / "other").write_bytes(encoded.flac(700) if carrier == "flac" else encoded.mp3(3_000))
    with refusals.raises(Refused, match="the audio is not the recorded audio"):
        carriers.reattach(tmp_path / "other", path, tmp_path / f"no.tts.{carrier}")
    with refusals.raises(NotAnArtifact, match="carries a capsule already"):
        carriers.reattach(path, path, tmp_path / f"no.tts.{carrier}")


TAGGED = {
    "before": (encoded.mp3(), encoded.id3(encoded.TITLE) + encoded.mp3()),
    "behind": (encoded.mp3(), encoded.mp3() + encoded.ape() + encoded.ID3V1),
    "around": (encoded.mp3(), encoded.id3(encoded.TITLE) + encoded.mp3() + encoded.ID3V1),
    "before its own": (BARE["mp3-tagged"], encoded.id3(encoded.TITLE) + BARE["mp3-tagged"]),
}


@pytest.mark.parametrize("where", TAGGED)
def test_a_tagged_mp3_gives_the_recorded_one(tmp_path: Path, where: str) -> None:
    """3.6: tags that software put before or behind the file are left out."""
    bare, copy = TAGGED[where]
    path, out = encoded.artifact(tmp_path, "mp3", audio=bare), tmp_path / "whole.tts.mp3"
    (tmp_path / "copy.mp3").write_bytes(copy)
    assert carriers.reattach(tmp_path / "copy.mp3", path, out) == open_artifact(path).artifact_id
    assert out.read_bytes() == path.read_bytes()


def test_what_does_not_give_the_recorded_file_is_said(tmp_path: Path) -> None:
    """3.6: the same frames with other tags, the same samples in another file, and samples of a lossy file."""
    mp3, flac = encoded.artifact(tmp_path, "mp3", audio=BARE["mp3-tagged"]), encoded.artifact(tmp_path, "flac")
    said = {}
    for name, copy, path in (
        ("frames", encoded.mp3(), mp3),
        ("samples", kit.wav(kit.tone(800)), flac),
        ("blocks", FULL_FLAC, flac),
        ("decoded", kit.wav(kit.tone(800)), mp3),
    ):
        (tmp_path / name).write_bytes(copy)
        with refusals.raises(Refused) as caught:
            carriers.reattach(tmp_path / name, path, tmp_path / f"no.tts.{path.suffix}")
        said[name] = caught.value.message
    samples = "the samples are the recorded ones, but the recorded file is a FLAC that they do not make again"
    frames = "the frames are the recorded ones, but the tags around them are others"
    decoded = "a copy as WAV does not hold the recorded MP3: one of the two encodes with loss"
    assert said == {"frames": frames, "samples": samples, "blocks": samples, "decoded": decoded}


@pytest.mark.parametrize("stated", [{}, {"pcm_sha256": ["0" * 64] * 2}], ids=["none", "some"])
def test_lossy_audio_takes_no_chunk_log(tmp_path: Path, stated: dict[str, list[str]]) -> None:
    """6.2: its digests could not be recomputed, so none that somebody states are kept."""
    run = kit.draft(traces=(Trace("chunks", kit.chunk_log().columns | stated),), audio={"encoder": absent("unknown")})
    with refusals.raises(InvalidDescriptor) as caught:
        kit.artifact(tmp_path, name="run.tts.mp3", audio=encoded.mp3(), run=run)
    assert str(caught.value) == "lossy audio has no chunk log: found mp3 (at trace/chunks)"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("carrier", ["flac", "mp3"])
def test_an_artifact_is_not_packed_twice(tmp_path: Path, carrier: str) -> None:
    """3.5: exactly one capsule, in Parquet too."""
    whole = encoded.artifact(tmp_path, carrier).read_bytes()
    for name in (f"twice.tts.{carrier}", "twice.tts.parquet"):
        with refusals.raises(Damaged, match="carries a capsule already"):
            kit.artifact(tmp_path, name=name, audio=whole)


@pytest.mark.parametrize("name", BARE)
def test_players_hear_the_same_samples(tmp_path: Path, name: str) -> None:
    """3.9: the capsule is silent: libsndfile, sox and ffmpeg hear what they hear in the bare file."""
    carrier = name.partition("-")[0]
    path = encoded.artifact(tmp_path, carrier, audio=BARE[name])
    bare = tmp_path / f"bare.{carrier}"
    bare.write_bytes(BARE[name])
    for player in players_of(carrier):
        assert player(path) == player(bare) != b""
    if carrier == "flac":
        assert soundfile.read(path, dtype="int16")[0].tobytes() == kit.tone()
        _output("flac", "-s", "-t", "--warnings-as-errors", str(path))


def test_a_long_tag_and_a_long_block_are_played_over(tmp_path: Path) -> None:
    """3.9: megabytes of capsule change nothing; five of them were tried in six players."""
    data = bytes(range(256)) * 20_000
    for carrier in ("flac", "mp3"):
        path = encoded.artifact(tmp_path, carrier, parts=lambda held: held | {"ref/0": data})
        bare = encoded.flac() if carrier == "flac" else encoded.mp3()
        (tmp_path / f"bare.{carrier}").write_bytes(bare)
        for player in players_of(carrier):
            assert player(path) == player(tmp_path / f"bare.{carrier}") != b""
        assert open_artifact(path).parts.part("ref/0") == data


def test_flac_encodes_an_artifact_again(tmp_path: Path) -> None:
    """10.2: flac keeps our block and writes other frames; the samples are the recorded ones, and the seal is not."""
    path = encoded.artifact(tmp_path, "flac")
    _output("flac", "-s", "-0", "-o", str(tmp_path / "again.flac"), str(path))
    (report,) = verify(tmp_path / "again.flac")
    assert report.verdict == "RETAGGED"
    assert {"HSH02", "SEA02"} <= {finding.rule for finding in report.failures}


def test_ffmpeg_keeps_the_tag_and_drops_the_block(tmp_path: Path) -> None:
    """3.9: PRIV survives a copy, so that the run can still be shown; APPLICATION does not."""
    for carrier in ("flac", "mp3"):
        path, out = encoded.artifact(tmp_path, carrier), tmp_path / f"copy.{carrier}"
        _output("ffmpeg", "-loglevel", "error", "-i", str(path), "-c", "copy", str(out))
        if carrier == "flac":
            with refusals.raises(NotAnArtifact, match="a FLAC without a capsule"):
                open_artifact(out)
        else:
            assert open_artifact(out).artifact_id == open_artifact(path).artifact_id


def test_a_wav_artifact_inside_a_flac_is_recognised(tmp_path: Path) -> None:
    """3.9: flac keeps the chunks of a WAV artifact and gives them back; until then it is told apart from a carrier."""
    path, wrapped = kit.artifact(tmp_path), tmp_path / "wrapped.flac"
    _output("flac", "-s", "--keep-foreign-metadata", "-o", str(wrapped), str(path))
    with refusals.raises(NotAnArtifact) as caught:
        open_artifact(wrapped)
    assert caught.value.message == ("FLAC-wrapped WAV artifact: restore with flac -d --keep-foreign-metadata first")
    (report,) = verify(wrapped)
    assert {finding.rule for finding in report.findings} == {"CON04"}
    _output("flac", "-s", "-d", "--keep-foreign-metadata", "-o", str(tmp_path / "back.wav"), str(wrapped))
    assert (tmp_path / "back.wav").read_bytes() == path.read_bytes()
