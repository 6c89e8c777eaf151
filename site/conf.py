"""The settings of Sphinx, which turns the gathered pages of one language into HTML or an EPUB.

`tools/make_site.py` gathers them and calls Sphinx. No notebook is executed: what the pages show are
the outputs with which the notebooks are committed.
"""

import os
import sys
from pathlib import Path

import tomllib

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent / "tools")]

import published  # noqa: E402

# What the pages say themselves, in each language.
WORDS = {
    "en": {
        "title": "Residual networks, by hand",
        "search": "Search the course",
        "hint": "Type some words, for example of an error message.",
        "one": "One page has these words.",
        "several": "{count} pages have these words.",
        "none": "No page has these words: {words}",
        "no_server": "The search needs a web server. In the folder of the course, type "
        "“make site-serve”.",
        "epub": "The course as an e-book (EPUB)",
        "on_this_page": "On this page",
        "license": "Text and figures: CC BY 4.0. Code: MIT license.",
        "description": "Residual networks, built, verified and trained by hand",
        "captions": {},
        "other": {"edition": "zh", "language": "zh-CN", "name": "中文"},
    },
    "zh": {
        "title": "动手做残差网络",
        "search": "搜索课程",
        "hint": "输入几个词，例如错误信息里的词。",
        "one": "有一页包含这些词。",
        "several": "有{count}页包含这些词。",
        "none": "没有哪一页包含这些词：{words}",
        "no_server": "搜索需要网页服务器。请在课程的文件夹里输入“make site-serve”。",
        "epub": "课程的电子书（EPUB）",
        "on_this_page": "本页内容",
        "license": "文字与图：CC BY 4.0。代码：MIT许可证。",
        "description": "动手搭建、检查和训练残差网络",
        "captions": {"Try it": "试一试", "The notebooks": "笔记本", "More": "更多"},
        "other": {"edition": "en", "language": "en", "name": "English"},
    },
}

edition = os.environ["SITE_LANGUAGE"]
language = {"en": "en", "zh": "zh_CN"}[edition]
is_book = os.environ["SITE_BUILDER"] == "epub"
words = WORDS[edition]
project = html_title = epub_title = words["title"]
author = epub_author = epub_publisher = epub_contributor = "The residual networks course authors"
project_file = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))
version = release = project_file["project"]["version"]

extensions = ["myst_nb", "course", "receptive_field", *([] if is_book else ["sphinx_copybutton"])]
templates_path = [] if is_book else ["components"]  # as the folder of the theme is called
exclude_patterns = ["pages/*"] if is_book else []  # they take a browser
suppress_warnings = ["toc.excluded"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # they would come from other hosts
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
myst_heading_anchors = 6  # the names that GitHub gives to headings

html_theme = "sphinx_book_theme"
html_static_path = ["book" if is_book else "static"]
html_css_files = [] if is_book else ["pages.css"]
html_js_files = [] if is_book else [("search.js", {"type": "module"})]
html_context = {
    "words": words,
    "edition": edition,
    "book": "residual-networks.epub",
    "default_mode": "auto",
}
html_sidebars = {
    "**": ["navbar-logo", "icon-links", "search-button-field", "sbt-sidebar-nav", "book"]
}
html_favicon = "static/icon.svg"
html_copy_source = True  # the download of a notebook
html_scaled_image_link = False
html_show_sphinx = False
html_use_index = html_domain_indices = False
html_theme_options = {
    "toc_title": words["on_this_page"],
    "article_header_end": ["edition", "article-header-buttons"],
    "footer_content_items": ["extra-footer"],
    "extra_footer": words["license"],
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

epub_language = language.replace("_", "-")
epub_basename = "residual-networks"
epub_description = words["description"]
epub_copyright = words["license"]
epub_css_files = ["book.css"]
epub_show_urls = "no"
epub_tocscope = "includehidden"  # the contents, which are hidden on the home page
epub_tocdepth = 2
epub_uid = "course"
epub_identifier = published.address() or "residual-networks-course"
epub_use_index = False
epub_exclude_files = [".nojekyll"]
