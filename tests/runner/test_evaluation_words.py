"""What the evaluation writes and draws, word by word and mark by mark; what a call of it reads."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from reference_runner.errors import EvaluationError
from reference_runner.evaluation import artifact_report, pictures
from reference_runner.evaluation.artifact_report import show_interval, to_markdown, write_report
from reference_runner.evaluation.recordings import Recording

ROOT = Path(__file__).resolve().parents[2]
FIGURES = {
    "voice": ("people_similarity", "similarity", "encoder_similarity", "pitch_gap_semitones"),
    "naturalness": ("dnsmos_ovr", "dnsmos_sig", "dnsmos_bak"),
    "against_source": ("mcd_db", "f0_rmse_semitones", "f0_contour_rmse_semitones", "voicing_error", "duration_error_s"),
    "manner": ("median_pitch_semitones", "pitch_spread_semitones", "rate_phones_per_s", "pause_ratio", "level_db"),
}


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.2}


def system(first: float, **changes) -> dict:
    """Return a system whose figures are numbered on."""
    number = iter(range(100))
    found = {group: {name: interval(first + next(number)) for name in names} for group, names in FIGURES.items()}
    steady = {"deviation": 0.5, "icc": None, "drift_per_session": -0.25}
    return found | {
        "clips": 3, "sentences": 2,
        "word_errors": {"wer": 0.25, "cer": 0.125, "source_wer": None, "minus_source": interval(0.5)},
        "sessions": {"sessions": ["a", "b"], "figures": {"rate_phones_per_s": steady, "level_db": steady}},
        "prosody_transfer": {"same_prompt": 0.75, "other_prompt": None, "effect": 0.5},
        "reruns": {"pairs": 4, "equal": 1, "greatest_difference": 7},
    } | changes  # fmt: skip


REPORT = {
    "evaluation": "v1", "clips": [1, 2, 3], "instruments": {"speech_encoder": "e 1", "recognizer": None},
    "baselines": {"same_speaker": {"people_similarity": 0.9, "similarity": 0.8}, "other_speakers": None},
    "systems": {
        "ours": system(10),
        "mute": system(30, word_errors=None, reruns={"pairs": 0, "equal": 0, "greatest_difference": None},
                       naturalness=dict.fromkeys(FIGURES["naturalness"])),
    },
}  # fmt: skip


def row(name: str, *values: float | None) -> str:
    shown = ["-" if one is None else f"{one:.3f} ({one - 0.1:.3f} to {one + 0.2:.3f})" for one in values]
    return f"| {name} | {' | '.join(shown)} |"


WRITTEN = "\n".join(
    [
        "# Evaluation of 3 artifacts", "",
        "Definitions `v1` (reference_runner/EVALUATION.md). Intervals are 95 %, bootstrapped over", "sentences.", "",
        "- speech encoder: e 1", "- recognizer: not used", "",
        "## Words", "",
        "| system | clips | sentences | WER | CER | source WER | minus source |", "|---|---|---|---|---|---|---|",
        "| ours | 3 | 2 | 0.250 | 0.125 | - | 0.500 (0.400 to 0.700) |", "| mute | 3 | 2 | - | - | - | - |", "",
        "## Voice", "",
        ("| system | similarity, people's encoder | similarity, model-free | similarity, encoder | "
         "pitch gap, semitones |"),
        "|---|---|---|---|---|", "| *same speaker* | 0.900 | 0.800 | - | - |", "| *other speakers* | - | - | - | - |",
        row("ours", 10, 11, 12, 13), row("mute", 30, 31, 32, 33), "",
        "## Naturalness", "",
        "| system | DNSMOS, overall | DNSMOS, speech | DNSMOS, background |", "|---|---|---|---|",
        row("ours", 14, 15, 16), row("mute", None, None, None), "",
        "## Against the source", "",
        ("| system | MCD, dB | F0 RMSE, semitones | F0 RMSE without level, semitones | voicing error | "
         "duration error, s |"),
        "|---|---|---|---|---|---|", row("ours", *range(17, 22)), row("mute", *range(37, 42)), "",
        "## Manner", "",
        "| system | median pitch, semitones | pitch spread, semitones | rate, phones/s | pause ratio | level, dB |",
        "|---|---|---|---|---|---|", row("ours", *range(22, 27)), row("mute", *range(42, 47)), "",
        "## Sessions", "",
        "| system | sessions | figure | deviation | ICC(2,1) | drift a session |", "|---|---|---|---|---|---|",
        *(f"| {name} | 2 | {figure} | 0.500 | - | -0.250 |"
          for name in ("ours", "mute") for figure in ("rate, phones/s", "level, dB")), "",
        "## Prompts and reruns", "",
        ("| system | same prompt | different prompt | effect | runs of equal conditions | equal | "
         "greatest difference |"), "|---|---|---|---|---|---|---|",
        "| ours | 0.750 | - | 0.500 | 4 | 1 | 7 |", "| mute | 0.750 | - | 0.500 | 0 | 0 | - |", "",
    ]
)  # fmt: skip


def test_the_report_word_by_word():
    """Every heading, column and unit; what was not measured is a dash."""
    assert to_markdown(REPORT) == WRITTEN


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ({}, "1.500 (1.400 to 1.700)"), ({"digits": 1}, "1.5 (1.4 to 1.7)"),
        ({"sign": True, "digits": 2}, "+1.50 (+1.40 to +1.70)"),
    ],
)  # fmt: skip
def test_an_interval_for_eyes(how, shown):
    """Three digits and no sign, or what is asked for."""
    assert show_interval(interval(1.5), **how) == shown
    assert show_interval(None, **how) == "-"


@pytest.fixture
def saved(monkeypatch) -> list:
    """Keep figures instead of writing them."""
    kept: list = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **how: kept.append((self, path, how)))
    return kept


def test_the_picture_of_systems_mark_by_mark(saved, tmp_path):
    """A panel for each figure that some system has, a row for each system, baselines where the voice is shown."""
    write_report(REPORT, tmp_path / "new" / "folder")
    ((figure, path, how),) = saved
    folder = tmp_path / "new" / "folder"
    assert (path, how) == (folder / "evaluation.png", {"dpi": 90, "metadata": {"Software": None}})
    assert (folder / "evaluation.md").read_text(encoding="utf-8") == WRITTEN
    assert json.loads((folder / "evaluation.json").read_text(encoding="utf-8")) == REPORT
    assert figure.get_size_inches().tolist() == pytest.approx([3.2 * 8 + 2.0, 0.32 * 2 + 1.6])
    rows = {
        "WER minus source": [0.5], "DNSMOS, overall": [14], "similarity, people's encoder": [10, 30],
        "similarity, model-free": [11, 31], "similarity, encoder": [12, 32], "MCD, dB": [17, 37],
        "pitch spread, semitones": [23, 43], "rate, phones/s": [24, 44],
    }  # fmt: skip
    assert [panel.get_title() for panel in figure.axes] == list(rows)
    for panel, means in zip(figure.axes, rows.values(), strict=True):
        points = [bars.lines[0].get_xydata().tolist() for bars in panel.containers]
        assert points == [[[mean, place]] for place, mean in enumerate(means)]
        for bars, mean in zip(panel.containers, means, strict=True):
            (segment,) = bars.lines[2][0].get_segments()
            assert segment[:, 0].tolist() == pytest.approx([mean - 0.1, mean + 0.2])
    upright = [
        [(line.get_xdata()[0], line.get_color(), line.get_label()) for line in panel.lines
         if list(line.get_ydata()) == [0, 1]]
        for panel in figure.axes
    ]  # fmt: skip
    assert upright == [[], [], [(0.9, "C2", "same speaker")], [(0.8, "C2", "same speaker")], [], [], [], []]
    assert [panel.get_legend() is not None for panel in figure.axes] == [False] * 2 + [True] * 2 + [False] * 4
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["ours", "mute"]
    assert figure.axes[0].yaxis_inverted()


def test_a_picture_without_a_figure(saved, tmp_path):
    """One empty panel with the systems' names."""
    pictures.draw_systems({"systems": {"a": {}}, "baselines": {}}, tmp_path / "a.png")
    (panel,) = saved[0][0].axes
    assert ([label.get_text() for label in panel.get_yticklabels()], panel.get_title()) == (["a"], "")


def test_the_picture_of_mels(saved, tmp_path):
    """A panel a mel, low bands below, all of one scale."""
    mels = {"one": np.arange(6.0).reshape(3, 2), "two": np.zeros((3, 2))}
    pictures.draw_mels(mels, tmp_path / "a.png")
    ((figure, path, how),) = saved
    assert (path, how) == (tmp_path / "a.png", {"dpi": 90, "metadata": {"Software": None}})
    assert figure.get_size_inches().tolist() == pytest.approx([10, 4.4])
    assert [(panel.get_title(), panel.get_ylabel()) for panel in figure.axes] == [
        ("one", "mel band"), ("two", "mel band"),
    ]  # fmt: skip
    (image,) = figure.axes[0].images
    assert np.asarray(image.get_array()).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert (image.origin, image.get_clim(), image.get_interpolation()) == ("lower", (-3.0, 2.5), "nearest")


def call(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    artifact_report.add_command(parser.add_subparsers())
    return parser.parse_args(["artifacts", *words])


@pytest.fixture
def read(monkeypatch) -> None:
    """Take names for recordings and instruments."""
    for name in ("read_artifact", "read_clip", "read_source"):
        monkeypatch.setattr(artifact_report, name, lambda path, text=None, name=name: Read(f"{name} {path}", text))
    monkeypatch.setattr(artifact_report, "replace", lambda one, text: Read(one.name, text))
    for module, name in (("recognizer", "Recognizer"), ("naturalness", "Naturalness"),
                         ("people_encoder", "PeopleEncoder"), ("speaker_encoder", "SpeakerEncoder")):  # fmt: skip
        monkeypatch.setattr(f"reference_runner.evaluation.{module}.{name}", lambda name=name: name)


class Read:
    """A recording by name."""

    def __init__(self, name: str, text: str | None) -> None:
        self.name, self.text = name, text


@pytest.mark.parametrize(
    ("words", "used"),
    [
        ((), ("Recognizer", "Naturalness", "SpeakerEncoder", "PeopleEncoder")),
        (("--no-listener",), (None, "Naturalness", "SpeakerEncoder", "PeopleEncoder")),
        (("--no-naturalness",), ("Recognizer", None, "SpeakerEncoder", "PeopleEncoder")),
        (("--no-encoder",), ("Recognizer", "Naturalness", None, None)),
        (("--no-people",), ("Recognizer", "Naturalness", "SpeakerEncoder", None)),
    ],
)
def test_an_instrument_is_left_out_alone(words, used, read):
    """But that without torch neither encoder is there."""
    _, sticks = artifact_report._inputs(call("a", *words))
    assert (sticks.recognizer, sticks.naturalness, sticks.encoder, sticks.people) == used


def test_what_a_call_reads(read, tmp_path):
    """Texts line by line, sources with theirs, clips of voices without."""
    (tmp_path / "said").write_text("One.\nTwo.\n", encoding="utf-8")
    words = ["a", "b", "--text", str(tmp_path / "said"), "--source", "s", "t", "--source-text", str(tmp_path / "said")]
    recordings, sticks = artifact_report._inputs(call(*words, "--target", "x", "--others", "y", "z"))
    assert [(one.name, one.text) for one in recordings] == [("read_artifact a", "One."), ("read_artifact b", "Two.")]
    assert [(one.name, one.text) for one in sticks.sources] == [("read_source s", "One."), ("read_source t", "Two.")]
    assert [(one.name, one.text) for one in sticks.target] == [("read_clip x", None)]
    assert [one.name for one in sticks.others] == ["read_clip y", "read_clip z"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a", "--text", "said"), "said: got 2 lines, expected 1"),
        (("a", "--source", "s", "t", "u", "--source-text", "said"), "said: got 2 lines, expected 3"),
        (("a", "--source", "s"),
         "read_source s: the sentence of this source is not stated; give --source-text"),
    ],
)  # fmt: skip
def test_a_call_that_does_not_match_is_refused(words, said, read, tmp_path, monkeypatch):
    """With both counts, or what is missing."""
    monkeypatch.chdir(tmp_path)
    Path("said").write_text("One.\nTwo.\n", encoding="utf-8")
    with pytest.raises(EvaluationError) as refused:
        artifact_report._inputs(call(*words))
    assert str(refused.value) == said


def test_a_clip_of_a_voice_has_no_words(monkeypatch):
    """It is not held against any sentence."""
    whole = Recording.__new__(Recording)
    monkeypatch.setattr(artifact_report, "read_clip", lambda _: whole)
    monkeypatch.setattr(artifact_report, "replace", lambda one, **changes: (one, changes))
    assert artifact_report._clip(Path("x")) == (whole, {"text": None})


def test_the_page_counts_the_gates_that_hold() -> None:
    """Those of the evaluation of the shipped weights, which it names."""
    found = (ROOT / "benchmarks" / "results" / "evaluation.md").read_text(encoding="utf-8")
    gates = found[found.index("| gate |") : found.index("## Systems")].strip().splitlines()[2:]
    answers = [row.split("|")[4].strip().partition(",")[0] for row in gates]
    assert (answers.count("yes"), len(answers)) == (11, 15)
    assert "Eleven of fifteen gates hold" in (ROOT / "reference_runner" / "EVALUATION.md").read_text(encoding="utf-8")
    weights = (ROOT / "reference_runner" / "weights" / "stable-tts-small.sha256").read_text(encoding="utf-8").split()[0]
    assert f"`sha256:{weights}`" in found
