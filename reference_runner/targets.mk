# Corpus and training of the reference runner; the root Makefile includes this file.
# Every step may be interrupted and called again: it goes on where it was.

RUNNER_BUILD ?= .build
RUNNER_TRAIN = CUBLAS_WORKSPACE_CONFIG=:4096:8 $(BIN)/python -m reference_runner.laboratory.training
RUNNER_COMMIT = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)

TRAINING := $(VENV)/.training
EVALUATION := $(VENV)/.evaluation
PERSON = $(if $(wildcard $(RUNNER_BUILD)/person/words.json),--person $(RUNNER_BUILD)/person)

.PHONY: corpus manners contours contour voice teacher lexicon train train-cpu evaluate evaluate-quickly evaluate-parts person ablation bench-engines gpu-pack gpu-rehearsal

$(TRAINING): $(STAMP)
	@$(INSTALL) "what training and its evaluation need" --editable . --editable "./reference_runner[training]"
	@touch $@

# Of Resemblyzer only the weights are read, so what it would install beside itself is left out.
$(EVALUATION): $(TRAINING)
	@$(INSTALL) "what listens and rates" --editable . --editable "./reference_runner[evaluation]"
	@$(INSTALL) "the weights of an encoder that was trained on people" --no-deps Resemblyzer
	@touch $@

# Speaks about five hours of corpus (six CPU minutes; needs Debian's libflite1) and compares its root hash with the lock.
corpus: $(RUNNER_BUILD)/corpus/index.json

$(RUNNER_BUILD)/corpus/index.json: | $(TRAINING) every-tool
	$(BIN)/python -m reference_runner.laboratory.corpus.builder --output $(RUNNER_BUILD)/corpus

# Blocks of one delivery each, for the language model (about twenty CPU minutes).
manners: $(RUNNER_BUILD)/manners/index.json

$(RUNNER_BUILD)/manners/index.json: | $(TRAINING) tools
	$(BIN)/python -m reference_runner.laboratory.corpus.builder --plan manners --jobs 2 --output $(RUNNER_BUILD)/manners

# Every sentence with contours of five widths, the same phones at the same times (about six CPU minutes).
contours: $(RUNNER_BUILD)/contours/index.json

$(RUNNER_BUILD)/contours/index.json: | $(TRAINING) tools
	$(BIN)/python -m reference_runner.laboratory.corpus.builder --plan contours --jobs 2 --output $(RUNNER_BUILD)/contours

# The encoder that speaks with the width of a prompt's contour, for the shipped weights (half an hour of one core).
contour: contours
	$(BIN)/python -m reference_runner.laboratory.contour_trainer --corpus $(RUNNER_BUILD)/contours \
		--state $(RUNNER_BUILD)/training --output $(RUNNER_BUILD)/training/stable-tts-small.contour.safetensors

# The encoder that hears clips of a voice, for the shipped weights (twelve minutes of one core).
voice: contours
	$(BIN)/python -m reference_runner.laboratory.voice_trainer --corpus $(RUNNER_BUILD)/contours \
		--state $(RUNNER_BUILD)/training --output $(RUNNER_BUILD)/training/stable-tts-small.voice.safetensors

# Blocks by the neural teacher (about four CPU minutes); says how many utterances differ from the lock.
teacher: $(RUNNER_BUILD)/teacher/index.json

$(RUNNER_BUILD)/teacher/index.json: | $(TRAINING)
	$(BIN)/python -m reference_runner.laboratory.corpus.builder --plan teacher --jobs 2 --output $(RUNNER_BUILD)/teacher

# Only when the word list changes; a new lexicon makes a new corpus.
lexicon: $(TRAINING) every-tool
	$(BIN)/python -m reference_runner.laboratory.lexicon_builder --word-list $(WORD_LIST)
	$(BIN)/python -m reference_runner.laboratory.letter_to_sound_trainer

# Two cores, a few hours; the stages of the recipe one after another.
train-cpu: corpus manners
	$(RUNNER_TRAIN) vocoder --threads 2
	$(RUNNER_TRAIN) acoustic --threads 2
	$(RUNNER_TRAIN) refine --threads 2
	$(RUNNER_TRAIN) prosody --threads 2 --corpus $(RUNNER_BUILD)/manners
	$(RUNNER_TRAIN) vocoder-on-model --threads 2
	$(RUNNER_TRAIN) assemble --code-commit $(RUNNER_COMMIT)

# One GPU, each step under ten minutes; carry $(RUNNER_BUILD)/training between machines to go on.
train: corpus manners
	$(RUNNER_TRAIN) vocoder --device cuda --limit-minutes 8
	$(RUNNER_TRAIN) acoustic --device cuda --limit-minutes 8
	$(RUNNER_TRAIN) refine --device cuda --limit-minutes 5
	$(RUNNER_TRAIN) prosody --device cuda --limit-minutes 3 --corpus $(RUNNER_BUILD)/manners
	$(RUNNER_TRAIN) vocoder-on-model --device cuda --limit-minutes 3
	$(RUNNER_TRAIN) assemble --code-commit $(RUNNER_COMMIT)

# What users get, by the product's own path: 50 sentences, 3 seeds, every part; about two hours of one core.
# EVALUATE takes more words, such as
# make evaluate EVALUATE="--weights new.safetensors --against old/evaluation.json --material old/material"
evaluate: $(EVALUATION) every-tool
	$(BIN)/python -m reference_runner.laboratory.product --numerics exact --parts $(PARTS) $(PERSON) \
		--output $(RUNNER_BUILD)/evaluation $(EVALUATE)

PARTS = voice noise adapted priors manner sessions

# The same figures of 8 sentences and one seed, native and without adaptation: minutes, for deciding between weights.
evaluate-quickly: $(EVALUATION) every-tool
	$(BIN)/python -m reference_runner.laboratory.product --sentences 8 --seeds 1 $(PERSON) \
		--output $(RUNNER_BUILD)/evaluation-quick $(EVALUATE)

# Where the quality goes: vocoder alone, mean alone, score decoder, on sentences of the corpus.
evaluate-parts: corpus
	$(BIN)/python -m reference_runner.evaluation checkpoint --corpus $(RUNNER_BUILD)/corpus \
		--output $(RUNNER_BUILD)/evaluation-parts

# A person's voice as target of evaluate and ablation: prompts of Debian's Asterisk (CC-BY-SA-3.0), never trained on.
person: $(RUNNER_BUILD)/person/words.json

$(RUNNER_BUILD)/person/words.json: | $(SPEAKS) every-tool
	mkdir -p $(RUNNER_BUILD)/asterisk
	cd $(RUNNER_BUILD)/asterisk && apt-get download asterisk-core-sounds-en asterisk-core-sounds-en-g722
	for package in $(RUNNER_BUILD)/asterisk/*.deb; do dpkg -x $$package $(RUNNER_BUILD)/asterisk; done
	$(BIN)/python -m reference_runner.laboratory.ablation.human --output $(RUNNER_BUILD)/person \
		--sounds $(RUNNER_BUILD)/asterisk/usr/share/asterisk/sounds/en_US_f_Allison \
		--words $(RUNNER_BUILD)/asterisk/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz

# The published idea's ablation on voices that are not in the corpus, a person's too where `make person` was called:
# deltas, artifacts, table, picture. Hours of a core for each voice.
ablation: $(EVALUATION) every-tool
	$(BIN)/python -m reference_runner.laboratory.ablation $(PERSON) --output $(RUNNER_BUILD)/ablation $(ABLATION)

# Every engine side by side, and what this device does to sensors, numbers and time; best on an idle machine.
bench-engines: $(STAMP)
	$(BIN)/python benchmarks/engines.py --output benchmarks/results
	$(BIN)/python benchmarks/accelerator.py --output benchmarks/results

# What a borrowed machine with a GPU needs, at most 64 MiB, in $(RUNNER_BUILD)/gpu-pack; docs/gpu.md.
gpu-pack: $(STAMP)
	PYTHON=$(BIN)/python tools/gpu/pack --output $(RUNNER_BUILD)/gpu-pack

# Every step that will run there, here, on a pretended device and in small sizes.
gpu-rehearsal: $(TRAINING)
	PYTHON=$(BIN)/python tools/gpu/run --pretend --again --output $(RUNNER_BUILD)/gpu-rehearsal
