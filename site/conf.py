"""The settings of Sphinx, which turns the gathered pages of one language into HTML or an EPUB.

`tools/make_site.py` gathers them and calls Sphinx. No notebook is executed: what the pages show are
the outputs with which the notebooks are committed.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent / "tools")]

import published  # noqa: E402

TITLES = {"en": "Residual networks, by hand"}

language = os.environ["SITE_LANGUAGE"]
project = html_title = epub_title = TITLES[language]
author = epub_author = epub_publisher = "The residual networks course authors"
copyright = f'{author}. Text and figures <a href="https://creativecommons.org/licenses/by/4.0/">CC BY 4.0</a>, code MIT'  # noqa: E501
version = release = ""

extensions = ["myst_nb", "sphinx_copybutton", "course"]
templates_path = ["templates"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # they would come from other hosts
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
myst_heading_anchors = 6  # the names that GitHub gives to headings

html_theme = "sphinx_book_theme"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_favicon = "static/icon.svg"
html_copy_source = True  # the download of a notebook
html_scaled_image_link = False
html_show_sphinx = False
html_use_index = html_domain_indices = False
html_theme_options = {
    "use_download_button": True,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # the search is in the sidebar
    "navigation_with_keys": False,
    "show_toc_level": 2,
}
if address := published.address():
    html_theme_options |= {
        "repository_url": address,
        "repository_branch": "main",
        "use_repository_button": True,
        "launch_buttons": {
            "colab_url": "https://colab.research.google.com",
            "binderhub_url": "https://mybinder.org",
            "notebook_interface": "jupyterlab",
        },
    }

epub_basename = "residual-networks"
epub_description = "Residual networks, built, verified and trained by hand"
epub_show_urls = "no"
epub_use_index = False
epub_exclude_files = [".nojekyll"]
