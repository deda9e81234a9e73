"""What models say of frames decides which ones raters are asked about, and reaches nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from amgs.core.jobs import enqueue
from amgs.files.storage import get_storage
from amgs.registry.models import ModelVersion
from amgs.registry.shipped import register_shipped
from amgs.repository.models import Frame
from amgs.review.models import Opinion, Task
from amgs.review.opinions import difference, facts_of
from amgs.review.queries import assignment_row
from amgs.review.services import next_assignment
from models.media import open_media
from models.phantom.clip import write_clip
from models.phantom.look import Look
from models.phantom.motion import ClipPlan
from models.scale import load_scale

SHIPPED = Path(__file__).parents[3] / "models" / "bundles" / "phantom"


@pytest.fixture
def published(publish):
    """Publish a small version whose audit is rated."""
    return publish(animals=2)


@pytest.fixture
def faces(published, tmp_path):
    """Let the stills of the first five frames show a phantom; return the frames."""
    from amgs.repository.media_files import jpeg

    plan = ClipPlan(coat=load_scale().coats[0], look=Look(), animal=1, pain=1.0, duration_s=1.0)
    path = tmp_path / "phantom.mp4"
    write_clip(path, plan, 1)
    frames = list(Frame.objects.filter(recording__versions=published).order_by("pk")[:5])
    with open_media(path) as media:
        for frame, picture in zip(frames, media, strict=False):
            get_storage().put(frame.still_key, jpeg(picture.image))
    return frames


def another(number: int, state: str, digest: str) -> ModelVersion:
    return ModelVersion.objects.create(
        number=number, bundle_key="k", bundle_sha256="0" * 64, digest=digest, phantom=True,
        state=state,
    )  # fmt: skip


def test_the_model_that_serves_is_asked_once_of_every_frame(published, faces, run_jobs):
    serving = register_shipped(SHIPPED)
    enqueue("review.ask_models")
    run_jobs()
    said = {row.frame_id: row for row in Opinion.objects.all()}
    assert set(said) == {frame.pk for frame in Frame.objects.filter(recording__versions=published)}
    assert {row.bundle for row in said.values()} == {serving.digest}
    units = set(load_scale().unit_keys)
    for frame in faces:
        row = said[frame.pk]
        assert row.means.keys() <= units
        assert all(0 <= mean <= 2 for mean in row.means.values())
        assert 1 <= row.open_grades <= 3
        assert 0 <= row.rare <= 1
    assert any(said[frame.pk].means for frame in faces)
    # Nobody is graded where there is no face.
    assert not any(row.means for pk, row in said.items() if pk not in {one.pk for one in faces})
    enqueue("review.ask_models")
    run_jobs()
    assert Opinion.objects.count() == len(said)


def test_what_models_say_that_neither_serve_nor_wait_is_forgotten(published, run_jobs):
    frame = Frame.objects.filter(recording__versions=published).first()
    Opinion.objects.create(frame=frame, bundle="0" * 64, means={"orbital_tightening": 1.0})
    enqueue("review.ask_models")
    run_jobs()
    assert not Opinion.objects.exists()


def test_what_was_said_of_a_still_that_is_gone_is_forgotten(published, run_jobs):
    another(1, "serving", "a" * 64)
    frames = list(Frame.objects.filter(recording__versions=published))
    for frame in frames:
        Opinion.objects.create(frame=frame, bundle="a" * 64)
    Frame.objects.filter(pk=frames[0].pk).update(still_key="")
    enqueue("review.ask_models")
    run_jobs()
    assert set(Opinion.objects.values_list("frame", flat=True)) == {row.pk for row in frames[1:]}


def test_where_champion_and_challenger_disagree_raters_are_asked(published, run_jobs, person):
    another(1, "serving", "a" * 64)
    another(2, "in_review", "b" * 64)
    frames = list(Frame.objects.filter(recording__versions=published).order_by("pk"))
    unit = load_scale().unit_keys[0]
    for number, frame in enumerate(frames):
        apart = 1.0 if number % 7 == 0 else 0.0
        Opinion.objects.create(frame=frame, bundle="a" * 64, means={unit: 0.5}, open_grades=1.0)
        Opinion.objects.create(frame=frame, bundle="b" * 64, means={unit: 0.5 + apart})
    found = facts_of(frame.pk for frame in frames)
    assert found[frames[0].pk] == {"set_size": 1.0, "rare": 0.0, "models": 1.0}
    assert found[frames[1].pk]["models"] == 0.0
    enqueue("review.fill_queue")
    run_jobs()
    chosen = Task.objects.filter(audit=None, purpose="chosen")
    because = chosen.filter(why__contains="the serving model and its challenger disagree")
    assert {task.frame_id for task in because} <= {frame.pk for frame in frames[::7]}
    assert because.exists()
    # The rater hears nothing of it.
    row = assignment_row(next_assignment(rater=person("Rhea Rossi", "rater")))
    assert "disagree" not in str(row)


def test_a_wide_prediction_set_is_a_reason(published, run_jobs):
    another(1, "serving", "a" * 64)
    frames = list(Frame.objects.filter(recording__versions=published).order_by("pk"))
    for frame in frames[::5]:
        Opinion.objects.create(frame=frame, bundle="a" * 64, open_grades=2.5)
    enqueue("review.fill_queue")
    run_jobs()
    chosen = Task.objects.filter(audit=None, purpose="chosen")
    because = chosen.filter(why__contains="leaves more than one grade open")
    assert because.exists()
    assert {task.frame_id for task in because} <= {frame.pk for frame in frames[::5]}


def test_units_that_only_one_model_graded_are_not_compared():
    assert difference({"a": 0.0, "b": 2.0}, {"a": 0.5}) == 0.5
    assert difference({"a": 0.0}, {"b": 2.0}) == 0.0
