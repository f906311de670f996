"""The page of a build: whole, self-contained, what the build is; and drawn by
a browser, where there is one (scripts/setup.sh check installs it)."""

import html.parser
import json
import re
import shutil
import subprocess

import pytest

from test_cli import LINEAR, output

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DIGITS = ("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
          "abcdefghijklmnopqrstuvwxyz-_")


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.scripts, self.links, self.title = [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href")]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] == "title":
            self.title += data


@pytest.fixture(scope="module")
def page(stories, work, command):
    path = work / "report.html"
    command("report", stories[2], "--html", path)
    return path


def data_of(path):
    return json.loads(Page(path.read_text()).scripts[0])


def test_page_needs_nothing_else(page):
    p = Page(page.read_text())
    assert len(p.scripts) == 2 and p.title.endswith("StreamTensor")
    assert all(link.startswith("#") for link in p.links)
    outside = re.findall(r"https?://[^\"' ]+", p.scripts[1])
    assert set(outside) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(fetch|import|XMLHttpRequest)\b\s*\(", p.scripts[1])


def test_page_is_the_build(page, stories, command):
    data = data_of(page)
    assert data["report"] == output(command, "report", stories[2])
    kinds = [n["kind"] for n in data["nodes"]]
    assert kinds.count("kernel") == len(data["report"]["kernels"])
    assert kinds.count("converter") == len(data["report"]["converters"])
    assert len(data["step"]["edges"]) == len(data["report"]["streams"])
    assert data["certificate"]["ok"]
    assert data["certificate"]["text"] == command("check", stories[2]).stdout
    layers = {n.get("repeat") for n in data["nodes"] if n["kind"] == "kernel"}
    assert layers == {None, 5}
    for kernel in (n for n in data["nodes"] if n["kind"] == "kernel"):
        assert kernel["label"] and "a beat" in kernel["schedule"]
        assert re.search(r"\.py:\d+$", kernel["place"])


def test_time_of_a_token(page, stories, command):
    """The step is the one that generate reports, and its cycles add up."""
    step = data_of(page)["step"]
    assert (step["P"], step["T"]) == (256, 1)
    tokens = ",".join(["1"] * 256)
    run = output(command, "generate", stories[2], "--tokens", tokens, "-n", 2,
                 "--timing-only")
    assert step["cycles"] == run["cycles"][-1]
    moved = sum(c["read"] + c["written"] for c in step["channels"])
    assert moved == run["hbm_bytes"][-1]
    nodes = {n["id"]: n for n in data_of(page)["nodes"]}
    for p in step["processes"]:
        for key in ("busy", "input", "output"):
            assert len(p[key]) == step["bins"]
        ii = nodes[p["node"]]["ii"] or 1
        busy = sum(DIGITS.index(c) for c in p["busy"]) / 63 * step["per_bin"]
        error = step["bins"] * step["per_bin"] / 63
        assert abs(busy - p["beats"] * ii) <= error
        if p["beats"]:
            waits = p["wait_input"] + p["wait_output"]
            assert p["last"] == (p["beats"] - 1) * ii + waits


def test_a_module_and_names_with_markup(work, command):
    """Anything in a name stays text."""
    name = "</script><b>&"
    source = LINEAR.replace("torch.nn.Linear(8, 8)", "Two()").replace(
        "def make", f"""
class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_parameter({name.replace('/', '')!r},
                                torch.nn.Parameter(torch.ones(8)))

    def forward(self, x):
        return x * getattr(self, {name.replace('/', '')!r})

def make""")
    (work / "two.py").write_text(source)
    command("export", f"{work}/two.py:make", "-o", work / "two.pkg")
    command("compile", work / "two.pkg", "-o", work / "two.build", "-t",
            "ecp5-85f")
    command("report", work / "two.build", "--html", work / "two.html")
    data = data_of(work / "two.html")
    assert name.replace("/", "") in {n["name"] for n in data["nodes"]}
    assert data["step"]["cycles"] > 0


def test_usage_and_failures(stories, work, command):
    build = stories[2]
    p = command("report", build, "--json", "--html", work / "x", status=2)
    assert "not both" in p.stderr
    p = command("report", build, "--html", work / "no" / "x.html", status=1)
    assert "No such file" in p.stderr
    assert not list(work.glob("x*"))
    broken = work / "broken"
    shutil.copytree(build, broken)
    (broken / "certificate.txt").write_text("certificate 1\n")
    command("report", broken, "--html", work / "broken.html")
    assert not data_of(work / "broken.html")["certificate"]["ok"]


def drawn(path, place=""):
    """The page's elements after its program has run without a complaint."""
    p = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu",
         "--enable-logging=stderr", "--window-size=1400,1000", "--dump-dom",
         f"file://{path}{place}"], capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in p.stderr, p.stderr
    return p.stdout


if BROWSER:
    @pytest.mark.parametrize("name", ["report", "two"])
    def test_browser_draws_it(page, work, name):
        path = work / f"{name}.html"
        dom, data = drawn(path), data_of(path)
        assert "NaN" not in dom.split("</main>")[0]
        boxes = re.findall(
            r'class="node[^"]*" transform="translate\(([\d.]+) ([\d.]+)\)">'
            r'<rect [^>]*width="(\d+)" height="(\d+)"', dom)
        forks = sum(n["kind"] == "fork" for n in data["nodes"])
        assert int(re.search(r'data-drawn="(\d+)"', dom)[1]) == \
            len(boxes) + forks >= len(data["nodes"])
        assert dom.count('class="edge') == len(data["step"]["edges"])
        places = [tuple(map(float, b)) for b in boxes]
        for i, (x, y, w, h) in enumerate(places):
            for a, b, c, d in places[:i]:
                assert abs(x - a) >= (w + c) / 2 or abs(y - b) >= (h + d) / 2
        assert dom.count("<tr data-op=") == len(data["nodes"])
        assert "Checked: no FIFO overflows" in dom

    def test_browser_shows_an_op(page):
        nodes = data_of(page)["nodes"]
        kernel = next(n for n in nodes if n["kind"] == "kernel" and
                      n.get("repeat"))
        dom = drawn(page, f"#op={kernel['id']}")
        detail = re.search(r'<aside id="detail">(.*?)</aside>', dom, re.S)[1]
        text = html.unescape(re.sub(r"<[^>]*>", "", detail))
        assert f"#{kernel['id']} kernel: {kernel['label']}" in text
        assert kernel["schedule"] in text and kernel["text"] in text
        assert text.count(f"layers{kernel['repeat']}") == 1
        assert dom.count('class="node chosen"') == 1
