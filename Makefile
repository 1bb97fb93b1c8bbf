# Every target makes the .venv that it uses; after that nothing needs a network.
PYTHON ?= python3.11
CORES ?= 2
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)

.PHONY: demo test test-slurm lint reference clean

demo: .venv/installed
	snakemake --cores $(CORES) demo results/summary.html

test: lint
	pytest

# on a Slurm cluster that it starts on this machine; needs root on Debian, and installs Debian's slurm
test-slurm: .venv/installed
	tests/slurm/cluster.sh install
	TEST_SLURM=1 pytest tests/test_slurm.py

lint: .venv/installed
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# what is derived from the settings: the schema and docs/parameters.md
reference: .venv/installed
	python -m pix2pix.reference

clean:
	rm -rf .venv .snakemake
