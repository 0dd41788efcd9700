"""The measures: word errors by hand, an interval that holds what it should, a report with every number in it."""

from __future__ import annotations

from reference_runner.evaluation.report import to_markdown
from reference_runner.evaluation.word_errors import SentenceErrors, count_errors, paired_bootstrap, word_error_rate


def test_word_errors_by_hand():
    """A substitution, a deletion and an insertion count one each; case and punctuation count nothing."""
    assert count_errors("The cat sat.", "the cat sat") == SentenceErrors(errors=0, words=3)
    assert count_errors("the cat sat", "the bat sat down") == SentenceErrors(errors=2, words=3)
    assert count_errors("the cat sat", "") == SentenceErrors(errors=3, words=3)
    assert word_error_rate([SentenceErrors(errors=1, words=4), SentenceErrors(errors=2, words=2)]) == 0.5


def test_the_bootstrap_is_paired():
    """Two systems that err alike differ by nothing, however much they err; a worse one is surely worse."""
    same = [SentenceErrors(errors=number % 4, words=8) for number in range(40)]
    equal = paired_bootstrap(same, same)
    assert (equal.mean, equal.low, equal.high) == (0.0, 0.0, 0.0)
    worse = [SentenceErrors(errors=one.errors + 2, words=8) for one in same]
    difference = paired_bootstrap(worse, same)
    assert difference.low == difference.high == difference.mean == 0.25


def test_the_report_shows_every_row():
    """Every word error, gate, spread and sentence of the dictionary has its line."""
    report = {
        "weights_sha256": "c" * 64, "corpus_root_sha256": "d" * 64, "recognizer": "someone", "diffusion_steps": 4,
        "temperature": 1.5,
        "word_errors": [
            {"speaker": "slt", "set": "grammar", "sentences": 3, "system": "source", "wer": 0.25},
            {
                "speaker": "slt", "set": "grammar", "sentences": 3, "system": "model", "wer": 0.5,
                "minus_source": {"difference": 0.25, "low": 0.1, "high": 0.4},
            },
        ],
        "gates": [{"name": "a gate", "limit": 0.1, "measured": 0.25, "holds": False}],
        "session_spread": {
            "prior": {"median_pitch_semitones": 0.1, "pitch_spread_semitones": 0.2, "rate_phones_per_s": 0.3}
        },
        "heard": [{"speaker": "slt", "said": "hello", "heard": "yellow"}],
    }  # fmt: skip
    text = to_markdown(report)
    assert "| slt | grammar | 3 | model | 0.500 | +0.250 | +0.100 to +0.400 |" in text
    assert "| a gate | 0.10 | +0.250 | no |" in text
    assert "| prior | 0.10 | 0.20 | 0.30 |" in text
    assert "| slt | hello | yellow |" in text
