# Every target creates the .venv that it needs; after that, no network is needed.
PYTHON ?= python3.11
CORES ?= 2
# of tests: more than cores, because some wait for other processes
PROCESSES ?= $(shell expr 2 \* $(CORES))
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)

.PHONY: demo rehearsal gpu bf16 try check unit test test-slurm test-browser lint reference lock reruns clean

demo: .venv/installed
	snakemake --cores $(CORES) demo results/summary.html $(if $(wildcard workflow/try/runtime),results/demo/try.html)

# the runtime inside results/{run}/try.html; npm is yours, or one from a Python package
try: .venv/installed workflow/try/package-lock.json
	npm --version > /dev/null 2>&1 || $(BIN)/pip install --quiet --no-build-isolation --editable '.[try]'
	npm ci --prefix workflow/try --ignore-scripts --no-audit --no-fund
	rm -rf workflow/try/runtime workflow/try/copying
	mkdir workflow/try/copying
	cp $(addprefix workflow/try/node_modules/onnxruntime-web/dist/,ort.wasm.bundle.min.mjs ort-wasm-simd-threaded.wasm) \
		workflow/try/copying
	mv workflow/try/copying workflow/try/runtime
	rm -r workflow/try/node_modules

# CUDA's libraries, for device_target GPU; NVIDIA's driver is the machine's (docs/devices.md)
gpu: .venv/installed requirements-gpu.txt
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements-gpu.txt
	python scripts/check_device.py --device_target GPU || true

# oneDNN for precision bf16; a C compiler is the machine's (docs/devices.md)
bf16: .venv/installed requirements-bf16.txt
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements-bf16.txt
	python scripts/check_device.py --precision bf16 || true

# all six benchmarks in miniature, in rehearsal/; for a cluster: make rehearsal FLAGS="--workflow-profile profiles/slurm"
rehearsal: .venv/installed
	python scripts/rehearse.py --cores $(CORES) $(FLAGS)

# lint, types and the tests that need neither MindSpore nor Snakemake: under a minute
check: .venv/installed
	$(MAKE) --no-print-directory --jobs 2 --output-sync lint unit

unit: .venv/installed
	pytest --quiet --numprocesses $(PROCESSES) tests/unit

# all tests except those on a cluster; the files that take longest come first
test: check
	pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder --durations 10 \
		tests/distributed tests/model/test_resume_training.py tests/model/test_resume_earlier.py tests/workflow tests/model tests/pages

# starts a Slurm cluster on this machine; needs root on Debian, and installs Debian's Slurm
test-slurm: .venv/installed
	tests/cluster/cluster.sh install
	TEST_SLURM=1 pytest tests/cluster

# the pages in Chromium or Chrome; skipped where neither is on PATH
test-browser: .venv/installed
	pytest tests/pages

lint: .venv/installed
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint
	mypy

.venv/installed: requirements.txt workflow/plugins/snakemake_logger_plugin_pix2pix/__init__.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	echo "$(CURDIR)/workflow/plugins" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/pix2pix_plugins.pth"
	touch $@

# files generated from the settings: the schema and docs/parameters.md
reference: .venv/installed
	python -m pix2pix.config.documentation

# requirements*.txt, with the hashes of all files, from the versions in pyproject.toml
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet pip-tools==7.6.2
	.venv-lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --extra cluster --extra parquet --extra dev \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file requirements.txt pyproject.toml
	for extra in gpu bf16; do \
		$(PYTHON) -c 'import sys, tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
			print(*extras[sys.argv[1]], sep="\n")' $$extra > .venv-lock/$$extra.in && \
		.venv-lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links \
			--no-annotate --no-header --output-file requirements-$$extra.txt .venv-lock/$$extra.in || exit 1; \
	done
	rm -r .venv-lock

# the table of docs/reruns.md, from dry runs
reruns: .venv/installed
	PYTHONPATH=tests python tests/workflow/test_rerun_table.py

clean:
	rm -rf .venv .snakemake
