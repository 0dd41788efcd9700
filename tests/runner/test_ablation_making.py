"""The ablation: what each cell asks of the runner, what a call chooses, and every line and mark of its report."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

import ttsartifact
from reference_runner.conditions import source_digest
from reference_runner.errors import EvaluationError
from reference_runner.laboratory.ablation import __main__ as command
from reference_runner.laboratory.ablation import report, targets
from reference_runner.laboratory.ablation.cells import CELLS, Cell, ClipSet, Condition, chosen
from reference_runner.laboratory.ablation.making import Plan, Workshop, code_digest, file_sha256

ORIGIN = {"kind": "synthetic", "name": "a tone"}


def cell(prompt: str, adaptation: str, count: int = 1, condition=Condition.CLEAN, steps: int | None = None) -> Cell:
    return Cell(prompt=prompt, adaptation=adaptation, clips=ClipSet(count=count, condition=condition), steps=steps)


class Asked:
    """Stands for the runner: keeps what it was asked, and writes a few bytes for each file."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.runs: list[tuple] = []
        self.adapted: list[tuple] = []
        self.report = SimpleNamespace(conformant=True, verdict="INTACT", failures=[])
        for name in ("run_runner", "adapt_voice", "verify"):
            patch.setattr(ttsartifact, name, getattr(self, name))

    def run_runner(self, runner, text, path, options, *, session):
        self.runs.append((runner, text, path, options, session))
        options.say("said to nobody")
        path.write_bytes(b"sound")

    def adapt_voice(self, runner, clips, path, **how):
        self.adapted.append((runner, clips, path, how))
        path.write_bytes(b"delta")
        return SimpleNamespace(record={"steps": 2, "delta": "d"})

    def verify(self, _path):
        return (self.report,)


@pytest.fixture
def asked(monkeypatch) -> Asked:
    return Asked(monkeypatch)


def workshop(folder, *, said=None, seeds=1, steps=None, numerics="native") -> Workshop:
    target = targets.Target(
        name="tone", description="a tone", say=lambda text: np.full(len(text) * 100, 500, np.int16), provenance=ORIGIN
    )
    plan = Plan(weights_sha256="0" * 64, code="c", sentences=1, seeds=seeds, numerics=numerics, steps=steps)
    weights = {"base.safetensors": "/base.safetensors"}
    tell = (said if said is not None else []).append
    return Workshop(target=target, folder=folder, plan=plan, weights=weights, tell=tell)


def test_the_unadapted_voice_is_asked_for_without_clips(asked, tmp_path):
    """Every sentence with every seed, into a file that takes its name when it is whole."""
    paths = workshop(tmp_path, seeds=2, numerics="exact").runs(CELLS[0], ["One.", "Two."])
    folder = tmp_path / "runs" / "none-prior-prompt"
    names = ["00-1.tts.wav", "00-2.tts.wav", "01-1.tts.wav", "01-2.tts.wav"]
    assert paths == [folder / name for name in names]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert [(run[0], run[1], run[2].name, run[3].seed, run[4]) for run in asked.runs] == [
        ("stable-tts", "One.", ".00-1.tts.wav", 1, "none-prior-prompt"),
        ("stable-tts", "One.", ".00-2.tts.wav", 2, "none-prior-prompt"),
        ("stable-tts", "Two.", ".01-1.tts.wav", 1, "none-prior-prompt"),
        ("stable-tts", "Two.", ".01-2.tts.wav", 2, "none-prior-prompt"),
    ]
    options = asked.runs[0][3]
    assert list(options.references) == []
    assert options.parameters == {"numerics": "exact", "repeat": False}
    assert options.weights == {"base.safetensors": "/base.safetensors"}
    assert options.replace is True
    assert not asked.adapted
    workshop(tmp_path, seeds=2).runs(CELLS[0], ["One.", "Two."])
    assert len(asked.runs) == 4


@pytest.mark.parametrize(("count", "lent"), [(1, 1), (3, 3), (16, 16), (17, 16)])
def test_a_clone_is_lent_its_clips_and_no_more_than_a_run_takes(asked, tmp_path, count, lent):
    """Each with its role, origin and words; without adaptation."""
    wanted = cell("prior", "zero-shot", count)
    workshop(tmp_path).runs(wanted, ["One."])
    references = asked.runs[0][3].references
    assert [reference.path.name for reference in references] == [f"tone-clean-{each:02d}.wav" for each in range(lent)]
    assert {(reference.role, reference.origin["name"]) for reference in references} == {("timbre", "a tone")}
    assert [reference.transcript for reference in references] == targets.grammar_sentences(lent)
    assert not asked.adapted


@pytest.mark.parametrize(("limit", "steps"), [(None, 200), (2, 2), (200, 200), (500, 200)])
@pytest.mark.parametrize(("adaptation", "preserve"), [("kept", True), ("alone", False)])
def test_a_cell_is_adapted_once_by_the_lesser_number_of_steps(asked, tmp_path, adaptation, preserve, limit, steps):
    """With or without preservation; both prompts speak with one delta, and its record lies beside it."""
    said: list[str] = []
    shop = workshop(tmp_path, said=said, steps=limit)
    for prompt in ("prior", "self"):
        shop.runs(cell(prompt, adaptation, 3, steps=200), ["One."])
    name = f"{adaptation}-3-clean-200"
    (call,) = asked.adapted
    runner, clips, path, how = call
    assert (runner, path) == ("stable-tts", tmp_path / "deltas" / f"{name}.safetensors")
    assert [(clip.transcript, clip.provenance) for clip in clips] == [
        (text, ORIGIN) for text in targets.grammar_sentences(3)
    ]
    assert how == {
        "seed": 1, "parameters": {"preserve": preserve, "steps": steps},
        "weights": {"base.safetensors": "/base.safetensors"},
    }  # fmt: skip
    assert said == [f"tone: adapting {name}"]
    assert path.with_suffix(".json").read_text(encoding="utf-8") == '{\n "delta": "d",\n "steps": 2\n}\n'
    prior, own = (run[3] for run in asked.runs)
    assert prior.weights == own.weights == {"base.safetensors": "/base.safetensors", path.name: str(path)}
    assert list(prior.references) == []
    assert prior.parameters == {"numerics": "native", "repeat": False}
    (reference,) = own.references
    words = targets.grammar_sentences(1)[0]
    assert (reference.path.name, reference.role, reference.transcript) == ("tone-clean-00.wav", "prosody", words)
    assert own.parameters == {"numerics": "native", "repeat": False, "prompt": "clip", "prompt_text": words}


def test_what_is_not_made_has_no_clips_and_no_delta(tmp_path):
    """The unadapted voice and a clone."""
    assert workshop(tmp_path).clips(CELLS[0]) == []
    assert workshop(tmp_path).delta(CELLS[0]) is None
    assert workshop(tmp_path).delta(CELLS[1]) is None


@pytest.mark.parametrize(
    ("rules", "said"), [(["CHK01", "SIG02"], "DAMAGED, failed CHK01, SIG02"), ([], "DAMAGED, failed nothing")]
)
def test_an_artifact_that_does_not_verify_stops_the_ablation(asked, tmp_path, rules, said):
    """The file, the verdict and the rules are named."""
    failures = [SimpleNamespace(rule=rule) for rule in rules]
    asked.report = SimpleNamespace(conformant=False, verdict="DAMAGED", failures=failures)
    with pytest.raises(EvaluationError) as refused:
        workshop(tmp_path).runs(CELLS[0], ["One."])
    assert str(refused.value) == f"{tmp_path / 'runs' / 'none-prior-prompt' / '00-1.tts.wav'}: {said}"


def test_a_plan_is_what_a_folder_holds(tmp_path):
    """Its file can be read, and the refusal of another says what to do."""
    workshop(tmp_path).plan.keep_in(tmp_path / "new" / "folder")
    kept = tmp_path / "new" / "folder" / "plan.json"
    assert json.loads(kept.read_text(encoding="utf-8")) == {
        "code": "c", "noise": targets.NOISE_RECIPE, "numerics": "native", "seeds": 1, "sentences": 1, "steps": None,
        "weights_sha256": "0" * 64,
    }  # fmt: skip
    with pytest.raises(EvaluationError) as refused:
        workshop(tmp_path, seeds=2).plan.keep_in(kept.parent)
    assert str(refused.value) == f"{kept} is another plan; give another --output, or remove that one"


def test_digests_of_what_is_made(tmp_path):
    """A file's is its SHA-256; the code's holds what adapts, too."""
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len({code_digest(), source_digest(), source_digest("adapting"), source_digest("adapter.py")}) == 4


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, ""),
        ({"numerics": "exact"}, " --numerics exact"),
        ({"steps": 5}, " --steps 5"),
        ({"numerics": "exact", "steps": 0}, " --numerics exact --steps 0"),
    ],
)
def test_the_command_that_makes_it_again(tmp_path, facts, words):
    """What is usual is left out."""
    plan = workshop(tmp_path, seeds=3, **facts).plan
    begin = "python -m reference_runner.laboratory.ablation --sentences 1 --seeds 3"
    assert command._command(plan) == begin + words


def test_what_is_kept_of_a_delta(tmp_path):
    """Six figures of its record; one that is missing is null."""
    record = {"config_digest": "a", "delta": "b", "steps": 3, "stopped_early": True, "loss_micro": {}, "other": 1}
    (tmp_path / "x.json").write_text(json.dumps(record), encoding="utf-8")
    kept = command._record(tmp_path / "x.safetensors")
    assert kept == {name: value for name, value in record.items() if name != "other"} | {"quality": None}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["virtual", "espeak"]),
        (["--targets", "espeak", "virtual"], ["virtual", "espeak"]),
        (["--person", "HERE"], ["virtual", "espeak", "person"]),
        (["--person", "HERE", "--targets", "person"], ["person"]),
        (["--person", "HERE", "--targets", "virtual"], ["virtual"]),
    ],
)
def test_which_voices_a_call_asks_for(words, names, tmp_path, monkeypatch):
    """All that there are, or those that are named."""
    words = [str(tmp_path) if word == "HERE" else word for word in words]
    assert [voice.name for voice in asked_for(words, tmp_path, monkeypatch)["targets"]] == names


def test_a_person_without_clips_is_refused(tmp_path, monkeypatch, capsys):
    """Before anything is made; the message says how to get them."""
    with pytest.raises(SystemExit):
        asked_for(["--targets", "person"], tmp_path, monkeypatch)
    said = "error: --targets person needs --person FOLDER; `make person` fetches the clips"
    assert capsys.readouterr().err.splitlines()[-1].endswith(said)


def asked_for(words: list[str], folder, patch: pytest.MonkeyPatch) -> dict:
    """Return what a call of the command would make, among two synthesisers and a person."""
    got: dict = {}
    for name in ("Recognizer", "SpeakerEncoder", "PeopleEncoder", "Naturalness"):
        patch.setattr(command, name, lambda name=name: name)
    patch.setattr(command, "make_targets", lambda: [SimpleNamespace(name=name) for name in ("virtual", "espeak")])
    patch.setattr(command, "person_target", lambda given: SimpleNamespace(name="person") if given == folder else None)
    patch.setattr(command, "to_markdown", str)
    names = ("plan", "targets", "weights", "output", "instruments", "cells")
    patch.setattr(command, "ablate", lambda *given: got.update(zip(names, given, strict=True)))
    patch.setattr("sys.argv", ["ablation", "--output", str(folder / "out"), *words])
    with pytest.raises(SystemExit) as ended:
        command.main()
    if ended.value.code:
        raise ended.value
    return got


@pytest.mark.parametrize("own", [False, True])
def test_what_a_call_asks_for(own, tmp_path, monkeypatch, capsys):
    """Every word of the call arrives; without weights of its own the released ones are digested and not named."""
    got = {}
    voices = [SimpleNamespace(name=name) for name in ("virtual", "espeak")]
    for name in ("Recognizer", "SpeakerEncoder", "PeopleEncoder", "Naturalness"):
        monkeypatch.setattr(command, name, lambda name=name: name)
    released, given = tmp_path / "released.safetensors", tmp_path / "given.safetensors"
    released.write_bytes(b"released")
    given.write_bytes(b"given")
    monkeypatch.setattr(command, "released_checkpoint_path", lambda: released)
    monkeypatch.setattr(command, "make_targets", lambda: voices)
    monkeypatch.setattr(command, "to_markdown", lambda made: f"table of {made}\n")

    def ablate(plan, aims, weights, output, instruments, cells):
        got.update(plan=plan, targets=aims, weights=weights, output=output, instruments=instruments, cells=cells)
        return "it all"

    monkeypatch.setattr(command, "ablate", ablate)
    words = ["--output", str(tmp_path / "out"), "--sentences", "3", "--seeds", "2", "--numerics", "exact"]
    words += ["--steps", "7", "--cells", "kept-1-*-1000-*", "--targets", "espeak"]
    monkeypatch.setattr("sys.argv", ["ablation", *words, *(["--weights", str(given)] if own else [])])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0
    assert capsys.readouterr().err == "table of it all\n"
    assert got["plan"] == Plan(
        weights_sha256=file_sha256(given if own else released), code=code_digest(), sentences=3, seeds=2,
        numerics="exact", steps=7,
    )  # fmt: skip
    assert got["targets"] == voices[1:]
    assert got["weights"] == ({"given.safetensors": str(given)} if own else {})
    assert got["output"] == tmp_path / "out"
    assert got["cells"] == chosen(["kept-1-*-1000-*"])
    instruments = got["instruments"]
    assert [instruments.recognizer, instruments.encoder, instruments.people, instruments.naturalness] == [
        "Recognizer", "SpeakerEncoder", "PeopleEncoder", "Naturalness",
    ]  # fmt: skip


def test_a_pattern_without_a_cell_says_what_one_is_called():
    """The whole sentence."""
    with pytest.raises(EvaluationError) as refused:
        chosen(["none-*", "nobody"])
    assert str(refused.value) == "no cell is named like nobody; one is called alone-1-10dB-200-self-prompt"


def test_the_order_of_the_table():
    """Unadapted, cloned, preserving, not preserving, then prompted by the voice itself; most clips first."""
    names = [each.name for each in CELLS]
    assert names[:6] == [
        "none-prior-prompt", "zero-shot-10-clean-prior-prompt", "zero-shot-10-20dB-prior-prompt",
        "zero-shot-10-10dB-prior-prompt", "zero-shot-10-clipped-prior-prompt", "zero-shot-3-clean-prior-prompt",
    ]  # fmt: skip
    assert [names[place] for place in (13, 25, 37, 49)] == [
        "kept-10-clean-200-prior-prompt", "kept-10-clean-1000-prior-prompt", "alone-10-clean-200-prior-prompt",
        "alone-10-clean-1000-prior-prompt",
    ]  # fmt: skip
    assert names[61:] == [
        f"{way}-{count}-{condition}-200-self-prompt"
        for way in ("kept", "alone") for count in (10, 1) for condition in ("clean", "10dB")
    ]  # fmt: skip


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.2}


def system(mean: float, **changes) -> dict:
    return {
        "clips": 2, "word_errors": {"wer": mean / 100, "source_wer": 0.125, "minus_source": interval(mean + 6)},
        "naturalness": {"dnsmos_ovr": interval(mean + 4)},
        "voice": {
            "people_similarity": interval(mean + 1), "similarity": interval(mean + 2), "encoder_similarity": None,
            "pitch_gap_semitones": interval(mean + 5),
        },
        "against_source": {"mcd_db": interval(mean + 7)}, "manner": {"pitch_spread_semitones": interval(mean + 8)},
        "rate_spread_phones_per_s": interval(mean + 9),
    } | changes  # fmt: skip


CLONE, KEPT, SELF = CELLS[1], cell("prior", "kept", 3, Condition.CLIPPED, 1000), cell("self", "alone", 1, steps=200)
DELTAS = {
    "kept-3-clipped-1000": {
        "steps": 7, "stopped_early": True,
        "loss_micro": {"target_first": 1_500_000, "target_last": 250_000, "prior_first": None, "prior_last": 1},
        "quality": [{"snr_millidb": 12_340}, {"snr_millidb": "silent"}, {"snr_millidb": 9_870}],
    },
    "alone-1-clean-200": {"steps": 200, "stopped_early": False, "loss_micro": None, "quality": []},
    "bare": {"steps": 0},
}  # fmt: skip


def made_report(**changes) -> dict:
    def gate(holds, sure, measured):
        return {"name": "WER", "relation": "<=", "limit": 0.1, "measured": measured, "holds": holds, "sure": sure}

    target = {
        "description": "a tone of 200 Hz",
        "baselines": {
            "same_speaker": {"people_similarity": 0.9, "similarity": 0.8, "encoder_similarity": None},
            "other_speakers": {"people_similarity": 0.3, "similarity": 0.2, "encoder_similarity": 0.1},
        },
        "systems": {
            each.name: system(10.0 * place) for place, each in enumerate((CELLS[0], CLONE, KEPT, SELF), start=1)
        },
        "gates": [
            gate(True, True, interval(0.05)), gate(False, False, interval(-0.05)), gate(None, None, None),
        ],
        "steadiness": {
            "preserving, prior prompt": {
                "median_pitch_semitones": interval(1.0), "pitch_spread_semitones": None,
                "rate_phones_per_s": interval(2.0),
            }
        },
        "deltas": DELTAS,
    }  # fmt: skip
    plan = {
        "weights_sha256": "ab" * 32, "sentences": 5, "seeds": 1, "numerics": "exact", "code": "sha256:cd",
        "noise": "white",
    }  # fmt: skip
    return {
        "command": "the command", "evaluation": "v1", "plan": plan, "artifacts": 12, "cells": ["a", "b"],
        "cells_not_run": [], "targets": {"tone": target},
    } | changes  # fmt: skip


WRITTEN = """\
# Ablation of prior prosody prompting and prior preservation

`the command`. Weights `sha256:abababababababababababababababababababababababababababababababab`; 5 held-out sentences,
1 seed each, exact numerics, code `sha256:cd`.
12 artifacts, all verified INTACT. Noisy: white.
Preserving and not: adapted with and without prior preservation. Intervals are 95 %, bootstrapped over
sentences (definitions `v1`, reference_runner/EVALUATION.md); unsure is an answer whose
interval holds the limit. The unadapted voices stand above the adapted ones. Words understood in another
voice are not a success: read WER beside similarity, and that between those of its own clips and of others.
2 of the matrix's 69 cells were run.

## Gates

| target | gate | limit | measured | holds |
|---|---|---|---|---|
| tone | WER | <= 0.10 | +0.050 (-0.050 to +0.250) | yes |
| tone | WER | <= 0.10 | -0.050 (-0.150 to +0.150) | no, unsure |
| tone | WER | <= 0.10 | - | - |

## tone: a tone of 200 Hz

Similarity of its own clips: people's encoder 0.900, model-free 0.800.
Similarity of other speakers: people's encoder 0.300, model-free 0.200, encoder 0.100.
WER of the target itself: 0.125.

| adaptation | clips | steps | prompt | similarity, people's encoder | similarity, model-free | similarity, encoder \
| DNSMOS | pitch gap, st | WER | WER minus source | MCD, dB | F0 spread, st | rate spread, phones/s |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
| none | none | - | prior | 11.000 (10.900 to 11.200) | 12.000 (11.900 to 12.200) | - | 14.00 (13.90 to 14.20) \
| +15.0 (+14.9 to +15.2) | 0.100 | +16.000 (+15.900 to +16.200) | 17.00 (16.90 to 17.20) | 18.00 (17.90 to 18.20) \
| 19.00 (18.90 to 19.20) |
| zero-shot | 10 clean | - | prior | 21.000 (20.900 to 21.200) | 22.000 (21.900 to 22.200) | - \
| 24.00 (23.90 to 24.20) | +25.0 (+24.9 to +25.2) | 0.200 | +26.000 (+25.900 to +26.200) | 27.00 (26.90 to 27.20) \
| 28.00 (27.90 to 28.20) | 29.00 (28.90 to 29.20) |
| preserving | 3 clipped | 1000 | prior | 31.000 (30.900 to 31.200) | 32.000 (31.900 to 32.200) | - \
| 34.00 (33.90 to 34.20) | +35.0 (+34.9 to +35.2) | 0.300 | +36.000 (+35.900 to +36.200) | 37.00 (36.90 to 37.20) \
| 38.00 (37.90 to 38.20) | 39.00 (38.90 to 39.20) |
| not preserving | 1 clean | 200 | self | 41.000 (40.900 to 41.200) | 42.000 (41.900 to 42.200) | - \
| 44.00 (43.90 to 44.20) | +45.0 (+44.9 to +45.2) | 0.400 | +46.000 (+45.900 to +46.200) | 47.00 (46.90 to 47.20) \
| 48.00 (47.90 to 48.20) | 49.00 (48.90 to 49.20) |

Steadiness: standard deviation of a sentence over 10 and 1 clips, clean and at 10 dB; smaller is better.

| adaptation | median pitch, semitones | pitch spread, semitones | rate, phones/s |
|---|---|---|---|
| preserving, prior prompt | 1.00 (0.90 to 1.20) | - | 2.00 (1.90 to 2.20) |

| delta | steps | stopped early | target loss | prior loss | SNR of the clips, dB |
|---|---|---|---|---|---|
| kept-3-clipped-1000 | 7 | yes | 1.500 to 0.250 | - to 0.000 | 9.9 to 12.3 |
| alone-1-clean-200 | 200 | no | - to - | - to - | - |
| bare | 0 | - | - to - | - to - | - |
"""


def test_the_report_word_by_word():
    """Every heading, column, unit and rounding."""
    assert report.to_markdown(made_report()) == WRITTEN
    plan = made_report()["plan"] | {"seeds": 2}
    other = report.to_markdown(made_report(plan=plan, cells_not_run=["x", "y"]))
    assert "\n2 seeds each, exact numerics" in other
    assert "2 of the matrix's 69 cells were run; not run: x, y.\n" in other


def test_a_report_of_a_person():
    """Who has not said the sentences that are spoken: WER stands alone, and nothing is compared with a source."""
    made = made_report()
    for each in made["targets"]["tone"]["systems"].values():
        each["word_errors"] |= {"source_wer": None, "minus_source": None}
        each["against_source"] = {"mcd_db": None}
    text = report.to_markdown(made)
    assert "\nWER of the target itself: -, for it has not said these sentences.\n" in text
    assert "| +15.0 (+14.9 to +15.2) | 0.100 | - | - | 18.00 (17.90 to 18.20) |" in text


def drawn(made: dict, folder, patch: pytest.MonkeyPatch):
    """Return the figure that a report becomes, and how it was saved."""
    kept = {}
    patch.setattr(Figure, "savefig", lambda self, path, **how: kept.update(figure=self, path=path, **how))
    report.draw(made, folder / "a.png")
    return kept.pop("figure"), kept


def test_the_picture_mark_by_mark(tmp_path, monkeypatch):
    """A row of six panels; means, intervals, marks and colours of each cell; baselines where they were measured."""
    figure, how = drawn(made_report(), tmp_path, monkeypatch)
    assert how == {"path": tmp_path / "a.png", "dpi": 70, "metadata": {"Software": None}}
    assert figure.get_size_inches().tolist() == [20, pytest.approx(1.5 + 0.18 * 4)]
    panels = figure.axes
    titles = ["similarity, people's encoder", "similarity, model-free", "similarity, encoder", "WER minus source",
              "MCD, dB", "F0 spread, semitones"]  # fmt: skip
    assert [panel.get_title() for panel in panels] == [f"tone: {title}" for title in titles]
    offsets = (1, 2, None, 6, 7, 8)
    for panel, offset in zip(panels, offsets, strict=True):
        means = [] if offset is None else [10.0 * place + offset for place in range(1, 5)]
        assert [bars.lines[0].get_xydata().tolist() for bars in panel.containers] == [
            [[mean, row]] for row, mean in enumerate(means)
        ]
        for bars, mean in zip(panel.containers, means, strict=True):
            ((low, high),) = (part[:, 0].tolist() for part in bars.lines[2][0].get_segments())
            assert (low, high) == (pytest.approx(mean - 0.1), pytest.approx(mean + 0.2))
        marks = [(bars.lines[0].get_marker(), bars.lines[0].get_color()) for bars in panel.containers]
        assert marks == [("o", "0.2"), ("o", "0.5"), ("o", "C0"), ("s", "C1")][: len(means)]
    upright = [
        [(line.get_xdata()[0], line.get_color()) for line in panel.lines if list(line.get_ydata()) == [0, 1]]
        for panel in panels
    ]
    assert upright == [[(0.9, "C2"), (0.3, "C3")], [(0.8, "C2"), (0.2, "C3")], [(0.1, "C3")], [(0.0, "0.7")], [], []]
    level = [line.get_ydata()[0] for line in panels[4].lines if list(line.get_xdata()) == [0, 1]]
    assert level == [0.5, 1.5, 2.5]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == [
        "none, prior prompt", "zero-shot 10 clean, prior prompt", "preserving 3 clipped, 1000 steps, prior prompt",
        "not preserving 1 clean, 200 steps, self prompt",
    ]  # fmt: skip
    assert panels[0].yaxis_inverted()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["same speaker", "other speakers"]


def test_neighbours_of_one_kind_are_not_divided(tmp_path, monkeypatch):
    """A line stands between two cells only where adaptation or prompt changes."""
    made = made_report()
    alike = [CELLS[1], CELLS[2], KEPT, cell("self", "kept", 1, steps=200)]
    made["targets"]["tone"]["systems"] = {each.name: system(1.0, word_errors=None) for each in alike}
    figure, _ = drawn(made, tmp_path, monkeypatch)
    lines = [line.get_ydata()[0] for line in figure.axes[3].lines if list(line.get_xdata()) == [0, 1]]
    assert lines == [1.5, 2.5]
    assert figure.axes[3].containers == []


def clip(which: Cell, text: str, rate: float, **changes) -> dict:
    manner = {"rate_phones_per_s": rate, "pitch_spread_semitones": None, "median_pitch_semitones": rate}
    return {"system": which.name, "text": text, "manner": manner, "voice": None, "word_errors": None} | changes


def test_what_is_kept_of_a_targets_evaluation():
    """Rates over sentences deviate by one where they are 9 and 11; gates and steadiness stand beside."""
    clips = [clip(CELLS[0], text, rate) for text, rate in (("a", 8.0), ("a", 10.0), ("b", 11.0))]
    whole = {
        "clips": clips, "baselines": "b", "instruments": "i",
        "systems": {CELLS[0].name: system(0.0) | {"sessions": "left out"}},
    }  # fmt: skip
    found = report.summarise_target(whole, [CELLS[0]])
    assert sorted(found) == ["baselines", "gates", "instruments", "steadiness", "systems"]
    kept = found["systems"]["none-prior-prompt"]
    assert sorted(kept) == [
        "against_source", "clips", "manner", "naturalness", "rate_spread_phones_per_s", "voice", "word_errors",
    ]  # fmt: skip
    assert kept["rate_spread_phones_per_s"] == {"mean": 1.0, "low": 0.0, "high": 1.0}
    assert found["steadiness"] == {}
    assert len(found["gates"]) == 14


def test_steadiness_needs_two_clip_sets_and_a_shared_sentence():
    """One set has nothing to deviate from; a figure that was never heard is none; others' steps do not count."""
    two = [cell("self", "alone", count, steps=200) for count in (10, 1)]
    more = [cell("self", "alone", 3, steps=200), cell("self", "alone", 10, steps=1000), cell("self", "kept", steps=200)]
    clips = [clip(each, "a", 4.0 * place) for place, each in enumerate([*two, *more])]
    figures = {
        "median_pitch_semitones": {"mean": 2.0, "low": 2.0, "high": 2.0}, "pitch_spread_semitones": None,
        "rate_phones_per_s": {"mean": 2.0, "low": 2.0, "high": 2.0},
    }  # fmt: skip
    assert report.steadiness(clips, [*two, *more]) == {"not preserving, self prompt": figures}
    assert report.steadiness(clips, [two[0], *more]) == {}


@pytest.mark.parametrize(
    ("relation", "mean", "low", "high", "holds", "sure"),
    [
        (">", 0.5, 0.5, 0.5, False, False), (">", 0.6, 0.55, 0.7, True, True), ("<=", 0.5, 0.5, 0.5, True, False),
        ("<=", 0.6, 0.4, 0.5, False, False), ("<=", 0.3, 0.2, 0.4, True, True), ("<=", 0.6, 0.5, 0.7, False, False),
    ],
)  # fmt: skip
def test_both_sides_of_a_limit(relation, mean, low, high, holds, sure):
    """On it a promise of more is not held and one of at most is; an interval that touches it is unsure."""
    gate = report._gate("g", relation, 0.5, report.Interval(mean=mean, low=low, high=high))
    assert (gate["holds"], gate["sure"]) == (holds, sure)


def test_errors_of_one_sentence_are_added():
    """Two runs of a sentence count twice its words; a clip that was not listened to counts nothing."""
    heard = [{"errors": 1, "of": 4}, None, {"errors": 2, "of": 4}]
    mine = [clip(KEPT, "a", 1.0, word_errors=each) for each in heard]
    theirs = [clip(CLONE, text, 1.0, word_errors={"errors": 1, "of": 4}) for text in ("a", "a", "b")]
    found = report._word_difference([*theirs, *mine], KEPT, CLONE)
    assert found.mean == pytest.approx(3 / 8 - 2 / 8)
    assert report._word_difference(mine, KEPT, CLONE) is None


def test_what_the_voices_say_and_what_is_done_to_it():
    """Decibels as the report names them; sentences that are long enough to measure, and none twice."""
    assert [condition.snr_db for condition in Condition] == [None, 20, 10, None]
    sentences = targets.grammar_sentences(26)
    assert len(set(sentences)) == 26
    assert min(len(sentence.split()) for sentence in sentences) == 7
