"""The ablation: its cells, its voices and noise, its gates, and one cell from clip to table."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ttsartifact
from reference_runner.errors import EvaluationError
from reference_runner.evaluation.measuring import Yardsticks
from reference_runner.evaluation.recognizer import Recognizer
from reference_runner.evaluation.speaker_encoder import SpeakerEncoder
from reference_runner.laboratory.ablation import __main__ as command
from reference_runner.laboratory.ablation import report, targets
from reference_runner.laboratory.ablation.cells import CELLS, CLIP_SETS, Cell, ClipSet, Condition, chosen
from reference_runner.laboratory.ablation.human import person_target
from reference_runner.laboratory.ablation.making import Plan, file_sha256
from reference_runner.laboratory.corpus.builder import read_harvard_type

CLEAN, NOISY = ClipSet(count=10, condition=Condition.CLEAN), ClipSet(count=1, condition=Condition.NOISE_10)


def plan(**changes) -> Plan:
    facts = {
        "weights_sha256": "0" * 64,
        "code": "sha256:0",
        "sentences": 1,
        "seeds": 1,
        "numerics": "native",
        "steps": 2,
    }
    return Plan(**(facts | changes))


def tone(text: str) -> np.ndarray:
    """Say a text as a tone of a length that follows from it."""
    time = np.arange(len(text) * 1600) / 16_000
    return np.rint(8000 * np.sin(2 * np.pi * 200 * time)).astype(np.int16)


def target(say=tone) -> targets.Target:
    return targets.Target(
        name="tone", description="a tone", say=say, provenance={"kind": "synthetic", "name": "a tone"}
    )


def test_every_combination_has_its_cell():
    """1, 3, 10 clips in four conditions, cloned, or adapted with and without preservation in 200 and 1000 steps."""
    prior = [cell for cell in CELLS if cell.prompt == "prior" and cell.clips]
    seen = [(cell.clips.count, str(cell.clips.condition), cell.adaptation, cell.steps) for cell in prior]
    ways = [("zero-shot", None), *((way, steps) for way in ("kept", "alone") for steps in (200, 1000))]
    conditions = ("clean", "20dB", "10dB", "clipped")
    assert set(seen) == {(count, one, *way) for count in (1, 3, 10) for one in conditions for way in ways}
    assert len(seen) == len(CLIP_SETS) * 5 == 60
    assert len({cell.name for cell in CELLS}) == len(CELLS) == 1 + 60 + 8
    assert {cell.delta for cell in CELLS if cell.prompt == "self"} <= {cell.delta for cell in prior}
    assert Cell(prompt="self", adaptation="alone", clips=NOISY, steps=200).name == "alone-1-10dB-200-self-prompt"
    assert CELLS[0].name == "none-prior-prompt"


def test_a_part_of_the_matrix():
    """Patterns choose among the names; the unadapted voice is always there; a name that no cell has is refused."""
    names = [cell.name for cell in chosen(["zero-shot-1-*", "kept-3-clean-200-*"])]
    assert names == [
        "none-prior-prompt", *(f"zero-shot-1-{one}-prior-prompt" for one in ("clean", "20dB", "10dB", "clipped")),
        "kept-3-clean-200-prior-prompt",
    ]  # fmt: skip
    assert chosen([]) == list(CELLS)
    with pytest.raises(EvaluationError, match="no cell is named like kept-2-"):
        chosen(["kept-2-*"])


def test_every_cell_is_named_and_none_is_made(monkeypatch, capsys, tmp_path):
    """`--list` with a pattern, on a machine without instruments."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ablation", "--list", "--cells", "kept-1-*-200-self-*", "none-*"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0
    named = [cell.name for cell in chosen(["kept-1-*-200-self-*", "none-*"])]
    assert capsys.readouterr().err.splitlines() == named
    assert named == ["none-prior-prompt", "kept-1-clean-200-self-prompt", "kept-1-10dB-200-self-prompt"]
    assert not list(tmp_path.iterdir())


def test_noise_is_as_loud_as_stated():
    """10 dB or 20 dB under the clip, another for each clip, the same each time."""
    clean = tone("a tone of some seconds")
    noisy = targets.add_noise(clean, name="a")
    noise = noisy.astype(float) - clean
    ratio_db = 10 * np.log10((clean.astype(float) ** 2).mean() / (noise**2).mean())
    assert ratio_db == pytest.approx(10, abs=0.1)
    assert (targets.add_noise(clean, name="a") == noisy).all()
    assert (targets.add_noise(clean, name="b") != noisy).any()
    quieter = targets.spoil(clean, Condition.NOISE_20, name="a").astype(float) - clean
    assert 20 * np.log10(noise.std() / quieter.std()) == pytest.approx(10, abs=0.1)


def test_noise_beyond_full_scale_is_cut_and_does_not_turn_over():
    """Of a clip that reaches both limits no sample jumps from one to the other."""
    loud = np.repeat(np.array([32_767, -32_768] * 40, np.int16), 100)
    noisy = targets.add_noise(loud, name="a", snr_db=20).astype(int)
    assert (noisy.max(), noisy.min()) == (32_767, -32_768)
    assert np.abs(noisy - loud).max() < 32_768


def test_clipping_limits_a_fifth_of_the_peak():
    """What lies below stays as it is; clean is untouched."""
    clean = tone("a tone")
    clipped = targets.spoil(clean, Condition.CLIPPED, name="a")
    assert (clipped.min(), clipped.max()) == (-1600, 1600)
    quiet = np.abs(clean) < 1600
    assert (clipped[quiet] == clean[quiet]).all()
    assert targets.spoil(clean, Condition.CLEAN, name="a") is clean


def test_clips_reach_the_length_and_no_further(tmp_path):
    """As many as are needed; a noisy set says the same sentences; what is there is kept."""
    short = targets.clips_of(target(), tmp_path, at_least_s=3)
    long = targets.clips_of(target(), tmp_path, at_least_s=30)
    seconds = [len(clip.text) / 10 for clip in long]
    assert len(short) == 1
    assert short[0] == long[0]
    assert sum(seconds) >= 30 > sum(seconds[:-1])
    noisy = targets.first_clips(target(), tmp_path, NOISY)
    assert [clip.text for clip in noisy] == [short[0].text]
    before = noisy[0].path.read_bytes()
    targets.first_clips(target(lambda _: 1 / 0), tmp_path, NOISY)
    assert noisy[0].path.read_bytes() == before


def test_no_sentence_is_in_two_places(tmp_path):
    """What is adapted to, what the voice is measured by, and what is spoken."""
    adapted = {clip.text for clip in targets.clips_of(target(), tmp_path, at_least_s=60)}
    measured = {clip.text for clip in targets.reference_clips(target(), tmp_path)}
    spoken = set(targets.test_sentences(10))
    assert len(spoken) == 10
    assert spoken <= set(read_harvard_type())
    assert not adapted & measured
    assert not (adapted | measured) & spoken


def test_a_person_says_what_was_said(tmp_path):
    """Clips in every condition are the person's own, the rest measures the voice, and no sentence has a source."""
    words = {f"clip-{number:02d}": f"These are the words of clip {number}." for number in range(30)}
    (tmp_path / "words.json").write_text(json.dumps(words), encoding="utf-8")
    for number, name in enumerate(words):
        targets.write_clip(tmp_path / f"{name}.wav", np.full(100 + number, 500 + number, np.int16))
    person = person_target(tmp_path)
    assert person.provenance["license"] == "CC-BY-SA-3.0"
    clean = targets.first_clips(person, tmp_path / "made", CLEAN)
    assert [clip.text for clip in clean] == list(words.values())[:10]
    assert [clip.path.read_bytes() for clip in clean] == [(tmp_path / f"{name}.wav").read_bytes() for name in words][
        :10
    ]
    (noisy,) = targets.first_clips(person, tmp_path / "made", NOISY)
    assert noisy.text == words["clip-00"]
    assert noisy.path.read_bytes() != clean[0].path.read_bytes()
    measured = targets.reference_clips(person, tmp_path / "made")
    assert [clip.text for clip in measured] == list(words.values())[20:26]
    assert targets.source_clips(person, tmp_path / "made", ["Something else."]) == []
    assert len(targets.source_clips(target(), tmp_path / "made", ["Something else."])) == 1


def test_a_folder_holds_one_plan(tmp_path):
    """The same plan goes on; another one is refused by name, so that no artifact of it is taken for this one's."""
    plan().keep_in(tmp_path)
    plan().keep_in(tmp_path)
    with pytest.raises(EvaluationError, match="is another plan"):
        plan(seeds=2).keep_in(tmp_path)
    with pytest.raises(EvaluationError, match="is another plan"):
        plan(code="sha256:1").keep_in(tmp_path)


def clips(cell: Cell, similarity: float, errors: int) -> list[dict]:
    return [
        {
            "system": cell.name, "text": text, "word_errors": {"errors": errors, "of": 10},
            "voice": {
                "people_similarity": similarity, "similarity": similarity, "encoder_similarity": similarity / 2,
            },
            "manner": {
                "median_pitch_semitones": 80.0 + errors, "pitch_spread_semitones": 2.0, "rate_phones_per_s": 10.0,
            },
        }
        for text in ("one", "two", "three")
    ]  # fmt: skip


OF = ("people's encoder", "model-free", "encoder")
GATES = [
    *((f"similarity ({of}), adapted to 10 clean clips, above {what}", ">", 0.05)
      for of in OF for what in ("the unadapted voice", "the zero-shot clone of the same clips")),
    *((f"similarity ({of}), adapted to 1 clip at 10 dB, above the unadapted voice", ">", 0.05) for of in OF),
    ("WER, adapted to 1 clip at 10 dB, above the unadapted voice", "<=", 0.1),
    ("WER, adapted to 1 clip at 10 dB, above adapted to 10 clean clips", "<=", 0.1),
    ("WER, 1 clip at 10 dB: without preservation above with it", ">", 0.0),
    ("WER, 10 clean clips, preserving: 1000 steps above 200", "<=", 0.05),
    ("WER, 10 clean clips, not preserving: 1000 steps above 200", ">", 0.0),
]  # fmt: skip


def test_gates_by_hand():
    """Each is held against its limit, on the side it says, and none is left out."""
    measured = [
        *clips(CELLS[0], 0.2, 2),
        *clips(Cell(prompt="prior", adaptation="zero-shot", clips=CLEAN), 0.57, 2),
        *clips(Cell(prompt="prior", adaptation="kept", clips=CLEAN, steps=200), 0.6, 2),
        *clips(Cell(prompt="prior", adaptation="kept", clips=CLEAN, steps=1000), 0.6, 3),
        *clips(Cell(prompt="prior", adaptation="kept", clips=NOISY, steps=200), 0.5, 4),
        *clips(Cell(prompt="prior", adaptation="alone", clips=NOISY, steps=200), 0.5, 3),
    ]
    found = report.gates(measured)
    assert [(round(gate["measured"]["mean"], 6), gate["holds"]) for gate in found if gate["measured"]] == [
        (0.4, True), (0.03, False), (0.4, True), (0.03, False), (0.2, True), (0.015, False),
        (0.3, True), (0.3, True), (0.15, True), (0.2, False), (0.2, False), (-0.1, False), (0.1, False),
    ]  # fmt: skip
    assert [gate["name"] for gate in found if not gate["measured"]] == [
        "WER, 10 clean clips, not preserving: 1000 steps above 200"
    ]
    missing = next(gate for gate in found if not gate["measured"])
    assert missing == {
        "name": "WER, 10 clean clips, not preserving: 1000 steps above 200", "relation": ">", "limit": 0.0,
        "measured": None, "holds": None, "sure": None,
    }  # fmt: skip
    assert [(gate["name"], gate["relation"], gate["limit"]) for gate in found] == GATES
    assert all(gate["sure"] for gate in found if gate["measured"])
    assert all(gate["holds"] is None for gate in report.gates(clips(CELLS[0], 0.2, 2)))


def test_steadiness_by_hand():
    """A median that moves by one semitone a clip set deviates by sqrt(5 / 4), a manner that stays by nothing."""
    cells = [
        Cell(prompt="prior", adaptation="kept", clips=ClipSet(count=count, condition=condition), steps=200)
        for count in (10, 1)
        for condition in (Condition.CLEAN, Condition.NOISE_10)
    ]
    measured = [clip for number, cell in enumerate(cells) for clip in clips(cell, 0.5, number)]
    found = report.steadiness(measured, cells)["preserving, prior prompt"]
    assert found["median_pitch_semitones"]["mean"] == pytest.approx(np.sqrt(5 / 4))
    assert found["pitch_spread_semitones"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


@pytest.mark.flite
def test_one_cell_from_clip_to_table(small_checkpoint_path, tmp_path):
    """A very small random model: a delta, artifacts that verify, a table with both cells; nothing is made twice."""
    voice = next(one for one in targets.make_targets() if one.name == "virtual")
    cells = [CELLS[0], Cell(prompt="self", adaptation="alone", clips=NOISY, steps=200)]
    instruments = Yardsticks(recognizer=Recognizer(), encoder=SpeakerEncoder())
    wanted = plan(weights_sha256=file_sha256(small_checkpoint_path))
    weights = {small_checkpoint_path.name: str(small_checkpoint_path)}
    found = command.ablate(wanted, [voice], weights, tmp_path, instruments, cells)
    artifacts = sorted(tmp_path.glob("virtual/runs/*/*.tts.wav"))
    assert len(artifacts) == found["artifacts"] == 2
    adapted = ttsartifact.open(next(path for path in artifacts if "self" in path.parent.name)).descriptor
    assert adapted.at("/pins/adaptation/with_prior_preservation") is False
    assert [reference["role"] for reference in adapted.at("/input/refs")].count("prosody") == 1
    text = (tmp_path / "ablation.md").read_text(encoding="utf-8")
    assert "| none | none | - | prior |" in text
    assert "| not preserving | 1 10dB | 200 | self |" in text
    assert found["cells"] == [cell.name for cell in cells]
    assert "2 of the matrix's 69 cells were run; not run: zero-shot-10-clean-prior-prompt, " in text
    assert (tmp_path / "ablation.png").stat().st_size > 1000
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.parent != tmp_path}
    assert command.ablate(wanted, [voice], weights, tmp_path, instruments, cells) == found
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.parent != tmp_path} == before
    assert json.loads((tmp_path / "ablation.json").read_text(encoding="utf-8")) == found
