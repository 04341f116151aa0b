"""How samples of one palm lie against each other: `python misalignment.py PAIRS DIR... [--palms 13,24]`.

For pairs across the sessions of each folder (of some of its palms, counted from 0 in the order of their names):
the best of the engine's 44 poses, refined in shift, turn and scale, then in stretch along two axes too. Prints
the root mean square of each in pixels of the core, and the scores, whose highest is 1."""

import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F

from measure import full_poses, read
from responses import coded
from whiten import coded_vector

ARM = 52.0
# Steps of the refinement in pixels.
STEPS = (3.0, 1.5, 0.75)


def sampled(fields, poses):
    """The vectors at the lattice in poses (right, down, turn, scale, two stretches, all in pixels)."""
    angle, scale = poses[:, 2] / ARM, torch.exp(poses[:, 3] / ARM)
    stretch, slant = torch.exp(poses[:, 4] / ARM), poses[:, 5] / ARM
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = torch.stack((cosine * stretch - sine * slant, cosine * slant - sine / stretch), 1)
    more = torch.stack((sine * stretch + cosine * slant, sine * slant + cosine / stretch), 1)
    ramp = -60 + 8.0 * torch.arange(16)
    y, x = torch.meshgrid(ramp, ramp, indexing="ij")
    points = torch.stack((x, y), -1).reshape(-1, 2)
    at = torch.einsum("nij,kj->nki", torch.stack((rows, more), 1), points) + poses[:, None, :2]
    found = F.grid_sample(fields, (at / 64).view(-1, 16, 16, 2), align_corners=False)
    parts = []
    for part, times in ((0, 2), (2, 4)):
        cosine, sine = (value[:, None, None] for value in (torch.cos(times * angle), torch.sin(times * angle)))
        parts += [cosine * found[:, part] + sine * found[:, part + 1], cosine * found[:, part + 1] - sine * found[:, part]]
    return coded_vector(torch.stack(parts, 1))


def refined(rows, fields, best, poses, dimensions):
    for step in STEPS:
        for _ in range(3):
            for dimension in range(dimensions):
                for sign in (1, -1):
                    moved = poses.clone()
                    moved[:, dimension] += sign * step
                    score = (rows * sampled(fields, moved)).sum(1)
                    better = score > best
                    best, poses = torch.where(better, score, best), torch.where(better[:, None], moved, poses)
    return best, poses


def main():
    arguments = sys.argv[1:]
    only = None
    if "--palms" in arguments:
        at = arguments.index("--palms")
        only = {int(palm) for palm in arguments[at + 1].split(",")}
        del arguments[at : at + 2]
    count, folders = int(arguments[0]), arguments[1:]
    for folder in map(pathlib.Path, folders):
        crops, palms, sessions = read(folder, 0)
        first, second = (numpy.flatnonzero(sessions == session) for session in ("s1_", "s2_"))
        pairs = [(i, j) for i in first for j in second if palms[i] == palms[j] and (only is None or palms[i] in only)]
        pairs = [pairs[i] for i in numpy.random.default_rng(0).permutation(len(pairs))[:count]]
        fields = coded(crops[[i for pair in pairs for i in pair]])
        rows, fields = sampled(fields[::2], torch.zeros(len(pairs), 6)), fields[1::2]
        best, poses = torch.full((len(pairs),), -1.0), torch.zeros(len(pairs), 6)
        for x, y, sine, cosine in full_poses():
            turn = ARM * numpy.arctan2(sine, cosine)
            pose = torch.tensor([x, y, turn, ARM * numpy.log(numpy.hypot(sine, cosine)), 0, 0]).float()
            score = (rows * sampled(fields, pose.expand(len(pairs), 6))).sum(1)
            better = score > best
            best, poses = torch.where(better, score, best), torch.where(better[:, None], pose, poses)
        text = f"{folder.name}, {len(pairs)} pairs: scores {best.mean():.3f} in 44 poses"
        best, poses = refined(rows, fields, best, poses, 4)
        text += f", {best.mean():.3f} refined"
        best, poses = refined(rows, fields, best, poses, 6)
        apart = " ".join(f"{value:.1f}" for value in poses.square().mean(0).sqrt())
        print(f"{text}, {best.mean():.3f} stretched; right, down, turn, scale, stretches: {apart} px", flush=True)


if __name__ == "__main__":
    main()
