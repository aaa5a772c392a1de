# `make help` lists the targets. Everything is written to .venv and $(CRYPTO_HOME) (default .local).
.DEFAULT_GOAL := help
.PHONY: help setup up down purge status test lint unit integration test-long chaos outage bench-ingest bench-compare bench-rollups bench-screen screenshots monitoring-check lineage soak lock compose-up compose-down compose-tool test-docker

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
export VIRTUAL_ENV := $(CURDIR)/.venv
export DAGSTER_DISABLE_TELEMETRY := yes
export PIP_DISABLE_PIP_VERSION_CHECK := 1
SEED ?= 1
SECONDS_OF_CHAOS ?= 600
LOCKS := requirements-bootstrap.lock requirements.lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/.ready ## create .venv with the hash-locked requirements

.venv/.ready: $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 12) else f"Python 3.11 or 3.12 is needed, {sys.executable} is {v[0]}.{v[1]}: run make PYTHON=/path/to/python3.11")'
	@echo "Installing the locked requirements into .venv …"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements-bootstrap.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(LOCKS)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

up: setup ## start the whole platform, wait until it is healthy, say where to look
	@$(BIN)/crypto-platform up --detach

down: setup ## stop it and keep the data
	@$(BIN)/crypto-platform down

purge: setup ## stop it and delete its data (asks first)
	@$(BIN)/crypto-platform purge

status: setup ## services, lag, checkpoints, gaps, age of the last tick
	@$(BIN)/crypto-platform status

PROFILES ?= emulator
COMPOSE = docker compose --file infra/docker/compose.yaml
ALL_PROFILES = emulator,account,sim

compose-up: ## the platform in containers, needs Docker alone (PROFILES=account, PROFILES=emulator,sim CRYPTO_SOURCE=sim)
	COMPOSE_PROFILES=$(PROFILES) DOCKER_GID=$$(stat -c %g /var/run/docker.sock 2>/dev/null || echo 0) $(COMPOSE) up --build --detach --wait
	@echo "Dashboard http://127.0.0.1:8000 · Dagster http://127.0.0.1:3000 · Flink http://127.0.0.1:8081 · Kafka http://127.0.0.1:8080"

compose-down: ## stop and remove the containers, keep their volumes
	COMPOSE_PROFILES=$(ALL_PROFILES) $(COMPOSE) down --timeout 60

test: setup lint unit integration ## everything: lint, types, unit tests, tests on real Kafka, Flink and emulator

lint: setup ## style, imports, types, Dagster's own validation
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dg check defs
	$(BIN)/dagster definitions validate -w workspace.yaml

unit: setup ## tests that need no service
	$(BIN)/pytest -q -n auto tests/unit

integration: setup ## tests on real Kafka, real Flink, the Snowflake emulator and in real Chromium
	$(BIN)/pytest -q -m "not long" tests/integration tests/chaos tests/browser

test-docker: setup ## tests on a Docker engine of their own (root; Debian's docker.io, debootstrap and postgresql)
	@mkdir -p .local
	$(BIN)/pytest -q -s tests/integration/test_docker_platform.py --docker-report .local/docker.json

compose-tool: ## build docker-compose for the tests of the compose file (needs Go)
	@rm -rf .local/tools/source && mkdir -p .local/tools/source
	cd .local/tools/source && go mod init tools && go get github.com/docker/compose/v2/cmd@v2.40.3 && go build -o ../docker-compose github.com/docker/compose/v2/cmd
	@rm -rf .local/tools/source

test-long: setup ## the tests of minutes: Dagster heals a whole platform, the spool through more kinds of outage
	$(BIN)/pytest -q -m long tests/integration --ignore tests/integration/test_docker_platform.py

chaos: setup ## ten minutes of faults at 500 trades/s (SEED=1, SECONDS_OF_CHAOS=600), report in .local/chaos.json
	@mkdir -p .local
	$(BIN)/pytest -q -s tests/chaos/test_random_faults.py --chaos-seconds $(SECONDS_OF_CHAOS) --chaos-seed $(SEED) --chaos-report .local/chaos.json

outage: setup ## the warehouse is away for five minutes while trades keep coming; none may be lost
	$(BIN)/pytest -q tests/integration/test_loader_kafka.py -k away --away-seconds 300 --timeout 600

bench-ingest: setup ## how many trades a second reach Kafka, 30 s on brokers of its own
	$(BIN)/crypto-platform bench ingest

soak: setup ## 30 minutes at 5,000 trades/s; fails if the producer's memory grows
	$(BIN)/crypto-platform bench ingest --rate 5000 --seconds 1800 --warmup 120 --sample 10 --max-growth 0.5

bench-screen: setup ## how old the price on the dashboard's screen is, with 1, 5 and 20 viewers (~4 min, needs Chromium)
	@mkdir -p .local
	$(BIN)/python -m tests.benchmarks.screen_age --output .local/screen-age.json

screenshots: setup ## the dashboard's pictures in docs/images (needs Chromium)
	$(BIN)/python -m tests.browser.screenshots

monitoring-check: setup ## Prometheus rules and dashboards (needs promtool, Debian's package prometheus)
	cd infra/monitoring && promtool check rules rules.yml && promtool check config prometheus.yml

bench-compare: setup ## CPU per 1,000 trades against cryptofeed 3 and bbo-tap (needs Python 3.13 besides; ~11 min)
	$(BIN)/python -m tests.benchmarks.compare_producers

bench-rollups: setup ## a day's back-fill of all rollups over a million trades on the emulator, under 60 s
	$(BIN)/python -W ignore -m tests.benchmarks.backfill_rollups

lineage: setup ## write the rollups' column lineage anew from their SQL
	$(BIN)/python -m crypto_platform.column_lineage

lock: setup ## resolve the Python and Java locks anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements-bootstrap.in -o requirements-bootstrap.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements-tests.in -o requirements.lock
	cp requirements.lock requirements-runtime.lock  # its versions are preferred, so that both locks agree
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements.in -o requirements-runtime.lock
	$(BIN)/python -m infra.local.jars lock $$(mktemp -d)
