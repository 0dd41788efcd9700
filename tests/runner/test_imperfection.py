"""The released model made imperfect at each of its stages: the log replays, and a rerun gives the samples again."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import kit
import numpy as np
import pytest
from imperfect_voice import edited

from ttsartifact import Refused, RunOptions, draw, rerun_runner, run_batch, run_runner
from ttsartifact.cli import main
from ttsartifact.perturbing.plan import plan_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch", reason="torch is not installed")
TEXT = "Two strangers can now argue."
STAGES = {
    "text": ("filled_pause", "per_word", "0.4"),
    "phoneme": ("sound_repetition", "per_phoneme", "0.1"),
    "prosody_tokens": ("token_swap", "per_phoneme", "0.2"),
    "duration": ("prolongation", "per_phoneme", "0.2"),
    "mel": ("frame_repeat", "per_frame", "0.1"),
    "vocoder_state": ("amp_shimmer", "per_frame", "0.1"),
}
ORDER = ("text", "phoneme", "duration", "prosody_tokens", "mel", "vocoder_state")


def layer(stage: str) -> dict:
    kind, trigger, chance = STAGES[stage]
    return {"id": stage, "stage": stage, "kind": kind, trigger: Decimal(chance), "length_ms": [50, 150]}


def plan(*stages: str, **more) -> object:
    return plan_of({"seed": "4711", "layer": [layer(stage) | more for stage in stages]})


@pytest.fixture(scope="module")
def imperfect(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run with a layer at every stage."""
    out = tmp_path_factory.mktemp("imperfect") / "run.tts.wav"
    run_runner("stable-tts", TEXT, out, RunOptions(seed=7, imperfection=plan(*ORDER)), attempt=1)
    return out


def test_every_stage_is_logged_and_verifies(imperfect: Path) -> None:
    """Something happened at each, every draw replays, and the plan stands in the run."""
    (report,) = verify(imperfect)
    assert (report.verdict, report.findings) == ("INTACT", ())
    assert {"IMP03", "IMP05", "IMP06"} <= set(report.passed)
    found = open_artifact(imperfect)
    log = found.trace("imperfection").columns
    for place, stage in enumerate(ORDER):
        rows = [row for row, entry in enumerate(log["layer"]) if entry == place]
        assert len(rows) == found.descriptor.known(f"/imperfection/layers/{place}/opportunities"), stage
        assert sum(log["fired"][row] for row in rows) > 0, stage


def test_a_rerun_gives_it_again(imperfect: Path, tmp_path: Path) -> None:
    """PCM-EXACT, and the same log byte for byte."""
    again = rerun_runner(imperfect, keep=tmp_path / "again.tts.wav")
    assert (again.verdict, again.exit_code) == ("PCM-EXACT", 0)
    logs = [open_artifact(path).parts.part("trace/imperfection") for path in (imperfect, tmp_path / "again.tts.wav")]
    assert logs[0] == logs[1]


def test_nothing_of_its_log_can_be_changed(imperfect: Path, tmp_path: Path) -> None:
    """At every stage: an event hidden, the seed changed, all rows of a layer gone; of frames, one moved by a sample."""
    for place, stage in enumerate(ORDER):

        def rows(columns: dict, place: int = place) -> list[int]:
            return [row for row, entry in enumerate(columns["layer"]) if entry == place]

        def hide(columns: dict, rows=rows) -> None:
            columns["fired"][next(row for row in rows(columns) if columns["fired"][row])] = 0

        def clear(columns: dict, rows=rows) -> None:
            gone = set(rows(columns))
            for name, column in columns.items():
                columns[name] = [value for row, value in enumerate(column) if row not in gone]

        def move(columns: dict, rows=rows) -> None:
            columns["out_start"][next(row for row in rows(columns) if columns["fired"][row])] += 1

        changes = {"hidden": hide, "cleared": clear} | ({"moved": move} if stage in {"mel", "vocoder_state"} else {})
        for name, change in changes.items():
            (report,) = verify(edited(imperfect, tmp_path / f"{stage}-{name}.tts.wav", change))
            assert kit.failed(report) == {"IMP05" if name == "moved" else "IMP06"}, (stage, name)
    (report,) = verify(edited(imperfect, tmp_path / "seed.tts.wav", plan=lambda value: value["draw"].update(seed="1")))
    assert kit.failed(report) == {"IMP06"}


def test_the_acts_are_those_of_the_clause() -> None:
    """6.7: each stage's change, on values that are easy to follow."""
    from reference_runner.frontend.phones import Phone, PhoneSequence
    from reference_runner.synthesis.imperfecting import Imperfection
    from reference_runner.synthesis.stations import Passing, Station

    layers = [{**each, "trigger": {"at": [1]}, "params": {}} for each in plan(*ORDER).layers]
    layers = [each | ({"shape": {"length_us": {"const": 100_000}}}) for each in layers]
    hooks = Imperfection({"draw": {"seed": "s"}, "layers": layers}, codes=10).hooks()

    def passing(station: Station, piece: int = 0) -> Passing:
        return Passing(station=station, piece=piece, first=0, last=False, stream=None)

    assert hooks[Station.TEXT](passing(Station.TEXT), "one two, three") == "one um, two, three"
    a, b, pause = Phone(name="ax"), Phone(name="b", boundary="word_end"), Phone(name="pau", boundary="comma")
    changed = hooks[Station.PHONEME](passing(Station.PHONEME), PhoneSequence(phones=(a, b, pause)))
    assert [phone.boundary for phone in changed.phones] == ["within_word", "within_word", "word_end", "comma"]
    codes = hooks[Station.CODES](passing(Station.CODES), np.array([10, 10, 10]))
    assert codes.tolist() == [10, draw("s", "prosody_tokens/token", 1) * 10 // (1 << 53), 10]
    assert hooks[Station.DURATION](passing(Station.DURATION), np.array([4, 4])).tolist() == [4, 10]
    mel = np.arange(8.0).reshape(4, 2)
    assert hooks[Station.MEL](passing(Station.MEL), mel)[:, 0].tolist() == [0, 0, 4, 6]
    assert hooks[Station.MEL](passing(Station.MEL, 1), mel)[:, 0].tolist() == [0, 2, 4, 6]
    gain = 700 + draw("s", "vocoder_state/gain", 1) * 601 // (1 << 53)
    samples = hooks[Station.VOCODER](passing(Station.VOCODER), np.full(768, 0.5))
    assert samples[[0, 255, 256, 511, 512]].tolist() == pytest.approx(
        [0.5, 0.5, gain / 2000, gain / 2000, 0.5], abs=1e-6
    )
    assert (samples * 2**20 == np.rint(samples * 2**20)).all()


def test_what_the_log_says_of_an_event_at_each_stage() -> None:
    """6.7: a longer sound has its frames and no place, a frame has both; of other events the place is not known."""
    from reference_runner.frontend.phones import Phone, PhoneSequence
    from reference_runner.synthesis.imperfecting import Imperfection
    from reference_runner.synthesis.stations import Passing, Station

    layers = [{**each, "trigger": {"at": [1]}, "params": {}} for each in plan(*ORDER[1:]).layers]
    layers = [each | ({"shape": {"length_us": {"const": 100_000}}}) for each in layers]
    found = Imperfection({"draw": {"seed": "s"}, "layers": layers}, codes=10)
    passed = {
        Station.PHONEME: PhoneSequence(phones=(Phone(name="ax"), Phone(name="b", boundary="word_end"))),
        Station.DURATION: np.array([4, 4]), Station.CODES: np.array([3, 3]), Station.MEL: np.zeros((2, 80)),
        Station.VOCODER: np.zeros(512),
    }  # fmt: skip
    for station, value in passed.items():
        found.hooks()[station](Passing(station=station, piece=0, first=0, last=True, stream=None), value)
    told = ("realised", "requested_frames", "out_start", "out_end")
    rows = [tuple(row.get(name) for name in told) for row in found.rows()]
    nothing, unknown, place = ("exact", None, None, None), ("unknown", None, None, None), (256, 256, 512)
    longer = ("exact", 6 * 256, None, None)  # 100 ms are six whole frames of 16 ms
    fired = (unknown, longer, unknown, ("unknown", *place), ("exact", *place))
    assert rows == [row for event in fired for row in (nothing, event)]


def test_a_run_that_begins_anew_counts_anew() -> None:
    """The second speaking of a native run is the first one again, row for row."""
    from reference_runner.synthesis.imperfecting import Imperfection
    from reference_runner.synthesis.stations import Passing, Station

    found = Imperfection({"draw": {"seed": "s"}, "layers": plan("mel").layers}, codes=10)
    hook = found.hooks()[Station.MEL]
    seen = []
    for _ in range(2):
        for piece in range(2):
            hook(Passing(station=Station.MEL, piece=piece, first=0, last=False, stream=None), np.zeros((5, 2)))
        seen.append(list(found.rows()))
    assert seen[0] == seen[1]
    assert [row["opp_index"] for row in seen[1]] == list(range(10))


def test_what_is_refused(tmp_path: Path) -> None:
    """A stage, a kind and a trigger that the runner has not, and several texts at once; nothing is written."""
    for wrong, message in (
        (plan_of({"layer": [{"id": "gap", "kind": "block", "at": [1]}]}), "layer gap: runner stable-tts is not made"),
        (plan("mel", kind="dropout"), "stage mel has no such kind: found dropout"),
        (plan("text", kind="restart"), "stage text has no such kind: found restart"),
    ):
        with pytest.raises(Refused, match=message):
            run_runner("stable-tts", TEXT, tmp_path / "x.tts.wav", RunOptions(imperfection=wrong))
    strange = layer("mel")
    del strange["per_frame"]
    with pytest.raises(Refused, match="its trigger counts what this stage has not: found per_word_ppm"):
        options = RunOptions(imperfection=plan_of({"layer": [strange | {"per_word": 1}]}))
        run_runner("stable-tts", TEXT, tmp_path / "x.tts.wav", options)
    with pytest.raises(Refused, match="a run that is made imperfect is computed alone"):
        outs = [tmp_path / "x.tts.wav", tmp_path / "y.tts.wav"]
        run_batch("stable-tts", [TEXT, TEXT], outs, RunOptions(imperfection=plan("mel")))
    assert list(tmp_path.iterdir()) == []


def test_as_somebody_types_it(tmp_path: Path) -> None:
    """`ttsa run --imperfection`: a plan of words alone."""
    spec, out = tmp_path / "um.toml", str(tmp_path / "um.tts.wav")
    spec.write_text(
        'seed = "1"\n[[layer]]\nid = "again"\nstage = "text"\nkind = "word_repetition"\nper_word = 0.5\n',
        encoding="utf-8",
    )
    assert main(["run", "I was going home.", "-o", out, "--imperfection", str(spec), "--sensor", "none"]) == 0
    assert main(["verify", out]) == 0
    found = open_artifact(out).descriptor
    assert found.known("/input/text/value") == "I was going home."
    assert found.known("/imperfection/layers/0/opportunities") == 4
