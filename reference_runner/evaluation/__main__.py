"""Evaluation as a command: of a checkpoint against the corpus, or of any set of artifacts.

python -m reference_runner.evaluation checkpoint --corpus .build/corpus --output .build/evaluation
python -m reference_runner.evaluation artifacts runs/*.tts.wav --target clips/*.wav --output .build/artifacts
"""

from __future__ import annotations

import argparse

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.evaluation import artifact_report, checkpoint_report, measurements


@stopping_in_a_sentence("reference_runner.evaluation")
def main() -> None:
    """Choose the quantity to measure."""
    parser = argparse.ArgumentParser(prog="python -m reference_runner.evaluation", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    for module in (checkpoint_report, artifact_report, measurements):
        module.add_command(commands)
    arguments = parser.parse_args()
    parser.exit(*arguments.act(arguments))


if __name__ == "__main__":
    main()
