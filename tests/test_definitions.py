"""What the model's pages say that the code sets: sizes, limits, counts and thresholds are those of today's code."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="the model's extra is not installed")

from reference_runner.adapting import clips, fine_tuning, quality, utterances
from reference_runner.adapting.settings import AdaptationSettings
from reference_runner.evaluation import frames, intervals, naturalness, prosody_transfer, speaker_encoder
from reference_runner.exporting import graphs
from reference_runner.laboratory import speaker_trainer, voice_population
from reference_runner.laboratory.ablation.cells import CELLS, CLIP_SETS, STEPS
from reference_runner.laboratory.corpus import hibari, manners, teacher_symbols, teaching
from reference_runner.laboratory.corpus.builder import CorpusPlan, plan_corpus
from reference_runner.laboratory.corpus.virtual_speakers import TRAINING_SPEAKERS
from reference_runner.laboratory.training import dealing, disturbing
from reference_runner.model import delta, noise_schedule, prompt_contour, prompt_tempo, weight_files
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.model.config import StableTtsConfig
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics import integers, kat, noise, ops, weights

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
CONFIG, SETTINGS = StableTtsConfig(), AdaptationSettings()
RATE = FEATURE_SETTINGS.sample_rate_hz
WORDS = {3: "three", 4: "four", 7: "seven", 8: "eight", 10: "ten", 11: "eleven", 12: "twelve"}


def _blocks(planned: Any) -> tuple[int, int]:
    """Return how many blocks a plan has, and how many of them are held out."""
    split = {each.block: each.split for each in planned}
    return len(split), Counter(split.values())["test_manner"]


def _parameters(network: Any) -> float:
    return sum(math.prod(each.shape) for each in network.parameters()) / 1e6


def _held_out() -> tuple[int, int]:
    counted = Counter(each.split for each in plan_corpus(CorpusPlan()))
    return counted["test_grammar"] // 2, counted["test_harvard"] // 2


def _settings_of_the_benchmark() -> tuple[str]:
    text = (ROOT / "benchmarks" / "adaptation.py").read_text(encoding="utf-8")
    return (WORDS[text.count("    Setting(name=")],)


def _corpora() -> tuple[object, ...]:
    voices = Counter(each.flite_voice for each in TRAINING_SPEAKERS)
    (tracts,) = set(voices.values())
    return len(TRAINING_SPEAKERS), WORDS[len(voices)], WORDS[tracts]


def _heart() -> tuple[object, ...]:
    percents = [each.formant_percent for each in hibari.HEART_SPEAKERS]
    pitches = [each.f0_mean_hz for each in hibari.HEART_SPEAKERS]
    return WORDS[len(percents)], min(percents), max(percents), round(min(pitches)), round(max(pitches))


EVALUATION, ADAPTATION, MODEL, EXACT = (f"{name}.md" for name in ("EVALUATION", "ADAPTATION", "MODEL", "EXACT"))
SET: list[tuple[str, str, Callable[[], tuple[object, ...]]]] = [
    (EVALUATION, "{} ms hop, {} ms Hann window, {} HTK mel bands from 0 to {:.0f} kHz", lambda: (
        1000 * FEATURE_SETTINGS.hop_samples // RATE, 1000 * FEATURE_SETTINGS.window_samples // RATE,
        FEATURE_SETTINGS.mel_bands, FEATURE_SETTINGS.mel_high_hz / 1000)),
    (EVALUATION, "floor {}", lambda: (f"{FEATURE_SETTINGS.mel_floor:.0e}".replace("e-0", "e-"),)),
    (EVALUATION, "within {:.0f} dB of the clip's {}th percentile", lambda: (
        frames.SPEECH_RANGE_DB, frames._LOUD_PERCENTILE)),
    (EVALUATION, "its speech has a root mean square of {}", lambda: (frames.LOUDNESS_RMS,)),
    (EVALUATION, "{:.0f} to {:.0f} Hz, voiced above {}", lambda: (
        FEATURE_SETTINGS.f0_low_hz, FEATURE_SETTINGS.f0_high_hz, FEATURE_SETTINGS.voicing_threshold)),
    (EVALUATION, "windows of {} s", lambda: (naturalness._WINDOW_S,)),
    (EVALUATION, "network of {:.2f} M parameters that was trained to distinguish {} synthetic speakers", lambda: (
        _parameters(speaker_encoder.SpeakerNetwork()), len(TRAINING_SPEAKERS) * len(speaker_trainer._SPEEDS))),
    (EVALUATION, "{:,} bootstrap draws of sentences, Philox key {}", lambda: (
        intervals.BOOTSTRAP_DRAWS, intervals.BOOTSTRAP_SEED)),
    (EVALUATION, "unvoiced stretches bridged, {} points", lambda: (prosody_transfer.CONTOUR_POINTS,)),
    (EVALUATION, "the population of {} clips of the training corpus", lambda: (
        len(TRAINING_SPEAKERS) * voice_population.CLIPS_A_SPEAKER,)),
    (EVALUATION, "how well both measures tell {} speakers apart", lambda: (WORDS[len(speaker_trainer._STRANGERS)],)),
    (EVALUATION, "{} cells with the unadapted voice", lambda: (len(CELLS),)),
    (EVALUATION, "{} of them with a self prompt", lambda: (
        WORDS[sum(each.prompt == "self" for each in CELLS)],)),
    (EVALUATION, "x {{{}, {} steps}}", lambda: STEPS),
    (EVALUATION, "in each cell of {{{}, {}, {} clips}}", lambda: tuple(sorted({each.count for each in CLIP_SETS}))),
    (ADAPTATION, "1 to {} clips, {} to {} s together", lambda: (
        clips.CLIPS_MAXIMUM, clips.SHORTEST_TOTAL_MS // 1000, clips.LONGEST_TOTAL_MS // 1000)),
    (ADAPTATION, "W + up down of rank {}", lambda: (SETTINGS.rank,)),
    (ADAPTATION, "under {} the clip is reported as an outlier", lambda: (quality.OUTLIER_BELOW_MILLI,)),
    (ADAPTATION, "to the best of {} prior samples' words", lambda: (WORDS[quality.DECOYS],)),
    (ADAPTATION, "and {:.1f} dB)", lambda: (
        20 * utterances.AUDIBLE * CONFIG.mel_deviation / math.log(10),)),
    (ADAPTATION, "multiples of 2^-{} (style: 2^-{})", lambda: (delta.FACTOR_GRID_BITS, delta.STYLE_GRID_BITS)),
    (ADAPTATION, "Size ({} MB) and header ({:.1f} MB)", lambda: (
        delta.MAXIMUM_BYTES // 10**6, weight_files.METADATA_MAXIMUM_BYTES / 2**20)),
    (ADAPTATION, "for {} checks", lambda: (WORDS[fine_tuning.PATIENCE],)),
    (ADAPTATION, "tests {} settings of threads and instruction sets", _settings_of_the_benchmark),
    (MODEL, "Audio is {} kHz, a frame is {} ms, a mel has {} bands", lambda: (
        RATE // 1000, 1000 * FEATURE_SETTINGS.hop_samples // RATE, FEATURE_SETTINGS.mel_bands)),
    (MODEL, "one of {} codes per phone", lambda: (CONFIG.prosody_codes,)),
    (MODEL, "{} codes of {} channels", lambda: (CONFIG.prosody_codes, CONFIG.prosody_code_channels)),
    (MODEL, "within {} to {} cents", lambda: (prompt_contour.NARROWEST_CENTS, prompt_contour.WIDEST_CENTS)),
    (MODEL, "{} sentences of each of the {} speakers, every one with contours {}, {}, {}, {} and {} times", lambda: (
        manners.ContoursPlan().sentences_a_speaker + manners.ContoursPlan().test_sentences_a_speaker,
        len(TRAINING_SPEAKERS), *(f"{width:g}" for width in sorted(manners.CONTOUR_WIDTHS)))),
    (MODEL, "| diffusion steps | {}; 0 outputs the mean", lambda: (noise_schedule.DEFAULT_STEPS,)),
    (MODEL, "at most by {:.2f}", lambda: (math.exp(prompt_tempo.GREATEST_TEMPO),)),
    (MODEL, "weight of prior preservation in fine-tuning | {}, half target", lambda: (SETTINGS.preserve_milli / 1000,)),
    (MODEL, "hum or babble at {:.0f} to {:.0f} dB", lambda: (disturbing._LOUDEST_DB, disturbing._QUIETEST_DB)),
    (MODEL, "Ten graphs (opset {}) result", lambda: (graphs.OPSET,)),
    (MODEL, "holds {} written forms", lambda: (
        sum("\t" in line for line in (ROOT / "tests/runner/written_forms.tsv").read_text("utf-8").splitlines()[1:]),)),
    (MODEL, "by {} virtual speakers: {} of flite's voices, each through {} vocal tracts", _corpora),
    (MODEL, "Held out: {} grammar sentences and {} sentences in the manner of the Harvard lists", _held_out),
    (MODEL, "blocks of {} sentences that one speaker says", lambda: (
        WORDS[manners.MannersPlan().sentences_a_block],)),
    (MODEL, "{} of them (five hours, {} blocks held out)", lambda: _blocks(
        manners.plan_manners(manners.MannersPlan()))),
    (MODEL, "its tempo between {} and {} and its pitch contour between {} and {:.0f} times as wide", lambda: (
        manners._FASTEST, manners._SLOWEST, manners._NARROWEST, manners._WIDEST)),
    (MODEL, "through {} vocal tracts, `heart-{:03d}` to `heart-{}`, at pitches from {} to {} Hz", _heart),
    (MODEL, "`heart-100` is the voice as it is and says {} times as many blocks", lambda: (
        WORDS[teaching.TeacherPlan().own_voice_share],)),
    (MODEL, "{} blocks (3.2 hours, {} held out)", lambda: _blocks(teaching.plan_teacher(teaching.TeacherPlan()))),
    (MODEL, "heard half a symbol and {:.0f} ms before", lambda: (1000 * teacher_symbols._LEAD_S,)),
    (EXACT, "| activation | 2^-{} | +-2^{}, that is +-{};", lambda: (
        ops.ACTIVATION_FRACTION_BITS, ops.ACTIVATION_FRACTION_BITS + ops.SATURATION_BITS, 2**ops.SATURATION_BITS)),
    (EXACT, "one e per tensor, at most {} | the largest of {} bits", lambda: (
        weights.EXPONENT_MAXIMUM, weights.MANTISSA_BITS)),
    (EXACT, "| vector (bias, gain, scale) | 2^-{} |", lambda: (weights.VECTOR_FRACTION_BITS,)),
    (EXACT, "| noise | 2^-{} | sum of {} 16-bit uniforms of SplitMix64, less {:,} |", lambda: (
        noise.FRACTION_BITS, WORDS[noise.UNIFORMS_PER_VALUE], noise.MEAN)),
    (EXACT, "layer norm (at most {} wide)", lambda: (integers.NORM_WIDTH_MAXIMUM,)),
    (EXACT, "{} bits of it; floor of the root", lambda: (integers.NORM_DEVIATION_BITS,)),
    (EXACT, "exp on 2^-{}, exact sum, division to 2^-{}", lambda: (
        integers.SOFTMAX_EXP_BITS, integers.SOFTMAX_BITS)),
    (EXACT, "degree {} polynomial in f on 2^-{}", lambda: (
        len(integers.EXP2_COEFFICIENTS) - 1, integers.POLYNOMIAL_BITS)),
    (EXACT, "polynomials of degree {} and {} on 2^-{}", lambda: (
        2 * len(integers.SIN_COEFFICIENTS) - 1, 2 * len(integers.COS_COEFFICIENTS) - 2, integers.POLYNOMIAL_BITS)),
    (EXACT, "numerics/{}`", lambda: (kat.ANSWERS_FILE,)),
]  # fmt: skip


@pytest.mark.parametrize(("page", "words", "values"), SET, ids=[f"{page}: {words[:50]}" for page, words, _ in SET])
def test_a_number_that_the_code_sets_is_the_codes(page, words, values):
    """The page has the sentence, with the numbers of the code."""
    text = " ".join((ROOT / "reference_runner" / page).read_text(encoding="utf-8").split())
    assert words.format(*values()) in text


def test_shares_that_are_said_in_words():
    """Half of the references are disturbed; the rate is a quarter, and a quarter above stops."""
    assert (dealing._DISTURBED_SHARE, fine_tuning.CAREFUL, fine_tuning.RISE_STOPS) == (0.5, 0.25, 1.25)
    assert disturbing.DISTURBANCES == ("white", "pink", "hum", "babble", "room", "clipped")


def test_the_checkpoint_has_the_prior_samples_that_the_page_describes():
    """Sixteen of at most four seconds."""
    priors = load_checkpoint().priors
    assert max(len(each.log_mel) for each in priors) * FEATURE_SETTINGS.hop_samples <= 4 * RATE
    page = (ROOT / "reference_runner" / "MODEL.md").read_text(encoding="utf-8")
    assert f"{len(priors)} utterances of at most four seconds" in page
