"""Take the pictures of the documentation from a running site with the data of the demo.

    python tests/browser/take_screenshots.py http://127.0.0.1:8000

Signs in as the people of the demo, follows the links there are and writes small PNG files into
``docs/images``. Ada contributes the dataset of the tutorial meanwhile, from the films that the demo
left in ``--study``; that dataset stays on the site. Once the demo is over nothing waits for a
rater, so the pictures of the rating page come from its test:
``AMGS_SCREENSHOTS=docs/images pytest tests/browser/test_rating.py``.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).resolve().parent))

PASSWORD = "grimace-demo"
DESKTOP = {"width": 1280, "height": 1000}
PHONE = {"width": 390, "height": 844}
SHAPES = {"desktop": DESKTOP, "phone": PHONE}
STUDY = ROOT / "var" / "demo" / "study" / "demo" / "phantom-north"
COLOURS = 256


def save(page: Any, path: Path) -> None:
    """Write what the window shows as a PNG with a palette, a third of the size."""
    from PIL import Image

    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3)
    small.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def sign_in(page: Any, email: str) -> None:
    """Sign in through the form."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    page.wait_for_url(lambda address: "/accounts/login" not in address)


def first(page: Any, selector: str) -> str | None:
    """Return where the first link that fits leads, or ``None``."""
    links = page.locator(selector)
    return links.first.get_attribute("href") if links.count() else None


def addresses(pages: dict[str, Any], score: str | None) -> dict[str, tuple[str, str | None]]:
    """Return picture name → (who looks, where), as far as the site has it."""
    curator, maintainer = pages["clara"], pages["max"]
    curator.goto("/datasets/?state=published")
    published = first(curator, "tbody th a")
    maintainer.goto("/models/")
    serving = first(maintainer, "#serving-title a")
    row = maintainer.locator("tbody tr", has_text="negative control").locator("th a")
    refused = row.first.get_attribute("href") if row.count() else None
    maintainer.goto("/training/")
    run = first(maintainer, "tbody th a")
    return {
        "home": ("", "/"),
        "score": ("", "/score/"),
        "result": ("", score),
        "datasets": ("", "/datasets/"),
        "dataset": ("clara", published),
        "version": ("", published),
        "withdraw": ("ada", leaving(pages["ada"])),
        "credit": ("ada", "/credit/"),
        "review-queue": ("clara", "/review/"),
        "review": ("clara", published and published.replace("/datasets/", "/review/")),
        "models": ("", "/models/"),
        "model": ("max", serving),
        "model-beside": ("max", serving and f"{serving}beside"),
        "model-refused": ("max", refused),
        "watch": ("max", "/watch/"),
        "training": ("max", "/training/"),
        "run": ("max", run),
    }


def leaving(page: Any) -> str | None:
    """Return where somebody may withdraw a published version of their lab, or ``None``."""
    page.goto("/datasets/?state=published")
    links = page.locator("tbody th a")
    for where in [link.get_attribute("href") for link in links.all()]:
        page.goto(f"{where}leave/withdraw")
        if page.get_by_label("I have read what follows").count():
            return f"{where}leave/withdraw"
    return None


def walk(desktop: Any, phone: Any, study: Any, out: Path) -> str:
    """Contribute a study on the desktop and take each step of it in both shapes."""
    from contributor_walk import contribute

    def keep(name: str) -> None:
        desktop.wait_for_load_state("networkidle")
        save(desktop, out / f"{name}-desktop.png")
        phone.goto(desktop.url)
        phone.wait_for_load_state("networkidle")
        save(phone, out / f"{name}-phone.png")

    return contribute(desktop, study, keep)


def main() -> None:
    """Take every picture that the site has something for."""
    from contributor_walk import of_the_demo
    from playwright.sync_api import sync_playwright

    from deploy.local_stack import browser as program

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", nargs="?", default="http://127.0.0.1:8000")
    parser.add_argument("--score", help="path of a result, such as /score/TOKEN/")
    parser.add_argument("--study", type=Path, default=STUDY, help="a lab's folder of the demo")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(program.find()), args=list(program.FLAGS)
        )
        shapes: dict[str, dict[str, Any]] = {}
        for shape, viewport in SHAPES.items():
            pages = shapes[shape] = {}
            for name in ("", "ada", "clara", "max"):
                pages[name] = browser.new_context(base_url=given.site, viewport=viewport).new_page()
                if name:
                    sign_in(pages[name], f"{name}@demo.example")
        for shape, pages in shapes.items():
            take(pages, shape, given.score, given.out)
        if given.study.is_dir():
            walk(*(pages["ada"] for pages in shapes.values()), of_the_demo(given.study), given.out)
        else:
            print(f"{given.study}: not there, so nothing is contributed")
        browser.close()


def take(pages: dict[str, Any], shape: str, score: str | None, out: Path) -> None:
    """Take what is to be seen without changing anything, in one shape."""
    for name, (who, where) in addresses(pages, score).items():
        if where is None:
            print(f"{name}: the site has nothing to show")
            continue
        pages[who].goto(where)
        pages[who].wait_for_load_state("networkidle")
        save(pages[who], out / f"{name}-{shape}.png")


if __name__ == "__main__":
    main()
