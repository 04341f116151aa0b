"""What a canonical pose would win, by how far it errs: `python oracle.py SAMPLES DIR...`, folders of crops as
for `measure.py`.

Every sample is registered to the mean of its palm, which no engine can know; that pose, with an error added,
takes the place of the crop's own. Reference and probe both begin in it, the probe's 44 poses around it."""

import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F

from geometry import composed, engine_poses, seen
from measure import rates, read
from responses import coded
from whiten import coded_vector


def vectors(fields, poses):
    return coded_vector(seen(fields, poses, 16))


def refined(rows, fields, poses, steps, rounds):
    best = (rows * vectors(fields, poses)).sum(1)
    for step in steps:
        for _ in range(rounds):
            for dimension in range(4):
                for sign in (1, -1):
                    moved = poses.clone()
                    moved[:, dimension] += sign * step
                    score = (rows * vectors(fields, moved)).sum(1)
                    better = score > best
                    best, poses = torch.where(better, score, best), torch.where(better[:, None], moved, poses)
    return poses


def registered(fields, palms):
    """Each sample's pose against the mean of its palm."""
    palms = torch.as_tensor(palms)
    poses = torch.zeros(len(fields), 4)
    for first in (True, False):
        mean = torch.zeros(palms.max() + 1, 1024).index_add_(0, palms, vectors(fields, poses))
        rows = F.normalize(mean, dim=1)[palms]
        if first:
            tried = engine_poses()
            scores = torch.stack([(rows * vectors(fields, pose.expand(len(fields), 4))).sum(1) for pose in tried])
            poses = refined(rows, fields, tried[scores.argmax(0)], (3.0, 1.5, 0.75), 3)
        else:
            poses = refined(rows, fields, poses, (1.5, 0.75), 2)
    return poses


def centred(poses, palms):
    """Poses less the mean of their palm."""
    palms = torch.as_tensor(palms)
    sums = torch.zeros(palms.max() + 1, 4).index_add_(0, palms, poses)
    return poses - (sums / torch.bincount(palms)[:, None])[palms]


def scores(fields, enrolled, probes, base, poses):
    rows = vectors(fields[enrolled], base[enrolled])
    best = torch.full((len(enrolled), len(probes)), -1.0)
    for pose in poses:
        moved = composed(base[probes], pose.expand(len(probes), 4))
        best = torch.maximum(best, rows @ vectors(fields[probes], moved).T)
    return best.numpy()


@torch.no_grad()
def main():
    most, *folders = sys.argv[1:]
    for folder in map(pathlib.Path, folders):
        crops, palms, sessions = read(folder, int(most))
        fields = torch.cat([coded(part) for part in crops.split(100)])
        enrolled, probes = (numpy.flatnonzero(sessions == session) for session in ("s1_", "s2_"))
        same = palms[enrolled][:, None] == palms[probes][None]
        truth = centred(registered(fields, palms), palms)
        apart = truth.square().sum(1).mean().sqrt()
        crop = scores(fields, enrolled, probes, torch.zeros_like(truth), engine_poses())
        print(f"{folder.name}, as cropped, {apart:.2f} px from the palm's mean: {rates(crop, same)}", flush=True)
        for error in (0.0, 1.0, 1.5, 2.0, 2.5):
            generator = torch.Generator().manual_seed(1)
            base = truth + torch.randn(truth.shape, generator=generator) * error / 2
            for cloud in (1.0, 0.6):
                found = rates(scores(fields, enrolled, probes, base, cloud * engine_poses()), same)
                print(f"{folder.name}, erring by {error} px, poses of {cloud} of the cloud: {found}", flush=True)


if __name__ == "__main__":
    main()
