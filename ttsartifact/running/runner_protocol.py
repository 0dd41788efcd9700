"""What an engine must offer so that a run can be made, and made again, by name: the `ttsartifact.runners` entry points.

A runner is a class without arguments, or a function that makes one. It is called in this order, once per run:
`describe`, `prepare`, `stream`, `finish`. It must not be used for a second run; a new one is made for that.

    [project.entry-points."ttsartifact.runners"]
    my-engine = "my_package.runner:MyRunner"

An engine that can be adapted to a voice offers an adapter under the same name, in `ttsartifact.adapters`
(`adaptation.py`); its deltas are weight files of that runner.
"""

from __future__ import annotations

import importlib.metadata
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ttsartifact.errors import CommandFailed, Refused, TtsArtifactError, Unavailable, cause_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RUNNERS = "ttsartifact.runners"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a runner and every value it may have. A file can ask for nothing outside it."""

    name: str
    kind: type[int | float | str | bool]
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    pattern: str | None = None
    """For words: the regular expression that the whole word matches. Words without one must be among `choices`."""
    help: str = ""
    former: Any = None
    """What a run was made with that does not state it, where this is not the default."""

    def check(self, value: Any) -> Any:
        """Return `value` when it is one that the parameter may have; raises Refused."""
        where = f"/generation/params/{self.name}"
        # bool is an int to Python, and a whole number is a number to everybody.
        number = self.kind is float and type(value) is int
        if type(value) is not self.kind and not number:
            raise Refused(
                "a parameter of the wrong type", where=where, found=type(value).__name__, expected=self.kind.__name__
            )
        if self.choices and value not in self.choices:
            raise Refused("no value of this parameter", where=where, found=value, expected=list(self.choices))
        if self.kind in {int, float} and not self._in_range(value):
            raise Refused(
                "a parameter out of range", where=where, found=value, expected=f"{self.minimum} to {self.maximum}"
            )
        if self.kind is str and not self.choices and not re.fullmatch(self.pattern or "", value):
            raise Refused("no value of this parameter", where=where, found=value, expected=f"/{self.pattern}/")
        return value

    def _in_range(self, value: float) -> bool:
        # Written so that NaN, which is neither below nor above anything, is out of range.
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, for `ttsa run --help-runner` and the like."""
        return {
            "name": self.name,
            "type": self.kind.__name__,
            "default": self.default,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "choices": list(self.choices),
            "pattern": self.pattern,
            "help": self.help,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerInfo:
    """Name, version and parameters of a runner."""

    name: str
    version: str
    parameters: tuple[Parameter, ...] = ()
    seed_stages: tuple[str, ...] = ()
    """The stages that draw random numbers; each has a seed of its own."""
    references: tuple[int, int] = (0, 0)
    """The least and the most reference clips that it takes."""
    batch: int = 1
    """The most requests that it computes together; more than one only of a `BatchRunner`."""
    imperfection_stages: tuple[str, ...] = ()
    """The stages of a decode path at which it can be made imperfect on purpose (clause 6.7)."""

    def checked(self, parameters: Mapping[str, Any], *, again: bool = False) -> dict[str, Any]:
        """Return `parameters` with the defaults of the others, for a run that is made `again` with its former ones.

        Raises Refused for an unknown one or a wrong value.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in parameters:
            if name not in known:
                raise Refused(
                    f"runner {self.name} has no such parameter",
                    where=f"/generation/params/{name}",
                    expected=", ".join(sorted(known)) or "none",
                )
        usual = {name: one.former if again and one.former is not None else one.default for name, one in known.items()}
        return {name: known[name].check(value) for name, value in {**usual, **parameters}.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to synthesise. Everything in it was checked against the runner's own description."""

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    """By stage; a stage that is not named gets the runner's own choice, which `Conditions.seeds` then states."""
    references: tuple[str, ...] = ()
    """Paths of reference clips, in order."""
    roles: tuple[str, ...] = ()
    """What each of them is for: `timbre`, `prosody` and the like, as in /input/refs."""
    weights: Mapping[str, str] = field(default_factory=dict)
    """Paths of weight files by the name that the descriptor gives them; their digests were checked."""
    imperfection: Mapping[str, Any] | None = None
    """`draw` and `layers` of /imperfection: what is to be made worse on purpose, at stages of `RunnerInfo`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFormat:
    """What the chunks hold: interleaved little-endian samples."""

    subtype: str
    """One of pcm_s16, pcm_s24, pcm_s32, pcm_f32."""
    sample_rate_hz: int
    channels: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the run is made under, in the shapes of the descriptor's sections of the same names (clause 5).

    None is unknown to the runner; the descriptor then states it as unknown.
    """

    engine: dict[str, Any]
    model: dict[str, Any] | None = None
    vocoder: dict[str, Any] | None = None
    frontend: tuple[dict[str, Any], ...] | None = None
    adaptation: dict[str, Any] | None = None
    references: tuple[dict[str, Any], ...] = ()
    """Entries of /input/refs for clips that shaped the weights and that were not passed in: roles target and prior."""
    device: str = "cpu"
    seeds: tuple[dict[str, Any], ...] | None = None
    precision: dict[str, Any] | None = None
    determinism: str = "unclaimed"
    """bitwise, same_device, statistical, none or unclaimed: what a rerun is expected to give."""
    determinism_flags: tuple[str, ...] = ()
    numerics: dict[str, Any] | None = None
    runtime: tuple[dict[str, Any], ...] = ()
    """Libraries that compute, for /env/runtime."""
    devices: tuple[dict[str, Any], ...] = ()
    """The accelerator that computes, as an entry of /env/devices; a sensor that is read lists them instead."""
    imperfection: dict[str, Any] | str | None = None
    """What was made worse on purpose; "none" of a runner that knows it did not (clause 6.7)."""
    marking: tuple[dict[str, Any], ...] | str | None = None
    """What marks the audio as generated; "none" of a runner that knows that it adds nothing (clause 6.10)."""
    mode: str | None = None
    lang: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the model is fed of one reference clip."""

    segment: tuple[int, int]
    """The half-open range of the clip's own frames that is used."""
    fed: dict[str, Any]
    """Digest, rate, frames and recipe of the PCM between that range and the model."""
    transcript: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A runner that is ready: nothing is left to load, so that what is timed from here on is synthesis."""

    format: SoundFormat
    conditions: Conditions
    heard: tuple[Heard, ...] = ()
    """One for each reference, in order; none if the runner does not state them."""
    warmup_runs: int = 0
    """How often the runner spoke before it was ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Statements that exist only after a run."""

    stages: tuple[dict[str, Any], ...] = ()
    """Entries of /generation/stages, in the order of the decode path."""
    clipped_samples: int | None = None
    """Samples that the runner cut to full scale."""
    normalised_text: str | None = None
    """The digest of what the front end made of the text."""
    phonemes: dict[str, Any] | None = None
    numerics: dict[str, Any] | None = None
    """Replaces that of the conditions, where the run added to it."""
    self_repeat: str | None = None
    """equal or differs, when the run was made twice."""
    imperfection: dict[str, Any] | None = None
    """/imperfection as it came to be: the plan, with the opportunities of each layer."""
    imperfection_log: tuple[dict[str, Any], ...] = ()
    """The rows of trace `imperfection`, one for each opportunity."""
    ext: dict[str, Any] | None = None
    """Whatever else the runner wants kept, under a name of its own (clause 4.6)."""


class Runner(Protocol):
    """An engine that can make a run."""

    def describe(self) -> RunnerInfo:
        """Say who you are. Loads nothing."""
        ...

    def prepare(self, request: Request) -> Prepared:
        """Load what `request` needs; raises Unavailable for what is missing and Refused for what you will not do."""
        ...

    def stream(self) -> Iterator[bytes]:
        """Yield PCM as it is decoded, in chunks of whole frames, never an empty one.

        Raises Refused before `prepare`, and for a text that turns out not to be speakable.
        """
        ...

    def finish(self) -> Finished:
        """Release everything loaded, and return the final statements. Also called after an error."""
        ...


class BatchChunk(NamedTuple):
    """PCM of one request of a batch, as it is decoded."""

    place: int
    pcm: bytes
    last: bool
    """Whether nothing of this request follows."""


class BatchRunner(Runner, Protocol):
    """An engine that computes several requests together, in the same order of questions."""

    def prepare_batch(self, requests: Sequence[Request]) -> list[Prepared]:
        """Load what `requests` need, which differ in their texts alone; raises what `prepare` raises."""
        ...

    def stream_batch(self) -> Iterator[BatchChunk]:
        """Yield PCM of all requests in the order in which it is decoded; raises Refused as `stream` does."""
        ...

    def finish_batch(self) -> list[Finished]:
        """Release everything, and return the final statements for each request; none after an error."""
        ...


def installed(group: str = RUNNERS) -> dict[str, importlib.metadata.EntryPoint]:
    """Return the runners that are installed here, or the entries of another group, by name. None of them is loaded."""
    return {point.name: point for point in importlib.metadata.entry_points(group=group)}


def load(name: str) -> Runner:
    """Load the runner of that name; raises Unavailable when none is installed or it cannot be loaded."""
    made: Runner = loaded(name, RUNNERS, "runner")
    return made


def loaded(name: str, group: str, kind: str) -> Any:
    """Return what the entry point of that name makes; raises Unavailable for one that is not installed.

    A name is only looked up among the installed entry points (clause 10.5).
    """
    found = installed(group)
    if name not in found:
        raise Unavailable(
            f"no such {kind} is installed", found=name, expected=", ".join(sorted(found)) or "a package that brings one"
        )
    try:
        return found[name].load()()
    except ImportError as error:
        raise Unavailable(f"cannot load {kind} {name}: {error}") from error


@contextmanager
def translated(who: str) -> Iterator[None]:
    """Let an engine's own errors out as ours; an exception in an external package is reported as its failure."""
    try:
        yield
    except TtsArtifactError:
        raise
    except Exception as error:
        raise CommandFailed(f"{who} failed: {cause_of(error)}") from error
