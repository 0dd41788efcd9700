"""The card, asserted whole, and a card that does not break over what it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import credentials
import full_run
import kit
import pytest

import ttsartifact
from ttsartifact.formulas.conditions import and_more
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reading.derived import derive
from ttsartifact.reporting import card
from ttsartifact.reporting.card import card_lines, card_rows
from ttsartifact.terms import digest as digests
from ttsartifact.terms.descriptor import absent

PACKAGE = Path(ttsartifact.__file__).parent
DIGEST = digests.of(b"a file")


def test_the_card_of_the_small_run(tmp_path: Path) -> None:
    """Everything that a stranger asks first, in the file's own words; what is absent says so."""
    artifact = open_artifact(kit.artifact(tmp_path))
    digest = artifact.descriptor.known("/audio/digest")
    text = artifact.descriptor.known("/input/text/digest")
    lines = list(card_lines(artifact))
    submitted = lines.pop(17)
    assert submitted.startswith("  submitted    2026-11-21T10:00:00.124456792Z, UTC within 9")
    assert "\n".join(lines) == (
        f"{artifact.where}: a run of espeak-ng 1.51+dfsg-10 (debian-12)\n"
        f"  artifact     {artifact.artifact_id}\n"
        "  run          01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e2f\n"
        "  level        L2 claimed, not checked; run `ttsa verify`\n"
        f'  text         "The quick brown fox.", en, {text}\n'
        "  references   none\n"
        "  model        unknown\n"
        "  vocoder      unknown\n"
        "  engine       espeak-ng 1.51+dfsg-10 (debian-12)\n"
        "  device       cpu: a processor\n"
        f"  audio        wav pcm_s16, 16000 Hz, 1 channel, 50.000 ms, {digest}\n"
        "  times        from submit: first PCM 20.000 ms, TTFA 20.000 ms, last PCM 40.000 ms\n"
        "  speed        RTF, end to end 0.800; RTF, compute unknown (one of its times is not known); "
        "RTF, steady 0.800\n"
        "  measured     by client; the times include process start\n"
        "  chunks       2, median gap 20.000 ms, longest gap 20.000 ms, underrun margin 5.000 ms\n"
        "  load         queue depth 0, running at start 1, batch size 1, concurrency 1\n"
        "  telemetry    not applicable\n"
        "  clock        synchronised, 2 snapshots of UTC, drift below 6 ppm, not resolved\n"
        "  marking      not stated\n"
        "  seeds        unknown\n"
        "  parameters   none\n"
        "  numerics     not applicable\n"
        "  precision    unknown\n"
        "  promise      determinism unclaimed; own repeat not measured\n"
        "  lock         not applicable\n"
        f"  rerun with   ttsa rerun {artifact.where} -- espeak-ng -w '{{out}}' '{{text}}'\n"
        "  imperfection none\n"
        "  promotion    not applicable\n"
        "  attested     not signed: no signature, time-stamp or log proof says who made the file, or when\n"
        "  notes        not applicable"
    )


def test_a_card_with_pins_telemetry_and_a_gate(tmp_path: Path) -> None:
    """The same lines where there is something to say."""

    def patch(value: dict[str, Any]) -> None:
        value["pins"]["model"] = {
            "uri": "org/model",
            "revision": "ab" * 20,
            "tag": "v1.1",
            "files": [{"path": "model.safetensors", "size": 1, "digest": "sha256:" + "cd" * 32}],
        }
        value["pins"]["vocoder"] = {"integrated": True, "detail": "the model delivers samples"}
        value["env"]["devices"] = [{"model": "A GPU"}, {"model": "Another"}]
        value["generation"]["device"] = "cuda"
        value["summary"]["power_w"] = {"channel": "power_mw", "mean_milli": 251_234, "samples": 9}
        value["run"]["load"] |= {"queue_depth_at_submit": absent("unknown")}
        value["gate"] = {"failed_promotion": 1, "policy": {"id": "wer", "version": "2"}}
        value["imperfection"] = {"layers": [{"kind": "dropout", "stage": "pcm"}]}
        value["generation"]["marking"] = [credentials.watermark()]
        value["input"]["refs"] = [
            {"role": "other" if n == 1 else "timbre", "digest": f"sha256:{n:064x}"} for n in range(6)
        ]

    told = {line[2:15].strip(): line[15:] for line in card_lines(open_artifact(kit.artifact(tmp_path, patch=patch)))}
    assert told["model"] == f"org/model@{'ab' * 20} (v1.1), 1 file pinned"
    assert told["vocoder"] == "integrated: the model delivers samples"
    assert told["device"] == "cuda: A GPU, Another"
    assert told["telemetry"] == "clock not applicable, power 251.2 W, utilisation not applicable"
    assert told["load"] == "queue depth unknown, running at start 1, batch size 1, concurrency 1"
    assert told["promotion"] == "failed by wer 2"
    assert told["imperfection"] == "dropout in pcm"
    assert told["marking"] == "watermark com.example.wavemark.1 at pcm by wavemark 1.2.0 (present to wavemark 1.2.0)"
    assert told["references"].startswith(f"timbre sha256:{0:064x}; role other: sha256:{1:064x}; timbre ")
    assert told["references"].endswith(" and 2 more")


def test_a_meter_has_its_line_and_a_device_that_no_list_names_is_no_processor(tmp_path: Path) -> None:
    """A reader of `show` sees that a meter was there, and how far off its times may be."""

    def patch(value: dict[str, Any]) -> None:
        value["generation"]["device"] = "cuda"
        value["env"]["cpu"]["model"] = "A CPU"
        value["env"]["devices"] = absent("unknown")
        meter = {"make": "Yokogawa", "model": "WT310", "measurement_point": "wall"}
        mapping = {"method": "load-fit", "bound_ns": 254_673_029}
        value["channels"] = [{"name": "wall", "meter": meter, "mapping": mapping}, {"name": "power_w"}]

    told = [line[2:] for line in card_lines(open_artifact(kit.artifact(tmp_path, patch=patch)))]
    assert [line for line in told if line.startswith(("meter", "device"))] == [
        "device       cuda; the machine has A CPU",
        "meter        channel wall, Yokogawa, WT310, wall, aligned by load-fit within 254.673 ms",
    ]


@pytest.mark.parametrize("value", [None, 5, "words", [], {}, [[]], {"value": None, "reason": []}], ids=str)
def test_a_card_is_drawn_of_any_shape(value: Any, tmp_path: Path) -> None:
    """Each section, and each value below it, may be anything; the card has its lines all the same."""
    sections = tuple(kit.descriptor())

    def every(place: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        if len(path) == 3 or not isinstance(place, dict):
            return [path]
        return [path, *(found for key in place for found in every(place[key], (*path, key)))]

    whole = open_artifact(kit.artifact(tmp_path))
    for path in every({key: whole.descriptor.value[key] for key in (*sections, "audio", "level")})[1:]:

        def patch(descriptor: dict[str, Any], path: tuple[str, ...] = path) -> None:
            for key in path[:-1]:
                descriptor = descriptor[key]
            descriptor[path[-1]] = value

        lines = list(card_lines(open_artifact(kit.artifact(tmp_path, patch=patch))))
        assert len(lines) == 31, path
        assert all(line.isprintable() for line in lines)


def test_a_card_of_what_an_engine_does_not_say(tmp_path: Path) -> None:
    """The observer within the process, a device that is not stated, and a sound in one piece."""
    given = kit.put(run__times__observer="in_process", generation__device=absent("unknown", "not stated"))
    told = dict(card_rows(open_artifact(kit.artifact(tmp_path, patch=given))))
    assert told["measured"].startswith("in process; the times include ")
    assert told["device"] == "unknown (not stated); the machine has a processor"
    silent = {"time_to_first_token_ns": 1, "leading_silence_ns": 9_977_000}
    assert card._times(silent).endswith(", leading silence 9.977 ms")
    assert card._chunks({"chunk_count": 1}) == "1: all of the audio came at once"


def test_a_card_says_which_model_of_a_name(tmp_path: Path) -> None:
    """The family stands first, and a file that is its own address is told once."""
    local = {"family": "kdaip-stabletts", "uri": f"urn:{DIGEST}", "revision": DIGEST, "files": absent("not_measured")}
    path = kit.artifact(tmp_path, patch=kit.put(pins__model=local, pins__vocoder=local | {"uri": "hf:a/b"}))
    told = {line[2:15].strip(): line[15:] for line in card_lines(open_artifact(path))}
    assert told["model"] == f"kdaip-stabletts, {DIGEST}"
    assert told["vocoder"] == f"kdaip-stabletts, hf:a/b@{DIGEST}"


def test_a_parameter_that_looks_like_another_stands_in_quotes(tmp_path: Path) -> None:
    """Words that are none, or hold a comma, are told from the members around them."""
    given = {"prompt": "", "text": "a, steps 9", "voice": "slow one", "steps": 8}
    artifact = open_artifact(kit.artifact(tmp_path, patch=kit.put(generation__params=given)))
    said = dict(card_rows(artifact))["parameters"]
    assert said == 'prompt "", steps 8, text "a, steps 9", voice slow one'


@pytest.mark.parametrize("places", [("power_w",), ("clock_mhz", "power_w", "util_gpu")], ids=len)
def test_telemetry_that_is_absent_for_one_reason_says_it_once(places: tuple[str, ...], tmp_path: Path) -> None:
    """However many readings it is the reason of."""
    summary = dict.fromkeys(places, absent("not_measured", "no sensor"))
    artifact = open_artifact(kit.artifact(tmp_path, patch=kit.put(summary=summary)))
    assert dict(card_rows(artifact))["telemetry"] == "not measured (no sensor)"


def test_an_energy_says_how_uncertain_it_is(tmp_path: Path) -> None:
    """6.5: of n updates of the counter, E / (n * sqrt 3), beside the energy."""
    artifact = open_artifact(full_run.artifact(tmp_path))
    energy_mj = artifact.descriptor.known("/summary/energy_mj")
    error_mj = derive(artifact)["energy_error_mj"]
    assert 0 < error_mj < energy_mj // 50
    said = dict(card_rows(artifact))["telemetry"]
    assert said.endswith(f", energy {energy_mj / 1000:.1f} ±{error_mj / 1000:.1f} J")


@pytest.mark.parametrize("energy", [None, ["1"], [1]], ids=["no column", "text", "too short"])
def test_an_energy_of_broken_telemetry_is_unknown(tmp_path: Path, energy: list[Any] | None) -> None:
    """A stranger's trace is read as it is: no uncertainty follows from it, and the card is printed."""

    def broken(traces: dict[str, Any]) -> None:
        columns = traces["telemetry"]["columns"]
        if energy is None:
            del columns["energy_mj"]
        else:
            columns["energy_mj"] = energy * (len(columns["t_ns"]) if energy == ["1"] else 1)

    artifact = open_artifact(full_run.artifact(tmp_path, traces=broken))
    assert derive(artifact)["energy_error_mj"]["reason"] == "unknown"
    assert list(card_lines(artifact))


def test_what_is_cut_is_counted_in_one_place() -> None:
    """One more than is shown is said, and no module counts by hand what it leaves out."""
    assert [and_more("abcd", most) for most in (4, 3, 0)] == ["", " and 1 more", " and 4 more"]
    by_hand = re.compile(r"\band \{len\(\w+(\.\w+)*\) - [^}]*\} more")
    found = [path.name for path in PACKAGE.rglob("*.py") if by_hand.search(path.read_text("utf-8"))]
    assert found == ["conditions.py"]
