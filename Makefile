# The same commands for people and for CI. `make help` lists them.

# Set these in the environment or on the command line: make run PORT=8001, make train TRAIN=my.csv.
PORT ?= 8000
BIND ?= 127.0.0.1:$(PORT)
MODEL_DIR ?= models
TRAIN ?= data/train.csv
ARGS ?=
# Not ?=: shells and the time command set variables of these names with another meaning.
HOST = http://$(BIND)
USERS = 10
TIME = 30s
WORKERS = 4
SHAPE =
# For two cores: tests that start a service wait half of the time.
PROCESSES ?= 4

# Not exported: tests choose their own.
SERVICE_SETTINGS = BIND="$(BIND)" MODEL_DIR="$(MODEL_DIR)"

# A user's own training file has its own test file, or none. The shell checks for the example's test file at the time
# of use, because make would cache the state from before the example data was made.
ifeq ($(TRAIN),data/train.csv)
# scikit-learn's threshold would flag 15 % of the example. A later --contamination in ARGS counts instead.
EXAMPLE_OPTIONS := --contamination 0.001
TEST ?= $(shell test -f data/test.csv && echo data/test.csv)
EXAMPLE_DATA := data/train.csv
endif

BIN := .venv/bin
S3 := .venv/s3
KERNEL := app/model/forest_kernel.so

# The prerequisites of a target depend on each other, so run them in order even under make -j.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help run monitor up down password logs reset-grafana install kernel data explore train notebook serve loadtest loadtest-distributed drill dashboards runbook dashboard-pictures console-picture bench measured format check test test-processes test-long test-system test-s3 lock clean
.PHONY: check-address install-loadtest install-drill install-notebooks install-all

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' Makefile

run: check-address install $(KERNEL) $(MODEL_DIR)/current  ## Start the service; install, make example data and train first if needed (PORT=8000)
	@$(SERVICE_SETTINGS) $(BIN)/python scripts/print_urls.py
	@exec env $(SERVICE_SETTINGS) $(BIN)/gunicorn "app:create_app()"

check-address:
	@python=$$(sh scripts/find_python.sh) && $(SERVICE_SETTINGS) "$$python" scripts/check_address.py

# make passes variables of its command line on in the environment.
monitor:  ## Monitor `make run` with this machine's Prometheus and Alertmanager (PROMETHEUS_PORT, ALERTMANAGER_PORT)
	@python=$$(sh scripts/find_python.sh) && exec env BIND="$(BIND)" "$$python" -m scripts.monitor

up:  ## Start the whole platform with Docker Compose (ADMIN_USER, ADMIN_PASSWORD, SITE_ADDRESS, BIND_ADDRESS, DATABASE, TRAIN)
	@python=$$(sh scripts/find_python.sh) && "$$python" -m scripts.run_platform up

down:  ## Stop the platform; metrics, models and records are kept
	@docker compose --profile '*' down

password:  ## Change the platform's password (ADMIN_PASSWORD=..., else a random one)
	@python=$$(sh scripts/find_python.sh) && "$$python" -m scripts.run_platform password

logs:  ## Follow the logs of the platform (ARGS="caddy service")
	@docker compose logs --follow --tail 100 $(ARGS)

reset-grafana:  ## Replace Grafana's database; what was created in Grafana is lost
	@python=$$(sh scripts/find_python.sh) && "$$python" -m scripts.run_platform reset-grafana

install:  ## Install the service and training into .venv
	@python=$$(sh scripts/find_python.sh) && "$$python" scripts/prepare_venv.py service training

install-loadtest:
	@python=$$(sh scripts/find_python.sh) && "$$python" scripts/prepare_venv.py loadtest

# The drill parses the alert rules, which needs the packages of the dashboards group.
install-drill:
	@python=$$(sh scripts/find_python.sh) && "$$python" scripts/prepare_venv.py service training loadtest dashboards

install-notebooks:
	@python=$$(sh scripts/find_python.sh) && "$$python" scripts/prepare_venv.py service training notebooks

install-all:
	@python=$$(sh scripts/find_python.sh) && "$$python" scripts/prepare_venv.py service training loadtest dashboards dev

kernel: install  ## Compile the scoring kernel for this machine (without a C compiler, NumPy is used)
	@$(BIN)/python -m app.model.build_kernel

$(KERNEL): app/model/forest_kernel.c app/model/forest_lanes.h app/model/explain_kernel.c app/model/explain_lanes.h app/model/window_kernel.c app/model/hash_kernel.c app/model/build_kernel.py | install
	@$(MAKE) --no-print-directory kernel

data:  ## Generate the synthetic example data (data/train.csv and data/test.csv)
	@for file in data/train.csv data/test.csv; do \
		test ! -e $$file || { echo "$$file exists and may be yours: move it away first." >&2; exit 1; }; \
	done
	@$(MAKE) --no-print-directory install
	@$(BIN)/python -m training.data.synthetic

data/train.csv:
	@$(MAKE) --no-print-directory data

explore: install $(EXAMPLE_DATA)  ## Write a page about the data, reports/exploration.html (TRAIN=file TEST=file ARGS="--drop id")
	@$(BIN)/python -m training explore --train "$(TRAIN)" $(if $(TEST),--test "$(TEST)") $(ARGS)

train: install $(EXAMPLE_DATA)  ## Train a model and promote it (TRAIN=file TEST=file ARGS="--contamination 0.001")
	@$(if $(EXAMPLE_OPTIONS),echo 'The data of the example are trained with $(EXAMPLE_OPTIONS); choose another share with ARGS="--contamination SHARE".')
	@BIND="$(BIND)" $(BIN)/python -m training train --promote --models "$(MODEL_DIR)" --train "$(TRAIN)" $(if $(TEST),--test "$(TEST)") $(EXAMPLE_OPTIONS) $(ARGS)

# Only if there is no model yet; `make train` trains a newer one.
$(MODEL_DIR)/current: | install
	@$(MAKE) --no-print-directory train

notebook: install-notebooks $(KERNEL)  ## Open the notebooks in Jupyter Lab (ARGS="--port 8889")
	@exec $(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/training/notebooks/exploration.ipynb $(ARGS)

serve: check-address install $(KERNEL)  ## Start the service with the existing model
	@exec env $(SERVICE_SETTINGS) $(BIN)/gunicorn "app:create_app()"

# A load shape sets the number of users and the time itself.
LOCUST = $(BIN)/locust -f loadtest/locustfile.py --host "$(HOST)" --headless --only-summary \
	$(if $(SHAPE),--shape $(SHAPE),--users $(USERS) --spawn-rate $(USERS) --run-time $(TIME))

loadtest: install-loadtest  ## Load-test a running service (HOST=http://127.0.0.1:8000 USERS=10 TIME=30s, or SHAPE=ramp)
	@$(LOCUST) $(ARGS)

# By default the master listens for its workers on every address.
loadtest-distributed: install-loadtest  ## Load-test with several processes (WORKERS=4)
	@$(LOCUST) --processes $(WORKERS) --master-bind-host 127.0.0.1 $(ARGS)

drill: install-drill $(KERNEL)  ## Check that every alert fires, is delivered and is resolved (needs Prometheus, Alertmanager; 7 min)
	@$(BIN)/python -m loadtest.drill $(ARGS)

dashboards: install-all  ## Generate Grafana's dashboards from monitoring/dashboards (ARGS=--check to compare only)
	@$(BIN)/python -m monitoring.dashboards $(ARGS)

runbook: install-all  ## Generate the runbook's web page, to which alerts link, from monitoring/runbook.md
	@$(BIN)/python -m monitoring.runbook_page

dashboard-pictures: install-all $(KERNEL)  ## Draw the dashboards into docs/pictures (PREVIEW=rendering program; needs Prometheus)
	@$(BIN)/python -m tests.system.draw_dashboards --preview "$(PREVIEW)"

console-picture: install-all $(KERNEL)  ## Draw the console into docs/pictures (needs Chromium)
	@$(BIN)/python -m tests.system.draw_console

bench: install $(KERNEL) $(EXAMPLE_DATA)  ## Compare the service with others and update benchmarks/README.md (needs wrk; 35 min)
	@$(BIN)/python -m benchmarks.run --write --train "$(TRAIN)" $(ARGS)
	@$(BIN)/python -m benchmarks.forest --write --train "$(TRAIN)"

measured: install-all $(KERNEL) $(EXAMPLE_DATA)  ## Measure README's table again and write it there (needs wrk; 20 min)
	@$(BIN)/python -m benchmarks.measured --write --train "$(TRAIN)" $(ARGS)

format: install-all  ## Format the code and apply the linter's fixes
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format

check: install-all  ## Check format, lint, types, import contracts and spelling
	@$(BIN)/ruff format --check --quiet || { echo "The files above are not formatted: run make format." >&2; exit 1; }
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(BIN)/codespell

# The tests start hundreds of programs; without compiled files, each would compile every module of ours again.
test test-processes test-long test-system: export PYTHONDONTWRITEBYTECODE :=

PYTEST = $(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
# Other tests would disturb these. pytest exits with 5 if no test is selected.
PYTEST_ALONE = $(BIN)/pytest --alone $(or $(ARGS),tests/system) || test $$? -eq 5

test: check $(KERNEL)  ## Check, and run the tests that need no running service; with ARGS, any tests (ARGS="-k name" PROCESSES=4)
	@$(BIN)/python -m compileall -q app loadtest training
	@$(PYTEST) $(or $(ARGS),-m "not system")
	@$(if $(ARGS),$(PYTEST_ALONE))

test-processes: install-all $(KERNEL)  ## Run the tests that start the service and other programs
	@$(BIN)/python -m compileall -q app loadtest training
	@$(PYTEST) -m system $(ARGS)
	@$(PYTEST_ALONE)

test-long: check $(KERNEL)  ## Check and run all tests in full
	@$(BIN)/pytest --long $(ARGS)

test-system: install-all  ## Start the whole platform with Compose and test it (needs Docker)
	@$(BIN)/pytest --platform tests/platform $(ARGS)

# moto and s3fs need older packages than the service has, so they have an environment of their own, which finds all other
# packages in the service's.
$(S3)/bin/moto_server: | install-all
	@echo "Installing moto and s3fs ..."
	@$(BIN)/python -m venv $(S3)
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$($(S3)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/service.pth"
	@$(S3)/bin/pip install --quiet --disable-pip-version-check 'moto[s3,server]==5.2.5' s3fs==2026.9.0

test-s3: $(S3)/bin/moto_server $(KERNEL)  ## Test reading and writing tables in S3, which moto imitates on this machine
	@$(S3)/bin/python -m pytest tests/training/data/test_s3.py

lock: install-all  ## Update the lock files from pyproject.toml (ARGS=--upgrade for newer versions)
	@sh scripts/lock_requirements.sh $(ARGS)

clean:  ## Remove .venv, caches and the compiled kernel; data, models and records are kept
	@rm -rf .venv benchmarks/.venvs .hypothesis .mypy_cache .pytest_cache .ruff_cache $(KERNEL)
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
