"""The acts behind bench, stats, proxy and import: loads on a speech server, and what they came to."""

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, lines_of
from ttsartifact.cli.making import Notes, SensorName, Session, given_text, note, numbers, sensor_of
from ttsartifact.cli.options import Argument, Force, Option, Params
from ttsartifact.cli.serving import (
    AllowNet,
    KeyFrom,
    ServerDevice,
    ServerEngine,
    ServerPcm,
    held_conditions,
    request_of,
)
from ttsartifact.cli.speak import EXIT, Usage, progress, say, say_written, show
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.serving.benching import Bench, Benched
    from ttsartifact.serving.gathering import Gathered
    from ttsartifact.serving.loading import Load
    from ttsartifact.terms.policy import Policy

_LAWS = ("poisson", "constant")
LeaveAfter = Annotated[
    float | None, Option("Abandon each answer MS after its first byte (barge-in).", metavar="MS", least=0)
]


class OpenLoad(NamedTuple):
    """Requests that come at their time, whatever is unfinished."""

    rate: Annotated[str | None, Option("An open load for each rate, in requests per second.", metavar="R,...")] = None
    arrivals: Annotated[
        str, Option("Distribution of the intervals between the requests of an open load.", choices=_LAWS, needs="rate")
    ] = "poisson"
    schedule_seed: Annotated[
        str, Option("The seed of poisson arrivals.", metavar="WORD", needs="rate", not_with="arrivals=constant")
    ] = "1"
    max_in_flight: Annotated[
        int, Option("Most requests that an open load has in flight.", metavar="N", least=1, needs="rate")
    ] = 256


class RequestLimits(NamedTuple):
    """When a request is ended before its answer is."""

    leave_after: LeaveAfter = None
    timeout: Annotated[float | None, Option("End a request after S seconds.", metavar="S", least=0.001)] = None
    idle_timeout: Annotated[
        float | None,
        Option("End a request when nothing has come for S seconds; default 120.", metavar="S", least=0.001),
    ] = None


def bench(
    url: Annotated[str, Argument("URL", "A speech server; the default path is /v1/audio/speech.")],
    *,
    out: Annotated[str, Option("The data set to write; its attempts go beside it.", short="-o", metavar="OUT")],
    text: Annotated[str | None, Option("The text to speak.")] = None,
    text_file: Annotated[str | None, Option("Texts, one per line, used in turn.", metavar="FILE")] = None,
    concurrency: Annotated[str | None, Option("A closed load for each number in flight.", metavar="1,4,8")] = None,
    open_load: OpenLoad,
    requests: Annotated[int, Option("Number of requests in each load.", metavar="N", least=1)] = 20,
    warmup: Annotated[int, Option("Requests before each load, left out of statistics.", metavar="N", least=0)] = 1,
    limits: RequestLimits,
    param: Params = (),
    pcm: ServerPcm = None,
    engine: ServerEngine = None,
    device: ServerDevice = None,
    session: Session = None,
    notes: Notes = None,
    sensor: SensorName = "auto",
    gate: Annotated[str | None, Option("Judge the runs by a policy; rejects are kept.", metavar="TOML")] = None,
    report: Annotated[str | None, Option("Write a page of the runs too.", metavar="PAGE.html")] = None,
    same_seed: Annotated[bool, Option("Request each text alone and under load, and compare the samples.")] = False,
    allow_net: AllowNet = False,
    key_from: KeyFrom = None,
    force: Force = False,
) -> int:
    """Put loads on a server, write the data set and the attempts, and print the totals."""
    from ttsartifact.serving.benching import Bench

    _refuse_standard_output(out, report)
    texts, params = _texts(text, text_file), numbers(param)
    wanted = tuple(
        request_of(
            url,
            words,
            where="URL",
            allow_net=allow_net,
            timeout=limits.timeout,
            idle_timeout=limits.idle_timeout,
            params=params,
            key_from=key_from,
            leave_after_ms=limits.leave_after,
        )
        for words in texts
    )
    if same_seed:
        concurrency, requests = _in_company(concurrency, open_load.rate, params), max(requests, 2 * len(texts))
    plan = Bench(
        requests=wanted,
        loads=_loads(concurrency, open_load),
        count=requests,
        warmup=warmup,
        pcm=pcm,
        stated=held_conditions(engine=engine, device=device, session=session, notes=notes),  # type: ignore[arg-type]
    )
    done = _benched(plan, out, sensor, _policy(gate), report, force=force)
    if done.path is None:
        return EXIT.FINDINGS
    return _say_compared(done.path, done.attempts_path) if same_seed else EXIT.OK


def _refuse_standard_output(*paths: str | None) -> None:
    if "-" in paths:
        raise Usage("bench writes two files and prints the totals on standard output; name a file instead of -")


def stats(
    file: Annotated[str, Argument("SET", "The output of bench, the folder of a proxy, or an attempts table.")],
    *,
    attempts: Annotated[str | None, Option("The attempts table, if it is not next to SET.", metavar="FILE")] = None,
    by: Annotated[str | None, Option("Split each load by engine.", choices=("engine",))] = None,
    format: Annotated[str, Option("Output format.", choices=("text", "json"))] = "text",
) -> int:
    """Summarise a load; 1 if a row disagrees with its artifact."""
    from ttsartifact.serving.attempts import SUFFIX
    from ttsartifact.serving.summing import summarise

    if attempts is not None and file.endswith(SUFFIX):
        raise Usage(f"--attempts needs a SET that is not an attempts table; found {file}")
    found = summarise(file, attempts, by_engine=by == "engine")
    if format == "json":
        from ttsartifact.reporting.alignment import summary_value
        from ttsartifact.reporting.documents import as_json

        say(as_json(summary_value(found)))
    else:
        from ttsartifact.reporting.alignment import summary_lines

        show(summary_lines(found))
    return EXIT.FINDINGS if found.disagreements else EXIT.OK


def _policy(path: str | None) -> "Policy | None":
    """Read a policy before the first request, so that a fault in it costs no load."""
    if path is None:
        return None
    from ttsartifact.gating.policy_file import load_policy

    return load_policy(path)


def _benched(
    plan: "Bench", out: str, sensor: str, policy: "Policy | None", page: str | None, *, force: bool
) -> "Benched":
    from ttsartifact.reporting.alignment import summary_lines
    from ttsartifact.serving.benching import bench as benched
    from ttsartifact.serving.summing import summarise

    if page is not None:
        from ttsartifact.container.source import require_room

        require_room(page, replace=force)
    done = benched(
        plan,
        out,
        sensor=sensor_of(sensor),
        replace=force,
        say=note,
        progress=lambda number, total: progress(number, total, "requests"),
    )
    if done.path is not None and policy is not None:
        from ttsartifact.packing.judging import gate as judged

        verdicts = judged([done.path], policy, done.path, replace=True)
        failed = sum(each.failed for each in verdicts)
        note(f"policy {policy.id}: {failed} of {len(verdicts)} runs failed promotion, all kept")
    found = summarise(done.path or done.attempts_path, done.attempts_path)
    show(summary_lines(found))
    written = f"{safe(done.path)}: {found.runs} runs; " if done.path else "no answer was audio; "
    say(f"{written}{safe(done.attempts_path)}: {found.rows} rows")
    if done.kept is not None:
        note(f"what was delivered without becoming an artifact is kept in {done.kept}")
    if done.path is not None and page is not None:
        from ttsartifact.cli.exporting import write_page

        write_page([done.path], page, force=force)
    return done


def _say_compared(path: str, attempts: str) -> int:
    """Print for each text whether its samples depend on the load; 1 if one does or is not repeatable."""
    from ttsartifact.reporting.alignment import company_lines
    from ttsartifact.serving.loading import BatchEffect, compared

    found = compared(path, attempts)
    show(company_lines(found))
    steady = {BatchEffect.SAME, BatchEffect.NOT_COMPARED}
    return EXIT.OK if all(each.outcome in steady for each in found) else EXIT.FINDINGS


def _in_company(concurrency: str | None, rate: str | None, params: dict[str, Any]) -> str:
    """Return the loads that ask texts alone and then in company: of the one number that was given, or of 4."""
    found = [int(number) for number in _listed(concurrency, "--concurrency", int)]
    if rate is not None or len(found) > 1 or found == [1]:
        raise Usage("--same-seed takes one --concurrency above 1, and no --rate")
    if "seed" not in params:
        note("no seed is sent (--param seed=N): samples may differ because the random draws do")
    return f"1,{found[0] if found else 4}"


def _loads(concurrency: str | None, wanted: OpenLoad) -> "tuple[Load, ...]":
    """Return the loads that were requested; without any, one request in flight."""
    from ttsartifact.serving.attempts import Law
    from ttsartifact.serving.loading import loads_of

    flights = tuple(int(number) for number in _listed(concurrency, "--concurrency", int))
    rates = tuple(_listed(wanted.rate, "--rate", float))
    return loads_of(
        flights if flights or rates else (1,),
        rates,
        law=Law(wanted.arrivals),
        seed=wanted.schedule_seed,
        most_in_flight=wanted.max_in_flight,
    )


def _texts(text: str | None, text_file: str | None) -> list[bytes]:
    if text_file is None or text is not None:
        return [given_text(text, text_file)]
    found = [os.fsencode(line) for line in lines_of(text_file, "--text-file") if line.strip()]
    if not found:
        raise Usage(f"--text-file {text_file}: no line has text")
    return found


def _listed(words: str | None, option: str, kind: type[int] | type[float]) -> list[float]:
    """Return the numbers of a list with commas."""
    try:
        found = [kind(word) for word in words.split(",")] if words else []
    except ValueError as error:
        raise Usage(f"{option} {words}: expected numbers with commas between them, as 1,4,8") from error
    if any(number <= 0 for number in found):
        raise Usage(f"{option} {words}: expected numbers above 0")
    return list(found)


def proxy(
    *,
    to: Annotated[str, Option("The server that answers.", metavar="URL")],
    out: Annotated[str, Option("The folder for artifacts and attempts.", short="-o", metavar="DIR")],
    listen: Annotated[
        str, Option("Address for the clients; port 0 takes a free one.", metavar="HOST:PORT")
    ] = "127.0.0.1:0",
    pcm: ServerPcm = None,
    engine: ServerEngine = None,
    device: ServerDevice = None,
    session: Session = None,
    notes: Notes = None,
    allow_net: AllowNet = False,
) -> int:
    """Pass on what clients ask for until it is ended, and keep an artifact of each answer."""
    from ttsartifact.serving.gathering import gather
    from ttsartifact.serving.request import is_loopback, require_allowed

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise Usage(f"--listen {listen}: expected HOST:PORT")
    if not allow_net and not is_loopback(f"http://{host}"):
        raise Usage(f"--listen {listen}: other machines could send requests; add --allow-net to allow that")
    require_allowed(to, allow_net=allow_net, where="--to")
    gathered: Gathered = asyncio.run(
        gather(
            to,
            (host.strip("[]"), int(port)),
            out,
            stated=held_conditions(engine=engine, device=device, session=session, notes=notes),  # type: ignore[arg-type]
            pcm=pcm,
            say=note,
            listening=lambda free: say(f"http://{host}:{free} -> {safe(to)}, until Ctrl-C"),
        )
    )
    heard = sum(attempt.run_id is not None for attempt in gathered.attempts)
    say(f"{safe(out)}: {heard} artifacts; {safe(gathered.attempts_path)}: {len(gathered.attempts)} rows")
    return EXIT.OK


def import_(
    file: Annotated[str, Argument("FILE", "The result file of an external load test; - is stdin.")],
    *,
    out: Annotated[
        str, Option("The attempts table to write; - is stdout.", short="-o", metavar="NAME.attempts.parquet")
    ],
    force: Force = False,
) -> int:
    """Read an external result into the attempts table, and print the columns that it lacks."""
    from ttsartifact.serving.attempts import SUFFIX, write_attempts
    from ttsartifact.serving.foreign import imported, missing_columns

    if out != STANDARD_OUTPUT and not out.endswith(SUFFIX):
        raise Usage(f"-o {out}: an attempts table is called NAME{SUFFIX}")
    form, rows = imported(file)
    with delivered(out, SUFFIX) as path:
        write_attempts(rows, path, replace=force)
    say_written(out, f"{safe(out)}: {len(rows)} requests from {form}")
    note(f"it lacks audio, and therefore {', '.join(missing_columns(rows))}")
    return EXIT.OK
