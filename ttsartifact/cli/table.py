"""The table of commands, in the order in which a newcomer meets them.

Its rows say what each command is for and where it is; its parameters are declared by its function (see `options`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.cli.manner import set_manner
from ttsartifact.cli.options import arguments_of, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.cli.options import CommandParameter

__all__ = ["ABOUT", "COMMANDS", "Command", "call"]

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
        found: Callable[..., int] = getattr(import_module(f"ttsartifact.cli.{module}"), function)
        return found

    @property
    def parameters(self) -> list[CommandParameter]:
        """Return what may be typed behind the name: what the function takes, and what every command takes."""
        return parameters_of(self.act) + parameters_of(set_manner)


def call(command: Command, given: dict[str, Any]) -> int:
    """Run a command with the parameters that were given and return its exit code."""
    common = {parameter.keyword for parameter in parameters_of(set_manner)}
    set_manner(**{key: value for key, value in given.items() if key in common})
    act = command.act
    return act(**arguments_of(act, {key: value for key, value in given.items() if key not in common}))


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "record",
            "record:record",
            "Run a TTS command and record it as one file.",
            "The command is run once, without a shell: {text} becomes one argument, {out} the file that it "
            "writes, {ref} a reference clip. Without {out} its stdout is the audio, and every read of it is a "
            "chunk with a time of its own. What is not stated here and cannot be seen is absent in the file, "
            "with the reason.",
        ),
        Command(
            "recover",
            "record:recover",
            "Make an artifact of what an unfinished recording delivered.",
            "The journal names the file that holds it, and tells what was stated and when it arrived. Both stay "
            "where they are; the notes of the artifact say what had happened.",
        ),
        Command(
            "bench",
            "loading:bench",
            "Put a load on a speech server and keep the evidence.",
            "Each answer is an artifact in OUT (.tts.parquet), each request a row in the attempts table beside it, "
            "refusals, time-outs and errors too. --concurrency gives closed loads, --rate open ones: their schedule "
            "is set before anything is sent and is in the file, so that a slow answer hides no request behind it. "
            "--param fills the JSON of the requests: voice=NAME, response_format=pcm and so on.",
        ),
        Command(
            "proxy",
            "proxying:proxy",
            "Record what other clients ask of a speech server.",
            "Clients ask the proxy in place of the server. Bytes go on as they come; each answer becomes an artifact "
            "in DIR, each request a row of DIR/proxy.attempts.parquet, who left and what was refused among them. Only "
            "requests of JSON with `input` are recorded; all others are passed on.",
        ),
        Command(
            "stats",
            "loading:stats",
            "Sum up a load from its artifacts and attempts.",
            "Times to the first byte, the first frame and the first audible sound, real-time factor, gaps and "
            "underruns at p50, p95 and p99 with intervals, recomputed from the artifacts; how many requests were "
            "refused, failed or left comes from the attempts table beside SET.",
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
            "Adapt a runner to a voice, and write the delta.",
            "The same clips, words, base, parameters and seed give the same bytes. The delta holds no sound "
            "and no code; it states what it was made of, and so does every run with it: `ttsa run TEXT "
            "--voice DELTA`. Adapters are the entry points `ttsartifact.adapters` of installed packages. "
            "--preserve is the adapter's parameter of that name, where it has it.",
        ),
        Command(
            "show",
            "showing:show",
            "Show what a file states about its run.",
            "What follows from its bytes is computed and shown beside it. Nothing is checked: verify does that.",
        ),
        Command(
            "verify",
            "check:verify",
            "Check every rule and digest; print a verdict.",
            "The verdict grades what happened to the bytes: INTACT, REWRAPPED, RETAGGED, AUDIO_CHANGED, "
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
            "rerunning:rerun",
            "Make a run again and compare.",
            "The plan is printed before anything runs. Nothing that the file names is executed: a command is "
            "the one that you type after `--`, a runner is one that you installed. Verdicts, best first: "
            "FILE-EXACT, PCM-EXACT, STAGE-EXACT, WITHIN-TOLERANCE, DIVERGED, DIFFERENT; NOT-COMPARABLE when "
            "an input is missing (exit code 3).\n\n"
            "A run of an adapted voice needs the folder of its delta (--weights); the base may be the "
            "runner's own. --readapt answers DELTA-EXACT, or DELTA-DIFFERENT and which link of the chain "
            "differs (exit code 1).",
        ),
        Command(
            "diff",
            "comparing:diff",
            "Say which condition changed between two runs.",
            "The first line names the likely cause; then the conditions, the audio and the times. Both files "
            "are verified. Exit codes: 0 nothing but times differs, 1 a condition or a sample differs, 3 a "
            "condition is stated by one file only.",
        ),
        Command(
            "session",
            "sessions:session",
            "Tabulate the runs of a session, and where they change.",
            "Runs stand in the order in which they were submitted. Each metric is told with its mean, its deviation, "
            "the second half less the first with an interval, and its change points; beside a change point stands "
            "every condition that changed at that run. Needs the extra analysis.",
        ),
        Command(
            "claim",
            "claiming:claim",
            "Write a claim before its runs, and settle it on them.",
            "`claim new FILE --template NAME` writes one to change; `claim check FILE` prints its digest, which runs "
            "state by --preregistered; `claim check FILE RUNS...` compares conditions first, names confounders and "
            "missing runs, then tests, and answers supported (exit code 0), not supported (1) or not decidable (3), "
            "with the reason. Needs the extra analysis for what is measured in the sound.",
        ),
        Command(
            "report",
            "reporting_page:report",
            "Write a page to look at and listen to.",
            "One run: its sound, pictures, verdict, times and conditions. Two files: what differs, and both sounds in "
            "turn at the same instant. More, or a data set: a table to sort and filter. Every run is verified. The "
            "page is one file that loads nothing from elsewhere; the sound is in it up to 20 MB a run.",
        ),
        Command(
            "align",
            "aligning:align",
            "Put a power meter's log on the run's timebase.",
            "Forms of logs are recognised by their first line; any other is read with --time, --value and --unit. "
            "A zone is never guessed: times without one need --zone, or the fit to the load that the run recorded "
            "of itself. The position comes with a bound and what it is the sum of; a log that fits in several places "
            "is refused.\n\n"
            "--append -o OUT writes a new artifact with the readings as a channel, the meter that --meter names, "
            "the mapping, and the digest of the log.",
        ),
        Command(
            "export",
            "exporting:export",
            "Write runs in the form of another viewer.",
            "--perfetto writes trace events that ui.perfetto.dev opens: request, chunks and what a player plays as "
            "slices, power, clocks, utilisation, queue and meters as counters. Runs that read UTC stand on one axis.",
        ),
        Command(
            "pack",
            "carriers:pack",
            "Make an artifact of audio and a descriptor.",
            "For engines that write their own descriptor: digests, audio facts and the level are computed here.",
        ),
        Command(
            "unpack",
            "carriers:unpack",
            "Write all parts as files in a new folder.",
        ),
        Command(
            "import",
            "proxying:import_",
            "Read another harness's result into an attempts table.",
            "The JSON of `vllm bench serve --omni --save-result` (with `--save-detailed` a row for each request) and "
            "the CSV of sglang-omni. They hold no audio and no schedule: what else is missing is said.",
        ),
        Command(
            "convert",
            "carriers:convert",
            "Change the carrier, not the run.",
            "The suffix of OUT names the carrier: .tts.wav, .tts.flac or .tts.mp3 for audio of that codec, or "
            ".tts.parquet with one row per run. artifact_id and audio stay; audio is never transcoded.",
        ),
        Command(
            "strip",
            "carriers:strip",
            "Write the bare audio of an artifact.",
            "It comes out byte for byte as its encoder delivered it: sha256sum shows its output_audio_hash.",
        ),
        Command(
            "reattach",
            "carriers:reattach",
            "Put a capsule back on its audio.",
            "A copy whose header was rewritten is made whole when its samples are the recorded ones; other "
            "audio is refused.",
        ),
        Command(
            "perturb",
            "perturbing:perturb",
            "Make a run imperfect on purpose, by a plan.",
            "Where, of which kind, how often and with what probability stands in the plan (clause 6.7). Equal input "
            "gives equal bytes. The new file says what it was made from and logs every opportunity, so that verify "
            "takes each event back to the clean samples and applies the plan again.",
        ),
        Command(
            "gallery",
            "perturbing:gallery",
            "Show every imperfection of a run on one page.",
            "Each kind of stage pcm at 1, 3 and 10 % every 10 ms and at 30, 120 and 300 a minute: its waveform with "
            "the events, its sound, and a table of what was declared beside what came out. The page loads nothing.",
        ),
        Command(
            "gate",
            "gating:gate",
            "Judge runs by a policy and keep its rejects.",
            "A policy is a list of checks: a metric against a threshold (clause 6.8). Peak, clipping, silence, "
            "loudness, repeats, duration, RTF and the like are measured here, and measured again by verify; scores of "
            "other tools come with their repeats. One run becomes one file; many become a .tts.parquet that states how "
            "many were submitted and how many failed, so that one left out is missed.",
        ),
        Command(
            "sign",
            "attesting:sign",
            "Sign the identity of a run.",
            "With --ssh-key, ssh-keygen signs (namespace ttsartifact@v1); with --key, an in-toto statement is signed "
            "by Ed25519 in a DSSE envelope. The signature becomes a part of the file; artifact_id stays. verify checks "
            "it offline, and --trust says whose signatures count.",
        ),
        Command(
            "timestamp",
            "attesting:timestamp",
            "Attach an RFC 3161 time-stamp, in two offline steps.",
            "--request writes the file that you send to a time-stamping authority with a tool of yours; --reply "
            "attaches what came back.",
        ),
        Command(
            "log",
            "runlog:log",
            "Keep a run log: what was known before what.",
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
            "stating:statement",
            "State a claim, a result, a gate or an exact run for others.",
            "An in-toto statement of a proposal: prml of a claim (before its runs), eval-result of what `claim check "
            "--format json` printed or of a run's gate, computation-receipt of an exact run. With --key it is signed "
            "in a DSSE envelope; else it is printed as it is.",
        ),
        Command(
            "conform",
            "conform:conform",
            "Hold a verifier to the conformance kit.",
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
            "List what would run here, and why the rest would not.",
            "Versions, programs, runners, known commands, sensors, clocks and space: what a recording on this machine "
            "could know. It never fails.",
        ),
    )
}
