"""Measures what was learned on folders of real crops: `python measure.py CONFIG.json POOL.pt STAGE.pt SAMPLES DIR...`.

Crops lie as `DIR/<palm>/<sample>`, names beginning `s1_` against `s2_`, SAMPLES of each session (0 for all).
The probe's poses are those of full effort. Nothing is fitted here: it prints, it writes nothing."""

import json
import math
import pathlib
import re
import sys

import numpy
import torch
import torch.nn.functional as F
from PIL import Image

from nets import Stage, lattice
from responses import coded, responses
from whiten import LENGTH, coded_vector, covariances, steps

POSES = pathlib.Path(__file__).parent.parent / "crates/palm/src/poses.rs"


def full_poses():
    table = POSES.read_text().split("const FULL")[1].split("];\n")[0]
    number = r"(-?[\d.]+)"
    for x, y, degrees, scale in re.findall(rf"\({number}, {number}, {number}, {number}\)", table):
        angle, scale = math.radians(float(degrees)), float(scale)
        yield float(x), float(y), math.sin(angle) * scale, math.cos(angle) * scale


def read(folder, most):
    crops, palms, sessions = [], [], []
    for palm, directory in enumerate(sorted(path for path in folder.iterdir() if path.is_dir())):
        taken = {}
        for path in sorted(directory.iterdir()):
            session = path.name[:3]
            taken[session] = taken.get(session, 0) + 1
            if most and session in ("s1_", "s2_") and taken[session] > most:
                continue
            grey = Image.open(path).convert("L")
            if grey.size != (128, 128):
                grey = grey.resize((128, 128), Image.BILINEAR)
            crops.append(numpy.array(grey))
            palms.append(palm)
            sessions.append(session)
    return torch.from_numpy(numpy.stack(crops)).float(), numpy.array(palms), numpy.array(sessions)


def turned_back(numbers, pose):
    """The vectors of the lattice, turned back by twice and four times the pose's angle."""
    angle = math.atan2(pose[2], pose[3])
    out = numbers.clone()
    for part, times in ((0, 2), (2, 4)):
        cosine, sine = math.cos(times * angle), math.sin(times * angle)
        out[:, part] = cosine * numbers[:, part] + sine * numbers[:, part + 1]
        out[:, part + 1] = cosine * numbers[:, part + 1] - sine * numbers[:, part]
    return out


def scores(fields, enrolled, probes, step):
    poses = [(0.0, 0.0, 0.0, 1.0), *full_poses()]

    def vectors(which, pose):
        where = torch.tensor(pose).expand(len(which), 4)
        out = coded_vector(turned_back(lattice(fields[which], where), pose))
        return F.normalize(out @ step, dim=1)

    rows = vectors(enrolled, poses[0])
    best = torch.full((len(enrolled), len(probes)), -1.0)
    for pose in poses[1:]:
        best = torch.maximum(best, rows @ vectors(probes, pose).T)
    return best.numpy()


def rates(best, same):
    genuine, others = numpy.sort(best[same]), numpy.sort(best[~same])[::-1]
    missed = numpy.searchsorted(genuine, others) / len(genuine)
    matched = numpy.arange(1, len(others) + 1) / len(others)
    crossing = numpy.argmax(matched >= missed)
    text = f"EER {50 * (missed[crossing] + matched[crossing]):.2f}, TAR"
    for rate in (1e-2, 1e-3, 1e-4):
        allowed = int(rate * len(others))
        text += f" {100 * (genuine > others[allowed]).mean():.2f}" if allowed >= 10 else " –"
    return text


@torch.no_grad()
def main():
    config_path, pool_path, stage_path, most, *folders = sys.argv[1:]
    config = json.load(open(config_path))
    matrices = list(steps(*covariances(pool_path, config)))
    net = Stage(**config["net"])
    net.load_state_dict(torch.load(stage_path))
    net.eval()
    for folder in map(pathlib.Path, folders):
        crops, palms, sessions = read(folder, int(most))
        enrolled, probes = (numpy.flatnonzero(sessions == session) for session in ("s1_", "s2_"))
        if len(probes) == 0:
            sys.exit(f"{folder}: no samples of two sessions, s1_ and s2_")
        same = palms[enrolled][:, None] == palms[probes][None]
        fields = torch.cat([coded(part) for part in crops.split(100)])
        for name, step in matrices:
            print(f"{folder.name}, {name}: {rates(scores(fields, enrolled, probes, step), same)}", flush=True)
        learned = torch.cat([net(responses(part), coded(part)) for part in crops.split(100)])
        halved = F.avg_pool2d(fields, 2)
        for share in (0.0, 0.25, 1.0):
            mixed = halved + share * (learned - halved)
            found = rates(scores(mixed, enrolled, probes, torch.eye(LENGTH)), same)
            print(f"{folder.name}, stage counting {share}: {found}", flush=True)


if __name__ == "__main__":
    main()
