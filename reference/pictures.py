"""Draw the pictures of docs/see-inside.md anew, in a headless Chromium: python reference/pictures.py

Needs the extra `browser`, chromium and chromedriver (Debian: apt install chromium chromium-driver).
"""

import os
import runpy
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SIZE, SCALE = (1280, 640), 1.5


def browser() -> webdriver.Chrome:
    """A Chromium without a window."""
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def main(images: Path = IMAGES) -> None:
    """The page of example 06, at the step of tanh."""
    images = images.resolve()
    os.chdir(ROOT)  # pages name files as they are seen from here
    sys.path.insert(0, str(ROOT / "examples"))  # where common.py is
    inside = runpy.run_path(str(ROOT / "examples" / "06_inside.py"))
    with TemporaryDirectory() as scratch:
        page = Path(scratch) / "inside.html"
        inside["main"](["--quick", f"--out={page}"])
        chrome = browser()
        try:
            metrics = {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": SCALE, "mobile": False}
            chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            chrome.get(page.as_uri())
            chrome.execute_script("go(steps.findIndex((step) => boxes[step.box].label === 'tanh') + 1); fit()")
            chrome.execute_async_script("setTimeout(arguments[0], 500)")  # until what moves has arrived
            images.mkdir(parents=True, exist_ok=True)
            chrome.save_screenshot(str(images / "inside.png"))
        finally:
            chrome.quit()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
