"""The last value that a rule lets pass and the first that it does not, for thresholds without a pair in the kit.

tests/boundaries.py has the pairs that are files of the kit; here the rule alone is asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import full_run
import judged
import kit
import near_misses
import pytest
import refusals

from ttsartifact.formulas.timebase import utc_bound
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.finding import NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import questions
from ttsartifact.verifying.evidence import Evidence
from ttsartifact.verifying.rules import (
    aud_audio,
    clk_clocks,
    imp_replays,
    pin_contents,
    prv_privacy,
    sig_log_attestations,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START, END = full_run.SUBMIT_NS, full_run.LAST_NS
T_NS = full_run.telemetry_log().columns["t_ns"]
ROWS = len(T_NS)
HELD = [50_000_000 * row for row in range(ROWS)]  # an interval of 50 ms to the nanosecond


def answer(rule: str, path: Path) -> str:
    """Return what one rule answers to a file: holds, fails, idle (not applicable) or open (unverifiable)."""
    said = questions()[rule](Evidence(open_artifact(path)))
    if isinstance(said, list) and said:
        refusals.require_one_of(
            "\n".join(
                f"{rule} {each.where}: {each.message}; found {each.found}, expected {each.expected}" for each in said
            )
        )
    if isinstance(said, NotApplicable | Unverifiable):
        return "idle" if isinstance(said, NotApplicable) else "open"
    return "fails" if said else "holds"


def plain(traces: Any = None, **edits: Any) -> Callable[[Path], Path]:
    return partial(kit.artifact, patch=kit.put(**edits), traces=traces)


def full(traces: Any = None, **edits: Any) -> Callable[[Path], Path]:
    return partial(full_run.artifact, patch=kit.put(**edits), traces=traces)


def columns(trace: str, rows: int | None = None, **new: Any) -> Callable[[dict[str, Any]], None]:
    """Return an edit of a trace: its first rows, and in these a whole column or the entries of some rows."""

    def edit(values: dict[str, Any]) -> None:
        held = values[trace]
        for name, column in held["columns"].items():
            del column[len(column) if rows is None else rows :]
            given = new.get(name, {})
            for row, value in given.items() if isinstance(given, dict) else enumerate(given[: len(column)]):
                column[row] = value
        held["rows"] = held["rows"] if rows is None else rows

    return edit


def telemetry(rows: int | None = None, **new: Any) -> Callable[[Path], Path]:
    return full(columns("telemetry", rows, **new))


def counted(mj: int, updates: int = 40, power_mw: int = 1_000_000) -> Callable[[Path], Path]:
    """Return a run of constant power whose counter grows by so much within it, in so many steps."""
    first = next(row for row, t in enumerate(T_NS) if t >= START)
    energy = [9_000_000 + mj * min(max(row - first, 0), updates) // updates for row in range(ROWS)]
    return telemetry(power_mw=[power_mw] * ROWS, energy_mj=energy)


def unused(power_mw: tuple[int, int], readings: int = ROWS) -> Callable[[Path], Path]:
    """Return a run in which utilisation stays 0 while power goes from one value to another."""
    read = [0 if row < readings else None for row in range(ROWS)]
    return telemetry(util_gpu_pct=read, power_mw=[power_mw[row == 30] for row in range(ROWS)])


def behind(wall_mw: int) -> Callable[[Path], Path]:
    """Return a run that claims power, of which the device's own sensor read 100 W."""

    def edit(values: dict[str, Any]) -> None:
        columns("telemetry", power_mw=[100_000] * ROWS)(values)
        columns("channel/wall_power_mw", value=[wall_mw] * 36)(values)

    return full(edit, claims=["power"])


def behind_within(bound_ns: int) -> Callable[[Path], Path]:
    """Return a run whose meter reads too little, in a log that is mapped within this bound."""
    said = {"channels__8__mapping": full_run.mapping(bound_ns=bound_ns, terms=[{"of": "all of it", "ns": bound_ns}])}
    low = behind(50_000).keywords  # type: ignore[attr-defined]
    return full(low["traces"], claims=["power"], **said)


def apart(rate_mhz: int, rows: int = ROWS) -> Callable[[Path], Path]:
    """Return a run of so many readings, each 50 ms after the one before it."""
    edit = columns("telemetry", rows, t_ns=HELD, t_before_ns=HELD)
    unknown = {f"channels__{place}__rate_mhz": absent("unknown") for place in range(9) if place != 2}
    return full(edit, **unknown, channels__2__rate_mhz=rate_mhz)


def late(rows: int) -> Callable[[Path], Path]:
    """Return a run of so many readings, the last of them a second late, and of a meter that read twice."""

    def edit(values: dict[str, Any]) -> None:
        columns("channel/wall_power_mw", 2)(values)
        moved = [*HELD[: rows - 1], HELD[rows] + 1_000_000_000]
        columns("telemetry", rows, t_ns=moved, t_before_ns=moved)(values)

    return full(edit)


def alone(*names: str, **new: Any) -> Callable[[Path], Path]:
    """Return a run of which these columns alone were read."""
    made = full_run.draft()
    traces = tuple(trace for trace in made.traces if trace.name != "channel/wall_power_mw")

    def edit(values: dict[str, Any]) -> None:
        kept = {*names, "t_ns", "t_before_ns"}
        others = {name: [None] * ROWS for name in values["telemetry"]["columns"] if name not in kept}
        columns("telemetry", **others, **new)(values)

    return partial(full_run.artifact, run=replace(made, traces=traces), traces=edit)


def chunks(starts: list[int], counts: list[int]) -> Callable[[Path], Path]:
    return plain(columns("chunks", frame_start=starts, frame_count=counts))


def policy(failed: int, submitted: int, promoted: int) -> Callable[[Path], Path]:
    return partial(judged.gated, failed_promotion=promoted, set={"submitted": submitted, "failed": failed})


def mapped(less_ns: int) -> Callable[[Path], Path]:
    """Return a run with a log that is mapped by UTC, within a bound so much smaller than the run's own."""
    bound = utc_bound(full_run.draft().descriptor["timebase"], START, END)
    assert bound is not None
    ns = bound.ns - less_ns
    return full(channels__8__mapping=full_run.mapping(bound_ns=ns, terms=[{"of": "all of it", "ns": ns}]))


def round_times(count: int) -> Callable[[Path], Path]:
    """Return a run of so many different times, all whole milliseconds."""
    times = [20_000_000, 40_000_000]
    first = 1_000_000 if count > 2 else 20_000_000
    return plain(
        columns("chunks", t_ns=times),
        run__times__t_submit_ns=first,
        run__times__t_start_ns=10_000_000 if count > 3 else absent("unknown"),
        run__times__t_first_token_ns=20_000_000,
        run__times__t_last_token_ns=40_000_000,
    )


def clock(resolution_ns: int) -> Callable[[Path], Path]:
    made = round_times(4)
    patch = kit.put(timebase__clocks__0__resolution_ns=resolution_ns)

    def both(value: dict[str, Any]) -> None:
        made.keywords["patch"](value)  # type: ignore[attr-defined]
        patch(value)

    return partial(kit.artifact, patch=both, traces=made.keywords["traces"])  # type: ignore[attr-defined]


def placed(*events: tuple[int, int, int, int], **others: Any) -> Callable[[Path], Path]:
    """Return a run whose first gaps come from these ranges of the clean frames and lie at these of the final ones."""
    names = ("src_start", "src_end", "out_start", "out_end")
    said = {f"{name}__{place}": at for place, event in enumerate(events) for name, at in zip(names, event, strict=True)}
    return partial(judged.imperfect, traces=judged.pauses(**said, **others))


def stages(first: str, second: str) -> Callable[[Path], Path]:
    said = {"imperfection__layers__0__stage": first, "imperfection__layers__1__stage": second}
    return partial(judged.imperfect, patch=kit.put(**said))


STEPS = [0, 180_000_001, 180_000_001]
ANSWERED = full_run.request(t_head_ns=START)
EXACT_MS = {"input__refs__2__frames": 80_000}  # two clips of 15 s and 5 s: 20,000 ms to the sample
THRESHOLDS: dict[str, tuple[str, Any, str, Any, str]] = {
    "all samples are clipped": (
        "AUD14", plain(audio__clipped_samples=800), "holds", plain(audio__clipped_samples=801), "fails",
    ),
    "a chunk of one frame": ("CHK01", chunks([0, 1], [1, 799]), "holds", chunks([0, 0], [0, 800]), "fails"),
    "a snapshot at the submit": (
        "CLK01", plain(timebase__snapshots__0__t_ns=1_000_003), "holds",
        plain(timebase__snapshots__0__t_ns=1_000_004), "fails",
    ),
    "all of a set failed": ("GAT05", policy(1, 1, 1), "open", policy(2, 1, 1), "fails"),
    "this run is among those that failed": ("GAT05", policy(1, 2, 1), "open", policy(0, 2, 1), "fails"),
    "two layers of one stage": ("IMP03", stages("pcm", "pcm"), "holds", stages("pcm", "text"), "fails"),
    "an event of no length": ("IMP05", placed((100, 100, 100, 100)), "holds", placed((100, 100, 100, 99)), "fails"),
    "an event beside another": (
        "IMP05", placed((100, 100, 100, 140), (100, 100, 140, 180)), "holds",
        placed((100, 100, 100, 140), (100, 100, 139, 180)), "fails",
    ),
    "an event after the last layer": ("IMP05", placed(layer__0=2), "holds", placed(layer__0=1), "holds"),
    "a clip after the last layer": ("IMP08", placed(layer__0=2), "holds", placed(layer__0=1), "holds"),
    "two gaps side by side": (
        "IMP11", placed((100, 100, 100, 140), (100, 100, 140, 180)), "holds",
        placed((100, 100, 100, 140), (99, 99, 139, 179)), "fails",
    ),
    "frames of no sample are not counted": (
        "IMP16", partial(judged.staged, stage="mel", kind="frame_repeat", hop=0), "holds",
        partial(judged.staged, stage="mel", kind="frame_repeat", hop=1), "fails",
    ),
    "the sum of the clips": (
        "REF06", full(**EXACT_MS, input__target_speech_ms=20_002), "holds",
        full(**EXACT_MS, input__target_speech_ms=20_003), "fails",
    ),
    "less than the sum of the clips": (
        "REF06", full(**EXACT_MS, input__target_speech_ms=19_998), "holds",
        full(**EXACT_MS, input__target_speech_ms=19_997), "fails",
    ),
    "readings until the last token": (
        "TEL03", telemetry(61, t_ns={60: END}, t_before_ns={60: END}), "holds",
        telemetry(61, t_ns={60: END - 1}, t_before_ns={60: END - 1}), "fails",
    ),
    "a fifth too fast": ("TEL04", apart(24_000), "holds", apart(24_001), "fails"),
    "a fifth too slow": ("TEL04", apart(16_000), "holds", apart(15_999), "fails"),
    "four readings have a rate": ("TEL04", apart(1_000, 3), "idle", apart(1_000, 4), "fails"),
    "four readings have a gap": ("TEL05", late(3), "idle", late(4), "fails"),
    "as cold as silicon": (
        "TEL06", telemetry(temperature_c={3: -60}), "holds", telemetry(temperature_c={3: -61}), "fails",
    ),
    "as hot as silicon": (
        "TEL06", telemetry(temperature_c={3: 150}), "holds", telemetry(temperature_c={3: 151}), "fails",
    ),
    "all of the memory": (
        "TEL06", telemetry(mem_used_mib={3: 143_771}), "holds", telemetry(mem_used_mib={3: 143_772}), "fails",
    ),
    "95 W behind a device of 100 W": ("TEL17", behind(95_000), "holds", behind(94_999), "fails"),
    "a log that may be of another time": (
        "TEL17", behind_within(END - START), "holds", behind_within(END - START - 1), "fails",
    ),
    "a meter calibrated as the run began": (
        "TEL17", full(claims=["power"], channels__8__meter__calibrated=full_run.ORIGIN), "holds",
        full(claims=["power"], channels__8__meter__calibrated="2026-11-21T10:00:00.12345679Z"), "fails",
    ),
    "a counter that stands still": (
        "TEL18", counted(1_000, 20), "holds", telemetry(energy_mj={ROWS - 1: 9_000_000}), "fails",
    ),
    "twenty updates give an energy": ("TEL24", counted(2_800_000, 19), "fails", counted(2_800_000, 20), "holds"),
    "twenty updates are compared": ("TEL25", counted(1_000, 19), "idle", counted(1_000, 20), "fails"),
    # 1 W over 2.798000018 s is 2,798,000 mJ: 15 % of the larger lie between it and 2,378,300 or 3,291,764 mJ.
    "a counter 15 % below": ("TEL25", counted(2_378_300), "holds", counted(2_378_299), "fails"),
    "a counter 15 % above": ("TEL25", counted(3_291_764), "holds", counted(3_291_765), "fails"),
    "two columns are compared": (
        "TEL25", alone("power_mw", "energy_mj"), "holds", alone("power_mw"), "idle",
    ),
    "power rises by half": ("TEL26", unused((200_000, 299_999)), "holds", unused((200_000, 300_000)), "fails"),
    "twenty readings of 0": ("TEL26", unused((200_000, 300_000), 20), "holds", unused((200_000, 300_000), 21), "fails"),
    "two columns say that it lives": (
        "TEL26", alone("power_mw", "util_gpu_pct", util_gpu_pct=[0] * ROWS), "fails", alone("power_mw"), "idle",
    ),
    "the run's own distance from UTC": ("TEL27", mapped(0), "holds", mapped(1), "fails"),
    "three round times are chance": ("TIM06", round_times(3), "idle", round_times(4), "fails"),
    "a clock of a millisecond": ("TIM06", clock(1_000_000), "idle", clock(999_999), "fails"),
    "two steps at one time": (
        "TIM10", full(columns("queue", t_ns=STEPS)), "holds",
        full(columns("queue", t_ns=[0, 180_000_001, 180_000_000])), "fails",
    ),
    "an empty queue": (
        "TIM10", full(columns("queue", waiting={1: 0})), "holds", full(columns("queue", waiting={1: -1})), "fails",
    ),
    "an answer at the submit": (
        "TIM12", full(run__request=ANSWERED), "holds", full(run__request=ANSWERED | {"t_head_ns": START - 1}), "fails",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "one", "said", "other", "then"), THRESHOLDS.values(), ids=THRESHOLDS)
def test_a_threshold_lies_where_the_clause_says(
    rule: str, one: Any, said: str, other: Any, then: str, tmp_path: Path
) -> None:
    """By one step: the values on both of its sides."""
    assert (answer(rule, one(tmp_path)), answer(rule, other(tmp_path))) == (said, then)


@pytest.mark.parametrize(
    ("module", "name", "rule", "make"),
    [
        (aud_audio, "_LARGEST_BYTES", "AUD20", full_run.rendered),
        (imp_replays, "_LARGEST_REPLAY_BYTES", "IMP14", near_misses.NEAR["IMP14"]),
    ],
)
def test_what_is_as_large_as_the_limit_is_looked_at(
    module: Any, name: str, rule: str, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte more is left open."""
    path = make(tmp_path)
    wave = open_artifact(path).wave
    assert wave is not None
    monkeypatch.setattr(module, name, wave.data.size)
    assert answer(rule, path) == "holds"
    monkeypatch.setattr(module, name, wave.data.size - 1)
    assert answer(rule, path) == "open"


@pytest.mark.parametrize(
    ("quality", "places"),
    [
        ({"duration_ms": 10_001, "clipped_samples": 160_000 * 1024}, []),
        ({"duration_ms": 10_002, "clipped_samples": 0}, ["/q/duration_ms"]),
        ({"duration_ms": 0, "clipped_samples": 160_000 * 1024 + 1}, ["/q/clipped_samples"]),
    ],
)
def test_what_is_measured_of_a_clip_fits_it(quality: dict[str, int], places: list[str]) -> None:
    """A clip of 10 s: a millisecond more is rounding, and 1,024 channels are the most that there can be."""
    clip = {"frames": 160_000, "sample_rate_hz": 16_000}
    assert [each.where for each in pin_contents._measured("/q", quality, clip)] == places
    assert list(pin_contents._measured("/q", quality | {"duration_ms": 10**9}, None)) == []
    assert (
        list(pin_contents._measured("/q", quality | {"duration_ms": 10**9}, clip | {"frames": absent("unknown")})) == []
    )


@pytest.mark.parametrize(
    ("text", "around", "found"),
    [
        ("a", "a", True),  # the whole of it, however short
        ("abc", "x abc y", False),  # a word of three letters stands anywhere by accident
        ("abcd", "x abcd y", True),
        ("abcd", "xabcdy", False),
        ("abcdefg", "xabcdefgy", False),
        ("abcdefgh", "xabcdefghy", True),
        ("abcdefgh", "xabcdefg", False),
        ("", "", False),
    ],
)
def test_a_withheld_text_is_looked_for_as_far_as_its_length_allows(text: str, around: str, found: bool) -> None:
    """8.12: 4 bytes are found as words, 8 anywhere."""
    search = prv_privacy._Search(len(text), digest.of(text.encode()), normalised=False)
    assert search.holds(around) is found


def test_the_last_byte_that_may_be_hashed_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """One less, and the question stays open."""
    for budget, left in ((4, 0), (3, -1)):
        monkeypatch.setattr(prv_privacy, "_MOST_HASHED_BYTES", budget)
        search = prv_privacy._Search(4, digest.of(b"abcd"), normalised=False)
        assert search.holds("abcd") is (left == 0)
        assert search.left == left


@pytest.mark.parametrize(
    ("seconds", "is_late", "is_early"), [(100, False, True), (101, True, False), (99, False, True)]
)
def test_a_stamp_counts_whole_seconds(
    seconds: int,
    is_late: bool,
    is_early: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A registration stamped in the second of the submit is not late; a run may end in the second that is stamped."""
    time = datetime.fromtimestamp(seconds, UTC)
    given = SimpleNamespace(time=time, time_trusted=True, is_about_run=True, part="attestation/0")
    monkeypatch.setattr(sig_log_attestations, "_instant_utc_ns", lambda *_: 100_000_000_000)
    assert bool(sig_log_attestations._too_late(SimpleNamespace(), "/run/preregistered/0", given)) is is_late  # type: ignore[arg-type]
    monkeypatch.setattr(sig_log_attestations, "_instant_utc_ns", lambda *_: 101_000_000_000)
    evidence = SimpleNamespace(attestations=[given])
    assert bool(sig_log_attestations.stamp_after_run(evidence)) is is_early  # type: ignore[arg-type]


def test_a_suspend_beside_the_gain_does_not_explain_it() -> None:
    """Two clocks gained in the same stretch of time, and as much within what drift allows; only UTC is ever set."""

    def words(slept: tuple[int, int], gain_ns: int, kind: str = "external") -> tuple[str, str | None]:
        clocks = [{"id": "awake", "kind": "monotonic", "counts_suspend": True}, {"id": "other", "kind": kind}]
        read = zip((0, 10**10, 2 * 10**10), (0, slept[0], slept[0] + slept[1]), strict=True)
        snapshots = [
            {"at": "poll", "t_ns": t, "clock": "awake", "value_ns": t + more, "bracket_ns": 0} for t, more in read
        ]
        timebase = {"origin": {"clock": "host.monotonic"}, "clocks": clocks, "snapshots": snapshots}
        first, second = (
            SimpleNamespace(t_ns=t, offset_ns=offset, bracket_ns=0, clock="other")
            for t, offset in ((10**10, 0), (2 * 10**10, gain_ns))
        )
        return clk_clocks._gain_words(timebase, first, second, allowed)  # type: ignore[arg-type]

    allowed = 5_000_000  # 500 ppm of 10 s
    slept = ("the machine was suspended during the run, for 7000000000 ns", "info")
    stepped = ("the clock was stepped, slewed or stopped during the run", None)
    was_set = ("the clock was set during the run, as one that is never set shows", "info")
    assert words((0, 7 * 10**9), 7 * 10**9 + allowed) == slept
    assert words((0, 7 * 10**9), 7 * 10**9 + allowed + 1) == stepped
    assert words((0, 7 * 10**9), 7 * 10**9 + allowed + 1, "realtime") == was_set
    assert words((7 * 10**9, 0), 7 * 10**9) == stepped
    assert words((0, -allowed), 7 * 10**9, "realtime") == was_set
    assert words((0, -allowed - 1), 7 * 10**9, "realtime") == stepped
