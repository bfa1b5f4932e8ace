# Each target installs what it needs by itself, and may be repeated.
PROFILE ?= reference
PYTHON ?= python3
KUBERNETES ?= 1.36
BIN := .venv/bin
PY := $(BIN)/python
# A cluster is small unless somebody asks for more.
CLUSTER_PROFILE := $(if $(filter file default undefined,$(origin PROFILE)),small,$(PROFILE))
# The application wants servers of every kind.
MATRIX_PROFILE := $(if $(filter file default undefined,$(origin PROFILE)),matrix,$(PROFILE))
# What the lab and the tests need of the machine itself.
PACKAGES := python3 python3-venv systemd-container debootstrap iptables nftables iproute2 dpkg-dev openssh-client openssh-server \
  procps util-linux mount xz-utils gcc libc6-dev git gpg gpg-agent haproxy
# Redis, nginx, what the machine may lack of their libraries, and a registry to push to.
READERS := redis-server redis-tools libjemalloc2 liblzf1 nginx nginx-common docker-registry

.PHONY: demo cluster matrix bundle cluster-bundle test-faults test-cluster test-cluster-all test-matrix test-matrix-all down unit test lint bench setup venv synapse packages docs promtool readers
.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

demo: setup ## lab up (PROFILE=small|reference|N), firewall applied, every port proven; the lab stays up
	$(PY) -m lab up --profile $(PROFILE)
	$(PY) -m lab run -- $(PY) -m flows.firewall
	$(PY) -m lab run -- $(PY) -m flows.verify_ports

cluster: cluster-bundle ## bare hosts, a Kubernetes cluster on them (PROFILE default small), every port proven; it stays up
	$(PY) -m lab up --profile $(CLUSTER_PROFILE) --bare
	$(PY) -m lab run -- $(PY) -m flows.bootstrap
	$(PY) -m lab run -- $(PY) -m flows.verify_ports

matrix: bundle ## bare hosts, a cluster, the Matrix stack on it, a message sent and received (PROFILE default matrix); it stays up
	$(PY) -m lab up --profile $(MATRIX_PROFILE) --bare
	$(PY) -m lab run -- $(PY) -m flows.bootstrap
	$(PY) -m benchmarks.timed $(PY) -m lab run -- $(PY) -m flows.rollout
	$(PY) -m lab run -- $(PY) -m flows.validate

bundle: setup ## what servers install without internet, from Go modules and Debian packages; once (KUBERNETES=1.36|1.37)
	$(PY) -m lab.bundle --kubernetes $(KUBERNETES)

cluster-bundle: setup # the part of it that a cluster without the application needs, in half the time
	$(PY) -m lab.bundle --kubernetes $(KUBERNETES) --without-application

down: setup ## take the lab down completely
	$(PY) -m lab down

unit: venv ## every test that needs no root, no lab and no network
	$(PY) -m pytest -q -n 3 --dist loadfile -m "not machine" --hypothesis-profile=unit tests

test: setup promtool readers synapse lint ## lint, types, every test that needs no cluster; boots a small lab of its own (needs root)
	$(PY) -m pytest -q -n 3 --dist loadfile tests -m "not faults" --ignore=tests/cluster --ignore=tests/matrix

test-faults: setup ## more faults of each kind on lab hosts than `make test` tries
	$(PY) -m pytest -q tests/lab -m faults

test-cluster: cluster-bundle ## a real cluster made, made again, and its control planes powered off in turn
	$(PY) -m pytest -q tests/cluster -m "not all"

test-cluster-all: cluster-bundle ## everything that takes a cluster: upgrade, restore, killed runs, 17 hosts
	$(PY) -m lab.bundle --kubernetes 1.37 --without-application
	$(PY) -m pytest -q tests/cluster

test-matrix: bundle ## the Matrix stack rolled out on a real cluster, changed, broken, killed and rolled out again
	$(PY) -m pytest -q tests/matrix -m "not all"

test-matrix-all: setup ## all of that, other object storage (compiled first), mail, and a second homeserver
	$(PY) -m lab.bundle --kubernetes $(KUBERNETES) --with minio --with metrics-server
	$(PY) -m pytest -q tests/matrix

lint: venv ## ruff, mypy --strict, import-linter, generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	$(PY) -m flows.docs --check

docs: venv ## write the generated documents anew
	$(PY) -m flows.docs

bench: setup ## measure; writes benchmarks/results.json and docs/benchmarks.md
	$(PY) -m benchmarks

setup: packages venv

packages:
	@missing=""; for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing:$$missing"; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	fi

venv: .venv/.complete

promtool: $(BIN)/promtool

# Debian's package would start a Prometheus on this machine; the tests need its one program.
$(BIN)/promtool: | .venv/.complete
	@folder=$$(mktemp -d) && chmod 755 $$folder && cd $$folder && apt-get update -q >/dev/null && apt-get download -q -o APT::Sandbox::User=root prometheus && \
	dpkg-deb -x prometheus_*.deb . && install -m 755 usr/bin/promtool $(CURDIR)/$@ && rm -r $$folder

readers: .venv/readers/.complete

# What reads configuration files that a rollout brings, for the tests. These packages, too, would start servers here.
.venv/readers/.complete: Makefile | .venv/.complete
	@folder=$$(mktemp -d) && chmod 755 $$folder && cd $$folder && apt-get update -q >/dev/null && apt-get download -q -o APT::Sandbox::User=root $(READERS) && \
	for package in *.deb; do dpkg-deb -x $$package $(CURDIR)/.venv/readers || exit 1; done && rm -r $$folder
	@touch $@

# The homeserver that tests tell news to, in an environment of its own.
synapse: .venv/synapse/.complete

.venv/synapse/.complete: requirements-synapse.lock | .venv/.complete
	$(PYTHON) -m venv .venv/synapse
	.venv/synapse/bin/python -m pip install -q --no-deps --require-hashes -r requirements-synapse.lock
	touch $@

.venv/.complete: requirements.lock
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3-venv; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --require-hashes -r requirements.lock
	touch $@
