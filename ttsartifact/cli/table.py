"""The table of commands, in the order in which a newcomer meets them.

Its rows say what each command is for and where it is; its parameters are declared by its function (see `options`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple, module_of
from ttsartifact.cli.manner import set_manner
from ttsartifact.cli.options import arguments_of, parameters_of
from ttsartifact.cli.speak import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.cli.options import CommandParameter

ABOUT = (
    "One file per run of speech synthesis: the audio, its conditions, its timebase, and digests over every byte.",
    "Exit codes: 0 no error, 1 findings, 2 wrong usage, 3 inconclusive, 4 unreadable or refused, 5 internal error.",
)


class Command(NamedTuple):
    """One command: its name, the place of its function as MODULE:FUNCTION, one line of help, and paragraphs more."""

    name: str
    place: str
    summary: str
    details: str = ""

    @property
    def act(self) -> Callable[..., int]:
        """Import and return the function that does it and returns the exit code."""
        module, _, function = self.place.partition(":")
        found: Callable[..., int] = getattr(module_of(f"ttsartifact.cli.{module}"), function)
        return found

    @property
    def parameters(self) -> list[CommandParameter]:
        """Return what may be typed behind the name: what the function takes, and what every command takes."""
        return parameters_of(self.act) + parameters_of(set_manner)


def call(command: Command, given: dict[str, Any]) -> int:
    """Run a command with the parameters that were given and return its exit code.

    Raises Usage where one is missing that has to be given: typer before 0.19 passes None for it beside click 8.5.
    """
    parameters = command.parameters
    for parameter in parameters:
        if parameter.required and parameter.keyword not in given:
            raise Usage(parameter.missing)
    others = {parameter.keyword: parameter for parameter in parameters}
    for parameter in () if any(each.has_unknown_word(given) for each in parameters) else parameters:
        if misfit := parameter.misfit(command.name, others, given):
            raise Usage(misfit)
    if any(_is_stream(value) for value in given.values()):
        _require_one_stream_each_way(command, given)
    common = {parameter.keyword for parameter in parameters_of(set_manner)}
    set_manner(**{key: value for key, value in given.items() if key in common})
    act = command.act
    return act(**arguments_of(act, {key: value for key, value in given.items() if key not in common}))


_READ = frozenset(
    {"A", "B", "FILE", "FILE...", "CLIP", "TOML", "JSON", "TSV", "TSR", "ROOTS", "LOG", "SET", "FILE|DIGEST"}
)
_WRITTEN = frozenset({"OUT", "DELTA", "TSQ", "PNG", "PICTURE", "PAGE.html", "NAME.attempts.parquet"})


def _is_stream(value: Any) -> bool:
    return value == "-" or (isinstance(value, list) and "-" in value)


def _require_one_stream_each_way(command: Command, given: dict[str, Any]) -> None:
    """Refuse `-` where a folder is meant, and two of them that would share standard input or output."""
    streams = [each for each in command.parameters if _is_stream(given.get(each.keyword))]
    for each in streams:
        if each.declared.metavar == "DIR":
            raise Usage(f"{_typed_as(each)} -: a folder cannot be a stream; name a folder")
    for kind, stream in ((_READ, "standard input"), (_WRITTEN, "standard output")):
        names = [
            _typed_as(each)
            for each in streams
            if each.declared.metavar in kind
            for _ in range(given[each.keyword].count("-"))
        ]
        if len(names) > 1:
            raise Usage(f"{' and '.join(names)}: {stream} is one stream; give - once")


def _typed_as(parameter: CommandParameter) -> str:
    return parameter.declared.metavar if parameter.positional else parameter.flag


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "record",
            "record:record",
            "Run a TTS command and record it as one file.",
            "The command is run once, without a shell: {text} becomes one argument, {out} the file that it "
            "writes, {ref} a reference clip. Without {out} its stdout is the audio, and every read of it is one timed "
            "chunk. A condition that is neither stated here nor observable is recorded as absent, "
            "with the reason.",
        ),
        Command(
            "recover",
            "record:recover",
            "Make an artifact from an unfinished recording.",
            "The journal names the file of delivered audio, the stated conditions and the arrival times. Both files "
            "stay in place; the artifact's notes say what happened.",
        ),
        Command(
            "bench",
            "loading:bench",
            "Load-test a speech server and keep the evidence.",
            "Each answer is an artifact in OUT (.tts.parquet); each request is a row in the attempts table next to it, "
            "including refusals, time-outs and errors. --concurrency gives closed loads. --rate gives open "
            "loads: their schedule "
            "is fixed and recorded before the first request, so a slow answer cannot delay or hide later requests. "
            "--param sets fields of the requests' JSON, such as voice=NAME or response_format=pcm.",
        ),
        Command(
            "proxy",
            "loading:proxy",
            "Record the requests of other clients to a speech server.",
            "Clients use the proxy's address. Bytes are passed on as they arrive; each answer becomes an artifact "
            "in DIR, each request a row of DIR/proxy.attempts.parquet, including abandoned and refused ones. Only "
            "JSON requests with `input` are recorded; all others are only passed on.",
        ),
        Command(
            "stats",
            "loading:stats",
            "Summarise a load test from its artifacts and attempts.",
            "Times to the first byte, the first frame and the first audible sound, real-time factor, gaps and "
            "underruns at p50, p95 and p99 with intervals, recomputed from the artifacts; the numbers of "
            "requests that were "
            "refused, failed or abandoned come from the attempts table next to SET.",
        ),
        Command(
            "run",
            "run:run",
            "Synthesise with an installed runner.",
            "Runners are the entry points `ttsartifact.runners` of installed packages; doctor lists them. "
            "--numerics, --device, --steps, --prompt and --prompt-text are the runner's parameters of these "
            "names, where it has them.\n\n"
            "With --batch the texts are synthesised together, one artifact each. The batch is a condition "
            "that each artifact states; exact numerics do not depend on it.",
        ),
        Command(
            "adapt",
            "adapting:adapt",
            "Adapt a runner to a voice and write the delta.",
            "The same clips, words, base, parameters and seed give the same bytes. The delta holds no audio "
            "and no code. It states its origin, as does every run that uses it: `ttsa run TEXT "
            "--voice DELTA`. Adapters are the entry points `ttsartifact.adapters` of installed packages. "
            "--preserve sets the adapter's parameter of that name, if it has one.",
        ),
        Command(
            "show",
            "showing:show",
            "Show what a file states about its run.",
            "Values that follow from the bytes are computed and shown as well. No rule is checked: use verify "
            "for that.",
        ),
        Command(
            "verify",
            "check:verify",
            "Check every rule and digest; print a verdict.",
            "The verdict grades the bytes: INTACT, REWRAPPED, RETAGGED, AUDIO_CHANGED, "
            "BROKEN. A seal shows corruption, not authorship: who made a run is settled by the receipt that "
            "was posted for it.",
        ),
        Command(
            "validate",
            "check:validate",
            "Check structure and schema; compute no digest.",
        ),
        Command(
            "rerun",
            "comparing:rerun",
            "Repeat a run and compare the results.",
            "The plan is printed before anything runs. No code that the file names is executed: a command is "
            "the one that you type after `--`, and a runner is one that you installed. Verdicts, best first: "
            "FILE-EXACT, PCM-EXACT, STAGE-EXACT, WITHIN-TOLERANCE, DIVERGED, DIFFERENT; NOT-COMPARABLE when "
            "an input is missing (exit code 3).\n\n"
            "A run of an adapted voice needs the folder of its delta (--weights); the base may be the "
            "runner's own. --readapt answers DELTA-EXACT, or DELTA-DIFFERENT with the link of the chain that "
            "differs (exit code 1).",
        ),
        Command(
            "diff",
            "comparing:diff",
            "Show which conditions differ between two runs.",
            "The first line names the likely cause; then the conditions, the audio and the times. Both files "
            "are verified. Exit codes: 0 at most times differ, 1 a condition or a sample differs, 3 a "
            "condition is stated by one file only.",
        ),
        Command(
            "session",
            "claiming:session",
            "Tabulate the runs of a session and find changes.",
            "Runs are listed in the order of submission. Each metric is given with its mean, its standard deviation, "
            "the difference between the second and the first half with an interval, and its change points. Each "
            "change point lists "
            "every condition that changed at that run. Needs the extra `analysis`.",
        ),
        Command(
            "claim",
            "claiming:claim",
            "Write a claim before its runs, then test it on them.",
            "`claim new FILE --template NAME` writes a claim to edit; `claim check FILE` prints its digest, which runs "
            "state by --preregistered; `claim check FILE RUNS...` compares conditions first, names confounders and "
            "missing runs, then runs the test and answers supported (exit code 0), not supported (1) or not "
            "decidable (3), "
            "with the reason. Metrics measured in the audio need the extra `analysis`.",
        ),
        Command(
            "report",
            "exporting:report",
            "Write an HTML page with sound and pictures.",
            "One run: its audio, pictures, verdict, times and conditions. Two files: their differences, and both "
            "audios in "
            "turn at the same position. More files, or a data set: a table to sort and filter. Every run is "
            "verified. The "
            "page is one file that loads no other resource; it holds up to 20 MB of audio per run.",
        ),
        Command(
            "align",
            "aligning:align",
            "Put a power meter's log on the run's timebase.",
            "Known log forms are recognised by their first line; any other is read with --time, --value and --unit. "
            "A time zone is never guessed: times without one need --zone, or a fit to the load that the run recorded "
            "itself. The position is printed with an error bound and its terms; a log that fits in several places "
            "is refused.\n\n"
            "--append -o OUT writes a new artifact with the readings as a channel, the meter that --meter names, "
            "the mapping, and the digest of the log.",
        ),
        Command(
            "export",
            "exporting:export",
            "Export runs to the format of an external viewer.",
            "--perfetto writes trace events that ui.perfetto.dev opens: request, chunks and what a player plays as "
            "slices, power, clocks, utilisation, queue and meters as counters. Runs with UTC snapshots share one axis.",
        ),
        Command(
            "pack",
            "carriers:pack",
            "Make an artifact from audio and a descriptor.",
            "For engines that write their own descriptor: digests, audio facts and the level are computed here.",
        ),
        Command(
            "unpack",
            "carriers:unpack",
            "Write all parts as files in a new folder.",
        ),
        Command(
            "import",
            "loading:import_",
            "Import an external load test's result into an attempts table.",
            "The JSON of `vllm bench serve --omni --save-result` (with `--save-detailed` a row for each request) and "
            "the CSV of sglang-omni. They hold no audio and no schedule; other missing values are listed.",
        ),
        Command(
            "convert",
            "carriers:convert",
            "Change the carrier of a run.",
            "The suffix of OUT names the carrier: .tts.wav, .tts.flac or .tts.mp3 for audio of that codec, or "
            ".tts.parquet with one row per run. artifact_id and audio do not change; audio is never transcoded.",
        ),
        Command(
            "strip",
            "carriers:strip",
            "Write the bare audio of an artifact.",
            "The output is byte for byte the file that the encoder delivered: sha256sum prints its output_audio_hash.",
        ),
        Command(
            "reattach",
            "carriers:reattach",
            "Put a capsule back on its audio.",
            "A copy whose header was rewritten is restored if its samples are the recorded ones; any other "
            "audio is refused.",
        ),
        Command(
            "perturb",
            "imperfection:perturb",
            "Add planned imperfections to a run.",
            "The plan states the stage, kind, rate and probability of each imperfection (clause 6.7). Equal input "
            "gives equal bytes. The new file names its source and logs every opportunity, so that verify "
            "takes each event back to the clean samples and applies the plan again.",
        ),
        Command(
            "gallery",
            "imperfection:gallery",
            "Show every kind of imperfection on one page.",
            "Each kind of stage pcm at 1, 3 and 10 % every 10 ms and at 30, 120 and 300 a minute: its waveform with "
            "the events, its sound, and a table of declared and measured values. The page loads no other resource.",
        ),
        Command(
            "gate",
            "imperfection:gate",
            "Judge runs by a policy and keep the rejected ones.",
            "A policy is a list of checks: a metric against a threshold (clause 6.8). Peak, clipping, silence, "
            "loudness, repeats, duration and RTF are measured here and again by verify; scores of "
            "external tools are given with their repeats. One run becomes one file; many become a .tts.parquet "
            "that states how "
            "many were submitted and how many failed, so that a missing run is noticed.",
        ),
        Command(
            "sign",
            "attesting:sign",
            "Sign the identity of a run.",
            "With --ssh-key, ssh-keygen signs (namespace ttsartifact@v1); with --key, an in-toto statement is signed "
            "by Ed25519 in a DSSE envelope. The signature becomes part of the file; artifact_id does not change. "
            "verify checks "
            "it offline; --trust names the trusted signers.",
        ),
        Command(
            "timestamp",
            "attesting:timestamp",
            "Attach an RFC 3161 time-stamp, in two offline steps.",
            "--request writes the file that you send to a time-stamping authority with a tool of yours; --reply "
            "attaches the reply.",
        ),
        Command(
            "log",
            "runlog:log",
            "Keep an append-only log of claims and runs.",
            "An append-only Merkle tree of claims, policies, runs and rejects as static files (C2SP tlog-tiles). "
            "`log init LOG --origin NAME --key FILE`, `log add LOG FILE...`, `log checkpoint LOG --key FILE`, "
            "`log stamp LOG --request TSQ | --reply TSR`, `log prove LOG --index N [-o ARTIFACT]`, `log check LOG`.",
        ),
        Command(
            "publish",
            "attesting:publish",
            "Verify, sign, log and prove in one step.",
            "The last line printed is the receipt for the post.",
        ),
        Command(
            "statement",
            "exporting:statement",
            "Export a claim, a result, a gate or an exact run as a statement.",
            "An in-toto statement in one of three forms: prml for a claim (before its runs), eval-result for the "
            "output of `claim check "
            "--format json` or for a run's gate, computation-receipt for an exact run. With --key it is signed "
            "in a DSSE envelope; without, it is printed unsigned.",
        ),
        Command(
            "conform",
            "conform:conform",
            "Test a verifier with the conformance kit.",
            "CMD is run once for each file, without a shell: a path in, a report as JSON out, an exit code of "
            "the table. An answer that is not a report is a failure, and never means that a file is invalid.",
        ),
        Command(
            "fixtures",
            "conform:fixtures",
            "Write the conformance kit, or check a copy byte for byte.",
            "manifest.json lists, for each file, the rules that must fail; README.md describes the folders. "
            "The recipes are in the repository: `make fixtures` makes the same bytes from them.",
        ),
        Command(
            "explain",
            "explain:explain",
            "Explain a rule, level, verdict, profile, column or exit code.",
        ),
        Command(
            "schema",
            "explain:schema",
            "Print a schema of the specification.",
        ),
        Command(
            "completion",
            "completion:completion",
            "Print the completion script of a shell.",
            'For bash: `eval "$(ttsa completion bash)"` in ~/.bashrc. For zsh: `ttsa completion zsh > ~/.zfunc/_ttsa`, '
            "with ~/.zfunc in fpath. For fish: `ttsa completion fish > ~/.config/fish/completions/ttsa.fish`.",
        ),
        Command(
            "doctor",
            "doctor:doctor",
            "List what works on this machine, and why the rest does not.",
            "Versions, programs, runners, known commands, sensors, clocks and disk space: what a recording on "
            "this machine "
            "could use. Always exits 0.",
        ),
    )
}
