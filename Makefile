# One command for each thing a person wants. `make benchmark` and `make test` set up all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPECC := $(BIN)/specc
# The CPU build where the machine's pip knows one, the default build elsewhere.
TORCH := torch==2.13.0
# munge and Slurm: the tests run bundles under a Slurm of their own; one of them has its accounting.
# Chromium: the report is looked at in a real browser.
SYSTEM_PACKAGES := openssl strace chromium munge slurmctld slurmd slurm-client \
  slurmdbd slurm-wlm-mysql-plugin mariadb-server-core mariadb-client-core
OUT := build/report
# Benchmarks whose bounds hold on a busy machine too: a paired ratio, and a count.
BOUNDS := latency_pass or metadata

.PHONY: benchmark smoke test test-gpu test-deps cluster cluster-down node-break node-mend lint bench scale calibrate soak sweep sweep-page docs dev-lock clean help

help:
	@echo "make benchmark   the DistilBERT benchmark: compile, verify, run offline, report"
	@echo "make smoke       the same path with five samples"
	@echo "make test        everything a change must pass"
	@echo "make test-gpu    the tests that need a CUDA device"
	@echo "make test-deps   install the system packages some tests use (root)"
	@echo "make cluster     a four-node Slurm on this machine to play on; make cluster-down stops it"
	@echo "make node-break  NODE=…: let one of its nodes fail with all that runs there; make node-mend brings it back"
	@echo "make bench       measure specc itself and write docs/benchmarks.md"
	@echo "make scale       collate a study of a hundred million rows beside duckdb; ROWS=1e7 for fewer"
	@echo "make sweep       train all 216 points of the smoke sweep on a Slurm, kill workers on the way, rerun, export"
	@echo "make sweep-page  collate, export and describe once more what it has run"
	@echo "make calibrate   simulate the error rates of the statistics and write docs/calibration.md"
	@echo "make soak        kill processes and nodes of runs on a Slurm, 300 times (minutes)"
	@echo "make docs        regenerate the reference pages"
	@echo "make clean       remove what the above made"

$(VENV)/.base: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "specc needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e '.[report]'
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $(VENV)/.base $@

# Points that need a GPU stay in the matrix as not_run where there is none, and nothing is fetched for them.
only = $(shell ls /dev/nvidia[0-9]* >/dev/null 2>&1 || echo "--only device=cpu --only-reason 'no CUDA device'")

# $(1) spec, $(2) where the report goes, $(3) options of compile. A run with failed tasks still gets its report, and then fails.
define experiment
@set -e; \
bundle=$$($(SPECC) compile $(1) $(3)); \
$(SPECC) verify "$$bundle"; \
ended=0; $(SPECC) run "$$bundle" --network off || ended=$$?; \
$(SPECC) collate "$$bundle" --out $(2); \
echo "report: $(2)/report.html"; \
exit $$ended
endef

benchmark: $(VENV)/.base
	$(call experiment,specs/inference.yaml,$(OUT)/inference,$(only))

smoke: $(VENV)/.base
	$(call experiment,specs/inference-smoke.yaml,$(OUT)/smoke,)

# System packages are a person's own business; only root in CI gets them unasked.
test: $(VENV)/.dev
	@if [ "$$CI" = true ] && [ "$$(id -u)" = 0 ]; then $(MAKE) test-deps; \
	 else echo "some tests use system packages; to install them: sudo make test-deps"; fi
	$(MAKE) lint
	$(BIN)/python -m pytest -q tests/bench -m bench -k "$(BOUNDS)"
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile -m "not bench"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-gpu: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/gpu

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p specc -p specc_runtime

test-deps:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SYSTEM_PACKAGES)

# CLUSTER_DIR: where it lives, default a folder of yours in /tmp; CLUSTER: options, see --help
cluster:
	@$(PYTHON) tests/cluster/playground.py up $(if $(CLUSTER_DIR),"$(CLUSTER_DIR)") $(CLUSTER)

cluster-down:
	@$(PYTHON) tests/cluster/playground.py down $(if $(CLUSTER_DIR),"$(CLUSTER_DIR)")

# NODE: its name in Slurm
node-break node-mend:
	@$(PYTHON) tests/cluster/playground.py $(@:node-%=%) $(if $(CLUSTER_DIR),"$(CLUSTER_DIR)") --node "$(NODE)"

bench: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/bench -m bench --write-figures --benchmark-columns=min,median,max

# Minutes, and 235 bytes of disk for each row: fewer rows where the disk is too small.
ROWS := 1e8
scale: $(VENV)/.dev
	SCALE_ROWS=$(ROWS) $(BIN)/python -m pytest -q -s -m bench tests/bench/test_scale.py --show-figures

# Minutes: the same with few trials is part of every test run.
TRIALS := 2000
calibrate: $(VENV)/.dev
	$(BIN)/python tests/calibration/write.py --trials $(TRIALS)

# Minutes: the short form of it is part of every test run. SEED repeats one.
KILLS := 300
SEED := 2
soak: $(VENV)/.dev
	SOAK_KILLS=$(KILLS) SOAK_SEED=$(SEED) $(BIN)/python -m pytest -q -s tests/cluster/test_soak.py

# Minutes: a form of 24 tasks is part of every test run.
sweep: $(VENV)/.dev
	$(BIN)/python tests/cluster/train_sweep.py $(OUT)/sweep

# what `make sweep` has run, collated, exported and told of anew
sweep-page: $(VENV)/.dev
	$(BIN)/python tests/cluster/train_sweep.py $(OUT)/sweep --page-only

docs: $(VENV)/.dev
	$(BIN)/python -m specc.handbook.reference

dev-lock: $(VENV)/.dev
	$(BIN)/uv pip compile pyproject.toml --group dev --generate-hashes --no-header --no-annotate \
	  --python-version 3.11 --python-platform x86_64-manylinux_2_28 -q -o requirements/dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .benchmarks .coverage .coverage.*
	find build -mindepth 1 -not -name .gitignore -delete
