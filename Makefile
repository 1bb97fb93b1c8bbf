# Every target makes the .venv that it uses; after that nothing needs a network.
PYTHON ?= python3.11
CORES ?= 2
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)

.PHONY: demo check test test-slurm test-browser lint reference lock clean

demo: .venv/installed
	snakemake --cores $(CORES) demo results/summary.html

# lint, types and the tests that need neither MindSpore nor Snakemake: under a minute
check: lint
	pytest --quiet --numprocesses $(CORES) tests/unit

# everything but the cluster
test: check
	pytest --numprocesses $(CORES) --dist worksteal --durations 10 tests/model tests/workflow
	pytest --durations 5 tests/distributed

# on a Slurm cluster that it starts on this machine; needs root on Debian, and installs Debian's slurm
test-slurm: .venv/installed
	tests/cluster/cluster.sh install
	TEST_SLURM=1 pytest tests/cluster

# pages in Chromium or Chrome, which must be on PATH
test-browser: .venv/installed
	pytest -m browser tests

lint: .venv/installed
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint
	mypy

# what is derived from the settings: the schema and docs/parameters.md
reference: .venv/installed
	python -m pix2pix.config.documentation

# requirements.txt, with the hash of every file, from the versions in pyproject.toml
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet pip-tools==7.6.2
	.venv-lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --extra cluster --extra dev \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file requirements.txt pyproject.toml
	rm -r .venv-lock

clean:
	rm -rf .venv .snakemake
