"""The learned stage: from the line filters' answers to the numbers of a template."""

import torch
import torch.nn.functional as F
from torch import nn


def convolved(into, out, stride=1):
    return nn.Sequential(nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


class Stage(nn.Module):
    """Adds to the coded field what its neighbourhood says; at first it adds nothing.

    From 12 answers and 4 numbers of the coded field at 64 x 64 to 4 numbers at 32 x 32."""

    def __init__(self, width=16, parts=4, answers=12):
        super().__init__()
        self.first = convolved(answers, width, 2)
        self.body = nn.Sequential(convolved(width, width), convolved(width, width))
        self.last = nn.Conv2d(2 * width, parts, 1, bias=False)
        nn.init.zeros_(self.last.weight)

    def forward(self, answers, field):
        first = self.first(answers)
        return F.avg_pool2d(field, 2) + self.last(torch.cat((first, self.body(first)), 1))


def lattice(field, poses, side=16):
    """The field at the points of the reference's lattice, one pose (pixels right, pixels down, sine and
    cosine times scale) for each of the batch."""
    step = 128 / side
    ramp = -64 + step / 2 + torch.arange(side, device=field.device) * step
    y, x = torch.meshgrid(ramp, ramp, indexing="ij")
    shift_x, shift_y, sine, cosine = (value[:, None, None] for value in poses.unbind(1))
    grid = torch.stack((cosine * x - sine * y + shift_x, sine * x + cosine * y + shift_y), -1) / 64
    return F.grid_sample(field, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def vector(lattice):
    """At unit length, the two halves of the numbers weighted as they come."""
    return F.normalize(lattice.flatten(1), dim=1)
