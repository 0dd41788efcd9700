"""What a rerun says to a person: the plan before anything runs, then how near it came and what can explain it.

How two sounds compare, and in which characters two texts differ that look alike, is said in the words that `diff` uses.
"""

from __future__ import annotations

import shlex
from itertools import takewhile
from typing import TYPE_CHECKING

from ttsartifact.container.samples import UNHEARD
from ttsartifact.formulas.conditions import and_more, condition_words, member_words
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

EQUAL = "every sample is the same"
DIFFERENT = "different audio"
_NEAR_DB = 30.0
_FEW, _SHOWN = 8, 4

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
        yield f"plan: run what you typed: {' '.join(safe(shlex.quote(word)) for word in plan.argv)}"
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
    bound = "none" if plan.wall_s is None else f"{plan.wall_s:g} s"
    yield f"  network access: {'yes' if plan.network else 'no'}; time limit: {bound}"


def rerun_lines(result: Rerun, paint: Paint = Paint()) -> Iterator[str]:  # noqa: B008 - frozen
    """Yield the verdict, the sounds side by side, and the conditions that differ."""
    kind = {0: "good", 3: "warn"}.get(result.exit_code, "bad")
    cut = "; the first recording is incomplete" if result.of_incomplete else ""
    yield f"{paint(kind, safe(result.judgement.words))} - {_meaning(result)}{cut}"
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
    cause = f"the chain differs at `{safe(readapted.link)}`"
    if readapted.link == "tensors":
        cause = "the same clips, base, configuration and seed gave different numbers here"
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
        share = _share(audio) + over + _channels(audio)
        yield f"  apart     {share}, at most {audio.max_difference_lsb:g} LSB, SNR {_decibel(audio.snr_db)}"
    if audio.lag_ns:
        yield f"  aligned   {_lag(audio, *(name.removeprefix('in ') for name in names))}"
    if spectra := spectra_words(audio):
        yield f"  spectra   {spectra}"


def spectra_words(audio: AudioComparison) -> str:
    """Return how far two spectra are apart, or why they were not compared."""
    if not audio.at_speech_rates:
        return f"not compared {UNHEARD}"
    return "" if audio.mel_distance_db is None else f"{audio.mel_distance_db:.2f} dB apart on the mel scale"


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
        yield f"    {safe(each.label)}: {value_words(each.a, each.subject)}, now {value_words(each.b, each.subject)}"
    if more := and_more(stated, _MOST_OTHERS):
        yield f"   {more}; --format json has all"


def _lag(audio: AudioComparison, first: str, second: str) -> str:
    """Return how the two lie to each other; what no lag brings nearer is not aligned by the best of them."""
    assert audio.lag_ns is not None
    than = f"{'later' if audio.lag_ns > 0 else 'earlier'} than {first}"
    if audio.lag_frames is None:
        return f"{second} is {seconds(abs(audio.lag_ns))} {than} by loudness; rates or channels differ"
    by = f"{second} is {abs(audio.lag_frames)} frames {than}, SNR {_decibel(audio.aligned_snr_db)}"
    if audio.aligned_snr_db is not None and audio.aligned_snr_db < _LEAST_ALIGNED_DB:
        return f"by no lag within 1 s; the best: {by}"
    return by


def value_words(value: object, subject: str) -> str:
    """Return a value of a condition, a command as a shell takes it; a parameter without one has the engine's own."""
    if value is None:
        return "not stated" if subject.startswith("parameter") else "none"
    if subject == "command" and isinstance(value, (list, tuple)):
        return safe(shlex.join(map(str, value)))
    return safe(condition_words(value))


def _source(source: str) -> str:
    return "the artifact" if source == "artifact" else "you"


def _decibel(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f} dB"


def effect(audio: AudioComparison, *, first: str | None, after: str | None) -> str:
    """Return what two sounds are to each other, and where they part.

    Args:
        audio: How they compare.
        first: The first stage whose digest differs, where both state stages.
        after: The last stage before it that is equal.
    """
    sound = likeness(audio)
    if audio.within() or audio.silence_frames is not None or _is_beginning(audio):
        return sound
    if first is not None:
        before = "" if after is None else f"equal up to {safe(after)}, then "
        return f"{sound}, {before}{safe(first)} differs"
    if audio.divergence is None:
        return f"{sound}, {safe(audio.format_a)} and {safe(audio.format_b)}"
    return f"{sound} from {seconds(audio.divergence.t_ns)} on"


def _is_beginning(audio: AudioComparison) -> bool:
    """Return whether one sound is the beginning of the other."""
    return audio.differing_samples == 0 and audio.frames_a != audio.frames_b


def likeness(audio: AudioComparison) -> str:
    """Return what two sounds are to each other, without the place where they part.

    Example:
        >>> likeness(AudioComparison(pcm_equal=True, ...))
        'the same audio'
    """
    if audio.pcm_equal:
        stored = (
            "" if audio.format_a == audio.format_b else f", stored as {safe(audio.format_a)} and {safe(audio.format_b)}"
        )
        return f"the same audio{stored}"
    if audio.silence_frames is not None:
        return f"the same audio, and {audio.silence_frames} frames of silence behind the longer one"
    if audio.within():
        share = "" if audio.differing_share is None else f" in {_share(audio)}"
        return f"the same audio up to rounding, at most {audio.worst_16bit_lsb:g} LSB apart{share}"
    if _is_beginning(audio):
        return f"the same audio as far as both go, and {abs(audio.frames_a - audio.frames_b)} frames more in one"
    is_near = audio.snr_db is not None and audio.snr_db >= _NEAR_DB and audio.frames_a == audio.frames_b
    return f"nearly the same audio (SNR {audio.snr_db:.1f} dB)" if is_near else DIFFERENT


def _share(audio: AudioComparison) -> str:
    """Return what share of the samples differs, or how many do where it would round to none or all."""
    share = f"{audio.differing_share:.2%}"
    if share in {"0.00%", "100.00%"} and audio.differing_share not in {0, 1}:
        return f"{audio.differing_samples} of {audio.compared_samples} samples"
    return f"{share} of the samples"


def _channels(audio: AudioComparison) -> str:
    """Return in which channels samples differ, where others are the same."""
    which, samples = audio.differing_channels or (), audio.compared_samples or 0
    if not which or len(which) * min(audio.frames_a, audio.frames_b) == samples:
        return ""
    return f", in channel{'s' * (len(which) > 1)} {', '.join(map(str, which))} alone"


def lookalikes(a: str, b: str) -> tuple[str, str]:
    r"""Return for each of two texts the code points in which they first differ; empty where eyes see the difference.

    Named are characters beyond ASCII where the texts are otherwise equal, or equal to the eye throughout.

    >>> lookalikes("caf\u00e9", "cafe\u0301")
    (' (U+00E9)', ' (U+0065 U+0301)')
    >>> lookalikes("one", "two")
    ('', '')
    """
    head = _shared(a, b)
    tail = _shared(a[head:][::-1], b[head:][::-1])
    parts = a[head : len(a) - tail], b[head : len(b) - tail]
    if a == b or "".join(parts).isascii() or (max(map(len, parts)) > _FEW and _seen(a) != _seen(b)):
        return "", ""
    first, second = map(_points, parts)
    return first, second


def _shared(a: str, b: str) -> int:
    """Return how many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _points(part: str) -> str:
    more = " …" if len(part) > _SHOWN else ""
    return f" ({' '.join(f'U+{ord(one):04X}' for one in part[:_SHOWN]) or 'none'}{more})"


def _seen(text: str) -> str:
    """Return a text as eyes see it: composed, every space a space, every hyphen a hyphen, no invisible character."""
    import unicodedata

    kinds = {"Zs": " ", "Pd": "-", "Cf": ""}
    folded = unicodedata.normalize("NFKC", text)
    return "".join(kinds.get(unicodedata.category(one), one) for one in folded)
