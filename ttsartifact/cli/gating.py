"""The act behind gate: recorded runs judged by a policy, and kept whatever it says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.files import lines_of
from ttsartifact.cli.options import Files, Force, Option, Out
from ttsartifact.cli.speak import EXIT, Usage, say_written
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.terms.policy import Scores

__all__ = ["gate"]


def gate(
    files: Files,
    *,
    policy: Annotated[str, Option("The policy: checks of metrics against thresholds, as TOML.", metavar="TOML")],
    out: Out,
    score: Annotated[
        Sequence[str],
        Option("The repeats of a score by an external tool, for one run.", metavar="METRIC=V,V"),
    ] = (),
    scores: Annotated[
        str | None, Option("Scores of many runs: tab-separated lines of RUN_ID, METRIC and V,V.", metavar="TSV")
    ] = None,
    force: Force = False,
) -> int:
    """Judge runs by a policy, write them all, and say which of them failed and why."""
    from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, files_under, suffix_for
    from ttsartifact.gating.policy_file import load_policy
    from ttsartifact.packing.judging import gate as judge
    from ttsartifact.reading.artifact import open_artifact
    from ttsartifact.reporting.phrases import counted
    from ttsartifact.reporting.statements import decision

    paths = files_under(files)
    asked = load_policy(policy)
    given = _many(scores) if scores is not None else {}
    if score:
        if len(paths) != 1:
            raise Usage("--score is of one run; of many, --scores FILE names the run of each")
        run_id = str(open_artifact(paths[0]).descriptor.known("/run/run_id"))
        given.setdefault(run_id, {}).update(_one(word) for word in score)
    whole = ".tts.parquet" if len(paths) > 1 else suffix_for(paths[0])
    with delivered(out, whole if out == STANDARD_OUTPUT else "") as path:
        done = judge(paths, asked, path, scores=given, replace=force)
    failed = sum(each.failed for each in done)
    lines = [f"{safe(each.where)}: {safe(decision(each.gate))}" for each in done]
    say_written(out, [*lines, f"{safe(out)}: {counted(len(done), 'run')}, {failed} failed promotion, all kept"])
    return EXIT.OK


def _many(path: str) -> "dict[str, Scores]":
    found: dict[str, Scores] = {}
    for number, line in enumerate(lines_of(path, "--scores"), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 3:
            raise Usage(f"--scores {path}, line {number}: expected RUN_ID, METRIC and V,V with tabs between")
        found.setdefault(cells[0], {}).update([_one(f"{cells[1]}={cells[2]}")])
    return found


def _one(word: str) -> tuple[str, tuple[int, ...]]:
    """Return metric and repeats, in thousandths, of a word like mos=3.61,3.62."""
    from decimal import Decimal, InvalidOperation

    from ttsartifact.gating.policy_file import milli

    metric, mark, values = word.partition("=")
    try:
        repeats: list[Any] = [Decimal(each) for each in values.split(",")] if mark and metric else []
    except InvalidOperation:
        repeats = []
    if not repeats:
        raise Usage(f"{word}: expected METRIC=V,V,... with one number for each repeat")
    return metric, tuple(milli(each, metric) for each in repeats)
