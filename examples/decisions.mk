# From models to decisions, each scored out-of-fold on the same people: three members, views, votes, fitted blends,
# tuned decisions, consensus, pseudo labels and photos without labels; and a submission of the best chain.
#
#   make -f examples/decisions.mk TRAIN=photos/train/train.csv TEST=photos/eval/info.csv RUN=run/decisions
#   python benchmarks/decisions.py run/decisions
#
# The second line prints the table. A training or a vote is made once; only what has changed is made again.

MASKKIT ?= maskkit
RUN ?= run/decisions
TRAIN ?= photos/train/train.csv
TEST ?= photos/eval/info.csv
FOLDS ?= 3
SEED ?= 0
# Any other options of every training, such as --epochs 1 to try the rules.
OPTIONS ?=

# Members: other backbones, sizes, heads and augmentation.
members := lite0 lite1 lite2
lite0 := --size 128x96 --epochs 10
lite1 := --model tf_efficientnet_lite1 --size 112x80 --epochs 8 --head factors+regression
lite2 := --model tf_efficientnet_lite2 --size 96x72 --epochs 8 --augment medium
# The first member's recipe again, with photos without labels.
uda := $(lite0) --unlabeled $(RUN)/test.parquet --consistency uda:threshold=0.5
trainings := $(members) uda

# Views that are averaged.
none := none
hflip := hflip
views := hflip,scale:0.9,scale:1.1

# The default of the trainings when the table was made.
former := --head joint --batch-size 64 --schedule cosine:warmup=1,keep=best

numbers := $(shell seq 0 $$(($(FOLDS) - 1)))
train = $(MASKKIT) train $< --fold $* -o $@ $(if $(wildcard $@),--force,--resume) --weights package \
	--sampler sqrt --precision bfloat16 --seed $(SEED) $(former)
oofs := $(members:%=$(RUN)/%/hflip.parquet)
all := $(trainings) pseudo
votes := soft geometric logit hard rank
fits := greedy weights stacking
tunings := classes factors age

.PHONY: all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(foreach one,$(all),$(RUN)/$(one)/none.parquet $(RUN)/$(one)/hflip.parquet) \
	$(RUN)/lite0/views.parquet $(votes:%=$(RUN)/votes/%.parquet) $(fits:%=$(RUN)/votes/%.parquet) \
	$(RUN)/votes/all.parquet $(RUN)/votes/all-greedy.parquet $(RUN)/votes/all-consensus.parquet \
	$(RUN)/lite0/consensus.parquet $(RUN)/votes/consensus.parquet \
	$(foreach one,$(tunings),$(RUN)/lite0/$(one).json $(RUN)/votes/$(one).json) $(RUN)/submission.csv

$(RUN)/labels.parquet: $(TRAIN)
	$(MASKKIT) label $< -o $@ --force

$(RUN)/folds.parquet: $(RUN)/labels.parquet
	$(MASKKIT) split $< --by person --folds $(FOLDS) --seed $(SEED) -o $@ --force

$(RUN)/test.parquet: $(TEST)
	$(MASKKIT) label $< -o $@ --force

# Each training: a checkpoint per fold, and every photo by the model that has not seen its person.
define training
$(RUN)/$(1)/fold%.safetensors: $(RUN)/folds.parquet $(if $(findstring unlabeled,$($(1))),$(RUN)/test.parquet)
	$$(train) $($(1)) $$(OPTIONS)
endef
$(foreach one,$(trainings),$(eval $(call training,$(one))))

define predicting
$(RUN)/$(1)/$(2).parquet: $(RUN)/folds.parquet $(numbers:%=$(RUN)/$(1)/fold%.safetensors)
	$$(MASKKIT) predict $$^ --oof --tta $($(2)) -o $$@ --force
endef
$(foreach one,$(trainings) pseudo,$(foreach way,none hflip views,$(eval $(call predicting,$(one),$(way)))))

# Pseudo labels by each fold's own model, for that fold alone.
$(RUN)/pseudo/by%.parquet: $(RUN)/test.parquet $(RUN)/lite0/fold%.safetensors
	$(MASKKIT) predict $^ --tta hflip -o $@ --force

$(RUN)/pseudo/labels%.parquet: $(RUN)/folds.parquet $(RUN)/pseudo/by%.parquet $(RUN)/test.parquet
	$(MASKKIT) pseudo $(RUN)/folds.parquet $(RUN)/pseudo/by$*.parquet --unlabeled $(RUN)/test.parquet --share 0.5 -o $@ --force

$(RUN)/pseudo/fold%.safetensors: $(RUN)/pseudo/labels%.parquet
	$(train) $(lite0) $(OPTIONS)

# Votes of the members. What is fitted answers for each photo by what was fitted without its person.
$(votes:%=$(RUN)/votes/%.parquet): $(RUN)/votes/%.parquet: $(oofs)
	$(MASKKIT) ensemble $^ --vote $* -o $@ --force

fitted = $(MASKKIT) ensemble --fit $(filter-out $<,$^) --on $< -o $@ --report $(@:.parquet=.json) --force

$(RUN)/votes/greedy.parquet: $(RUN)/folds.parquet $(oofs)
	$(fitted) --vote soft

$(RUN)/votes/weights.parquet: $(RUN)/folds.parquet $(oofs)
	$(fitted) --vote soft --search weights

$(RUN)/votes/stacking.parquet: $(RUN)/folds.parquet $(oofs)
	$(fitted) --vote stacking

# The same with the models that learnt from photos without labels.
$(RUN)/votes/all.parquet: $(all:%=$(RUN)/%/hflip.parquet)
	$(MASKKIT) ensemble $^ --vote soft -o $@ --force

$(RUN)/votes/all-greedy.parquet: $(RUN)/folds.parquet $(all:%=$(RUN)/%/hflip.parquet)
	$(fitted) --vote soft

# Photos of a person agree on gender and age.
$(RUN)/lite0/consensus.parquet: $(RUN)/lite0/hflip.parquet $(RUN)/folds.parquet
	$(MASKKIT) ensemble $< --vote soft --consensus person --who $(RUN)/folds.parquet -o $@ --force

$(RUN)/votes/consensus.parquet: $(RUN)/votes/soft.parquet $(RUN)/folds.parquet
	$(MASKKIT) ensemble $< --vote soft --consensus person --who $(RUN)/folds.parquet -o $@ --force

$(RUN)/votes/all-consensus.parquet: $(RUN)/votes/all.parquet $(RUN)/folds.parquet
	$(MASKKIT) ensemble $< --vote soft --consensus person --who $(RUN)/folds.parquet -o $@ --force

# Decisions for macro-F1: the gain on people they were not tuned on is in the file.
define tuning
$(RUN)/lite0/$(1).json: $(RUN)/folds.parquet $(RUN)/lite0/hflip.parquet
	$$(MASKKIT) evaluate $$^ --tune $(1) --decision $$@ --force > $$(@:.json=.tsv)

$(RUN)/votes/$(1).json: $(RUN)/folds.parquet $(RUN)/votes/soft.parquet
	$$(MASKKIT) evaluate $$^ --tune $(1) --decision $$@ --force > $$(@:.json=.tsv)
endef
$(foreach one,$(tunings),$(eval $(call tuning,$(one))))

# The best chain that needs no person's name: the fitted vote of all models, with mirror images.
$(RUN)/%/test.parquet: $(RUN)/test.parquet $(foreach number,$(numbers),$(RUN)/%/fold$(number).safetensors)
	$(MASKKIT) predict $^ --tta hflip -o $@ --force

$(RUN)/submission.csv: $(RUN)/folds.parquet $(all:%=$(RUN)/%/test.parquet) $(all:%=$(RUN)/%/hflip.parquet)
	$(MASKKIT) ensemble $(filter %/test.parquet,$^) --vote soft --fit $(filter %/hflip.parquet,$^) --on $< \
		--submission -o $@ --force
