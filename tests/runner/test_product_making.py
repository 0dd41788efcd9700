"""The evaluation of what users get: what each part speaks and hears, what a call asks for, every line of its report."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import ttsartifact
from reference_runner.errors import EvaluationError
from reference_runner.evaluation.intervals import Interval
from reference_runner.laboratory.ablation import human
from reference_runner.laboratory.ablation.human import choose_prompts
from reference_runner.laboratory.ablation.targets import Clip
from reference_runner.laboratory.product import __main__ as command
from reference_runner.laboratory.product import figures, material, speed, systems
from reference_runner.laboratory.product.report import to_markdown
from reference_runner.laboratory.product.speed import Speed, speed_of
from reference_runner.laboratory.product.systems import Part
from reference_runner.laboratory.product.trials import Studio, Trial

ORIGIN = {"kind": "synthetic", "name": "a tone"}
LENT, OTHER = (Clip(path=Path(f"{name}.wav"), text=f"{name} says.") for name in ("lent", "other"))


@pytest.fixture
def asked(monkeypatch) -> SimpleNamespace:
    """Stand for the runner: keep what it is asked, and write a few bytes."""
    kept = SimpleNamespace(runs=[], adapted=[], report=SimpleNamespace(conformant=True))

    def run(*given, **how):
        kept.runs.append((*given, how))
        given[3].say("to nobody")
        given[2].write_bytes(b"sound")

    def adapt(*given, **how):
        kept.adapted.append((*given, how))
        given[2].write_bytes(b"delta")

    monkeypatch.setattr(ttsartifact, "run_runner", run)
    monkeypatch.setattr(ttsartifact, "adapt_voice", adapt)
    monkeypatch.setattr(ttsartifact, "verify", lambda _: (kept.report,))
    return kept


def studio(folder: Path) -> Studio:
    return Studio(folder=folder / "runs", weights={"base": "/base"}, numerics="exact", origin=ORIGIN)


def test_a_trial_is_spoken_once_as_a_user_speaks(asked, tmp_path):
    """Clips for the voice, one for the manner, a delta, a prior: each becomes what the runner takes."""
    trial = Trial(
        system="s", number=7, text="One.", seed=3, parameters={"prior": 2}, timbre=(OTHER,), manner=LENT,
        delta=Path("/d/v.safetensors"), session="session 3",
    )  # fmt: skip
    for _ in range(2):
        assert studio(tmp_path).speak(trial) == tmp_path / "runs" / "s" / "007-3.tts.wav"
    ((runner, text, path, options, how),) = asked.runs
    assert (runner, text, path.name, how) == ("stable-tts", "One.", ".007-3.tts.wav", {"session": "session 3"})
    assert [(one.path.name, one.role, one.transcript, one.origin["name"]) for one in options.references] == [
        ("other.wav", "timbre", "other says.", "a tone"), ("lent.wav", "prosody", "lent says.", "a tone"),
    ]  # fmt: skip
    assert options.parameters == {
        "numerics": "exact", "repeat": False, "prior": 2, "prompt": "clip", "prompt_text": "lent says.",
    }  # fmt: skip
    assert options.weights == {"base": "/base", "v.safetensors": "/d/v.safetensors"}
    assert (options.seed, options.replace) == (3, True)
    studio(tmp_path).speak(Trial(system="s", number=8, text="Two."))
    options, how = asked.runs[1][3:]
    assert (list(options.references), options.weights, options.seed) == ([], {"base": "/base"}, 1)
    assert options.parameters == {"numerics": "exact", "repeat": False}
    assert how == {"session": "evaluation"}


@pytest.mark.parametrize(("rules", "said"), [(("CHK01", "SIG02"), "CHK01, SIG02"), ((), "nothing")])
def test_what_does_not_verify_is_no_result(asked, tmp_path, rules, said):
    """The refusal names the file, the verdict and the rules; the file does not get its name."""
    failures = [SimpleNamespace(rule=rule) for rule in rules]
    asked.report = SimpleNamespace(conformant=False, verdict="DAMAGED", failures=failures)
    with pytest.raises(EvaluationError) as refused:
        studio(tmp_path).speak(Trial(system="s", number=0, text="One."))
    assert str(refused.value) == f"{tmp_path}/runs/s/.000-1.tts.wav: DAMAGED, failed {said}"
    assert not (tmp_path / "runs" / "s" / "000-1.tts.wav").exists()


def test_a_voice_is_adapted_once(asked, tmp_path):
    """With the clips' words and origin, seed 1."""
    for _ in range(2):
        assert studio(tmp_path).adapt("voice", [LENT]) == tmp_path / "deltas" / "voice.safetensors"
    ((runner, clips, _, how),) = asked.adapted
    assert (runner, how) == ("stable-tts", {"seed": 1, "weights": {"base": "/base"}})
    assert [(one.path, one.transcript, one.provenance) for one in clips] == [("lent.wav", "lent says.", ORIGIN)]


def test_the_trials_of_each_part():
    """Sentences, seeds, priors, prompts and sessions in their order."""
    voice = systems.voice_trials("v", ["a", "b"], 2, timbre=[LENT], delta=Path("d"))
    assert [(one.file, one.text, one.timbre, one.delta) for one in voice] == [
        (f"v/{number:03d}-{seed}.tts.wav", text, (LENT,), Path("d"))
        for number, text in enumerate("ab") for seed in (1, 2)
    ]  # fmt: skip
    assert [(one.file, one.parameters, one.manner) for one in systems.prior_trials(["a"], 2)] == [
        ("prior-00/000-1.tts.wav", {"prior": 0}, None), ("prior-01/000-1.tts.wav", {"prior": 1}, None),
    ]  # fmt: skip
    groups = systems.manner_trials(["a", "b"], [LENT, OTHER])
    assert [[(one.number, one.text, one.manner) for one in group] for group in groups] == 2 * [
        [(0, "a", LENT), (1, "a", OTHER)], [(2, "b", LENT), (3, "b", OTHER)],
    ]  # fmt: skip
    assert [(group[0].system, group[0].parameters) for group in groups[::2]] == [
        ("manner-01", {"prior": 1}), ("manner-00", {"prior": 0}),
    ]  # fmt: skip
    sessions = systems.session_trials(["a"], [LENT, OTHER])
    assert [(one.system, one.seed, one.session, one.timbre, one.manner) for one in sessions] == [
        ("sessions-prior", 1, "session 1", (LENT,), None), ("sessions-prior", 2, "session 2", (OTHER,), None),
        ("sessions-self", 1, "session 1", (LENT,), LENT), ("sessions-self", 2, "session 2", (OTHER,), OTHER),
    ]  # fmt: skip


@pytest.mark.parametrize(("sentences", "share", "least", "few"), [(8, 8, 1, 1), (15, 8, 1, 1), (16, 8, 1, 2),
                                                                  (16, 8, 3, 3), (2, 8, 3, 2)])  # fmt: skip
def test_how_many_sentences_a_dear_part_takes(sentences, share, least, few):
    """A share, but no fewer than the least where there are so many."""
    assert systems.few(sentences, share=share, least=least) == few


def test_speed_is_a_median(monkeypatch):
    """From submission; over the length of the sound."""

    def opened(times):
        facts = dict(zip(("t_submit_ns", "t_first_token_ns", "t_last_token_ns"), times, strict=True))
        known = {f"/run/times/{name}": value * 10**9 for name, value in facts.items()}
        known |= {"/audio/frames": 32_000, "/audio/sample_rate_hz": 16_000}
        return SimpleNamespace(descriptor=SimpleNamespace(known=known.__getitem__))

    monkeypatch.setattr(speed.ttsartifact, "open", opened)
    assert speed_of([(1, 2, 5), (10, 14, 20), (1, 3, 4)]) == Speed(runs=3, rtf=2.0, first_chunk_s=2.0)
    assert speed_of([]) is None
    assert Speed(runs=1, rtf=2.0, first_chunk_s=3.0).to_dict() == {"runs": 1, "rtf": 2.0, "first_chunk_s": 3.0}


class Said:
    """Stands for everything around an evaluation: keeps what is spoken, heard and by what."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path, parts: tuple[Part, ...], **changes) -> None:
        self.spoken: list[Trial] = []
        self.adapted: list[tuple] = []
        self.measured: list[tuple] = []
        self.instruments = command.Yardsticks()
        patch.setattr(command, "load_checkpoint", lambda _: SimpleNamespace(
            priors=[SimpleNamespace(speaker=name) for name in ("slt", "heart", "slt")]
        ))  # fmt: skip
        patch.setattr(command, "read_artifact", lambda path: f"run {path.name}")
        patch.setattr(command, "read_clip", lambda path, text=None: f"clip {path} {text}")
        patch.setattr(command, "measure", self._measure)
        patch.setattr(command, "speed_of", lambda paths: [path.name for path in paths])
        facts = {
            "checkpoint": folder / "c", "released": True, "sentences": 2, "seeds": 1, "numerics": "native",
            "parts": parts, "person": None, "artifacts": (), "output": folder, "material": folder,
        }  # fmt: skip
        self.texts = [f"sentence {number}" for number in range(16)]
        stage = SimpleNamespace(
            sentences=self.texts, prompts=lambda: [LENT, OTHER], session_clips=lambda: [LENT],
            strangers=lambda: [OTHER],
            sources=lambda speaker, texts: (
                [Clip(path=Path(f"{speaker}.wav"), text=text) for text in texts[:1]] if speaker == "heart" else None
            ),
        )  # fmt: skip
        voice = SimpleNamespace(given=(LENT,), noisy=(OTHER,), references=(LENT, OTHER))
        self.evaluation = command._Evaluation(
            command.Wanted(**(facts | changes)), self.instruments, stage, voice,
            SimpleNamespace(speak=self._speak, adapt=lambda *given: self.adapted.append(given) or Path("delta")),
        )  # fmt: skip

    def _speak(self, trial: Trial) -> Path:
        self.spoken.append(trial)
        return Path(trial.file)

    def _measure(self, recordings, yardsticks, *, jobs):
        self.measured.append((list(recordings), yardsticks, jobs))
        return {"clips": []}

    def systems(self) -> dict[str, int]:
        return {name: sum(one.system == name for one in self.spoken) for name in {one.system for one in self.spoken}}


def test_what_is_listened_to(tmp_path, monkeypatch, capsys):
    """The built-in voice, clones and adapted voices, other engines' files; beside the source of the built-in voice."""
    parts = (Part.VOICE, Part.NOISE, Part.ADAPTED)
    said = Said(monkeypatch, tmp_path, parts, artifacts=(Path("x.tts.wav"),), seeds=2)
    _, fast = said.evaluation._listened()
    names = ("voice", "zero-shot", "zero-shot-10dB", "adapted", "adapted-10dB")
    assert said.systems() == dict.fromkeys(names, 32)
    assert {(one.system, one.timbre, one.delta) for one in said.spoken} == {
        ("voice", (), None), ("zero-shot", (LENT,), None), ("zero-shot-10dB", (OTHER,), None),
        ("adapted", (), Path("delta")), ("adapted-10dB", (), Path("delta")),
    }  # fmt: skip
    assert said.adapted == [("adapted", (LENT,)), ("adapted-10dB", (OTHER,))]
    assert fast == [f"{number:03d}-{seed}.tts.wav" for number in range(16) for seed in (1, 2)]
    ((recordings, yardsticks, jobs),) = said.measured
    assert (len(recordings), recordings[-1], jobs) == (161, "run x.tts.wav", 1)
    assert yardsticks.target == ["clip lent.wav None", "clip other.wav None"]
    assert (yardsticks.others, yardsticks.sources) == (["clip other.wav None"], ["clip heart.wav sentence 0"])
    words = capsys.readouterr().err
    assert "speaking" in words
    assert "listening" in words


def test_what_is_rated(tmp_path, monkeypatch, capsys):
    """The given voice, an eighth of the sentences by each prior, and each speaker's own sound of them once."""
    said = Said(monkeypatch, tmp_path, (Part.PRIORS,))
    said.instruments = said.evaluation._instruments = command.Yardsticks(naturalness="an instrument")
    said.evaluation._rated()
    assert said.systems() == {"prior-00": 2, "prior-01": 2, "prior-02": 2}
    ((recordings, yardsticks, _),) = said.measured
    assert recordings == [
        "clip lent.wav lent says.", "clip other.wav other says.", "clip heart.wav sentence 0",
        *["run 000-1.tts.wav", "run 001-1.tts.wav"] * 3,
    ]  # fmt: skip
    assert (yardsticks.naturalness, yardsticks.recognizer, yardsticks.encoder) == ("an instrument", None, None)
    words = capsys.readouterr().err
    assert "speaking as each prior" in words
    assert "rating" in words


def test_what_is_measured_of_manners_and_sessions(tmp_path, monkeypatch, capsys):
    """Two sentences after every prompt by two priors, three over the sessions; groups name their files."""
    said = Said(monkeypatch, tmp_path, (Part.MANNER, Part.SESSIONS))
    _, groups = said.evaluation._plain()
    assert said.systems() == {"manner-01": 4, "manner-00": 4, "sessions-prior": 3, "sessions-self": 3}
    assert groups == [
        [(name, f"{first:03d}-1.tts.wav"), (name, f"{first + 1:03d}-1.tts.wav")]
        for name in ("manner-01", "manner-00") for first in (0, 2)
    ]  # fmt: skip
    ((recordings, _, _),) = said.measured
    assert (len(recordings), recordings[:2]) == (16, ["clip lent.wav lent says.", "clip other.wav other says."])
    words = capsys.readouterr().err
    for doing in ("speaking after prompts", "speaking over sessions", "measuring"):
        assert doing in words


def test_a_part_that_was_not_asked_for_is_not_spoken(tmp_path, monkeypatch):
    """Nothing but the clips that are given is heard."""
    said = Said(monkeypatch, tmp_path, ())
    said.evaluation._listened()
    said.evaluation._rated()
    assert said.evaluation._plain()[1] == []
    assert said.spoken == []
    assert [len(recordings) for recordings, _, _ in said.measured] == [0, 2, 0]


@pytest.mark.parametrize("own", [False, True])
def test_what_a_call_asks_for(own, tmp_path, monkeypatch, capsys):
    """Every word arrives; the report is written and said; without --material it lies beside the output."""
    got = {}
    for name in ("Recognizer", "SpeakerEncoder", "PeopleEncoder", "Naturalness"):
        monkeypatch.setattr(command, name, lambda name=name: name)
    released, given = tmp_path / "released.safetensors", tmp_path / "given.safetensors"
    for path in (released, given):
        path.write_bytes(path.name.encode())
    monkeypatch.setattr(command, "released_checkpoint_path", lambda: released)
    monkeypatch.setattr(command, "evaluate", lambda *args: got.update(args=args) or {"evaluation": "it"})
    monkeypatch.setattr(command, "changes", lambda *args: [f"changes of {args[1]}"])
    monkeypatch.setattr(command, "to_markdown", lambda report: f"table of {report['changes']}\n")
    (tmp_path / "old.json").write_text('"old"', encoding="utf-8")
    words = ["--output", str(tmp_path), "--sentences", "4", "--seeds", "2", "--numerics", "exact", "--jobs", "3"]
    words += ["--parts", "voice", "adapted", "--person", "p", "--artifacts", "a", "b"]
    more = ["--weights", str(given), "--material", "m", "--against", str(tmp_path / "old.json")]
    monkeypatch.setattr("sys.argv", ["product", *words, *(more if own else [])])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0
    wanted, instruments = got["args"]
    assert wanted == command.Wanted(
        checkpoint=given if own else released, released=not own, sentences=4, seeds=2, numerics="exact",
        parts=(Part.VOICE, Part.ADAPTED), person=Path("p"), artifacts=(Path("a"), Path("b")), output=tmp_path,
        material=Path("m") if own else tmp_path / "material", jobs=3,
    )  # fmt: skip
    assert wanted.weights() == ({"given.safetensors": str(given)} if own else {})
    plan = wanted.plan()
    assert (plan.sentences, plan.seeds, plan.numerics, plan.steps) == (4, 2, "exact", None)
    assert [instruments.recognizer, instruments.encoder, instruments.people, instruments.naturalness] == [
        "Recognizer", "SpeakerEncoder", "PeopleEncoder", "Naturalness",
    ]  # fmt: skip
    table = f"table of {['changes of old'] if own else []}\n"
    assert capsys.readouterr().err == table
    assert (tmp_path / "evaluation.md").read_text(encoding="utf-8") == table
    kept = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert (kept["evaluation"], kept["changes"]) == ("it", ["changes of old"] if own else [])
    assert kept["command"] == " ".join([*words, *(more if own else [])])


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.2}


def system(**changes) -> dict:
    return {
        "clips": 3, "word_errors": {"wer": 0.25, "source_wer": 0.125, "minus_source": interval(0.125)},
        "naturalness": {"dnsmos_ovr": interval(3.0)},
        "voice": {"people_similarity": interval(0.5), "encoder_similarity": None},
    } | changes  # fmt: skip


def gate(holds, sure, measured) -> dict:
    return {"name": "WER", "relation": "<=", "limit": 0.1, "measured": measured, "holds": holds, "sure": sure}


REPORT = {
    "command": "--seeds 1", "evaluation": "v1", "parts": ["voice", "noise"],
    "plan": {"weights_sha256": "ab", "code": "sha256:cd", "sentences": 5, "seeds": 1, "numerics": "exact"},
    "instruments": {
        "recognizer": "ears", "naturalness": "taste", "people_encoder": "eyes", "speaker_encoder_sha256": "ef",
    },
    "asked": {"description": "a tone"},
    "gates": [gate(True, True, interval(0.0)), gate(False, False, interval(0.2)), gate(None, None, None)],
    "baselines": {"same_speaker": {"people_similarity": 0.9, "encoder_similarity": None}, "other_speakers": None},
    "systems": {
        "voice": system(), "engine": system(word_errors={"wer": 0.5, "source_wer": None, "minus_source": None}),
        "prior-00": system(word_errors=None), "plain": system(word_errors=None, naturalness={"dnsmos_ovr": None}),
        "heard": system(naturalness={"dnsmos_ovr": None}),
    },
    "speed": {"runs": 2, "rtf": 0.256, "first_chunk_s": 1.5},
    "manner_slopes": {"rate": interval(1.0), "level": None},
    "changes": [{"system": "voice", "figure": "WER", "new_minus_old": interval(-0.5), "is": "better"}],
}  # fmt: skip
WRITTEN = """\
# Evaluation of what users get

`python -m reference_runner.laboratory.product --seeds 1`. Weights
`sha256:ab`, code `sha256:cd`, 5 held-out sentences,
1 seed, exact numerics; parts:
voice, noise. Every artifact was verified.
Definitions `v1` (reference_runner/EVALUATION.md); intervals are 95 %, over sentences.
The voice that is asked for: a tone.

- listener: ears
- naturalness: taste
- people's encoder: eyes
- our encoder: sha256 ef

## Gates

| gate | limit | measured | holds |
|---|---|---|---|
| WER | <= 0.10 | +0.000 (-0.100 to +0.200) | yes |
| WER | <= 0.10 | +0.200 (+0.100 to +0.400) | no, unsure |
| WER | <= 0.10 | not measured | - |

## Systems

| system | clips | WER | minus source | DNSMOS, overall | people's encoder | our encoder |
|---|---|---|---|---|---|---|
| *same speaker* | - | - | - | - | 0.900 | - |
| voice | 3 | 0.250 (source 0.125) | +0.125 (+0.025 to +0.325) | 3.00 (2.90 to 3.20) | 0.500 (0.400 to 0.700) | - |
| engine | 3 | 0.500 (source -) | - | 3.00 (2.90 to 3.20) | 0.500 (0.400 to 0.700) | - |
| prior-00 | 3 | - | - | 3.00 (2.90 to 3.20) | 0.500 (0.400 to 0.700) | - |
| heard | 3 | 0.250 (source 0.125) | +0.125 (+0.025 to +0.325) | - | 0.500 (0.400 to 0.700) | - |

Speed of the built-in voice, medians of 2 runs: RTF 0.26, first chunk
after 1.50 s. They depend on the machine and on what else it did.

## Manner slopes

| figure | slope |
|---|---|
| rate | 1.000 (0.900 to 1.200) |
| level | - |

## Against the other evaluation

| system | figure | this minus that | is |
|---|---|---|---|
| voice | WER | -0.500 (-0.600 to -0.300) | better |
"""


def test_the_report_word_by_word():
    """Every heading, column and rounding; what was not measured has no table."""
    assert to_markdown(REPORT) == WRITTEN
    bare = REPORT | {"speed": None, "manner_slopes": {}, "changes": [], "plan": REPORT["plan"] | {"seeds": 2}}
    text = to_markdown(bare)
    assert text.endswith("\n| heard | 3 | 0.250 (source 0.125) | +0.125 (+0.025 to +0.325) | - | "
                         "0.500 (0.400 to 0.700) | - |\n")  # fmt: skip
    assert "\n2 seeds, exact numerics" in text


def test_every_gate_with_its_limit():
    """What a release promises, in its order."""
    report = {"clips": [], "priors": [], "manner_slopes": {}, "strangers": [], "systems": {}}
    people = "similarity (people's encoder)"
    assert [(one["name"], one["relation"], one["limit"]) for one in figures.gates(report)] == [
        ("DNSMOS of the built-in voice", ">=", 3.2), ("WER of the built-in voice above its source", "<=", 0.05),
        ("DNSMOS of a prior's source above its voice, the worst", "<=", 0.15),
        ("manner slope, rate", ">=", 0.5), ("manner slope, pitch spread", ">=", 0.5),
        ("spread of rate over sessions, fixed prior / own clips", "<=", 0.5),
        ("spread of median pitch over sessions, fixed prior / own clips", "<=", 0.5),
        (f"{people}, zero-shot above the built-in voice", ">", 0.0),
        (f"{people}, zero-shot above zero-shot-10dB", "<=", 0.05),
        ("WER, zero-shot above the built-in voice", "<=", 0.05),
        (f"{people}, adapted above the built-in voice", ">", 0.0),
        (f"{people}, adapted above adapted-10dB", "<=", 0.05),
        ("WER, adapted above the built-in voice", "<=", 0.05),
        (f"{people}, zero-shot above the nearest stranger", ">", 0.0), (f"{people}, adapted above zero-shot", ">", 0.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("relation", "mean", "low", "high", "holds", "sure"),
    [
        (">=", 0.5, 0.5, 0.6, True, False), (">=", 0.4, 0.3, 0.45, False, True), (">", 0.5, 0.4, 0.5, False, False),
        (">", 0.6, 0.55, 0.7, True, True), ("<=", 0.5, 0.5, 0.5, True, False), ("<=", 0.6, 0.55, 0.7, False, True),
    ],
)  # fmt: skip
def test_both_sides_of_a_limit(relation, mean, low, high, holds, sure):
    """On it, at least and at most hold; an interval that touches it is unsure."""
    found = figures._gate("g", relation, 0.5, Interval(mean=mean, low=low, high=high))
    assert (found["holds"], found["sure"]) == (holds, sure)


@pytest.mark.parametrize(
    ("name", "mean", "low", "high", "answer"),
    [
        ("WER", -0.5, -0.6, -0.1, "better"), ("WER", 0.5, 0.1, 0.6, "worse"), ("DNSMOS", 0.5, 0.1, 0.6, "better"),
        ("DNSMOS", -0.5, -0.6, -0.1, "worse"), ("WER", -0.5, -0.6, 0.0, "unsure"), ("DNSMOS", 0.5, 0.0, 0.6, "unsure"),
    ],
)  # fmt: skip
def test_what_a_change_is(name, mean, low, high, answer):
    """Fewer errors and a higher rating are better; an interval that touches zero is unsure."""
    assert figures._change("s", name, Interval(mean=mean, low=low, high=high))["is"] == answer


def heard(system: str, text: str, errors: tuple[int, int] | None = None, **manner) -> dict:
    words = None if errors is None else {"errors": errors[0], "of": errors[1]}
    return {"system": system, "text": text, "word_errors": words, "voice": None, "naturalness": None, "manner": manner}


def test_errors_are_paired_where_both_say_as_much():
    """Two runs of a sentence are added; a sentence that one side said twice is left out."""
    one = [heard("a", "x", (1, 4)), heard("a", "x", (2, 4)), heard("a", "y", (4, 4)), heard("a", "x")]
    other = [heard("b", "x", (0, 8)), heard("b", "y", (0, 8)), heard("b", "z", (0, 4))]
    assert figures.word_difference(one, other, ("a", "b")).mean == pytest.approx(3 / 8)
    assert figures.word_difference(one[2:], other, ("a", "b")) is None


def test_a_manner_without_pauses():
    """Phones in the time that sounds; a clip without rate, pitch or level has no manner."""
    whole = {"rate_phones_per_s": 9.0, "pitch_spread_semitones": 2.0, "level_db": 0.0, "pause_ratio": 0.25}
    found = figures._spoken(whole)
    assert (found.rate_phones_per_s, found.pitch_spread_semitones, found.level_db) == (12.0, 2.0, 0.0)
    assert figures._spoken(whole | {"pause_ratio": None}).rate_phones_per_s == 9.0
    assert [figures._spoken(whole | {name: None}) for name in list(whole)[:3]] == [None] * 3
    assert [figures._spoken(whole | {name: 0.0}) for name in list(whole)[:2]] == [None] * 2


def test_steadiness_needs_two_sessions_and_a_deviation():
    """A sentence said once deviates by nothing; own clips that never move are no measure."""
    clips = [heard(name, "x", rate=rate) for name, rates in (("sessions-prior", (1.0, 2.0)), ("sessions-self", (1.0,)))
             for rate in rates]  # fmt: skip
    assert figures.spread_ratio(clips, "rate") is None
    clips.append(heard("sessions-self", "x", rate=3.0))
    assert figures.spread_ratio(clips, "rate").mean == pytest.approx(0.5)
    clips.append(heard("sessions-self", "x", rate=None))
    assert figures.spread_ratio(clips, "rate").mean == pytest.approx(0.5)
    still = [one | {"manner": {"rate": 1.0}} for one in clips]
    assert figures.spread_ratio(still, "rate") is None


@pytest.mark.parametrize(("count", "kept"), [(7, False), (8, True), (22, True), (23, False)])
def test_a_prompt_is_as_long_as_a_sentence(count, kept):
    """Eight to 22 words."""
    assert bool(choose_prompts("a: " + " ".join(["word"] * count))) is kept


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("It's a word, and another: no colon here please.", False), ("Is it one, or isn't it? That's all I ask.", True),
        ("This sentence has a number such as 7 in it.", False), ("wait.. this one trails off as it is spoken", False),
        ("'Quoted words at the start are no plain words'", False),
    ],
)  # fmt: skip
def test_a_prompt_is_plain(words, kept):
    """Letters, commas, stops, apostrophes and question marks, and a letter first."""
    assert bool(choose_prompts(f"a: {words}")) is kept


def test_prompts_without_ffmpeg(tmp_path, monkeypatch):
    """The refusal names the program; what ffmpeg leaves unsaid is said."""
    monkeypatch.setattr(human.shutil, "which", lambda _: None)
    with pytest.raises(EvaluationError) as refused:
        human._decode(tmp_path / "a", tmp_path / "b")
    assert str(refused.value) == "ffmpeg decodes the person's prompts and is not installed"
    monkeypatch.setattr(human.shutil, "which", lambda _: "/ffmpeg")
    calls = []
    silent = SimpleNamespace(returncode=1, stderr="\n")
    monkeypatch.setattr(human.subprocess, "run", lambda command, **how: calls.append((command, how)) or silent)
    with pytest.raises(EvaluationError) as refused:
        human._decode(Path("a.g722"), Path("b.wav"))
    assert str(refused.value) == "a.g722: ffmpeg refused it"
    words = "/ffmpeg -y -loglevel error -f g722 -i a.g722 -ar 16000 -ac 1 b.wav"
    assert calls == [(words.split(), {"capture_output": True, "text": True, "check": False})]


@pytest.mark.parametrize(
    ("gain_db", "peak"), [(0.0, 16_384), (-20.0, 1_638), (6.020599913, 32_767), (20.0, 32_767), (6.0, 32_690)]
)
def test_a_prompt_is_louder_up_to_full_scale(gain_db, peak):
    """What would clip is scaled down as a whole."""
    louder = material._louder(np.array([16_384, -8_192, 0], np.int16), gain_db)
    assert abs(int(louder[0]) - peak) <= 1
    assert abs(2 * int(louder[1]) + int(louder[0])) <= 2
    assert material._louder(np.zeros(3, np.int16), gain_db).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("seconds", "count"), [(0.5, 1), (1.0, 1), (1.01, 2), (2.0, 2), (9.0, 3)])
def test_clips_that_last_long_enough(seconds, count, tmp_path):
    """As many as are needed, or all."""
    clips = [Clip(path=tmp_path / f"{number}.wav", text="") for number in range(3)]
    for clip in clips:
        soundfile.write(clip.path, np.zeros(16_000), 16_000)
    assert material._lasting(clips, seconds) == tuple(clips[:count])


def test_deliveries_of_prompts_and_sessions():
    """Three tempos, two widths, three levels; sessions from slow and flat to fast and wide."""
    assert sorted(material.PROMPT_DELIVERIES) == [
        (0.75, 0.5, -6.0), (0.75, 1.8, 6.0), (1.0, 0.5, 6.0), (1.0, 1.8, -6.0), (1.4, 0.5, 0.0), (1.4, 1.8, 0.0),
    ]  # fmt: skip
    assert material.SESSION_DELIVERIES == ((0.8, 0.6), (1.0, 1.0), (1.3, 1.8))


def stage(folder: Path, patch: pytest.MonkeyPatch) -> tuple[material.Material, list]:
    """Return the material without flite, and what was asked of it."""
    said: list = []

    def say_as(_, speaker, delivery=None):
        def say(text):
            said.append((speaker.name, delivery and (delivery.stretch_factor, delivery.contour_factor), text))
            return np.full(16_000, 1_000, np.int16)

        return say

    patch.setattr(material, "FliteLibrary", lambda: None)
    patch.setattr(material, "say_as", say_as)
    return material.Material(folder, sentences=3), said


def test_prompts_sessions_and_sources_are_made_once(tmp_path, monkeypatch):
    """One sentence in six deliveries and levels, three sentences in three, a speaker's own sound of what is asked."""
    made, said = stage(tmp_path, monkeypatch)
    for _ in range(2):
        prompts = made.prompts()
        sessions = made.session_clips()
        sources = made.sources("rms-100", made.sentences[1:])
    assert [clip.path for clip in prompts] == [tmp_path / "prompts" / f"{number}.wav" for number in range(6)]
    assert len({clip.text for clip in prompts}) == 1
    peaks = [int(soundfile.read(clip.path, dtype="int16")[0].max()) for clip in prompts]
    assert peaks == [501, 1_995, 1_000, 1_995, 501, 1_000]
    assert said[:6] == [("rms-100", each[:2], prompts[0].text) for each in material.PROMPT_DELIVERIES]
    assert [clip.path for clip in sessions] == [tmp_path / "sessions" / f"{number}.wav" for number in range(3)]
    assert said[6:9] == [
        ("target-slt", delivery, clip.text)
        for delivery, clip in zip(material.SESSION_DELIVERIES, sessions, strict=True)
    ]
    assert [clip.path for clip in sources] == [tmp_path / "source-rms-100" / f"{each:03d}.wav" for each in (1, 2)]
    assert said[9:] == [("rms-100", None, text) for text in made.sentences[1:]]
    assert made.sources("nobody", made.sentences) is None


def test_a_person_as_the_voice_that_is_asked_for(tmp_path, monkeypatch):
    """Six clips to measure by, of the others as many as last 22 s, and the same in noise."""
    made, _ = stage(tmp_path, monkeypatch)
    person = tmp_path / "person"
    person.mkdir()
    names = [f"{number:02d}" for number in range(12)]
    (person / "words.json").write_text(json.dumps({name: f"words {name}" for name in names}), encoding="utf-8")
    for name in names:
        soundfile.write(person / f"{name}.wav", 0.3 * np.sin(np.arange(8 * 16_000) / 8), 16_000)
    asked = made.asked(person)
    assert [clip.path.stem for clip in asked.references] == names[:6]
    assert [clip.path.stem for clip in asked.given] == ["06", "07", "08"]
    assert (asked.name, asked.description) == ("person", "a person (person), 3 clips")
    assert asked.origin == {
        "kind": "recording", "name": "Asterisk core sounds, Allison Smith", "license": "CC-BY-SA-3.0",
    }  # fmt: skip
    assert [(clip.path, clip.text) for clip in asked.noisy] == [
        (tmp_path / "noisy" / f"{name}.wav", f"words {name}") for name in ("06", "07", "08")
    ]
    clean, noisy = (soundfile.read(each[0].path)[0] for each in (asked.given, asked.noisy))
    assert 10 * np.log10((clean**2).mean() / ((noisy - clean) ** 2).mean()) == pytest.approx(10, abs=0.1)
