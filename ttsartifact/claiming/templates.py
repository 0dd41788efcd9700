"""What `ttsa claim new` writes: a claim of each usual kind, to be changed before the first run."""

from __future__ import annotations

_HEAD = """\
# A claim, written before its runs. `ttsa claim check {name}.toml` prints its digest; record each run with
# `--preregistered {name}.toml`, and settle it with `ttsa claim check {name}.toml RUNS...`.
# Comments, spaces and the order of lines do not change the digest; everything else does.
claim = "1.0"
"""

TEMPLATES: dict[str, str] = {
    "session-consistency": _HEAD.format(name="session-consistency")
    + """\
title = "The voice does not drift within a session of 40 runs"

[factor]
by = "order"            # of t_submit: group a is the first 20 runs, group b the others
after = 20

[held]
free = ["text", "seed"] # what may differ between runs; everything else must be the same

[runs]
minimum = 20            # of each group
block = "text"          # compared within equal texts, so both halves speak the same ones

[[expect]]
metric = "pitch"        # in semitones
effect = "equivalence"
margin = 0.5
test = "tost"
alpha = 0.05

[[expect]]
metric = "loudness"     # in LUFS
effect = "equivalence"
margin = 1.0
test = "tost"
alpha = 0.05
""",
    "phoneme-stability": _HEAD.format(name="phoneme-stability")
    + """\
title = "Repeats of one text keep the length and the pitch of each phone"

[factor]
by = "none"

[held]
free = ["text", "seed"]

[runs]
minimum = 20

[[expect]]
metric = "phone_duration"  # in ms; needs the phones of each run: --measurements FILE
of = "spread"              # how far each phone lies from the median of the repeats of its text
effect = "level"
direction = "less"
margin = 8.0
test = "bootstrap"
alpha = 0.05

[[expect]]
metric = "phone_pitch"     # in semitones
of = "spread"
effect = "level"
direction = "less"
margin = 0.5
test = "bootstrap"
alpha = 0.05
""",
    "prosody-transfer": _HEAD.format(name="prosody-transfer")
    + """\
title = "The output follows the manner of the reference clip by at least half"

[factor]
by = "reference"        # the same metric of the embedded clip of role prosody

[held]
free = ["text", "seed"]

[runs]
minimum = 20

[[expect]]
metric = "pitch_range"
effect = "slope"        # manner slope: the output's change over the clip's change, 0 none and 1 all of it
direction = "greater"
margin = 0.5
test = "permutation"
alpha = 0.05

[[expect]]
metric = "syllable_rate"
effect = "slope"
direction = "greater"
margin = 0.5
test = "permutation"
alpha = 0.05
""",
    "speed-accuracy": _HEAD.format(name="speed-accuracy")
    + """\
title = "Four steps instead of ten are faster and lose at most 2 % of the words"

[factor]
by = "/generation/params/steps"
a = 10
b = 4

[held]
free = ["text", "seed"]

[runs]
minimum = 30            # of each group
block = "text"

[[expect]]
metric = "rtf"
effect = "difference"
direction = "less"
margin = 0.0
test = "permutation"
alpha = 0.05

[[expect]]
metric = "evaluated:wer"                    # from --measurements FILE
tool = "reference_runner.evaluation@0.1.0"  # what measured it
effect = "difference"
direction = "less"
margin = 0.02                               # b's WER is less than a's plus 0.02: not inferior
test = "bootstrap"
alpha = 0.05
""",
}
"""By name."""
