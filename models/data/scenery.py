"""Pictures without a gradable face, and what light, lens and codec do to any picture.

A finder that has only seen mice finds one everywhere; so it sees clouds, shapes, fur, hands and
mice from above, and real pictures without a face where there are some.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]
Size = tuple[int, int]


def scenery(size: Size, rng: np.random.Generator) -> Luma:
    """A picture without a mouse: cloudy noise, stripes, discs, silhouettes and edges at random."""
    width, height = size
    image: Floats = np.full((height, width), rng.uniform(5, 250), np.float32)
    for octave in range(int(rng.integers(0, 6))):
        cells = (int(2 ** (octave + 1) + rng.integers(0, 3)),) * 2
        noise = rng.standard_normal(cells).astype(np.float32)
        cloud = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
        image = image + cloud * np.float32(rng.uniform(10, 60) / (octave + 1))
    if rng.random() < 0.3:
        angle, period = rng.uniform(0, math.pi), rng.uniform(4, 40)
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        wave = np.sin((xs * math.cos(angle) + ys * math.sin(angle)) * (2 * math.pi / period))
        image = image + np.float32(rng.uniform(10, 60)) * wave
    for _ in range(int(rng.integers(0, 7))):
        _shape(image, rng)
    if rng.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 2.5))))
    return relit(_bytes(image), rng)


def _shape(image: Floats, rng: np.random.Generator) -> None:
    """Draw a disc, an eye-like ring, a blob or a bar."""
    height, width = image.shape
    x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
    shade = float(rng.uniform(0, 255))
    kind = int(rng.integers(4))
    if kind == 0:
        axes = (int(rng.uniform(2, width * 0.4)), int(rng.uniform(2, height * 0.4)))
        cv2.ellipse(image, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, shade, -1)
    elif kind == 1:
        radius = int(rng.uniform(3, height * 0.35))
        cv2.circle(image, (x, y), radius, shade, -1)
        cv2.circle(image, (x, y), max(1, int(radius * rng.uniform(0.2, 0.8))), 255 - shade, -1)
    elif kind == 2:
        angles = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 9))))
        reach = rng.uniform(4, height * 0.6, len(angles))
        points = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], 1)
        cv2.fillPoly(image, [points.astype(np.int32)], shade)
    else:
        end = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        cv2.line(image, (x, y), end, shade, int(rng.uniform(1, 12)))


def leaves(size: Size, rng: np.random.Generator) -> Luma:
    """Shapes of every size over each other, as things in pictures are (dead leaves).

    Lee, Mumford and Huang 2001: with sizes falling off by the cube, their statistics are those of
    photographs. Each shape has its own shade, slope of light and grain.
    """
    width, height = size
    image = np.full((height, width), rng.uniform(10, 245), np.float32)
    ramp = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    least, most = 2.0, 0.6 * height
    for _ in range(int(rng.integers(20, 140))):
        radius = 1 / math.sqrt(rng.uniform(1 / most**2, 1 / least**2))
        radius = max(radius, float(rng.choice([2.0, 2.0, 0.1 * height])))
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        mask = np.zeros((height, width), np.uint8)
        axes = (max(1, int(radius)), max(1, int(radius * rng.uniform(0.2, 1.0))))
        if rng.random() < 0.6:
            cv2.ellipse(mask, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        else:
            angles = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 7))))
            points = np.stack([x + axes[0] * np.cos(angles), y + axes[0] * np.sin(angles)], 1)
            cv2.fillPoly(mask, [points.astype(np.int32)], 1)
        x0, x1 = int(max(x - radius - 1, 0)), int(min(x + radius + 2, width))
        y0, y1 = int(max(y - radius - 1, 0)), int(min(y + radius + 2, height))
        part = mask[y0:y1, x0:x1]
        shade = rng.uniform(5, 250) + rng.uniform(-40, 40) * ramp[:, x0:x1]
        if rng.random() < 0.4:
            shade = shade + rng.uniform(2, 25) * rng.standard_normal(part.shape, np.float32)
        image[y0:y1, x0:x1] = np.where(part > 0, shade, image[y0:y1, x0:x1])
    return _bytes(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.2))))


def pelt(size: Size, rng: np.random.Generator) -> Luma:
    """Fur and nothing else: hair along one way, light that falls off."""
    width, height = size
    image = hair(size, rng.uniform(0.8, 3.0), rng.uniform(-90, 90), rng)
    image = image * np.float32(rng.uniform(5, 40)) + np.float32(rng.uniform(15, 235))
    slope = np.linspace(-1, 1, width)[None, :] * rng.uniform(-50, 50)
    return _bytes(image + slope + np.linspace(-1, 1, height)[:, None] * 40)


def hair(size: Size, length: float, degrees: float, rng: np.random.Generator) -> Floats:
    """Hair (height, width) of mean 0 and deviation 1; its strands run along `degrees`."""
    width, height = size
    # Drawn at half the size: half the work, and hair is never finer than that in a small face.
    half = ((width + 1) // 2, (height + 1) // 2)
    side = int(1.5 * max(half)) + 2
    noise = rng.standard_normal((side, side), np.float32)
    noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.5 + length, sigmaY=0.5), np.float32)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0)
    turn[:, 2] += np.array([(half[0] - side) / 2, (half[1] - side) / 2])
    strands = cv2.warpAffine(noise, turn, half, borderMode=cv2.BORDER_REFLECT)
    strands = cv2.resize(strands, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(strands / max(float(strands.std()), 1e-6), np.float32)


def with_hand(background: Luma, rng: np.random.Generator) -> Luma:
    """A hand over a background: a palm, fingers beside each other, knuckles and nails."""
    height, width = background.shape
    side = height * rng.uniform(0.3, 0.9)
    skin = rng.uniform(60, 230)
    image, mask = background.astype(np.float32), np.zeros(background.shape, np.float32)
    light = np.full(background.shape, skin, np.float32)
    x, y = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.3, 1.0)
    toward, spread = rng.uniform(0, 2 * math.pi), rng.uniform(0.05, 0.3)
    palm = (max(2, int(side * 0.28)), max(2, int(side * 0.33)))
    cv2.ellipse(mask, (int(x), int(y)), palm, math.degrees(toward) - 90, 0, 360, 1.0, -1)
    thick = max(2, int(side * rng.uniform(0.09, 0.15)))
    for finger in range(5):
        way = toward + (finger - 2) * spread + (0.9 if finger == 4 else 0.0)
        root = np.array([x, y]) + side * 0.25 * np.array([math.cos(way), math.sin(way)])
        tip = root + side * rng.uniform(0.25, 0.5) * np.array([math.cos(way), math.sin(way)])
        cv2.line(mask, _cell(root), _cell(tip), 1.0, thick, cv2.LINE_AA)
        cv2.line(light, _cell(root), _cell(tip), skin * rng.uniform(0.9, 1.1), thick, cv2.LINE_AA)
        edge = 0.5 * thick * np.array([-math.sin(way), math.cos(way)])
        cv2.line(light, _cell(root + edge), _cell(tip + edge), skin * 0.6, 1, cv2.LINE_AA)
        cv2.circle(light, _cell(tip), max(1, thick // 3), skin * rng.uniform(1.0, 1.2), -1)
        cv2.circle(light, _cell((root + tip) / 2), max(1, thick // 3), skin * 0.85, 1)
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), max(0.6, side * 0.012)), np.float32)
    light = light + np.float32(6) * np.asarray(
        cv2.GaussianBlur(rng.standard_normal(light.shape).astype(np.float32), (0, 0), 1.5)
    )
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.8), np.float32)
    return _bytes(image * (1 - mask) + light * mask)


def with_mouse_from_above(background: Luma, rng: np.random.Generator) -> Luma:
    """A mouse seen from above: an egg of fur, two ears, a pointed head without a face, a tail."""
    height, width = background.shape
    length = height * rng.uniform(0.25, 0.9)
    fur = rng.uniform(15, 240)
    way = rng.uniform(0, 2 * math.pi)
    ahead = np.array([math.cos(way), math.sin(way)])
    aside = np.array([-ahead[1], ahead[0]])
    centre = np.array([width, height]) * rng.uniform(0.25, 0.75, 2)
    mask = np.zeros(background.shape, np.float32)
    coat = hair((width, height), 1.5, -math.degrees(way), rng) * np.float32(rng.uniform(4, 20))
    coat = coat + np.float32(fur)
    wide = rng.uniform(0.18, 0.26)
    axes = (max(2, int(length * 0.36)), max(2, int(length * wide)))
    cv2.ellipse(mask, _cell(centre), axes, math.degrees(way), 0, 360, 1.0, -1)
    head = centre + ahead * length * 0.38
    snout = [
        head + aside * length * 0.11,
        head + ahead * length * 0.2,
        head - aside * length * 0.11,
    ]
    cv2.fillPoly(mask, [np.round([*snout, centre]).astype(np.int32)], 1.0)
    tail = [centre - ahead * length * (0.34 + 0.12 * n) + aside * length * 0.1 * math.sin(n + way)
            for n in range(6)]  # fmt: skip
    line = np.round(tail).astype(np.int32)
    cv2.polylines(mask, [line], False, 1.0, max(1, int(length * 0.03)), cv2.LINE_AA)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.6, length * 0.008)), np.float32)
    image = background.astype(np.float32)
    shadow = cv2.GaussianBlur(mask, (0, 0), max(1.0, length * 0.06))
    image = image * (1 - np.float32(rng.uniform(0, 0.5)) * shadow)
    image = image * (1 - mask) + coat * mask
    ear = max(1, int(length * rng.uniform(0.05, 0.09)))
    for side in (-1, 1):
        at = head + aside * side * length * 0.10 - ahead * length * 0.02
        shade = float(np.clip(fur + rng.uniform(-60, 60), 0, 255))
        lean, axes = math.degrees(way) + side * 40, (ear, max(1, ear // 2))
        cv2.ellipse(image, _cell(at), axes, lean, 0, 360, shade, -1, cv2.LINE_AA)
        if rng.random() < 0.5:
            eye = head + aside * side * length * 0.07 + ahead * length * 0.08
            cv2.circle(image, _cell(eye), max(1, int(length * 0.012)), fur * 0.4, -1)
    return _bytes(image)


def relit(picture: Luma, rng: np.random.Generator, strength: float = 1.0) -> Luma:
    """The picture with another gamma, contrast and some noise."""
    levels = np.linspace(0, 1, 256) ** math.exp(strength * rng.uniform(-0.5, 0.5))
    low, high = rng.uniform(0, 0.25), rng.uniform(0.7, 1.1)
    if strength > 1 and rng.random() < 0.15:
        low, high = rng.uniform(0, 0.1), rng.uniform(0.3, 0.6)
    table = np.clip((low + levels * (high - low)) * 255, 0, 255).astype(np.float32)
    lit = table[picture]
    if rng.random() < 0.5:
        lit = lit + rng.standard_normal(lit.shape, np.float32) * np.float32(
            rng.uniform(1, 8) * (high - low)
        )
    return _bytes(lit)


def weathered(picture: Luma, rng: np.random.Generator) -> Luma:
    """The picture after light from one side, lens, motion and codec have had their way."""
    height, width = picture.shape
    if rng.random() < 0.3:
        ramp = np.linspace(rng.uniform(0.3, 1), rng.uniform(0.6, 1.3), width)[None, :]
        fall = np.linspace(rng.uniform(0.5, 1.1), rng.uniform(0.5, 1.1), height)[:, None]
        picture = _bytes(picture * (ramp * fall))
    if rng.random() < 0.25:
        picture = _bytes(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.6))))
    if rng.random() < 0.12:
        picture = smeared(picture, float(rng.uniform(2, 7)), float(rng.uniform(0, math.pi)))
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 70))]
        done, data = cv2.imencode(".jpg", picture, quality)
        if done:
            picture = _bytes(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)))
    return relit(picture, rng, 1.5)


def smeared(picture: Luma, length: float, way: float) -> Luma:
    """The picture as motion of `length` pixels along `way` (radians) blurs it."""
    reach = max(1, math.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    half = np.array([math.cos(way), math.sin(way)]) * length / 2
    cv2.line(kernel, _cell(reach - half), _cell(reach + half), 1.0, 1, cv2.LINE_AA)
    return _bytes(cv2.filter2D(picture, -1, kernel / kernel.sum()))


def covered(picture: Luma, box: tuple[float, ...], rng: np.random.Generator) -> Luma:
    """Something in front of a face box: cage bars, a blob over an edge, a glare."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    kind, shade = rng.random(), float(rng.uniform(0, 255))
    over = picture.astype(np.float32)
    if kind < 0.4:
        wide = max(1, int(side * rng.uniform(0.01, 0.05)))
        gap, lean = side * rng.uniform(0.15, 0.4), side * rng.uniform(-0.15, 0.15)
        for at in np.arange(x0 + rng.uniform(0, gap), x1, gap):
            foot = _cell(np.array([at + lean, picture.shape[0]]))
            cv2.line(over, _cell(np.array([at, 0])), foot, shade, wide, cv2.LINE_AA)
        return _bytes(over)
    way = rng.uniform(0, 2 * math.pi)
    centre = np.array([x0 + x1, y0 + y1]) / 2 + side * 0.55 * np.array(
        [math.cos(way), math.sin(way)]
    )
    axes = (max(1, int(side * rng.uniform(0.1, 0.3))), max(1, int(side * rng.uniform(0.1, 0.3))))
    if kind < 0.8:
        cv2.ellipse(over, _cell(centre), axes, float(rng.uniform(0, 180)), 0, 360, shade, -1)
        return _bytes(over)
    glare = np.zeros_like(over)
    cv2.ellipse(glare, _cell(centre), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    glare = np.asarray(cv2.GaussianBlur(glare, (0, 0), max(0.5, side * 0.06)))
    return _bytes(over + glare * np.float32(rng.uniform(60, 200)))


def _bytes(image: NDArray[np.generic]) -> Luma:
    return np.asarray(np.clip(image.astype(np.float32), 0, 255), np.uint8)


def _cell(at: NDArray[np.floating]) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))
