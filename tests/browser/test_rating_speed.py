"""From the key that commits a frame to the next one painted, with many frames waiting.

``AMGS_RATING_FRAMES`` says how many wait and ``AMGS_RATING_PRESSES`` how many are committed;
``make bench`` asks for 2,000 and 200 and reads what ``AMGS_RATING_TOLD`` names.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

FRAMES = int(os.environ.get("AMGS_RATING_FRAMES", "60"))
PRESSES = int(os.environ.get("AMGS_RATING_PRESSES", "6"))
TOLD = os.environ.get("AMGS_RATING_TOLD", "")

# A message that is sent in the last step before painting arrives after the paint.
WATCH = """
() => {
  window.took = [];
  let pressed = null;
  const note = (event) => { if (event.key === "Enter") pressed = event.timeStamp; };
  addEventListener("keydown", note, true);
  document.getElementById("still").addEventListener("load", () => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      if (pressed !== null) window.took.push(performance.now() - pressed);
      pressed = null;
    };
    port2.postMessage(null);
  }));
}
"""


def fill(frames: int) -> None:
    """Put so many frames before the raters: copies of those that are there, each with a task."""
    from amgs.repository.models import Frame
    from amgs.review.models import Task

    chance = random.Random(1)
    known = list(Task.objects.filter(kind="units").select_related("frame"))
    copies = []
    for number in range(max(0, frames - len(known))):
        old = known[number % len(known)].frame
        copies.append(
            Frame(
                recording_id=old.recording_id, number=10_000 + number, pts=10**6 + number,
                tb_num=old.tb_num, tb_den=old.tb_den, time_s=10.0 + number, drawn=True,
                still_key=old.still_key,
            )
        )  # fmt: skip
    made = Frame.objects.bulk_create(copies, batch_size=500)
    Task.objects.bulk_create(
        [
            Task(
                frame=frame, lab_id=known[0].lab_id, dataset_id=known[0].dataset_id,
                purpose=Task.Purpose.RANDOM, priority=chance.random(), wanted=2,
                audit_id=known[0].audit_id,
            )
            for frame in made
        ],
        batch_size=500,
    )  # fmt: skip


def test_the_next_frame_is_painted_after_the_key_that_commits_one(story, open_page):
    from models.scale import load_scale

    alice = story.person("Alice Arber", lab="Harbour")
    cora = story.person("Cora Costa", "curator")
    rita = story.person("Rita Roth", "rater")
    version = story.dataset(alice, "Laparotomy", animals=2, frames=5)
    story.take(version, ("submit", alice), ("start_review", cora))
    fill(FRAMES)
    page = open_page(rita)
    page.goto("/rate/")
    page.locator("[data-ready=true]").wait_for()
    page.evaluate(WATCH)
    for number in range(PRESSES):
        page.locator("[data-ahead='4']").wait_for(timeout=30_000)
        for place in range(len(load_scale().unit_keys)):
            page.keyboard.press(str((number + place) % 3))
        page.keyboard.press("Enter")
        page.wait_for_function("count => window.took.length >= count", arg=number + 1)
    took = page.evaluate("window.took")
    assert len(took) == PRESSES
    if TOLD:
        Path(TOLD).write_text(json.dumps({"frames": FRAMES, "milliseconds": took}))
