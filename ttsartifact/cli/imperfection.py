"""The acts behind perturb, gallery and gate: runs made imperfect on purpose, and runs judged by a policy."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, files_under, lines_of, suffix_for
from ttsartifact.cli.making import note
from ttsartifact.cli.options import File, Files, Force, Option, Out
from ttsartifact.cli.speak import EXIT, Usage, say, say_written
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.perturbing.perturb import Perturbed
    from ttsartifact.terms.policy import Scores


def perturb(
    file: File,
    *,
    spec: Annotated[str, Option("The plan: seed and layers, as TOML.", metavar="TOML")],
    out: Out,
    force: Force = False,
) -> int:
    """Apply a plan to the samples of a run, and print for each layer how often it fired."""
    from ttsartifact.perturbing.perturb import perturb as apply
    from ttsartifact.perturbing.plan import load_plan

    plan = load_plan(spec)
    with delivered(out, suffix_for(file) if out == STANDARD_OUTPUT else "") as path:
        made = apply(file, plan, path, replace=force)
    say_written(out, _lines(made, out))
    return EXIT.OK


def gallery(
    file: File,
    *,
    out: Annotated[str, Option("The page to write atomically.", short="-o", metavar="PAGE.html")],
    clip: Annotated[
        str | None,
        Option("The clip that breath, filled_pause and interjection insert, in the run's format.", metavar="WAV"),
    ] = None,
    seed: Annotated[str, Option("The seed of all random draws.")] = "1",
    force: Force = False,
) -> int:
    """Write a page that shows every kind at three probabilities and three rates, and say how large it is."""
    from ttsartifact.container.source import require_room, write_whole
    from ttsartifact.perturbing.gallery import gallery as cells_of
    from ttsartifact.perturbing.perturb import clip_of, samples_to_perturb
    from ttsartifact.reporting.page.gallery import page_of_gallery

    require_room(out, replace=force)
    pcm, sound = samples_to_perturb(file)
    cells = cells_of(pcm, sound, seed=seed, clip=None if clip is None else clip_of(clip, sound))
    page = page_of_gallery(os.path.basename(file), cells, sound, seed)
    with write_whole(out, replace=force) as written:
        size = written.write(page.encode("ascii", "xmlcharrefreplace"))
    kinds = len({cell.kind for cell in cells})
    say(f"{safe(out)}: {len(cells)} cells of {kinds} kinds, one file of {size} bytes; open it in any browser")
    if clip is None:
        note("breath, filled_pause and interjection need --clip WAV and were skipped")
    return EXIT.OK


def _lines(made: "Perturbed", out: str) -> "Iterator[str]":
    yield f"{safe(out)}: {made.packed.artifact_id}"
    for count in made.counts:
        expected = "" if count.expected is None else f", {count.expected:.1f} expected"
        fired = f"{count.events} events at {count.opportunities} opportunities{expected}"
        yield f"  {safe(count.id)} ({count.kind}): {fired}; {count.added_frames:+d} frames"


def gate(
    files: Files,
    *,
    policy: Annotated[str, Option("The policy: checks of metrics against thresholds, as TOML.", metavar="TOML")],
    out: Out,
    score: Annotated[
        Sequence[str],
        Option("A score of one run by an external tool, a value for each repeat.", metavar="METRIC=V,V"),
    ] = (),
    scores: Annotated[
        str | None, Option("Scores of many runs: tab-separated lines of RUN_ID, METRIC and V,V.", metavar="TSV")
    ] = None,
    force: Force = False,
) -> int:
    """Judge runs by a policy, write them all, and say which of them failed and why."""
    from ttsartifact.gating.policy_file import load_policy
    from ttsartifact.packing.judging import gate as judge
    from ttsartifact.reading.artifact import open_artifact, open_artifacts
    from ttsartifact.reporting.phrases import counted
    from ttsartifact.reporting.statements import decision

    paths = files_under(files)
    asked = load_policy(policy)
    given = _many(scores) if scores is not None else {}
    if score:
        if len(paths) != 1:
            raise Usage("--score is for one run; for several, give --scores TSV")
        run_id = str(open_artifact(paths[0]).descriptor.known("/run/run_id"))
        given.setdefault(run_id, {}).update(_one(word, f"--score {word}") for word in score)
    ids = {run.descriptor.known("/run/run_id") for path in paths for run in open_artifacts(path)} if given else set()
    if strange := given.keys() - ids:
        note(f"scores of {counted(len(strange), 'run')} that no FILE holds, {min(strange)} the first")
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
        where = f"--scores {path}, line {number}"
        if len(cells) != 3:
            raise Usage(f"{where}: expected RUN_ID, METRIC and V,V with tabs between")
        found.setdefault(cells[0], {}).update([_one(f"{cells[1]}={cells[2]}", where)])
    return found


def _one(word: str, where: str) -> tuple[str, tuple[int, ...]]:
    """Return metric and repeats, in thousandths, of a word like mos=3.61,3.62."""
    from decimal import Decimal, InvalidOperation

    from ttsartifact.gating.policy_file import milli

    metric, mark, values = word.partition("=")
    try:
        repeats: list[Any] = [Decimal(each) for each in values.split(",")] if mark and metric else []
    except InvalidOperation:
        repeats = []
    if not repeats:
        raise Usage(f"{where}: expected METRIC=V,V,... with one number for each repeat")
    return metric, tuple(milli(each, metric) for each in repeats)
