"""Poses as rows of (right, down, turn, scale), all in pixels of the core, and fields seen in them."""

import math

import torch
import torch.nn.functional as F

from measure import full_poses

# Distance of a point of the core from its centre, root mean square.
ARM = 52.0


def matrix(poses):
    """Cosine and sine times the scale, and the shift."""
    angle, scale = poses[:, 2] / ARM, torch.exp(poses[:, 3] / ARM)
    return torch.cos(angle) * scale, torch.sin(angle) * scale, poses[:, 0], poses[:, 1]


def composed(outer, inner):
    """What takes a point where `outer` takes what `inner` makes of it."""
    cosine, sine, x, y = matrix(outer)
    right = cosine * inner[:, 0] - sine * inner[:, 1] + x
    down = sine * inner[:, 0] + cosine * inner[:, 1] + y
    return torch.stack((right, down, outer[:, 2] + inner[:, 2], outer[:, 3] + inner[:, 3]), 1)


def inverse(poses):
    cosine, sine, x, y = matrix(poses)
    square = cosine * cosine + sine * sine
    cosine, sine = cosine / square, -sine / square
    return torch.stack((sine * y - cosine * x, -sine * x - cosine * y, -poses[:, 2], -poses[:, 3]), 1)


def seen(fields, poses, side):
    """Fields of any size, centred, on a lattice of the core in poses; vectors are turned back with it."""
    ramp = (torch.arange(side) + 0.5 - side / 2) * (128 / side)
    grid_y, grid_x = torch.meshgrid(ramp, ramp, indexing="ij")
    grid_x, grid_y = grid_x.reshape(1, -1), grid_y.reshape(1, -1)
    cosine, sine, x, y = (part[:, None] for part in matrix(poses))
    at = torch.stack((cosine * grid_x - sine * grid_y + x, sine * grid_x + cosine * grid_y + y), -1)
    found = F.grid_sample(fields, (at / fields.shape[-1]).view(-1, side, side, 2), align_corners=False)
    angle, parts = poses[:, 2] / ARM, []
    for part in range(0, fields.shape[1], 2):
        times = 2 if part % 4 == 0 else 4
        c, s = torch.cos(times * angle)[:, None, None], torch.sin(times * angle)[:, None, None]
        parts += [c * found[:, part] + s * found[:, part + 1], c * found[:, part + 1] - s * found[:, part]]
    return torch.stack(parts, 1)


def engine_poses():
    rows = [[x, y, ARM * math.atan2(s, c), ARM * math.log(math.hypot(s, c))] for x, y, s, c in full_poses()]
    return torch.tensor(rows, dtype=torch.float32)
