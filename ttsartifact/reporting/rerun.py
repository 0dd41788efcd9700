"""What a rerun says to a person: the plan before anything runs, then how near it came and what can explain it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.formulas.conditions import condition_words, member_words
from ttsartifact.reporting.likeness import EQUAL, effect
from ttsartifact.reporting.phrases import Paint, seconds
from ttsartifact.reporting.terminal import safe
from ttsartifact.rerunning.verdict import Nearness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.comparing.audio import AudioComparison
    from ttsartifact.comparing.conditions import Difference
    from ttsartifact.rerunning.plan import Plan
    from ttsartifact.rerunning.readapt import Readaptation
    from ttsartifact.rerunning.workplace import Rerun

__all__ = ["MEANINGS", "audio_lines", "plan_lines", "rerun_lines"]

MEANINGS = {
    Nearness.FILE_EXACT: "the encoded audio is the same, byte for byte",
    Nearness.PCM_EXACT: EQUAL,
    Nearness.STAGE_EXACT: "the first stages are equal, later ones are not",
    Nearness.WITHIN_TOLERANCE: "no sample differs by more than two software stacks may differ on one run",
    Nearness.DIVERGED: "a discrete choice differs, and so does all that follows it",
    Nearness.DIFFERENT: "the audio is different",
    Nearness.NOT_COMPARABLE: "not run, because no comparison was possible",
}
_MOST_OTHERS = 12
_LEAST_ALIGNED_DB = 3.0


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield what is about to happen."""
    if plan.adapter is not None:
        yield f"plan: adapt again with the installed adapter {safe(plan.adapter)}, with the settings of the delta"
    if plan.argv:
        yield f"plan: run what you typed: {' '.join(safe(word) for word in plan.argv)}"
    elif plan.factory is not None:
        yield f"plan: call the function that you named: {safe(plan.factory)}"
    else:
        yield f"plan: ask the installed runner {safe(plan.runner)} {safe(plan.runner_version)}"
    for name, value in (plan.parameters or {}).items():
        yield f"  parameter {safe(name)} = {safe(member_words(value))}"
    for stage, seed in (plan.seeds or {}).items():
        yield f"  seed      {safe(stage)}: {seed}"
    for thing in (*plan.inputs, *plan.weights):
        yield f"  {safe(thing.name)}: {safe(thing.digest)}, {thing.size} bytes, from {_source(thing.source)}"
    bound = "as long as it takes" if plan.wall_s is None else f"at most {plan.wall_s:g} s"
    yield f"  network {'within its reach' if plan.network else 'cut off'}, {bound}"


def rerun_lines(result: Rerun, paint: Paint = Paint()) -> Iterator[str]:  # noqa: B008 - frozen
    """Yield the verdict, the sounds side by side, and the conditions that differ."""
    kind = {0: "good", 3: "warn"}.get(result.exit_code, "bad")
    yield f"{paint(kind, safe(result.judgement.words))} - {_meaning(result)}"
    if result.verdict == Nearness.NOT_COMPARABLE:
        yield f"  {safe(result.explanation)}"
        yield f"  first     {result.artifact_id}"
        return
    if result.readapted is not None:
        yield f"  delta     {_delta(result.readapted, paint)}"
    promise = {True: "as expected", False: "not as expected", None: "no expectation"}
    yield f"  {promise[result.expected]}: {safe(result.explanation)}"
    yield f"  first     {result.artifact_id}"
    if result.again_id is not None:
        yield f"  again     {result.again_id}"
    if result.audio is not None:
        yield from audio_lines(result.audio)
    yield from _condition_lines("can explain it", result.causes)
    yield from _condition_lines("differs too", result.others)
    if result.kept is not None:
        yield f"  kept      {safe(result.kept)}"


def _meaning(result: Rerun) -> str:
    audio = result.audio
    if audio is None or audio.pcm_equal:
        return MEANINGS[result.verdict]
    judged = result.judgement
    return effect(audio, first=judged.stage, after=judged.after)  # `diff` says the same of the same pair


def _delta(readapted: Readaptation, paint: Paint) -> str:
    if readapted.equal:
        return f"{paint('good', readapted.words)} - adapting again gave the same bytes, {readapted.stated}"
    cause = {
        "tensors": "the same clips, base, configuration and seed gave different numbers here",
        None: "the place is unknown",
    }.get(readapted.link, f"the chain differs at `{safe(readapted.link)}`")
    return f"{paint('bad', safe(readapted.words))} - {cause}: {readapted.stated}, now {readapted.found}"


def audio_lines(audio: AudioComparison, names: tuple[str, str] = ("first", "again")) -> Iterator[str]:
    """Yield how two sounds compare: equal, or from where on and how far they are apart."""
    if audio.pcm_equal:
        files = "the same file" if audio.encoded_equal else "different files around the same samples"
        yield f"  audio     {audio.frames_a} frames of {safe(audio.format_a)}, {files}"
        return
    if (audio.frames_a, audio.format_a) == (audio.frames_b, audio.format_b):
        yield f"  audio     {audio.frames_a} frames of {safe(audio.format_a)} each"
    else:
        yield f"  audio     {audio.frames_a} frames of {safe(audio.format_a)} {names[0]}"
        yield f"            {audio.frames_b} frames of {safe(audio.format_b)} {names[1]}{_more_frames(audio)}"
    if (place := audio.divergence) is not None:
        unit = "chunk" if place.located_by == "chunk_log" else "block"
        yield f"  from      {unit} {place.chunk}, frame {place.frame}, {seconds(place.t_ns)} on"
    if audio.differing_share is not None and audio.max_difference_lsb is not None:
        over = (
            "" if audio.frames_a == audio.frames_b else f" over the common {min(audio.frames_a, audio.frames_b)} frames"
        )
        share = f"{audio.differing_share:.2%} of the samples{over}"
        yield f"  apart     {share}, at most {audio.max_difference_lsb:g} LSB, SNR {_decibel(audio.snr_db)}"
    if audio.lag_ns:
        yield f"  aligned   {_lag(audio)}"
    if audio.mel_distance_db is not None:
        yield f"  spectra   {audio.mel_distance_db:.2f} dB apart on the mel scale"


def _more_frames(audio: AudioComparison) -> str:
    """Return by how many frames the second sound is longer or shorter, where both count the same frames."""
    more = audio.frames_b - audio.frames_a
    if more == 0 or audio.compared_samples is None:
        return ""
    return f", {abs(more)} {'more' if more > 0 else 'fewer'}"


def _condition_lines(title: str, differences: tuple[Difference, ...]) -> Iterator[str]:
    # What both sides state comes first: a value that one side withheld explains nothing by itself.
    stated = [each for each in differences if each.known]
    if stated:
        yield f"  {title}:"
    for each in stated[:_MOST_OTHERS]:
        yield f"    {safe(each.label)}: {_value(each.a)}, now {_value(each.b)}"
    if len(stated) > _MOST_OTHERS:
        yield f"    and {len(stated) - _MOST_OTHERS} more; --format json has all"


def _lag(audio: AudioComparison) -> str:
    """Return how the two lie to each other; what no lag brings nearer is not aligned by the best of them."""
    assert audio.lag_ns is not None
    way = "later" if audio.lag_ns > 0 else "earlier"
    if audio.lag_frames is None:
        return f"{seconds(abs(audio.lag_ns))} {way} by loudness; rates or channels differ"
    by = f"{abs(audio.lag_frames)} frames {way}"
    if audio.aligned_snr_db is not None and audio.aligned_snr_db < _LEAST_ALIGNED_DB:
        return f"by no lag within 1 s; {by} is the best, SNR {_decibel(audio.aligned_snr_db)}"
    return f"{by}, SNR {_decibel(audio.aligned_snr_db)}"


def _value(value: object) -> str:
    return "nothing" if value is None else safe(condition_words(value))


def _source(source: str) -> str:
    return "the artifact" if source == "artifact" else "you"


def _decibel(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f} dB"
