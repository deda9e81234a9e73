"""The camera: panes and bars before the animal, motion blur, interlacing, light and grain."""

from __future__ import annotations

import math

import cv2
import numpy as np

from models.phantom.box import Scene
from models.phantom.look import Picture
from models.phantom.shape import f32


def smeared(patch: Picture, smear: tuple[float, float]) -> Picture:
    """A patch that moved by `smear` pixels (x, y) while the shutter was open."""
    length = math.hypot(*smear)
    if length < 0.8:
        return patch
    reach = math.ceil(length / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    half = f32(smear) / 2
    ends = np.round((f32([reach, reach]) + np.stack([-half, half])) * 16).astype(int)
    cv2.line(kernel, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 255, 1, cv2.LINE_AA, 4)
    weights = kernel.astype(np.float32)
    return np.asarray(cv2.filter2D(patch, -1, weights / weights.sum()), np.uint8)


def woven(patch: Picture, shift: tuple[float, float]) -> Picture:
    """A patch whose odd lines show it `shift` pixels later."""
    if math.hypot(*shift) < 0.25:
        return patch
    move = f32([[1, 0, shift[0]], [0, 1, shift[1]]])
    later = cv2.warpAffine(
        patch, move, (patch.shape[1], patch.shape[0]), borderMode=cv2.BORDER_REPLICATE
    )
    patch[1::2] = later[1::2]
    return patch


def exposed(picture: Picture, still: Scene, grain: int) -> Picture:
    """The picture behind panes and bars, in this light, with the grain of the sensor."""
    look = still.look
    if look.ghost:
        mirrored = cv2.GaussianBlur(picture[:, ::-1], (0, 0), 1.2)
        picture = np.asarray(
            cv2.addWeighted(picture, 1 - look.ghost, mirrored, look.ghost, 0), np.uint8
        )
    if still.keep is not None and still.add is not None:
        picture = np.asarray(
            cv2.add(cv2.multiply(picture, still.keep, scale=1 / 255), still.add), np.uint8
        )
    picture = np.asarray(cv2.multiply(picture, still.gain, scale=1 / 128), np.uint8)
    if look.noise <= 0:
        return picture
    dx, dy = (grain * 29) % 64, (grain * 47) % 64
    high, wide = picture.shape[:2]
    noise = still.noise[dy : dy + high, dx : dx + wide]
    amount = look.noise / 24
    return np.asarray(cv2.addWeighted(picture, 1.0, noise, amount, -128 * amount), np.uint8)
