"""What the line filters answer: the input of the learned stage, the same numbers as `field.rs` computes."""

import math

import numpy
import torch
import torch.nn.functional as F

DIRECTIONS = 6
# Reach in half-resolution pixels, Gaussian across and along, wave in radians a pixel.
SCALES = ((4, 1.5, 3.0, 1.6), (6, 2.6, 5.0, 0.9))


def filters(reach, across_sigma, along_sigma, frequency):
    ramp = numpy.arange(-reach, reach + 1)
    y, x = numpy.meshgrid(ramp, ramp, indexing="ij")
    bank = []
    for direction in range(DIRECTIONS):
        angle = math.pi * direction / DIRECTIONS
        along = x * math.cos(angle) + y * math.sin(angle)
        across = y * math.cos(angle) - x * math.sin(angle)
        envelope = numpy.exp(-(across**2) / (2 * across_sigma**2) - along**2 / (2 * along_sigma**2))
        values = envelope * numpy.cos(frequency * across)
        values -= values.mean()
        bank.append(values / numpy.sqrt((values**2).sum()))
    return torch.tensor(numpy.stack(bank), dtype=torch.float32)[:, None]


def responses(grey, scales=SCALES):
    """From 128 x 128 crops to 6 directions of each scale at 64 x 64, brought to unit strength by neighbourhood."""
    half = F.avg_pool2d(grey[:, None], 2)
    out = []
    for scale in scales:
        reach = scale[0]
        answers = F.conv2d(F.pad(half, (reach,) * 4, mode="replicate"), filters(*scale).to(grey.device))
        strength = F.avg_pool2d((answers * answers).mean(1, keepdim=True), 9, 1, 4, count_include_pad=False)
        out.append(answers / torch.sqrt(strength + 0.01))
    return torch.cat(out, 1)


def coded(grey, sigma=1.75):
    """The coded field: vectors at twice and four times the angle, smoothed, 64 x 64."""
    half = F.pad(F.avg_pool2d(grey[:, None], 2), (4,) * 4, mode="replicate")
    darkness = (-F.conv2d(half, filters(*SCALES[0]).to(grey.device))).clamp(min=0)
    angles = torch.arange(DIRECTIONS, device=grey.device) * math.pi / DIRECTIONS
    parts = []
    for times in (2, 4):
        x = (darkness * torch.cos(times * angles)[None, :, None, None]).sum(1)
        y = (darkness * torch.sin(times * angles)[None, :, None, None]).sum(1)
        length = torch.sqrt(x * x + y * y) + 0.1
        parts += [x / length, y / length]
    field = torch.stack(parts, 1)
    reach = math.ceil(3 * sigma)
    ramp = torch.arange(-reach, reach + 1, device=grey.device).float()
    weights = torch.exp(-(ramp**2) / (2 * sigma * sigma))
    weights = (weights / weights.sum()).expand(4, 1, 1, -1)
    field = F.conv2d(field, weights, padding=(0, reach), groups=4)
    return F.conv2d(field, weights.transpose(2, 3), padding=(reach, 0), groups=4)
