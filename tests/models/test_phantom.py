from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest

from models.media import frame_times, open_media, probe
from models.phantom.cast import NOWHERE, cast
from models.phantom.clip import write_clip
from models.phantom.look import Look
from models.phantom.motion import ClipPlan, Stretch, course, population, wandering
from models.phantom.pose import Pose, Projection
from models.phantom.render import FaceParams, render_face
from models.phantom.shape import FaceShape, folded, solid
from models.phantom.units import DEFORMATIONS, deform
from models.scale import Scale, load_scale

UNITS = load_scale().unit_keys
COATS = load_scale().coat_keys


@pytest.fixture
def face(scale: Scale) -> Callable[..., FaceParams]:
    def build(coat: str = "white", **changes: Any) -> FaceParams:
        return replace(FaceParams(coat=scale.coat(coat), look=Look(noise=0)), **changes)

    return build


def test_every_unit_has_exactly_one_deformation(scale: Scale) -> None:
    assert {unit.deformation for unit in scale.units} == set(DEFORMATIONS)


@pytest.mark.parametrize("unit", UNITS)
def test_a_deformation_is_continuous_and_grows(scale: Scale, unit: str) -> None:
    rest = FaceShape()

    def distance(intensity: float) -> float:
        shape = deform(scale, {unit: intensity}, rest)
        return sum(
            abs(getattr(shape, name) - getattr(rest, name)) for name in FaceShape.__annotations__
        )

    steps = [distance(i / 20) for i in range(41)]
    assert steps[0] == 0
    assert all(b > a for a, b in pairwise(steps))
    assert max(np.diff(steps)) < 2 * steps[-1] / 40


@pytest.mark.parametrize("coat", COATS)
@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_changes_its_own_region_most(
    scale: Scale, face: Callable[..., FaceParams], unit: str, coat: str
) -> None:
    calm, truth = render_face(face(coat), scale)
    grimace, _ = render_face(face(coat, intensities={unit: 2.0}), scale)
    change = np.abs(grimace.astype(float) - calm).sum(axis=2)
    x0, y0, x1, y1 = truth.box
    inside = np.zeros_like(change, bool)
    for a, b, c, d in scale.region(scale.unit(unit).region).boxes:
        # Whiskers and pulled-back ears reach a little beyond the face box.
        left, right = x0 + (a - 0.2) * (x1 - x0), x0 + (c + 0.2) * (x1 - x0)
        top, bottom = y0 + (b - 0.1) * (y1 - y0), y0 + (d + 0.25) * (y1 - y0)
        inside[int(top) : int(bottom), int(left) : int(right)] = True
    assert change[inside].sum() > 0.85 * change.sum()
    assert change.sum() > 4000


def test_truth_states_intensities_box_and_landmarks(
    scale: Scale, face: Callable[..., FaceParams]
) -> None:
    picture, truth = render_face(face(intensities={"nose_bulge": 1.25}), scale)
    assert picture.shape == (240, 320, 3)
    assert picture.dtype == np.uint8
    assert truth.intensities == dict.fromkeys(UNITS, 0.0) | {"nose_bulge": 1.25}
    assert truth.not_scorable == {}
    assert truth.view == "frontal"
    assert tuple(truth.landmarks) == scale.landmarks
    x0, y0, x1, y1 = truth.box
    assert 90 <= x1 - x0 <= 140
    assert all(x0 < x < x1 and y0 < y < y1 for x, y in truth.landmarks.values())
    assert truth.landmarks["left_eye"][0] < truth.landmarks["nose"][0]


@pytest.mark.parametrize("yaw", [-30, 0, 30])
def test_landmarks_lie_on_the_eyes_of_the_picture(
    scale: Scale, face: Callable[..., FaceParams], yaw: float
) -> None:
    picture, truth = render_face(face(pose=Pose(yaw=yaw)), scale)
    near = "right_eye" if yaw < 0 else "left_eye"
    x, y = (round(value) for value in truth.landmarks[near])
    # Below the glint.
    r, g, b = picture[y : y + 5, x - 2 : x + 3].reshape(-1, 3).mean(axis=0)
    assert r > 1.5 * g, "an albino eye is red"
    assert r > 1.5 * b


def test_eye_points_are_the_ends_of_the_opening(face: Callable[..., FaceParams]) -> None:
    _, truth = render_face(face())
    assert set(truth.eye_points) == {"left", "right"}
    for top, front, bottom, back in truth.eye_points.values():
        assert top[1] < front[1] < bottom[1]
        assert abs(front[0] - truth.landmarks["nose"][0]) < abs(
            back[0] - truth.landmarks["nose"][0]
        )
    _, shut = render_face(face(lids=1.0))
    for top, _, bottom, _ in shut.eye_points.values():
        assert bottom[1] - top[1] < 1


def test_equal_parameters_give_equal_pixels(face: Callable[..., FaceParams]) -> None:
    params = face(animal=9, intensities=dict.fromkeys(UNITS, 1.0))
    assert np.array_equal(render_face(params)[0], render_face(params)[0])
    assert not np.array_equal(render_face(params)[0], render_face(replace(params, animal=8))[0])


def test_coats_look_different(face: Callable[..., FaceParams]) -> None:
    brightness = {}
    for coat in COATS:
        picture, truth = render_face(face(coat))
        x0, y0, x1, y1 = (round(edge) for edge in truth.box)
        brightness[coat] = picture[(y0 + y1) // 2 : y1, x0 + 20 : x1 - 20].mean()
    assert brightness["white"] > brightness["agouti"] + 20 > brightness["black"] + 40


def test_an_infrared_camera_sees_no_colour(face: Callable[..., FaceParams]) -> None:
    picture, _ = render_face(face(look=Look(infrared=True)))
    assert np.ptp(picture.astype(int), axis=2).max() <= 2


@pytest.mark.parametrize(
    ("changes", "unit", "reason"),
    [
        ({"pose": Pose(yaw=32)}, "nose_bulge", "wrong_angle"),
        ({"pose": Pose(x=12)}, "ear_position", "out_of_frame"),
        ({"paws": 0.9}, "cheek_bulge", "occluded"),
        ({"smear": (9.0, 0.0)}, "whisker_change", "blurred"),
        ({"lids": 0.9}, "orbital_tightening", "other"),
    ],
)
def test_what_cannot_be_scored_has_a_reason(
    scale: Scale,
    face: Callable[..., FaceParams],
    changes: dict[str, Any],
    unit: str,
    reason: str,
) -> None:
    _, truth = render_face(face(**changes), scale)
    assert truth.not_scorable[unit] == reason


def test_a_turned_head_leaves_the_ears_scorable(face: Callable[..., FaceParams]) -> None:
    _, truth = render_face(face(pose=Pose(yaw=28)))
    assert "ear_position" not in truth.not_scorable
    assert truth.view == "three_quarter"


def test_states_that_are_not_graded_make_every_unit_unscorable(
    scale: Scale, face: Callable[..., FaceParams]
) -> None:
    for state in scale.states:
        _, truth = render_face(face(state=state), scale)
        expected = {} if state.graded else dict.fromkeys(UNITS, state.reason)
        assert truth.not_scorable == expected


def test_motion_smears_the_face_only(face: Callable[..., FaceParams]) -> None:
    sharp, truth = render_face(face())
    smeared, _ = render_face(face(smear=(12.0, 0.0)))
    x0, y0, x1, y1 = (round(edge) for edge in truth.box)

    def detail(picture: np.ndarray) -> float:
        return float(cv2.Laplacian(picture[y0:y1, x0:x1], cv2.CV_32F).var())

    assert detail(smeared) < 0.5 * detail(sharp)
    assert np.array_equal(sharp[:20], smeared[:20])


@pytest.mark.parametrize("yaw", [0, 25, -60])
def test_casting_finds_the_point_that_projects_to_a_pixel(yaw: float) -> None:
    head = solid(FaceShape(cheeks=0.5, bridge=0.5))
    at = Projection.of(Pose(yaw=yaw, pitch=-12, roll=8, x=100, y=110, half_width=48))
    hit = cast(head, at, (0, 0, 200, 220))
    assert hit is not None
    x0, y0, _, _ = hit.rect
    checked = 0
    for a in (0.5, 0.9, 1.4, 1.8):
        for degrees in (-60, -30, 0, 30, 60):
            x, y, depth = at.seen(head.at([a], [degrees]))[0]
            row, column = int(y) - y0, int(x) - x0
            if abs(hit.depth[row, column] - depth) > 0.06:
                continue  # The head hides this point.
            again = head.at([hit.a[row, column]], [180 - hit.turn[row, column]])
            assert at.seen(again)[0] == pytest.approx([x, y, depth], abs=2.0)
            checked += 1
    assert checked >= 8
    assert hit.depth[0, 0] == NOWHERE
    assert hit.inside[0, 0] < 0


@pytest.mark.parametrize("side", [-1, 1])
def test_a_head_seen_from_the_side_hides_its_far_eye(
    scale: Scale, face: Callable[..., FaceParams], side: int
) -> None:
    _, truth = render_face(face(pose=Pose(yaw=side * 60.0)), scale)
    near, far = ("left", "right") if side > 0 else ("right", "left")
    assert truth.view == "profile"
    assert set(truth.eye_points) == {near}
    assert f"{far}_eye" in truth.hidden
    assert not {f"{near}_eye", f"{near}_ear", "nose"} & set(truth.hidden)
    assert set(truth.landmarks) == set(scale.landmarks)
    # The nose points to the side to which the head has turned.
    middle = (truth.box[0] + truth.box[2]) / 2
    assert side * (truth.landmarks["nose"][0] - middle) > 20


def test_nothing_is_hidden_from_the_front(face: Callable[..., FaceParams]) -> None:
    for pitch in (-30.0, 0.0, 30.0):
        _, truth = render_face(face(pose=Pose(pitch=pitch)))
        assert truth.view == "frontal"
        assert truth.hidden == ()


def test_wandering_has_the_stated_variance() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([wandering(rng, 200, 12, 0.5) for _ in range(60)])
    assert values.std() == pytest.approx(1.0, abs=0.1)
    assert np.abs(np.diff(values[:200])).mean() < 0.3


def test_an_encoded_clip_is_an_ordinary_recording(phantom_clip: Any) -> None:
    facts = probe(phantom_clip.path)
    assert (facts.codec, facts.width, facts.height) == ("h264", 320, 240)
    assert facts.frame_count == len(phantom_clip.truth) == 24
    assert facts.average_fps == pytest.approx(12)
    assert facts.problems == ()
    assert len(frame_times(phantom_clip.path)) == 24
    with open_media(phantom_clip.path) as media:
        times = [frame.time_s for frame in media]
    assert times == pytest.approx([truth.time_s for truth in phantom_clip.truth], abs=1e-3)


def test_a_clip_shows_the_states_of_its_stretches(phantom_clip: Any) -> None:
    states = [truth.face.state for truth in phantom_clip.truth]
    assert states == ["awake"] * 15 + ["asleep"] * 9
    awake = phantom_clip.truth[3].face
    assert "ear_position" not in awake.not_scorable
    assert set(phantom_clip.truth[20].face.not_scorable.values()) == {"asleep"}


def test_the_same_seed_gives_the_same_bytes(phantom_clip: Any, tmp_path: Any) -> None:
    write_clip(tmp_path / "again.mp4", phantom_clip.plan, 7)
    assert (tmp_path / "again.mp4").read_bytes() == phantom_clip.path.read_bytes()
    write_clip(tmp_path / "other.mp4", phantom_clip.plan, 8)
    assert (tmp_path / "other.mp4").read_bytes() != phantom_clip.path.read_bytes()


def test_sleep_shuts_the_eyes_and_grooming_brings_paws(scale: Scale) -> None:
    for key, attribute in (("asleep", "lids"), ("grooming", "paws")):
        plan = ClipPlan(
            coat=scale.coats[0],
            look=Look(),
            animal=1,
            pain=0.2,
            duration_s=4,
            stretches=(Stretch(scale.state(key), 1.0, 3.0),),
        )
        frames = course(plan, scale, 3)
        middle = [getattr(frame, attribute) for frame in frames[18:30]]
        assert min(middle) > 0.9
        assert frames[6].state is scale.graded_state
    assert max(frames[6].smear) < 4


def clip(scale: Scale, stretch: Stretch, seed: int = 3) -> list[FaceParams]:
    plan = ClipPlan(scale.coats[0], Look(), 1, 0.6, duration_s=8, stretches=(stretch,))
    return course(plan, scale, seed)


def speed(frames: list[FaceParams]) -> float:
    return float(np.abs(np.diff([frame.pose.yaw for frame in frames])).mean())


def test_an_animal_still_in_pain_is_awake_with_its_eyes_squeezed_shut(scale: Scale) -> None:
    frames = clip(scale, Stretch(scale.graded_state, 2.0, 6.0, pain=0.9))
    middle = frames[36:66]
    assert {frame.state for frame in middle} == {scale.graded_state}
    assert min(frame.intensities["orbital_tightening"] for frame in middle) > 1.6
    assert max(frame.lids for frame in middle) < 0.4
    assert max(frame.relaxed for frame in middle) == 0
    assert speed(middle) < 0.3 * speed(frames[:20] + frames[80:])
    assert "orbital_tightening" not in render_face(middle[5])[1].not_scorable


def test_sleep_is_still_relaxed_and_breathes_slower_than_pain(scale: Scale) -> None:
    asleep = clip(scale, Stretch(scale.state("asleep"), 2.0, 6.0))
    pained = clip(scale, Stretch(scale.graded_state, 2.0, 6.0, pain=0.9))

    def breaths(frames: list[FaceParams]) -> int:
        signs = np.sign([frame.breath for frame in frames[30:68]])
        return int((np.diff(signs) != 0).sum())

    assert speed(asleep[36:66]) < 0.3 * speed(asleep[:20] + asleep[80:])
    assert min(frame.relaxed for frame in asleep[36:66]) > 0.9
    assert max(abs(frame.sniff) for frame in asleep[36:66]) == 0
    assert breaths(pained) > 2 * breaths(asleep)


@pytest.mark.parametrize(
    ("state", "field"), [("eating", "food"), ("occluded", "cover"), ("grooming", "paws")]
)
def test_what_covers_the_face_is_drawn(
    scale: Scale, face: Callable[..., FaceParams], state: str, field: str
) -> None:
    frames = clip(scale, Stretch(scale.state(state), 2.0, 6.0))
    assert max(getattr(frame, field) for frame in frames[36:66]) == 1
    assert max(getattr(frame, field) for frame in frames[:20]) == 0
    for animal in range(4):
        bare, truth = render_face(face(animal=animal))
        covered, _ = render_face(face(animal=animal, **{field: 1.0}))
        x0, y0, x1, y1 = (round(edge) for edge in truth.box)
        changed = (np.abs(covered.astype(int) - bare).sum(axis=2) > 40)[y0:y1, x0:x1]
        assert changed.mean() > 0.03


def test_breath_and_whisking_move_the_picture(face: Callable[..., FaceParams]) -> None:
    rest, _ = render_face(face())
    for changes in ({"breath": 1.0}, {"sweep": 12.0}, {"sniff": 1.0}):
        assert not np.array_equal(rest, render_face(face(**changes))[0])


def test_heads_turn_to_sixty_degrees(scale: Scale) -> None:
    plan = ClipPlan(scale.coats[0], Look(), 1, 0.3, duration_s=60)
    yaws = [frame.pose.yaw for seed in range(3) for frame in course(plan, scale, seed)]
    assert 55 < max(np.abs(yaws)) <= 60
    assert np.median(np.abs(yaws)) < 20


@pytest.mark.parametrize(
    "changes",
    [{"front_bars": 6}, {"glare": 1.0}, {"ghost": 0.2}, {"litter": "paper"}, {"closeness": 0.2}],
)
def test_every_property_of_a_camera_shows(
    face: Callable[..., FaceParams], changes: dict[str, Any]
) -> None:
    plain, _ = render_face(face())
    assert not np.array_equal(plain, render_face(face(look=Look(noise=0, **changes)))[0])


def test_interlacing_combs_what_moves(face: Callable[..., FaceParams]) -> None:
    def comb(look: Look) -> float:
        picture, truth = render_face(face(look=look, smear=(6.0, 0.0)))
        x0, y0, x1, y1 = (round(edge) for edge in truth.box)
        grey = picture[y0:y1, x0:x1].astype(float).mean(axis=2)
        return float(np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean())

    assert comb(Look(noise=0, interlaced=True)) > 1.5 * comb(Look(noise=0))


def test_a_bulge_is_bright_and_the_fold_round_it_dark() -> None:
    ridge, flank = np.float32([180.0]), np.float32([180.0 + 62.0])
    at = np.float32([0.78])
    flat = folded(FaceShape(), at, ridge)
    assert flat.tolist() == [1.0]
    assert folded(FaceShape(bridge=1.0), at, ridge) > folded(FaceShape(bridge=0.4), at, ridge) > 1
    assert folded(FaceShape(bridge=1.0), at, flank) < 0.85
    far = folded(FaceShape(bridge=1.0, cheeks=1.0), np.float32([2.4]), ridge)
    assert far.tolist() == pytest.approx([1.0], abs=0.01)


def test_pain_raises_every_unit(scale: Scale) -> None:
    calm = population(scale, {0.05: 1.0}, 300)
    pain = population(scale, {0.70: 1.0}, 300)
    for unit in UNITS:
        assert calm[unit].mean() < 0.35
        assert pain[unit].mean() > 0.9
        assert pain[unit].max() <= 2
