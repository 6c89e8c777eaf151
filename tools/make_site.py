"""Write the pages, build/site/: the course for a browser, searchable, and as an EPUB.

    python tools/make_site.py

It needs Python 3.9 or newer and none of the course's packages: Sphinx and what else
site/requirements.txt locks are installed into build/site-environment. No notebook is executed.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import editions
import set_up
from utils.setup import packages, remedies

ROOT = set_up.ROOT
SITE = ROOT / "site"
LOCK = SITE / "requirements.txt"
ENVIRONMENT = ROOT / "build" / "site-environment"
OUTPUT = ROOT / "build" / "site"
SHARED = {"notebooks/images": "notebooks/images", "pages": "site/pages"}  # by all languages
NO_PAGES = shutil.ignore_patterns("checkpoints", ".ipynb_checkpoints")
EPUB = "residual-networks.epub"


def environment() -> Path:
    """Return the Python that has Sphinx; its environment is made where it is not ready."""
    stamp, wanted = ENVIRONMENT / "stamp", set_up.stamp(LOCK, ENVIRONMENT)
    with set_up.alone() as lock:
        if not (stamp.exists() and stamp.read_bytes() == wanted):
            stamp.unlink(missing_ok=True)
            set_up.install(LOCK, ENVIRONMENT, "95 MB", lock)
            stamp.write_bytes(wanted)
    return ENVIRONMENT / "bin" / "python"


def gather(language: str, folder: Path) -> None:
    """Put what becomes the pages of a language into a new folder, under the pages' names."""
    folder.mkdir(parents=True)
    for name, source in {**editions.FILES[language], **SHARED}.items():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / name, ignore=NO_PAGES, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / source, folder / name)
    with (folder / "index.md").open("a", encoding="utf-8") as home:
        home.write((SITE / "contents.md").read_text("utf-8"))


def sphinx(python: Path, builder: str, language: str, folder: Path, output: Path) -> None:
    """Let Sphinx turn a folder of gathered pages into HTML or an EPUB; a warning is an error."""
    doctrees = folder.with_name(f"{language}-{builder}")
    options = ["-b", builder, "-c", SITE, "-d", doctrees]
    packages.run_or_explain(
        [python, "-m", "sphinx", "-q", "-W", "--keep-going", *options, folder, output],
        "The pages could not be made. Sphinx says above which page has which fault.",
        {**os.environ, "SITE_LANGUAGE": language, "SITE_BUILDER": builder},
    )


def make(output: Path, work: Path) -> None:
    """Write the pages to `output`, a new folder; `work` is an empty one for what lies in between.

    Raises InstallError where a package cannot be installed or a page has a fault.
    """
    python = environment()
    for language in editions.FILES:
        sources = work / "sources" / language
        gather(language, sources)
        # Sphinx puts folders of its own beside what it makes.
        for builder in ("html", "epub"):
            sphinx(python, builder, language, sources, work / builder / language)
        shutil.move(work / "html" / language, output / language)
        for macros in (output / language / "_static").glob("*macros.html"):
            macros.unlink()  # parts of the theme, and no pages
        shutil.copy(work / "epub" / language / EPUB, output / language)
    shutil.copy(SITE / "index.html", output)
    (output / ".nojekyll").touch()  # GitHub Pages would leave out folders such as _static
    failure = "The pages could not be indexed for the search."
    packages.run_or_explain([python, SITE / "search_index.py", output], failure)


def main() -> None:
    start = time.monotonic()
    work, made = OUTPUT.with_name("site-work"), OUTPUT.with_name("site-made")
    try:
        for folder in (work, made):
            shutil.rmtree(folder, ignore_errors=True)
        make(made, work)
        shutil.rmtree(OUTPUT, ignore_errors=True)
        made.rename(OUTPUT)
    except packages.InstallError as error:
        sys.exit(str(error))
    size = sum(path.stat().st_size for path in OUTPUT.rglob("*") if path.is_file())
    print(
        f"{OUTPUT.relative_to(ROOT)}  the pages: {size / 1e6:.0f} MB, made in "
        f"{time.monotonic() - start:.0f} s. `make site-serve` shows them."
    )


if __name__ == "__main__":
    with remedies.explained():
        main()
