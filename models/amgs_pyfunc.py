"""Grades pictures with a bundle, for any MLflow client: no code of aMGS is needed, only this file.

It travels beside the bundle in every registered model, and needs numpy, OpenCV and ONNX Runtime.
``mlflow.pyfunc.load_model("models:/amgs-mouse@champion").predict(pictures)`` takes a batch of
pictures of one size, uint8 (n, height, width, 3) in RGB or (n, height, width, 1) in grey, and
returns a column of n values for each of: `score` (0–2, NaN where nothing is graded), `state`,
`reason` (why nothing is graded, else empty), `confidence` of the face, `distance` (above 1 the face
is too strange to be graded) and, per unit, `UNIT__p0` … the probability of each grade,
`UNIT__scorable` the probability that it can be scored, `UNIT__grade` (NaN where it cannot, or in a
state that is not graded). Probabilities are NaN where there is no face to look at. With
``params={"crops": True}`` the pictures are faces already, cut with the margin that `facts.json`
names. Pictures of different sizes: one call each. A film is more than its pictures: the site also
uses what happens between them.

Steps and numbers are those of `models/{faces,eyes,looker,context,grader}.py`, where they are
explained; a test holds the two against each other.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

FORMAT = 1
VIEWS = ("frontal", "three_quarter", "profile", "none")
STRIDE, PAD, AROUND, SURE, INNER = 8, 32, 2.0, 0.5, 64
EYES, NOSE, SIDE, WIDTHS = ("left_eye", "right_eye"), "nose", 0.72, 2.2
CENTRED, CLOSE = 0.08, 0.18
REACH, CHUNK, MOTION = 55, 64, 7
SCORABLE, UNSURE = 0.5, 0.35
SAID = ["grades", "scorable", "states", "familiar", "embedding"]


def _load_pyfunc(data_path: str) -> Model:
    """Called by MLflow with the folder that holds `facts.json` and `bundle/`."""
    return Model(Path(data_path))


class Model:
    """A bundle, ready to grade pictures."""

    def __init__(self, folder: Path) -> None:
        self.facts = _json(folder / "facts.json")
        if self.facts["format"] != FORMAT:
            raise ValueError(f"This loader reads format {FORMAT}, not {self.facts['format']}.")
        bundle = folder / "bundle"
        self.calibration = _json(bundle / "calibration.json")
        self.finder, self.eyes, self.frame, self.temporal = (
            _session(bundle / f"{name}.onnx") for name in ("finder", "eyes", "frame", "temporal")
        )
        self.crop = self.facts["crop"]

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """One value per picture in every column; see the head of this file."""
        pictures = np.asarray(model_input)
        if pictures.ndim != 4 or pictures.shape[3] not in (1, 3) or pictures.dtype != np.uint8:
            raise ValueError(
                "Pictures are uint8 (n, height, width, 3) in RGB or (n, height, width, 1) in grey."
            )
        are_crops = bool((params or {}).get("crops", False))
        rows = [self._row(_luma(picture), are_crops) for picture in pictures]
        names = ("score", "state", "reason", "confidence", "distance", *self._unit_columns())
        return {name: np.array([row.get(name, math.nan) for row in rows]) for name in names}

    def _unit_columns(self) -> list[str]:
        return [
            f"{unit['key']}__{part}"
            for unit in self.facts["units"]
            for part in (*(f"p{grade}" for grade in range(unit["grades"])), "scorable", "grade")
        ]

    def _row(self, luma: Any, is_crop: bool) -> dict[str, Any]:
        if is_crop:
            height, width = luma.shape
            face = _Face((0.0, 0.0, float(width), float(height)), {}, 1.0, "frontal")
            cause, opening = None, None
            size = self.crop["size"]
            crop = cv2.resize(luma, (size, size), interpolation=cv2.INTER_AREA)
        else:
            face = self._find(luma)
            cause = self._cause(face)
            opening = self._opening(luma, face) if cause in (None, "angle") else None
            crop = _cut(luma, face.box, self.crop)
        row = {"confidence": face.confidence, "reason": "", "score": math.nan}
        if cause is not None:
            return row | {"state": self.facts["unknown_state"], "reason": self._reason(cause)}
        said = self._say(crop, opening)
        distance = self._distance(said["embedding"], said["familiar"])
        row["distance"] = distance
        chances = [self._chances(said["grades"][u], u) for u in range(len(self.facts["units"]))]
        return row | self._verdict(luma, face, said, chances, distance, is_crop)

    def _verdict(
        self, luma: Any, face: _Face, said: Any, chances: Any, distance: float, is_crop: bool
    ) -> dict[str, Any]:
        if distance > 1:
            return {"state": self.facts["unknown_state"], "reason": self._reason("unnamed")}
        result: dict[str, Any] = {}
        expected, why = [], []
        reason = "" if is_crop else self._unit_reason(luma, face)
        for index, (unit, p) in enumerate(zip(self.facts["units"], chances, strict=True)):
            facts = self.calibration["units"][unit["key"]]
            scorable = float(_sigmoid(said["scorable"][index] / facts["scorable_temperature"]))
            mean = float(p @ np.arange(len(p)))
            cuts = facts.get("cuts", [k + 0.5 for k in range(len(p) - 1)])
            result |= {f"{unit['key']}__p{grade}": float(chance) for grade, chance in enumerate(p)}
            result[f"{unit['key']}__scorable"] = scorable
            if scorable >= SCORABLE:
                expected.append(mean)
                result[f"{unit['key']}__grade"] = float(np.searchsorted(cuts, mean, "right"))
            else:
                why.append(reason or self._reason("unnamed"))
        state = self._state(said["states"])
        result |= {"state": state["key"], "reason": "", "score": math.nan}
        if not state["graded"]:
            result["reason"] = state["reason"]
            result |= {f"{unit['key']}__grade": math.nan for unit in self.facts["units"]}
        elif len(expected) < self.facts["minimum_units"]:
            result["reason"] = Counter(why).most_common(1)[0][0]
        else:
            result["score"] = float(np.mean(expected))
        return result

    def _reason(self, cause: str) -> str:
        return str(self.facts["reasons"][cause])

    def _cause(self, face: _Face) -> str | None:
        """Why a face candidate is not looked at any further, if there is a reason."""
        x0, y0, x1, y1 = face.box
        if face.confidence < self.crop["minimum_confidence"]:
            return "absence"
        if face.view == "none":
            return "species"
        if min(x1 - x0, y1 - y0) < self.crop["minimum_face"]:
            return "size"
        if face.view == "profile":
            return "angle"
        return "unnamed" if face.confidence < self.crop["sure_confidence"] else None

    def _unit_reason(self, luma: Any, face: _Face) -> str:
        x0, y0, x1, y1 = face.box
        height, width = luma.shape
        if min(x0, y0, width - x1, height - y1) < 1:
            return self._reason("border")
        if _sharpness(luma, face.box) < self.crop["minimum_sharpness"]:
            return self._reason("blur")
        return self._reason("angle" if face.view != "frontal" else "unnamed")

    def _state(self, logits: Any) -> dict[str, Any]:
        states = self.facts["states"]
        told = np.array([state["told"] for state in states])
        odds = np.where(told, np.asarray(logits, np.float64), -np.inf)
        likely = np.exp(odds - odds.max())
        likely /= likely.sum()
        first, second = (int(place) for place in np.argsort(-likely, kind="stable")[:2])
        unknown = next(s for s in states if s["key"] == self.facts["unknown_state"])
        pair = {states[first]["key"], states[second]["key"]}
        if pair == set(self.facts["sleep_or_awake"]) and likely[second] > UNSURE:
            return dict(unknown)
        if states[first]["graded"] and likely[first] < self.calibration.get("least_awake", 0.0):
            return dict(unknown)
        return dict(states[first])

    def _chances(self, logits: Any, index: int) -> Any:
        unit = self.facts["units"][index]
        facts = self.calibration["units"][unit["key"]]
        steps = np.asarray(logits[: unit["grades"] - 1], np.float64) / facts["temperature"]
        above = np.cumprod(_sigmoid(steps + np.asarray(facts.get("shift", 0.0))))
        return np.concatenate([[1.0], above]) - np.concatenate([above, [0.0]])

    def _distance(self, embedding: Any, familiar: Any) -> float:
        facts = self.calibration["out_of_distribution"]
        limit = math.inf if facts["limit"] is None else float(facts["limit"])
        away = (np.asarray(embedding, np.float64) - np.array(facts["mean"])) @ np.array(
            facts["root"]
        )
        unlike = float(_sigmoid(-np.float64(familiar))) / (1 - float(facts["least_familiar"]))
        return max(float(np.sqrt((away**2).sum())) / limit, unlike)

    def _say(self, crop: Any, opening: float | None) -> dict[str, Any]:
        """What frame and temporal graph say of one crop that stands alone."""
        given = crop[None, None].astype(np.float32) / np.float32(255)
        said = dict(zip(SAID, self.frame.run(SAID, {"crops": given}), strict=True))
        motion = np.zeros((1, MOTION), np.float32)
        motion[0, 4] = -1 if opening is None else opening
        motion[0, 5] = 1
        parts = [said[name].reshape(1, -1) for name in ("embedding", "grades", "scorable")]
        own = np.concatenate([*parts, said["states"].reshape(1, -1), motion], axis=1)
        own = own.astype(np.float32)
        grid = np.zeros((1, own.shape[1] + 1, CHUNK + 2 * REACH), np.float32)
        grid[0, :-1, REACH], grid[0, -1, REACH] = own[0], 1
        place = {"row": np.zeros(1, np.int64), "column": np.full(1, REACH, np.int64)}
        grades, scorable, states = self.temporal.run(None, {"ticks": grid, "own": own, **place})
        return {
            "grades": grades[0],
            "scorable": scorable[0].astype(np.float64),
            "states": states[0],
            "familiar": said["familiar"].reshape(-1)[0],
            "embedding": said["embedding"][0],
        }

    def _find(self, luma: Any) -> _Face:
        """The best face candidate: a look at the whole picture, then one round what it found."""
        size = self.facts["long_side"]
        height, width = luma.shape
        scale = size / max(height, width)
        maps = self.finder.run(None, {"luma": _shrink(luma, size)[None, None]})
        rows, columns = (max(1, round(side * scale / STRIDE)) for side in (height, width))
        far = _peak(maps, rows, columns)
        box = tuple(value / scale for value in far["box"])
        square = _square(box, AROUND)
        thin, fewer = _thinned(square, luma, size)
        edge = thin[2]
        how = cv2.INTER_AREA if edge > size else cv2.INTER_LINEAR
        patch = cv2.resize(_inside(fewer, thin), (size, size), interpolation=how)
        maps = self.finder.run(
            None, {"luma": patch[None, None].astype(np.float32) / np.float32(255)}
        )
        near = _peak(maps, size // STRIDE, size // STRIDE)
        left, top, edge = square
        factor = edge / size
        x0, y0, x1, y1 = (value * factor for value in near["box"])
        box = (
            min(max(x0 + left, 0.0), width),
            min(max(y0 + top, 0.0), height),
            min(max(x1 + left, 0.0), width),
            min(max(y1 + top, 0.0), height),
        )
        views = (far["views"] + near["views"]) / 2
        view = next((VIEWS[place] for place in (2, 3) if views[place] > SURE), "")
        view = view or VIEWS[int(views[:2].argmax())]
        confidence = math.sqrt(far["confidence"] * near["confidence"])
        if view != "none":
            confidence *= 1 - float(views[3])
        places = near["places"] * factor + [left, top]
        return _Face(
            box, dict(zip(self.facts["landmarks"], places.tolist(), strict=True)), confidence, view
        )

    def _opening(self, luma: Any, face: _Face) -> float | None:
        """How open the eyes are, height over width, the mean of those that are seen."""
        results: dict[str, Any] = {}
        left = _eye_places(face)
        for _ in range(2):
            again = []
            for eye, x, y, side, mirrored in left:
                points = self._eye(luma, (x, y, side), mirrored)
                if points is None:
                    continue
                results[eye] = points
                middle = points.mean(0)
                wide = WIDTHS * float(np.linalg.norm(points[1] - points[3]))
                wide = float(np.clip(wide, 0.7 * side, 1.4 * side))
                off = float(np.linalg.norm(middle - [x, y])) / side
                if off >= CENTRED or abs(math.log(wide / side)) >= CLOSE:
                    again.append((eye, float(middle[0]), float(middle[1]), wide, mirrored))
            left = again
        openings = [
            math.dist(top, bottom) / max(math.dist(front, back), 1e-6)
            for top, front, bottom, back in results.values()
        ]
        return sum(openings) / len(openings) if openings else None

    def _eye(self, luma: Any, at: tuple[float, float, float], mirrored: bool) -> Any:
        x, y, side = at
        half, size = side / 2, int(self.eyes.get_inputs()[0].shape[-1])
        square = _square((x - half, y - half, x + half, y + half), 1.0)
        picture = _shrunk(square, luma, size)
        picture = picture[:, ::-1] if mirrored else picture
        given = picture[None, None].astype(np.float32) * np.float32(1 / 255)
        points, seen = self.eyes.run(["points", "seen"], {"eyes": given})
        if float(seen.reshape(-1)[0]) <= 0:
            return None
        left, top, edge = square[0] - 0.5, square[1] - 0.5, square[2]
        factors, offset = ([-edge, edge], [left + edge, top]) if mirrored else (edge, [left, top])
        return points[0].astype(np.float64) * factors + offset


class _Face:
    def __init__(self, box: Any, landmarks: dict[str, Any], confidence: float, view: str) -> None:
        self.box, self.landmarks, self.confidence, self.view = box, landmarks, confidence, view


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _luma(picture: Any) -> Any:
    picture = np.ascontiguousarray(picture)
    return picture[:, :, 0] if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, np.float64)))


def _shrink(luma: Any, size: int) -> Any:
    height, width = luma.shape
    scale = size / max(height, width)
    step = max(1, int(1 / (2 * scale)))
    small = cv2.resize(
        np.ascontiguousarray(luma[::step, ::step]),
        (max(1, round(width * scale)), max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    down, right = -small.shape[0] % PAD, -small.shape[1] % PAD
    padded = cv2.copyMakeBorder(small, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return padded.astype(np.float32) / np.float32(255)


def _peak(maps: Any, rows: int, columns: int) -> dict[str, Any]:
    heat, box, marks, view = (part[0] for part in maps)
    likely = _sigmoid(heat[0, :rows, :columns])
    y, x = divmod(int(likely.argmax()), likely.shape[1])
    dx, dy, log_width, log_height = (float(value) for value in box[:, y, x])
    cx, cy = (x + 0.5 + dx) * STRIDE, (y + 0.5 + dy) * STRIDE
    half_w, half_h = (0.5 * STRIDE * math.exp(min(v, 5.0)) for v in (log_width, log_height))
    odds = np.exp(view[:, y, x] - view[:, y, x].max())
    return {
        "confidence": float(likely[y, x]),
        "box": (cx - half_w, cy - half_h, cx + half_w, cy + half_h),
        "places": (np.array([x, y]) + 0.5 + marks[:, y, x].reshape(-1, 2)) * STRIDE,
        "views": odds / odds.sum(),
    }


def _square(box: Any, factor: float) -> tuple[int, int, int]:
    """Left, top and edge of the square round a box, `factor` times its longer side."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0, 2.0) * factor
    return round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2), max(2, round(side))


def _thinned(square: tuple[int, int, int], luma: Any, size: int) -> tuple[Any, Any]:
    left, top, edge = square
    step = max(1, int(edge / (1.5 * size)))
    if step == 1:
        return square, luma
    return (left // step, top // step, edge // step), luma[::step, ::step]


def _inside(luma: Any, square: tuple[int, int, int]) -> Any:
    """What a square holds, the border repeated; black where it lies outside."""
    left, top, edge = square
    height, width = luma.shape
    right, bottom = left + edge, top + edge
    inside = luma[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    if inside.size == 0:
        return np.zeros((edge, edge), np.uint8)
    inside = np.ascontiguousarray(inside)
    above, before = max(-top, 0), max(-left, 0)
    below, after = edge - inside.shape[0] - above, edge - inside.shape[1] - before
    return cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_REPLICATE)


def _cut(luma: Any, box: Any, crop: dict[str, Any]) -> Any:
    square = _inside(luma, _square(box, 1 + 2 * crop["margin"]))
    side = 2 * crop["size"] if len(square) > crop["size"] else crop["size"]
    while 2 * side <= len(square):
        side *= 2
    small = cv2.resize(square, (side, side), interpolation=cv2.INTER_LINEAR)
    while side > crop["size"]:
        side //= 2
        small = cv2.resize(small, (side, side), interpolation=cv2.INTER_AREA)
    return small


def _sharpness(luma: Any, box: Any) -> float:
    x0, y0, x1, y1 = (round(value) for value in box)
    inside = luma[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if inside.shape[0] < 3 or inside.shape[1] < 3:
        return 0.0
    step = max(1, min(inside.shape) // (2 * INNER))
    inside = np.ascontiguousarray(inside[::step, ::step])
    how = cv2.INTER_AREA if min(inside.shape) > INNER else cv2.INTER_LINEAR
    small = cv2.resize(inside, (INNER, INNER), interpolation=how)
    return float(cv2.Laplacian(small, cv2.CV_32F).var())


def _shrunk(square: tuple[int, int, int], luma: Any, size: int) -> Any:
    height, width = luma.shape
    left, top, edge = square
    step = max(1, edge // (2 * size))
    if left < 0 or top < 0 or left + edge > width or top + edge > height:
        rows = np.clip(np.arange(top + step // 2, top + edge, step), 0, height - 1)
        columns = np.clip(np.arange(left + step // 2, left + edge, step), 0, width - 1)
        inside = luma[rows[:, None], columns]
    else:
        inside = luma[top + step // 2 : top + edge : step, left + step // 2 : left + edge : step]
        inside = np.ascontiguousarray(inside)
    if edge > size:
        twice = cv2.resize(inside, (2 * size, 2 * size), interpolation=cv2.INTER_LINEAR)
        return cv2.resize(twice, (size, size), interpolation=cv2.INTER_AREA)
    return cv2.resize(inside, (size, size), interpolation=cv2.INTER_LINEAR)


def _eye_places(face: _Face) -> list[tuple[str, float, float, float, bool]]:
    """Eye, centre, side and whether its square is mirrored, for every eye that may be seen."""
    known = {name: place for name, place in face.landmarks.items() if name in (*EYES, NOSE)}
    eyes = [name for name in EYES if name in known]
    x0, y0, x1, y1 = face.box
    longer = max(x1 - x0, y1 - y0, 2.0)
    nose = known.get(NOSE, ((x0 + x1) / 2, y1))
    if face.view == "profile" and len(eyes) == 2:
        eyes = [EYES[1] if nose[0] < (x0 + x1) / 2 else EYES[0]]
    lengths = [math.dist(known[eye], nose) for eye in eyes]
    if len(eyes) == 2:
        lengths.append(math.dist(known[eyes[0]], known[eyes[1]]))
    yardstick = min(max([*lengths, 0.2 * longer]), longer)
    return [(eye, *known[eye], SIDE * yardstick, nose[0] > known[eye][0]) for eye in eyes]
