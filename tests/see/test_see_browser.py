"""The page in a browser: Debian's Chromium, headless, driven by selenium. It asks nothing of any network."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lucid
from lucid import nn
from lucid.see.drawing import page
from lucid.see.layout import arrange, assign_coordinates
from lucid.see.picture import LIMIT, Picture, initially_folded

pytestmark = pytest.mark.browser

Chrome = Any


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1400,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def shown(chrome: Chrome, path: Path) -> None:
    """Open a page, and see that it asked for nothing else and had nothing to complain of."""
    chrome.get_log("browser"), chrome.get_log("performance")
    chrome.get(path.as_uri())
    told = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    asked = [
        message["params"]["request"]["url"] for message in told if message["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    quiet(chrome)


def quiet(chrome: Chrome) -> None:
    assert chrome.get_log("browser") == []


def press(chrome: Chrome, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(chrome).send_keys(*keys).perform()


def text(chrome: Chrome, selector: str) -> str:
    return str(chrome.execute_script("return document.querySelector(arguments[0]).textContent", selector))


class Net(nn.Module):
    def __init__(self) -> None:
        self.layers = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x: lucid.Tensor) -> lucid.Tensor:
        return self.layers(x)


@pytest.fixture
def net(tmp_path: Path) -> tuple[Net, lucid.Tensor, Path]:
    model, x, y = Net(), lucid.randn(5, 2), lucid.randn(5, 1)
    with lucid.see.track_provenance():
        loss = nn.functional.mse_loss(model(x), y)
    page(loss, tmp_path / "net.html", model=model)
    return model, loss, tmp_path / "net.html"


def test_it_steps_through_to_the_gradients_of_backward(chrome: Chrome, net: tuple[Net, lucid.Tensor, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    model, loss, path = net
    shown(chrome, path)
    steps = chrome.execute_script("return steps.length")
    assert steps == 4 and text(chrome, "#status").startswith("Ready: 4 steps")
    for number in range(1, steps + 1):
        press(chrome, Keys.ARROW_RIGHT)
        assert text(chrome, "#status").startswith(f"Step {number} of 4: ")
    loss.backward()
    for name, parameter in model.named_parameters():
        found = chrome.execute_script(
            "const i = boxes.findIndex((box) => box.name === arguments[0]); return gradient(i).full", name
        )
        assert lucid.tensor(found).reshape(parameter.shape).tolist() == parameter.grad.tolist(), name  # to the last bit
    press(chrome, Keys.HOME)
    assert chrome.execute_script("return boxes.map((_, i) => gradient(i)).filter(Boolean).length") == 1  # the seed
    quiet(chrome)


def test_back_end_play_and_the_slider(chrome: Chrome, net: tuple[Net, lucid.Tensor, Path]) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    shown(chrome, net[2])
    at = "return at"
    press(chrome, Keys.END)
    assert chrome.execute_script(at) == 4
    press(chrome, Keys.ARROW_LEFT)
    assert chrome.execute_script(at) == 3
    chrome.find_element("id", "back").click()
    assert chrome.execute_script(at) == 2
    chrome.execute_script("const s = by('at'); s.value = 1; s.dispatchEvent(new Event('input'))")
    assert chrome.execute_script(at) == 1
    chrome.execute_script("by('speed').value = '4'")
    chrome.find_element("id", "play").click()
    WebDriverWait(chrome, 5).until(lambda _: chrome.execute_script(at) == 4)
    assert text(chrome, "#play") == "▶ Play"  # and stops at the end
    quiet(chrome)


def test_the_chain_rule_has_its_numbers(chrome: Chrome, tmp_path: Path) -> None:
    x = lucid.tensor(0.5, requires_grad=True)
    out = (x * 2).tanh()
    page(out, tmp_path / "tanh.html")
    shown(chrome, tmp_path / "tanh.html")
    chrome.find_element("id", "next").click()
    panel = text(chrome, "#panel")
    assert "g · (1 − out²)" in panel and "= 1 · (1 − 0.7616²)" in panel and "= 0.42" in panel
    source = "return document.querySelector('#panel .math > pre').checkVisibility()"
    assert not chrome.execute_script(source)
    chrome.find_element("css selector", "#panel .math > summary").click()
    assert chrome.execute_script(source) and text(chrome, "#panel .math > pre") == "g * (1 - out * out)"
    assert chrome.execute_script("return document.querySelectorAll('.edge.flow').length") == 1
    assert "with lucid.see.track_provenance()" in panel  # how to see the line, where it is not known
    label = chrome.execute_script("return document.querySelector('.box.current').getAttribute('aria-label')")
    assert label == "Operation tanh named out, value 0.7616, gradient 1"


def test_modules_fold_and_unfold_by_key_and_by_mouse(chrome: Chrome, net: tuple[Net, lucid.Tensor, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    shown(chrome, net[2])
    count = "return document.querySelectorAll('.box').length"
    press(chrome, "u")
    whole = chrome.execute_script(count)
    frame = next(f for f in chrome.find_elements("css selector", ".frame") if "0 · Linear" in f.text)
    chrome.execute_script("arguments[0].focus()", frame)
    press(chrome, Keys.ENTER)
    assert chrome.execute_script(count) == whole - 3  # four boxes became one
    focused = chrome.switch_to.active_element
    assert focused.get_attribute("aria-expanded") == "false" and "layers.0" in focused.get_attribute("aria-label")
    press(chrome, Keys.ENTER)
    assert chrome.execute_script(count) == whole
    chrome.find_element("id", "fold").click()
    assert chrome.execute_script(count) == 3  # the module, the targets and the loss
    press(chrome, Keys.END)  # the pass runs in there, too
    assert chrome.execute_script("return document.querySelector('.box.current').classList.contains('folded')")
    chrome.find_element("id", "unfold").click()
    assert chrome.execute_script(count) == whole
    quiet(chrome)


def test_search_finds_marks_and_unfolds(chrome: Chrome, net: tuple[Net, lucid.Tensor, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    shown(chrome, net[2])
    chrome.find_element("id", "fold").click()
    press(chrome, "/")
    press(chrome, "2.weight")
    assert text(chrome, "#found") == "1 found"
    press(chrome, Keys.ENTER)
    assert chrome.execute_script("return document.querySelector('.box.match .title').textContent") == "weight"
    assert chrome.execute_script("return document.querySelector('.box.match title').textContent") == "layers.2.weight"
    assert text(chrome, "#panel h2") == "layers.2.weight"
    press(chrome, Keys.ESCAPE)
    assert text(chrome, "#found") == "" and chrome.execute_script("return at") == 0
    quiet(chrome)


def test_every_box_and_control_can_be_reached_and_has_a_name(
    chrome: Chrome, net: tuple[Net, lucid.Tensor, Path]
) -> None:
    from selenium.webdriver.common.keys import Keys

    shown(chrome, net[2])
    nameless = """return [...document.querySelectorAll("button, input, select, .box, .frame, #panel")].filter(
        (e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.closest("label")?.textContent.trim())
        ).map((e) => e.outerHTML)"""
    assert chrome.execute_script(nameless) == []
    reached = set()
    for _ in range(60):
        press(chrome, Keys.TAB)
        reached.add(chrome.execute_script("return document.activeElement.dataset.key ?? document.activeElement.id"))
    boxes = set(chrome.execute_script("return [...document.querySelectorAll('[data-key]')].map((e) => e.dataset.key)"))
    assert boxes <= reached and {"play", "at", "search", "panel"} <= reached


def test_hostile_names_are_only_text(chrome: Chrome, tmp_path: Path) -> None:
    evil = "</script><script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>\"'&\u2028"
    w = lucid.tensor(2.0, requires_grad=True)
    page(w * 3, tmp_path / "evil.html", names={evil: w}, title=evil)
    shown(chrome, tmp_path / "evil.html")
    assert chrome.execute_script(
        "return [window.hurt ?? null, boxes.some((box) => box.name === arguments[0])]", evil
    ) == [None, True]
    assert chrome.title.split() == evil.replace("\u2028", " ").split()
    assert chrome.execute_script("return document.images.length") == 0


def test_nan_and_infinity_are_shown(chrome: Chrome, tmp_path: Path) -> None:
    x = lucid.tensor([math.nan, math.inf, -math.inf, 1.0], requires_grad=True)
    big = lucid.full((50, 50), math.nan, requires_grad=True)
    with lucid.see.track_provenance():
        loss = (x * 2).sum() + (big * 1).sum()
    page(loss, tmp_path / "nan.html")
    shown(chrome, tmp_path / "nan.html")
    chrome.execute_script("select('b' + boxes.findIndex((box) => box.name === 'x'))")
    assert "naninf-inf1" in text(chrome, "#panel table") and "1 NaN · 2 infinite" in text(chrome, "#panel")
    chrome.execute_script("select('b' + boxes.findIndex((box) => box.name === 'big'))")
    assert "2500 NaN" in text(chrome, "#panel")
    quiet(chrome)


class Encoder(nn.Module):
    def __init__(self) -> None:
        self.words, self.head = nn.Embedding(12, 16), nn.Linear(16, 12)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 6)

    def forward(self, ids: lucid.Tensor) -> lucid.Tensor:
        return self.head(self.encoder(self.words(ids)))


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    model, ids = Encoder(), lucid.randint(0, 12, (4, 11))
    with lucid.see.track_provenance():
        loss = nn.functional.cross_entropy(model(ids).reshape(-1, 12), ids.reshape(-1))
    page(loss, tmp_path / "encoder.html", model=model, links={"home": "index.html", "<next>": 'a"b.html'})
    return tmp_path / "encoder.html"


WITHIN = """const stage = by("stage").getBoundingClientRect();
    return [...document.querySelectorAll(".box > rect.body, .frame > rect")].every((each) => {
        const r = each.getBoundingClientRect();
        return r.left >= stage.left && r.right <= stage.right && r.top >= stage.top && r.bottom <= stage.bottom; })"""


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (390, 844)])
def test_it_opens_at_the_depth_that_fits_and_fit_fits(chrome: Chrome, encoder: Path, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        shown(chrome, encoder)
        boxes = "return document.querySelectorAll('.box').length"
        assert chrome.execute_script(WITHIN) and chrome.execute_script("return view.k >= READABLE")
        opened, seen = chrome.execute_script("return by('depth').value"), chrome.execute_script(boxes)
        assert opened == ("1" if width == 1400 else "0") and 3 < seen < 20
        for depth in range(chrome.execute_script("return deepest + 1")):
            press(chrome, str(depth))
            assert chrome.execute_script("return [by('depth').value, view.k > 0]") == [str(depth), True]
            assert chrome.execute_script(WITHIN), depth
        assert chrome.execute_script(boxes) > 250  # all of it
        chrome.execute_script("look({ x: -500, y: 99, k: 2 })")
        assert not chrome.execute_script(WITHIN)
        chrome.find_element("id", "fit").click()
        assert chrome.execute_script(WITHIN)
        quiet(chrome)
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_pass_is_seen_inside_of_folded_boxes(chrome: Chrome, encoder: Path) -> None:
    shown(chrome, encoder)
    press(chrome, "0")
    folded = "document.querySelector('.box.folded')"
    assert chrome.execute_script(f"return {folded}.querySelector('.value').textContent").endswith(" operations")
    chrome.execute_script("go(60)")
    said = chrome.execute_script(f"return {folded}.querySelector('.value').textContent")
    n = chrome.execute_script("return inside[1].length")
    assert said.startswith(f"58 of {n}: ")  # the first two are those of the loss
    assert chrome.execute_script(f"return {folded}.querySelectorAll('.inside.flow').length") == 1
    chrome.execute_script("go(steps.length)")
    assert chrome.execute_script(f"return {folded}.querySelector('.value').textContent").startswith(f"{n} of {n}: ")
    quiet(chrome)


def test_names_are_short_and_whole_on_hover_and_pages_are_linked(chrome: Chrome, encoder: Path) -> None:
    shown(chrome, encoder)
    press(chrome, "2")
    names = """return [...document.querySelectorAll(".box.folded")].map(
        (each) => [each.querySelector(".title").textContent, each.querySelector("title").textContent])"""
    short_and_whole = ["▸ layers.3 · TransformerEncoderLayer", "encoder.layers.3 · TransformerEncoderLayer"]
    assert short_and_whole in chrome.execute_script(names)
    links = "return [...document.querySelectorAll('#links a')].map((a) => [a.textContent, a.getAttribute('href')])"
    assert chrome.execute_script(links) == [["home", "index.html"], ["<next>", 'a"b.html']]


def test_both_edges_of_a_square_are_drawn_and_both_flow(chrome: Chrome, tmp_path: Path) -> None:
    a = lucid.tensor(3.0, requires_grad=True)
    page(a * a, tmp_path / "square.html")
    shown(chrome, tmp_path / "square.html")
    assert chrome.execute_script("return document.querySelectorAll('#edges .edge').length") == 2
    chrome.find_element("id", "next").click()
    assert chrome.execute_script("return document.querySelectorAll('#edges .flow').length") == 2


def test_light_and_dark(chrome: Chrome, net: tuple[Net, lucid.Tensor, Path]) -> None:
    colour = "return getComputedStyle(document.body).backgroundColor"
    shown(chrome, net[2])
    light = chrome.execute_script(colour)
    chrome.find_element("id", "theme").click()
    assert chrome.execute_script(colour) != light
    try:
        feature = {"name": "prefers-color-scheme", "value": "dark"}
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        shown(chrome, net[2])
        assert chrome.execute_script(colour) != light
    finally:
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


class Residual(nn.Module):
    def __init__(self) -> None:
        self.inner = [nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)) for _ in range(3)]

    def forward(self, x: lucid.Tensor) -> lucid.Tensor:
        first = x = x * x
        for inner in self.inner:
            x = x + inner(x) * first
        return x.sum()


@pytest.mark.parametrize("fold", [False, True])
def test_the_page_places_boxes_as_python_does(chrome: Chrome, tmp_path: Path, fold: bool) -> None:
    model = Residual()
    with lucid.see.track_provenance():
        loss = model(lucid.ones(1, 2, requires_grad=True))
    page(loss, tmp_path / "page.html", model=model)
    shown(chrome, tmp_path / "page.html")
    picture = Picture(loss, model, None, LIMIT, None)
    folded = [g.number for g in picture.groups if g.label.startswith("inner.1")][:1] if fold else []
    chrome.execute_script("folded.clear(); arguments[0].forEach((g) => folded.add(g)); draw()", folded)
    expected = assign_coordinates(picture, found := arrange(picture), folded).rectangles
    assert any(key[0] == "d" for inside in found.inside for layer in inside.layers for key in layer)  # lines that bend
    seen = chrome.execute_script("return seen")
    ends = [line and [line[0][1], line[-1][1]] for line in assign_coordinates(picture, found, folded).lines]
    found = chrome.execute_script("return lines.map((x) => x && x.getAttribute('d').match(/[-0-9.]+/g).map(Number))")
    assert [[way[1], way[-1]] for way, line in zip(found, ends, strict=True) if line] == [
        pytest.approx(line) for line in ends if line
    ]
    assert seen.keys() == expected.keys()
    assert all(seen[key] == pytest.approx(expected[key]) for key in expected)


def test_thousands_of_operations_come_folded_and_are_quick(chrome: Chrome, tmp_path: Path) -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            self.blocks = [nn.Sequential(nn.Linear(2, 2), nn.Tanh()) for _ in range(700)]

        def forward(self, x: lucid.Tensor) -> lucid.Tensor:
            for block in self.blocks:
                x = block(x) + x
            return x.sum()

    with lucid.see.track_provenance():
        loss = Deep()(lucid.ones(1, 2))
    made = Picture(loss, None, None, LIMIT, None)
    assert len(initially_folded(made)) > 600
    page(loss, tmp_path / "deep.html")
    shown(chrome, tmp_path / "deep.html")
    assert chrome.execute_script("return document.querySelectorAll('.box').length") < 100
    took = chrome.execute_script("const start = performance.now(); go(1200); return performance.now() - start")
    assert took < 1000 and chrome.execute_script("return at") == 1200
    quiet(chrome)


def test_the_pictures_of_the_documents_are_made_by_their_script(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "reference" / "pictures.py"
    subprocess.run([sys.executable, script, tmp_path / "images"], check=True, capture_output=True)
    assert (tmp_path / "images" / "inside.png").read_bytes().startswith(b"\x89PNG")
