# Everything that the course does from a shell, in the environment .venv that tools/set_up.py makes.
PYTHON ?= python3
BIN := .venv/bin
# Who may open JupyterLab: this machine alone. In a container, the machine is outside (0.0.0.0).
IP ?= 127.0.0.1
# JupyterLab asks no question about news, and looks for none.
LAB = open_lab.py --ip=$(IP) --allow-root --LabApp.news_url=None

# What is set for another Python, another Jupyter or another training must not reach this one: a
# PYTHONPATH brings numpy from elsewhere, a JUPYTER_PATH kernels, a DMLC_ROLE makes MXNet a server.
unexport $(filter PYTHON% DMLC_%,$(.VARIABLES)) JUPYTER_PATH JUPYTER_PREFER_ENV_PATH CDPATH
# Text and names of files are UTF-8, whatever the language settings of this machine say.
unexport LC_ALL
export LC_CTYPE := C.UTF-8
export PYTHONUTF8 := 1
# Programs keep files of their own at home. Where nothing can be written there, this is their home.
ifneq ($(shell [ -d "$$HOME" ] && [ -w "$$HOME" ] && echo yes),yes)
export HOME := $(CURDIR)/.cache/home
endif

.DEFAULT_GOAL := help
.PHONY: help set-up run lab test test-fast style refresh sweep bench lock colab translate publish environments gpu try-gpu try-arm release assignment grade formgrader site site-serve site-model

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

set-up: ## make the environment and fetch the data; the other commands do this by themselves
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON) here: install Python 3.9 or newer (package python3)." >&2; exit 1; }
	@$(PYTHON) tools/set_up.py

run: set-up ## run every notebook on the real data; results go to build/run/
	@$(BIN)/python tools/run_course.py

# Programs end with the make that started them, even where it is killed. So where make needs a
# shell, the program takes its place (exec). tools/lab hides the menus that are for instructors.
lab: set-up ## open JupyterLab on the notebooks, for this machine only
	@exec env JUPYTER_CONFIG_PATH="$$PWD/tools/lab" $(BIN)/python tools/$(LAB) --notebook-dir="$${LAB_DIR:-notebooks}" $(LAB_ARGS)

refresh: set-up ## rewrite the outputs of both editions, the pictures and the page of errors (NOTEBOOKS=... for some)
	@$(BIN)/python tools/run_course.py --in-place $(NOTEBOOKS)
	@$(BIN)/python tools/pictures.py
	@$(BIN)/python tools/error_page.py
	@$(BIN)/python tools/translate.py

sweep: set-up ## run the sweeps whose results 01 and 05 to 07 show; over an hour (SWEEPS=... for some)
	@$(BIN)/python tools/sweep.py $(SWEEPS)

bench: set-up ## measure speed, next to d2l and PyTorch; an hour (PARTS=... for some)
	@exec env PYTHONPATH=tools $(BIN)/python -m bench $(PARTS)

# Packed notebooks fetch the data, unless they are to work without a network.
CARRY = $(if $(filter-out 0 no,$(OFFLINE)),--offline)

colab: set-up ## pack the notebooks to work alone, for Colab, in build/colab/ (OFFLINE=1 adds a sample of the data)
	@$(BIN)/python tools/pack_colab.py $(CARRY)

environments: set-up ## run the packed notebooks in Colab's packages and other Pythons; half an hour (IN=... for some)
	@exec env PYTHONPATH=tools $(BIN)/python -m environments $(IN)

gpu: set-up ## install MXNet's build for GPUs, if this machine's GPU can use it (2.4 GB)
	@$(BIN)/python -m utils.setup.bootstrap

try-gpu: set-up ## load that build on a machine without a GPU, with a stub of the driver (2.4 GB)
	@PYTHONPATH=tools $(BIN)/python -m environments.try_gpu

try-arm: set-up ## try the course on an emulated ARM processor, from nothing; an hour (ARM=--short for one step)
	@PYTHONPATH=tools $(BIN)/python -m environments.try_arm $(ARM)

# For authors and teachers; `make release` leaves out what follows.
release: set-up ## write the course as a class gets it, without solutions, in build/release/
	@PYTHONPATH=tools $(BIN)/python coursework/hand_out.py

assignment: set-up ## release ASSIGNMENT=ps1 to students, in build/assignments/, also packed (OFFLINE=1 as for colab)
	@PYTHONPATH=tools $(BIN)/python coursework/release.py "$$ASSIGNMENT" $(CARRY)

grade: set-up ## grade ASSIGNMENT=ps1 FROM=submissions, a folder or a zip (see coursework/README.md)
	@exec $(BIN)/python coursework/grade.py "$$ASSIGNMENT" "$$FROM" $(GRADE_ARGS)

formgrader: set-up ## look at graded submissions and grade by hand, in a browser on this machine
	@PATH="$$PWD/$(BIN):$$PATH" && cd coursework && exec python ../tools/$(LAB) $(LAB_ARGS)

# These two need neither .venv nor the data: what they need is in an environment of their own.
site: ## write the course as web pages, with a search and an EPUB, in build/site/
	@$(PYTHON) tools/make_site.py

site-serve: site ## show these pages on this machine, at http://127.0.0.1:8000 (PORT=... for another port)
	@exec $(PYTHON) tools/serve_site.py $(PORT)

site-model: set-up ## train the networks of the page "Where does it look?"; some minutes
	@$(BIN)/python tools/site_model.py

# Three at a time, each with one thread, since many of them wait; ORDER=random shuffles them.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadgroup \
	$(if $(filter random,$(ORDER)),-p randomly,)

test: set-up style ## check the style, then run all tests, about half an hour
	@$(PYTEST)

test-fast: set-up ## run the tests that need seconds, and nothing beyond this environment
	@$(PYTEST) -m "not slow and not network and not root and not browser"

style: set-up ## check the form of the code, as the commit hooks do
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/codespell
	@$(BIN)/deptry utils notebooks tools coursework tests tests/checks tests/course tests/grader tests/system
	@env PYTHONPATH=coursework $(BIN)/lint-imports --no-cache
	@$(BIN)/pyright
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/tests.yml .github/workflows/pages.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.readthedocs .readthedocs.yaml
	@$(BIN)/check-jsonschema --schemafile tests/system/devcontainer.schema.json .devcontainer/devcontainer.json
	@$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

translate: set-up ## bring the Chinese edition up to date: name the pieces that lack a translation
	@$(BIN)/python tools/translate.py

publish: set-up ## write the published address and badges into the course (REPO=https://github.com/owner/name)
	@$(BIN)/python tools/publish.py $(REPO)

COMPILE = UV_SYSTEM_CERTS=1 UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet \
	--universal --generate-hashes --no-emit-index-url --python-version 3.11
lock: set-up ## rewrite requirements.txt and site/requirements.txt from pyproject.toml
	@$(COMPILE) --group dev --group coursework --output-file requirements.txt pyproject.toml
	@$(COMPILE) --group site --output-file site/requirements.txt
