# `make` lists the targets. Everything runs inside .venv, which `make setup` makes.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
LOCKED := --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock"
.DEFAULT_GOAL := help
PURE_TESTS := tests/core tests/config tests/device $(addprefix tests/test_,events.py layout.py names.py readme.py)
SHAPED_TESTS := tests/oauth/test_store_away.py
# A Cluster decides for each command where it goes, not what a script does (decision 0059). TLS and
# Sentinels only decide how a connection is made.
shape-cluster: SHAPED_TESTS += tests/store $(addprefix --ignore=tests/store/test_,causes.py devices_machine.py durability.py embedded.py failover.py families_machine.py grants_machine.py many_devices.py redemptions_machine.py shapes.py)
# A redemption changes keys in several hash slots, one after the other.
shape-cluster: SHAPED_TESTS += $(addprefix tests/oauth/token/test_device_code.py::test_,sixty_at_once_make_one_family redeem_and_cancel_race a_cancellation_between_the_two_steps_of_a_redemption a_late_approval_revives_nothing a_decision_whose_message_was_lost a_worker_that_starts_after_the_decision an_approval_that_is_gone_at_the_redemption)
shape-tls shape-sentinel: SHAPED_TESTS += $(addprefix tests/store/test_,announcements.py connection.py failures.py feed.py feed_stress.py installation.py load.py log_reader.py outage.py owner.py pace_sharing.py retries.py snapshot.py)
.PHONY: help setup demo lint quick test shapes check coverage hooks fuzz fuzz-readers texts histories interop interop-tools bench bench-quick bench-tools lock sbom dist format helm pictures clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# uv takes seconds where pip takes a minute. pip does it where uv cannot: it reads no pip.conf.
.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "deviceflow needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into .venv (once; ten seconds to a minute) ..."
	@$(PYTHON) -m venv .venv
	@{ $(PIP) 'uv>=0.12' && $(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]'; } 2>/dev/null \
		|| $(PIP) --editable '.[dev]'
	@touch $@

setup: .venv/installed ## make .venv with everything in it

demo: setup ## run the whole flow on this machine: server, store, a television and a person's page (PORT=8628)
	@$(BIN)/deviceflow demo $(if $(PORT),--port $(PORT))

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

quick: lint ## lint, types, import contracts and the tests that need no store, in seconds
	@$(BIN)/pytest --quiet $(PURE_TESTS)

test: setup ## run the tests
	@$(BIN)/pytest

shapes: setup ## run the tests of the store on a Cluster, and those of its connections with TLS and with Sentinels (JOBS=3)
	@$(MAKE) --no-print-directory --jobs=$(or $(JOBS),3) --output-sync=target $(addprefix shape-,tls sentinel cluster)

shape-%:
	@echo "-- $*"; DEVICEFLOW_STORE=$* HYPOTHESIS_PROFILE=few $(BIN)/pytest --quiet --numprocesses=0 -p no:cacheprovider $(SHAPED_TESTS)

check: lint ## lint, types, import contracts and tests
	@$(BIN)/pytest

coverage: setup ## run the tests, and list the lines and branches that none of them reaches
	@$(BIN)/pytest --cov $(addprefix --ignore=tests/,browser interop)

hooks: setup ## have git lint before each commit
	@$(BIN)/pre-commit install

fuzz: setup ## hold the server against its OpenAPI document for ten minutes (FUZZ_SECONDS=600)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(BIN)/pytest --capture=no tests/oauth/openapi/test_schemathesis.py

fuzz-readers: setup ## give all readers of strangers' bytes a million mutated inputs (INPUTS=10000000, SEED=1)
	@$(BIN)/python -m tests.fuzz --inputs $(or $(INPUTS),1000000) $(addprefix --seed=,$(SEED))

histories: setup ## check what devices and people see under faults, in five minutes (SECONDS=1800, STORE=single)
	@$(BIN)/python -m tests.histories --seconds $(or $(SECONDS),300) $(addprefix --store=,$(STORE))

interop: interop-tools ## run other people's client libraries against the server (Node.js, Go, Java, Rust, Python)
	@$(BIN)/pytest tests/interop

interop-tools: setup
	@tests/interop/install

helm: setup ## build Helm (minutes; needs Go), lint the chart, and render it anew for the tests
	@cd tests/install/helm && go build -trimpath -o helm helm.sh/helm/v3/cmd/helm
	@HELM_RENDER=1 $(BIN)/pytest --quiet -n0 tests/install/test_helm.py

pictures: setup ## take the pictures of README and docs again (needs Chromium)
	@DOCS_PICTURES=docs/pictures $(BIN)/pytest $(addprefix tests/browser/test_,demo.py stations.py languages.py console.py fleet_report.py) \
		-k 'newcomer_approves or question-abroad or [devices] or arabic or figures_are_live or page_of_a_run'

bench: setup bench-tools ## measure everything beside the alternatives, in about ten minutes
	@$(BIN)/python -m benchmarks report

bench-quick: setup bench-tools ## the same in a few minutes; the committed results stay
	@$(BIN)/python -m benchmarks report --quick --results benchmarks/results/raw

# RUNLEVEL keeps Debian from starting an nginx on port 80.
bench-tools:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! { command -v wrk && PATH="$$PATH:/usr/sbin" command -v nginx; } >/dev/null; then \
		echo "Installing wrk and nginx ..."; \
		get() { RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends wrk nginx-light >/dev/null; }; \
		get 2>/dev/null || { apt-get update --quiet >/dev/null && get; } || true; fi
	@PATH="$$PATH:/usr/sbin"; for tool in wrk nginx taskset; do \
		command -v $$tool >/dev/null || echo "$$tool is not installed: the benchmarks go on without it." >&2; done

texts: setup ## put the ids of new texts into the catalogue, and take out those that are not used
	@mkdir -p build
	@$(BIN)/pybabel --quiet extract --mapping-file pyproject.toml --no-location --sort-output --output-file build/deviceflow.pot .
	@$(BIN)/pybabel --quiet update --input-file build/deviceflow.pot --output-dir deviceflow/locale --domain deviceflow --width 100 \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date

lock: setup ## pin every package that the server needs, with its hashes (requirements.lock, and what builds it)
	@$(BIN)/uv pip compile --quiet --upgrade $(LOCKED) --output-file requirements.lock pyproject.toml
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(BIN)/uv pip compile --quiet --upgrade $(LOCKED) --output-file requirements-build.lock -

sbom: setup ## install the pinned packages apart, check their hashes, and list them in build/deviceflow.cdx.json (CycloneDX)
	@rm -rf build/locked
	@$(BIN)/uv venv --quiet --python $(BIN)/python build/locked
	@$(BIN)/uv pip install --quiet --python build/locked --require-hashes --only-binary :all: --requirement requirements.lock
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file build/deviceflow.cdx.json build/locked
	@$(BIN)/python -c 'import json, pathlib, deviceflow; path = pathlib.Path("build/deviceflow.cdx.json"); bom = json.loads(path.read_text()); \
		bom["metadata"]["component"]["version"] = deviceflow.__version__; path.write_text(json.dumps(bom, indent=2) + "\n")'
	@rm -rf build/locked

dist: setup ## build the sdist and the wheel into dist/, and check them
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/twine check --strict dist/*
	@$(BIN)/check-wheel-contents dist/*.whl

format: setup ## write the code in the one format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove what the targets made
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* .demo dist build
