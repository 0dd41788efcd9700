"""A request becomes chunks of sound: the same whoever listens, in whatever company, and every refusal is clear.

A very small model with random weights stands in for the released one: what is asserted here is order, lengths, digests
and honesty, never how it sounds.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from reference_runner.errors import (
    CheckpointError,
    DeviceUnavailable,
    EmptyText,
    ReferenceClipError,
    RequestError,
    TextTooLong,
    UnknownScript,
)
from reference_runner.model import features
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.numerics import integers, kat
from reference_runner.numerics.native import NativeOps
from reference_runner.numerics.noise import Stream, digest
from reference_runner.numerics.plain import PlainOps
from reference_runner.synthesis.alignment import align
from reference_runner.synthesis.hearing import log_mel, prosody
from reference_runner.synthesis.references import Reference, hear, to_fed_pcm
from reference_runner.synthesis.request import ChunkPlan, Numerics, Prompt, PromptKind, SynthesisRequest
from reference_runner.synthesis.resampling import resample
from reference_runner.synthesis.run import HOP, to_pcm
from reference_runner.synthesis.stations import KEEPS_SHAPE, Station
from reference_runner.synthesis.synthesizer import Synthesizer

TEXT = "Hello there. The harbor was quiet, and we waited for the second boat."


@pytest.fixture(scope="module")
def synthesizer(small_checkpoint):
    """One for all tests: profiles are prepared once."""
    return Synthesizer(small_checkpoint)


@pytest.fixture(scope="module")
def spoken(synthesizer):
    """Make the run that others are compared with."""
    return speak(synthesizer)


def speak(synthesizer, text=TEXT, **conditions):
    """Speak, and return the PCM and the report."""
    speech = synthesizer.speak(SynthesisRequest(text=text, **({"steps": 3, "seed": 5} | conditions)))
    pcm = np.concatenate([chunk.pcm for chunk in speech])
    return pcm, speech.report


def voice_like(samples: int, rate_hz: int = 16_000) -> np.ndarray:
    """Make a buzz with a moving pitch, float64 within [-1, 1]."""
    t = np.arange(samples) / rate_hz
    phase = 2 * np.pi * (120 * t + 3 * np.sin(2 * np.pi * 2 * t))
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, 8)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))


def clip(folder, samples, rate_hz=16_000, name="clip.wav", subtype="PCM_16", **facts) -> Reference:
    """Write samples and return them as a reference."""
    if subtype == "PCM_16":
        samples = np.rint(samples * 32_768).astype(np.int16)
    soundfile.write(folder / name, samples, rate_hz, subtype=subtype)
    return Reference(path=str(folder / name), provenance="made by the test", **facts)


# -- one run


def test_chunks_follow_each_other_and_make_the_whole(synthesizer, spoken):
    """Places, lengths and the last flag fit; the PCM hash is that of the chunks joined."""
    pcm, report = spoken
    speech = synthesizer.speak(SynthesisRequest(text=TEXT, steps=3, seed=5))
    chunks = list(speech)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.first_sample for chunk in chunks] == [32 * HOP * i for i in range(len(chunks))]
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert report.frames * HOP == report.samples == len(pcm)
    assert report.stage_hashes["pcm"] == f"sha256:{hashlib.sha256(pcm.astype('<i2').tobytes()).hexdigest()}"
    assert len(report.sentences) == 2
    assert report.code_margin.decisions == report.duration_margin.decisions == report.phones


def test_the_same_request_gives_the_same_digests(synthesizer, spoken):
    """All of them."""
    _, again = speak(synthesizer)
    assert again == spoken[1]


def test_plain_integers_speak_the_same(small_checkpoint, spoken):
    """Numpy float64 and numpy int64, from the request to the PCM."""
    for integer in (False, True):
        plain = Synthesizer(small_checkpoint, exact_ops=lambda w, _, i=integer: PlainOps(w, integer=i))
        pcm, report = speak(plain)
        assert np.array_equal(pcm, spoken[0])
        assert report.stage_hashes == spoken[1].stage_hashes
        assert report.stations == spoken[1].stations


def test_the_consumer_may_be_slow_or_live_elsewhere(synthesizer, spoken):
    """A chunk taken late, or from another thread, is the same chunk."""
    late = []
    for chunk in synthesizer.speak(SynthesisRequest(text=TEXT, steps=3, seed=5)):
        time.sleep(0.002 * (chunk.index % 3))
        late.append(chunk.pcm)
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(speak(synthesizer)[0]))
    thread.start()
    thread.join()
    assert np.array_equal(np.concatenate(late), spoken[0])
    assert np.array_equal(elsewhere[0], spoken[0])


def test_sound_arrives_before_the_end_is_planned(small_checkpoint):
    """The first chunk comes when only the first sentences have been decided."""
    passed = []

    def watch(passing, value):
        passed.append(passing.station)
        return value

    watching = Synthesizer(small_checkpoint, hooks={Station.DURATION: watch})
    stream = iter(watching.speak(SynthesisRequest(text=TEXT + " It was late." * 20, steps=1)))
    next(stream)
    assert 1 <= len(passed) < 21


def test_noise_belongs_to_a_frame_and_not_to_a_chunk(synthesizer, spoken):
    """Cut differently, the noise, phones, codes and durations are the same; mel and PCM know their context."""
    _, whole = speak(synthesizer, chunk=ChunkPlan(frames=10_000))
    for stage in ("noise", "phones", "codes", "durations"):
        assert whole.stage_hashes[stage] == spoken[1].stage_hashes[stage]
    assert whole.stage_hashes["pcm"] != spoken[1].stage_hashes["pcm"]
    frames = whole.frames
    values = Stream(seed=5, stage="mel").values(0, frames, 80)
    expected = hashlib.sha256(values.astype("<i4").tobytes()).hexdigest()
    assert whole.stage_hashes["noise"] == f"sha256:{expected}"


def test_a_chunked_run_is_near_the_whole(synthesizer, spoken):
    """Context on both sides keeps the seams small: chunked against whole, at least 20 dB."""
    whole, _ = speak(synthesizer, chunk=ChunkPlan(frames=10_000))
    difference = (whole.astype(float) - spoken[0]).var()
    assert 10 * np.log10(whole.astype(float).var() / max(difference, 1e-9)) > 20


@pytest.mark.parametrize("change", [{"seed": 6}, {"stage_seeds": {"mel": 6}}, {"steps": 2}, {"temperature": 1.5}])
def test_a_condition_that_concerns_the_mel_moves_only_what_follows(synthesizer, spoken, change):
    """Phones, codes and durations stay; the report names the condition."""
    _, other = speak(synthesizer, **change)
    for stage in ("phones", "codes", "durations"):
        assert other.stage_hashes[stage] == spoken[1].stage_hashes[stage]
    assert other.stage_hashes["pcm"] != spoken[1].stage_hashes["pcm"]


@pytest.mark.parametrize("numerics", list(Numerics))
def test_drawn_codes_follow_the_seed_and_nothing_else(synthesizer, numerics):
    """Equal seeds draw equal codes, in a batch as alone; another seed draws others; 0 is what was greedy before."""
    asked = {"numerics": numerics, "repeat": False, "steps": 0}
    drawn = [speak(synthesizer, prosody_temperature=1.5, seed=seed, **asked)[1] for seed in (5, 5, 6)]
    codes = [report.stage_hashes["codes"] for report in drawn]
    assert codes[0] == codes[1] != codes[2]
    assert {report.stage_hashes["phones"] for report in drawn} == {drawn[0].stage_hashes["phones"]}
    greedy = speak(synthesizer, seed=5, **asked)[1]
    assert greedy.stage_hashes["codes"] == speak(synthesizer, seed=6, **asked)[1].stage_hashes["codes"] != codes[0]
    assert (drawn[0].prosody_temperature, greedy.prosody_temperature) == (1.5, 0.0)


def test_another_prior_is_another_manner_and_voice(synthesizer, spoken):
    """The prompt is a condition with a digest."""
    _, other = speak(synthesizer, prompt=Prompt(prior=0))
    assert other.prompt["digest"] != spoken[1].prompt["digest"]
    assert other.voice == "prior nobody-0"
    assert other.stage_hashes["phones"] == spoken[1].stage_hashes["phones"]
    assert other.stage_hashes["pcm"] != spoken[1].stage_hashes["pcm"]


def test_without_steps_the_mean_is_spoken(synthesizer):
    """No noise reaches the sound."""
    first, second = speak(synthesizer, steps=0, seed=1)[0], speak(synthesizer, steps=0, seed=2)[0]
    assert np.array_equal(first, second)


def test_a_report_exists_only_after_the_last_chunk(synthesizer):
    """And a speech is spoken once."""
    speech = synthesizer.speak(SynthesisRequest(text="Hello.", steps=1))
    with pytest.raises(RequestError, match="the report exists when the last chunk has been taken"):
        _ = speech.report
    list(speech)
    assert speech.report.samples > 0
    with pytest.raises(RequestError, match="this speech has been spoken"):
        list(speech)


def test_a_report_is_json(spoken):
    """And reads back as what it was."""
    values = json.loads(json.dumps(spoken[1].to_dict()))
    assert values["stage_hashes"] == spoken[1].stage_hashes
    assert values["arithmetic"]["used"] == "exact"
    assert [record["station"] for record in values["stations"]] == [str(station) for station in Station]
    assert values["fragile_decisions"] is False


# -- profiles


def test_native_is_made_twice_and_says_whether_it_repeats(synthesizer, spoken):
    """The same decisions as exact here, and a fact instead of a hope."""
    _, native = speak(synthesizer, numerics=Numerics.NATIVE)
    assert native.arithmetic.used is Numerics.NATIVE
    assert native.self_repeat == "equal"
    assert native.arithmetic.weights_digest is None
    for stage in ("noise", "phones", "codes", "durations"):
        assert native.stage_hashes[stage] == spoken[1].stage_hashes[stage]
    _, once = speak(synthesizer, numerics=Numerics.NATIVE, repeat=False)
    assert once.self_repeat == "not_measured"


def test_native_that_does_not_repeat_says_so(small_checkpoint):
    """A stack whose sums wander is found by the second run."""
    from reference_runner.numerics.native import NativeOps

    class Wandering(NativeOps):
        calls = 0

        def linear(self, x, weight, bias=None):
            Wandering.calls += 1
            return super().linear(x, weight, bias) * (1.0 + 1e-4 * (Wandering.calls % 7))

    wandering = Synthesizer(small_checkpoint, native_ops=lambda device: Wandering(device=device))
    assert speak(wandering, "Hello.", numerics=Numerics.NATIVE)[1].self_repeat == "differs"


def test_exact_carries_its_evidence(spoken):
    """Carrier, known answers, the digest of the integers and the certificate are in the report."""
    arithmetic = spoken[1].arithmetic
    assert arithmetic.carrier == "torch float64"
    assert arithmetic.requested is arithmetic.used is Numerics.EXACT
    assert arithmetic.known_answers_digest == kat.digest_of(kat.read_answers())
    assert arithmetic.weights_digest.startswith("sha256:")
    assert arithmetic.partial_sum_bits < 53


def test_a_failed_known_answer_demotes_the_run_and_says_so(small_checkpoint, monkeypatch):
    """One flipped constant: the run speaks in native, and names the operations."""
    flipped = (integers.SIN_COEFFICIENTS[0] ^ 1, *integers.SIN_COEFFICIENTS[1:])
    monkeypatch.setattr(integers, "SIN_COEFFICIENTS", flipped)
    pcm, report = speak(Synthesizer(small_checkpoint), "Hello.")
    assert len(pcm)
    assert report.arithmetic.requested is Numerics.EXACT
    assert report.arithmetic.used is Numerics.NATIVE
    assert set(report.arithmetic.known_answers_failed) & {"sin", "cos"}
    assert report.arithmetic.known_answers_digest != kat.digest_of(kat.read_answers())
    assert report.self_repeat in {"equal", "differs"}


# -- batches


def test_a_batch_gives_each_the_sound_it_has_alone(synthesizer, spoken):
    """In exact the company does not matter; it is recorded all the same."""
    texts = [TEXT, "Short.", "A sentence of middling length stands here."]
    requests = [SynthesisRequest(text=text, steps=3, seed=5 + place) for place, text in enumerate(texts)]
    speech = synthesizer.speak_together(requests)
    together = {place: [] for place in range(3)}
    for place, chunk in speech.together():
        together[place].append(chunk.pcm)
    assert np.array_equal(np.concatenate(together[0]), spoken[0])
    for place, request in enumerate(requests):
        alone = synthesizer.speak(request)
        pcm = np.concatenate([chunk.pcm for chunk in alone])
        assert np.array_equal(np.concatenate(together[place]), pcm)
        assert speech.reports[place].stage_hashes == alone.report.stage_hashes
        assert speech.reports[place].batch_size == 3
        assert speech.reports[place].batch_place == place
        assert speech.reports[place].batch_shapes[0][0] == 3


def test_a_batch_shares_its_conditions(synthesizer):
    """What cannot be stacked is refused."""
    requests = [SynthesisRequest(text="One.", steps=1), SynthesisRequest(text="Two.", steps=2)]
    with pytest.raises(
        RequestError, match="the requests of a batch share numerics, device, precision, steps and chunk plan"
    ):
        synthesizer.speak_together(requests)


# -- stations


def test_every_station_is_passed_and_hashed(spoken):
    """In the order of the road; without hooks what leaves is what arrived."""
    records = spoken[1].stations
    assert [record.station for record in records] == list(Station)
    assert all(record.input_digest == record.output_digest and record.hook is None for record in records)
    assert {record.station: record.pieces for record in records}[Station.PHONEME] == 2


@pytest.mark.parametrize(
    ("station", "change", "moved"),
    [
        (Station.TEXT, lambda _, text: text.replace("quiet", "loud"), ["phones"]),
        (Station.CODES, lambda _, codes: (codes + 1) % 16, ["codes"]),
        (Station.DURATION, lambda _, durations: durations + 1, ["durations"]),
        (Station.MEL, lambda _, mel: mel + 0.25, ["mel"]),
        (Station.VOCODER, lambda _, samples: samples * 0.5, []),
        (Station.PCM, lambda _, pcm: pcm[: len(pcm) // 2], []),
    ],
)
def test_a_hook_moves_its_stage_and_what_follows(small_checkpoint, spoken, station, change, moved):
    """The first differing stage hash is the hook's own, the stations before it are untouched."""
    _, report = speak(Synthesizer(small_checkpoint, hooks={station: change}))
    before = {record.station: record for record in spoken[1].stations}
    place = list(Station).index(station)
    for record in report.stations[:place]:
        assert record.output_digest == before[record.station].output_digest
    own = report.stations[place]
    assert own.input_digest == before[station].input_digest
    assert own.output_digest != own.input_digest
    assert own.hook is not None
    differing = [stage for stage, digest in report.stage_hashes.items() if digest != spoken[1].stage_hashes[stage]]
    assert next(stage for stage in differing if stage != "noise") == (moved or ["pcm"])[0]


def test_a_hook_has_counted_noise_of_its_own(small_checkpoint):
    """Keyed by the stage's seed: the same disturbance on every machine, another with another seed."""

    def disturb(passing, samples):
        noise = passing.stream.values(passing.first, len(samples), 1)[:, 0]
        return samples + noise * 2.0**-24

    disturbed = Synthesizer(small_checkpoint, hooks={Station.VOCODER: disturb})
    first, again = speak(disturbed, "Hello.")[0], speak(disturbed, "Hello.")[0]
    other = speak(disturbed, "Hello.", stage_seeds={"vocoder": 9})[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_hook_cannot_change_what_arrived(small_checkpoint):
    """What was hashed stays as it was: a change in place is an error, not a change without a record."""

    def faster(_, durations):
        durations[:] = 1
        return durations

    hasty = Synthesizer(small_checkpoint, hooks={Station.DURATION: faster})
    with pytest.raises(ValueError, match="read-only"):
        speak(hasty, "Hello.", numerics=Numerics.NATIVE, repeat=False)


@pytest.mark.parametrize("station", sorted(KEEPS_SHAPE))
def test_a_hook_that_changes_the_length_of_what_must_stay_is_refused(small_checkpoint, station):
    """With both shapes in the message."""
    cutting = Synthesizer(small_checkpoint, hooks={station: lambda _, value: value[:-1]})
    with pytest.raises(ValueError, match=rf"the hook at {station} returned shape .*, expected .*"):
        speak(cutting, "Hello.")


@pytest.mark.parametrize(
    ("station", "change", "message"),
    [
        (Station.CODES, lambda codes: codes + 100, r"the hook at codes returned 10\d\.\.1\d\d, expected 0\.\.15"),
        (Station.DURATION, lambda d: d - 50, r"the hook at duration returned -\d+\.\.-\d+, expected 0\.\.2000"),
        (Station.DURATION, lambda d: d * 0, r"the hook at duration left no frame of a sentence of \d+ phones"),
        (Station.DURATION, lambda d: d[1:], r"the hook at duration returned shape .*, expected .*"),
    ],
)
def test_a_hook_that_returns_what_cannot_be_is_refused(small_checkpoint, station, change, message):
    """With what it returned and what would do."""
    wrong = Synthesizer(small_checkpoint, hooks={station: lambda _, value: change(value)})
    with pytest.raises(ValueError, match=message):
        speak(wrong, "Hello.")


# -- what is refused


@pytest.mark.parametrize("text", ["", "   ", "...!?", "\n\t"])
def test_empty_text_is_refused(synthesizer, text):
    """Nothing to say is said."""
    with pytest.raises(EmptyText):
        speak(synthesizer, text)


def test_ten_thousand_characters_are_refused():
    """With the number and the limit."""
    with pytest.raises(TextTooLong, match=r"got 10000 characters, expected at most 4000 \(in request\.text\)"):
        SynthesisRequest(text="a" * 10_000)


@pytest.mark.parametrize("text", ["Привет", "Hello 你好", "שלום"])
def test_an_unknown_script_is_refused_with_its_letter(synthesizer, text):
    """Never skipped in silence."""
    with pytest.raises(UnknownScript, match="character"):
        speak(synthesizer, text)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"steps": -1}, r"got -1, expected 0 to 200 \(in request\.steps\)"),
        ({"seed": 1 << 64}, r"expected 0 to 2\*\*64-1 \(in request\.seed\)"),
        ({"stage_seeds": {"mel": -3}}, r"got -3, expected 0 to 2\*\*64-1 \(in request\.stage_seeds\.mel\)"),
        ({"temperature": 0.0}, r"got 0\.0, expected 0\.5 to 100\.0 \(in request\.temperature\)"),
        ({"prosody_temperature": 4.5}, r"got 4\.5, expected 0\.0 to 4\.0 \(in request\.prosody_temperature\)"),
    ],
)
def test_numbers_out_of_range_are_refused_with_their_address(conditions, message):
    """Before anything is computed."""
    with pytest.raises(RequestError, match=message):
        SynthesisRequest(text="Hello.", **conditions)


def test_a_prior_that_is_not_there_is_refused(synthesizer):
    """The checkpoint says how many it has."""
    with pytest.raises(RequestError, match=r"got prior sample 7, the checkpoint has 2 \(in request\.prompt\.prior\)"):
        speak(synthesizer, prompt=Prompt(prior=7))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("numerics", list(Numerics))
def test_no_gpu_where_one_was_asked_for_is_an_error(synthesizer, numerics):
    """Never the CPU instead."""
    with pytest.raises(DeviceUnavailable, match=r"CUDA was asked for and torch sees no CUDA device \(in device cuda\)"):
        speak(synthesizer, device="cuda", numerics=numerics)


def test_a_truncated_checkpoint_is_refused(small_checkpoint_path, tmp_path):
    """With the file's place."""
    path = tmp_path / "cut.safetensors"
    path.write_bytes(small_checkpoint_path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"cut\.safetensors\)"):
        load_checkpoint(path)


def test_a_checkpoint_with_another_digest_is_refused(small_checkpoint_path):
    """Both digests are in the message."""
    with pytest.raises(CheckpointError, match=r"wrong weights: got sha256:[0-9a-f]{64}, expected sha256:0{64}"):
        load_checkpoint(small_checkpoint_path, expected_sha256="0" * 64)


# -- reference clips


def test_a_reference_lends_its_voice_and_is_recorded(synthesizer, spoken, tmp_path):
    """Digest as posted and as fed, provenance, rate and channels; the manner stays the prior's."""
    reference = clip(tmp_path, voice_like(24_000))
    _, report = speak(synthesizer, references=(reference,))
    record = report.references[0]
    posted = hashlib.sha256((tmp_path / "clip.wav").read_bytes()).hexdigest()
    fed = np.rint(voice_like(24_000) * 32_768).astype("<i2")
    assert record["posted_digest"] == f"sha256:{posted}"
    assert record["fed_digest"] == f"sha256:{hashlib.sha256(fed.tobytes()).hexdigest()}"
    assert record["provenance"] == "made by the test"
    assert str(tmp_path) not in str(report)
    assert report.voice == "references"
    assert report.stage_hashes["codes"] == spoken[1].stage_hashes["codes"]
    assert report.stage_hashes["pcm"] != spoken[1].stage_hashes["pcm"]


def test_several_references_are_averaged(synthesizer, tmp_path):
    """Two equal clips are as one; another clip changes the voice."""
    one = clip(tmp_path, voice_like(24_000), name="one.wav")
    other = clip(tmp_path, voice_like(24_000)[::-1] * 0.7, name="other.flac")
    alone, twice, both = (speak(synthesizer, "Hello.", references=r) for r in ((one,), (one, one), (one, other)))
    assert len(both[1].references) == 2
    assert len(twice[0]) == len(alone[0])
    assert not np.array_equal(both[0], alone[0])


def white(samples):
    """Make a hiss, float64 within [-1, 1]: nearer to the first prior sample, as `voice_like` is to the second."""
    return np.clip(np.random.default_rng(0).normal(size=samples) * 0.1, -1, 1)


@pytest.mark.parametrize("numerics", list(Numerics))
@pytest.mark.parametrize(("make", "near"), [(white, 0), (voice_like, 1)])
def test_the_nearest_prior_lends_its_manner_to_a_voice_that_is_given(make, near, numerics, synthesizer, tmp_path):
    """Its codes are those of the run that names it; a run that names another prior has that one's."""
    given = {"references": (clip(tmp_path, make(24_000)),), "numerics": numerics, "repeat": False}
    _, chosen = speak(synthesizer, **given)
    named = [speak(synthesizer, **given, prompt=Prompt(prior=number))[1] for number in range(2)]
    prior = synthesizer.checkpoint.priors[near]
    assert chosen.prompt == {"kind": "prior", "name": prior.name, "digest": f"sha256:{prior.digest}"}
    assert [chosen.stage_hashes["codes"] == each.stage_hashes["codes"] for each in named] == [near == 0, near == 1]
    assert [each.prompt["prior"] for each in named] == [0, 1]


@pytest.mark.parametrize("near", [0, 1])
def test_the_nearest_prior_lends_its_manner_to_an_adapted_voice(near, small_checkpoint, synthesizer):
    """Nearest to what was learnt, not to any clip."""
    model, ops = small_checkpoint.model, NativeOps()
    mel = (torch.tensor(small_checkpoint.priors[near].log_mel)[None].float() - model.config.mel_mean) / 2.2
    with torch.inference_mode():
        style = np.float64(model.timbre_encoder(ops, mel)[0])
    adapted = Synthesizer(replace(small_checkpoint, adaptation=SimpleNamespace(style=style)))
    _, report = speak(adapted, "Hello.")
    assert (report.voice, report.prompt["name"]) == ("adapted", f"nobody-{near}")


def test_the_built_in_voice_is_that_of_prior_1(synthesizer, spoken):
    """Named or not, where no voice is given."""
    pcm, report = speak(synthesizer, prompt=Prompt(prior=1))
    assert np.array_equal(pcm, spoken[0])
    assert report.prompt == spoken[1].prompt | {"prior": 1}


def test_flac_and_wav_of_the_same_sound_feed_the_same(tmp_path):
    """The container is in the posted digest only."""
    samples = voice_like(20_000)
    wav, flac = (hear(clip(tmp_path, samples, name=name)) for name in ("a.wav", "a.flac"))
    assert wav.fed_digest == flac.fed_digest
    assert wav.posted_digest != flac.posted_digest


def test_96_khz_stereo_is_mixed_and_resampled_and_recorded(synthesizer, tmp_path):
    """A recorded fact, by integers: never refused, never silent."""
    samples = np.stack([voice_like(96_000, 96_000), 0.5 * voice_like(96_000, 96_000)], axis=1)
    reference = clip(tmp_path, samples, 96_000, subtype="PCM_24")
    heard = hear(reference)
    assert (heard.posted_sample_rate_hz, heard.posted_channels, heard.posted_subtype) == (96_000, 2, "PCM_24")
    assert heard.fed_samples == 16_000
    assert np.abs(heard.pcm / 32_768 - 0.75 * voice_like(16_000))[200:-200].max() < 1e-3
    _, report = speak(synthesizer, "Hello.", references=(reference,))
    assert report.references[0]["posted_sample_rate_hz"] == 96_000


def test_a_silent_reference_is_refused(tmp_path):
    """There is no voice in it."""
    with pytest.raises(
        ReferenceClipError, match=r"silent: its greatest sample is 0 of 32768, .* \(in reference clip\.wav\)"
    ):
        hear(clip(tmp_path, np.zeros(16_000)))


def test_a_reference_of_a_tenth_of_a_second_is_refused(tmp_path):
    """Too short to know a voice by."""
    with pytest.raises(
        ReferenceClipError, match=r"got 100 ms of sound, expected at least 500 ms \(in reference clip\.wav\)"
    ):
        hear(clip(tmp_path, voice_like(1_600)))


def test_a_long_reference_is_cut_and_says_so(tmp_path):
    """The first 30 s are heard."""
    heard = hear(clip(tmp_path, voice_like(16_000 * 31)))
    assert heard.cut
    assert heard.fed_samples == 16_000 * 30


def test_what_is_no_sound_is_refused(tmp_path):
    """A missing file, a text file and a lossy one."""
    (tmp_path / "notes.wav").write_text("hello")
    with pytest.raises(ReferenceClipError, match=r"not readable as sound: .* \(in reference notes\.wav\)"):
        hear(Reference(path=str(tmp_path / "notes.wav")))
    with pytest.raises(
        ReferenceClipError, match=r"cannot be read: No such file or directory \(in reference absent\.wav\)"
    ):
        hear(Reference(path=str(tmp_path / "absent.wav")))
    soundfile.write(tmp_path / "lossy.ogg", voice_like(16_000), 16_000)
    with pytest.raises(ReferenceClipError, match=r"got OGG, expected WAV, FLAC or AIFF \(in reference lossy\.ogg\)"):
        hear(Reference(path=str(tmp_path / "lossy.ogg")))


def test_a_clip_can_lend_its_manner(synthesizer, tmp_path):
    """Self and clip prompts find the transcript's phones in the clip and read their codes."""
    reference = clip(tmp_path, voice_like(32_000), transcript="We waited for the boat.")
    _, own = speak(synthesizer, references=(reference,), prompt=Prompt(kind=PromptKind.SELF))
    _, other = speak(synthesizer, references=(reference,), prompt=Prompt(kind=PromptKind.CLIP, clip=reference))
    assert own.prompt["kind"] == "self"
    assert other.prompt["fed_digest"] == own.prompt["fed_digest"]
    assert own.stage_hashes == other.stage_hashes


def test_a_prompt_that_cannot_be_followed_is_refused(synthesizer, tmp_path):
    """No transcript, no reference, too short for its transcript."""
    silent_about_itself = clip(tmp_path, voice_like(16_000))
    with pytest.raises(RequestError, match=r"needs its transcript \(in reference clip\.wav\)"):
        speak(synthesizer, references=(silent_about_itself,), prompt=Prompt(kind=PromptKind.SELF))
    with pytest.raises(RequestError, match="a self prompt needs a reference"):
        speak(synthesizer, prompt=Prompt(kind=PromptKind.SELF))
    long_story = clip(tmp_path, voice_like(8_000), name="long.wav", transcript="And so it went on. " * 5)
    with pytest.raises(ReferenceClipError, match=r"shorter than its transcript: .* \(in reference long\.wav\)"):
        speak(synthesizer, references=(long_story,), prompt=Prompt(kind=PromptKind.SELF))
    with pytest.raises(RequestError, match="a clip belongs to a prompt of kind clip"):
        Prompt(kind=PromptKind.CLIP)


# -- the parts


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 24_000, 44_100, 48_000, 96_000])
def test_resampling_keeps_a_tone_and_is_integer(rate_hz):
    """At least 90 dB for a 1 kHz tone, and a constant stays itself."""
    n = np.arange(rate_hz // 2)
    tone = np.rint(np.sin(2 * np.pi * 1000 * n / rate_hz) * (1 << 22)).astype(np.int64)
    out = resample(tone, rate_hz, 16_000)
    assert out.dtype == np.int64
    assert len(out) == 8_000
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(out)) / 16_000) * (1 << 22)
    inside = slice(500, -500)
    assert 10 * np.log10(expected[inside].var() / (out - expected)[inside].var()) > 90
    constant = resample(np.full(rate_hz // 2, 12_345), rate_hz, 16_000)
    assert set(constant[200:-200].tolist()) == {12_345}


def test_resampling_removes_what_would_fold_back():
    """9.5 kHz at 48 kHz is gone at 16 kHz: 70 dB down."""
    n = np.arange(24_000)
    tone = np.rint(np.sin(2 * np.pi * 9_500 * n / 48_000) * (1 << 22)).astype(np.int64)
    assert resample(tone, 48_000, 16_000)[500:-500].std() < (1 << 22) * 10 ** (-70 / 20)


def test_a_rate_without_a_common_measure_is_refused():
    """16,001 Hz would need 16,000 phases."""
    with pytest.raises(ReferenceClipError, match="resampling 16001 Hz to 16000 Hz needs 16000 phases, at most 2000"):
        to_fed_pcm(voice_like(16_001)[:, None], 16_001)


def test_hearing_by_integers_is_what_training_hears():
    """Multiples of 2**-10, at most three steps from the float64 features and equal in nine of ten."""
    pcm = np.rint(voice_like(16_000) * 32_768).astype(np.int16)
    heard = log_mel(pcm)
    assert not (heard % 64).any()
    steps = np.abs(heard * 2.0**-16 - features.log_mel(pcm / 32_768.0)) * 1024
    assert steps.max() <= 3.01
    assert (steps == 0).mean() > 0.9


def test_prosody_by_integers_is_what_training_hears():
    """The same voicing, pitch and energy within one step of 2**-10."""
    pcm = np.rint(voice_like(16_000) * 32_768).astype(np.int16)
    pcm[9_000:12_000] = 0
    found, meant = prosody(pcm), features.prosody(pcm / 32_768.0)
    assert np.array_equal(found[:, 1], meant[:, 1])
    assert 0.5 < found[:, 1].mean() < 1.0
    assert np.abs(found - meant).max() * 1024 <= 1.01


def test_hearing_and_resampling_have_known_answers():
    """For other implementations, and for machines whose float64 products would not be exact."""
    samples = Stream(seed=1, stage="hearing").values(0, 4_800, 1)[:, 0] << 4
    resampled = resample(samples, 44_100, 16_000)
    assert digest(resampled) == "sha256:5486daba8b624abf5124221e5db1b0cc366bd86eb3692243706dd4644b1829cf"
    assert (
        digest(log_mel((resampled >> 8).astype(np.int16)))
        == "sha256:a210947ae40ed0ad3c29f2db65401e2e85c8b02086faf945db0579614bf02647"
    )


def test_alignment_finds_the_path_of_least_distance():
    """Against every possible path."""
    distance = Stream(seed=1, stage="alignment").values(0, 4, 9) + (1 << 20)
    found = align(distance)
    assert found.sum() == 9
    assert found.min() >= 1

    def cost(durations):
        ends = np.cumsum(durations)
        return sum(distance[p, e - d : e].sum() for p, (d, e) in enumerate(zip(durations, ends, strict=True)))

    every = [(a, b, c, 9 - a - b - c) for a in range(1, 7) for b in range(1, 8 - a) for c in range(1, 9 - a - b)]
    assert cost(found) == min(cost(durations) for durations in every)


def test_pcm_rounds_halves_to_even_and_counts_what_it_clips():
    """One decision a sample."""
    pcm, clipped = to_pcm(np.array([0.5, 1.5, 2.5, -0.5]) / 32_768)
    assert pcm.tolist() == [0, 2, 2, 0]
    pcm, clipped = to_pcm(np.array([1.0, -1.0, 0.99]))
    assert pcm.tolist() == [32_767, -32_768, 32_440]
    assert clipped == 1
