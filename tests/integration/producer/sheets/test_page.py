"""The page of a sheet in a browser: what it shows, and what it offers."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from examples.embedded import embedded_settings
from stylefarm import Farm, write_sheet
from tests.made_up import made_up

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
# Weight and size have every combination with the pictures; seed goes with size, and the dog has no size of 56.
AXES: dict[str, list[Any]] = {
    "content": ["cat.png", "dog.png"],
    "style": ["waves.png", "night.png"],
    "style_weight": [4, 16],
    "size": [48, 56, 64],
    "seed": [1, 2, 3],
}
CELLS = [
    {"content": content, "style": style, "style_weight": weight, "size": size, "seed": seed}
    for content in AXES["content"]
    for style in AXES["style"]
    for weight in AXES["style_weight"]
    for size, seed in zip(AXES["size"], AXES["seed"], strict=True)
    if (content, size) != ("dog.png", 56)
]
# What is told of the page after each of some steps of its user.
PROBE = """
addEventListener("error", (event) => { document.body.replaceChildren(event.message); });
const findings = [];
function tell() {
  const choosers = [...document.querySelectorAll("#choices label")].filter((label) => label.querySelector("select"));
  findings.push({
    cells: document.querySelectorAll(".cell").length,
    count: document.getElementById("count").textContent,
    heads: [...document.querySelectorAll(".heads .head span")].map((head) => head.textContent),
    offered: Object.fromEntries(choosers.map((label) =>
      [label.firstChild.textContent, [...label.querySelectorAll("option")].map((option) => option.textContent)])),
    controls: [...document.querySelectorAll("#choices > *")].map((part) => part.firstChild.textContent),
    note: document.getElementById("note").textContent,
  });
}
function choose(name, value) {
  const label = [...document.querySelectorAll("#choices label")].find((one) => one.firstChild.textContent === name);
  const select = label.querySelector("select");
  select.value = [...select.options].find((option) => option.textContent === value).value;
  select.dispatchEvent(new Event("change"));
}
tell();
choose("within columns", "none");
tell();
choose("within rows", "none");
tell();
choose("size =", "56");
tell();
"""


def seen(path: Path, folder: Path, script: str) -> list[dict[str, Any]]:
    """What the script has told, which runs when the page is there."""
    page = path.read_text(encoding="utf-8")
    ending = 'document.body.replaceChildren(make("pre", { id: "told" }, JSON.stringify(findings)));'
    path.write_text(page.replace("</body>", f"<script>{script}{ending}</script></body>"), encoding="utf-8")
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--dump-dom"]
    shown = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, check=True, timeout=120).stdout
    found = re.search(r'<pre id="told">(.*?)</pre>', shown, re.DOTALL)
    assert found is not None, shown[-2000:]
    told: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return told


@pytest.mark.skipif(BROWSER is None, reason="the page is looked at in Chromium, which is not here")
def test_what_is_there_is_shown_and_nothing_else_is_offered(tmp_path: Path) -> None:
    """Given five axes, two of which go together, I expect all results, then pages of some, and never an empty one."""
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        sweep = made_up(farm, AXES, cells=CELLS, variants=2)
        (path,) = write_sheet(sweep, tmp_path / "sheet.html", metric="ssim")
    whole, rows_within, plain, one_size = seen(path, tmp_path / "browser", PROBE)
    assert (whole["cells"], whole["count"]) == (len(CELLS), "20 results")
    assert whole["heads"] == ["waves", "night", *["size = 48", "size = 56", "size = 64"] * 2]
    assert "seed =" not in whole["offered"]
    assert len(set(whole["controls"])) == len(whole["controls"])
    assert (rows_within["count"], rows_within["offered"]["size ="]) == ("8 of 20 results", ["48", "56", "64"])
    assert (plain["cells"], plain["count"]) == (4, "4 of 20 results")
    assert (one_size["cells"], one_size["count"]) == (2, "2 of 20 results")  # the dog has no such size
    assert whole["note"].count("snapshot") == 2
