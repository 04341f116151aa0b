"""What linear steps after the coded field can be fitted on drawn palms in closed form.

From the views that `pool.py` drew: how the numbers of one palm differ between views (within) and those of
palms between each other (between)."""

import torch

from nets import lattice
from train import Views, seen_from

FOURFOLD_WEIGHT = 0.9
LENGTH = 1024


def coded_vector(numbers):
    """As the engine makes it of a lattice: each half at unit length, the fourfold one weighted, unit length."""
    halves = [half.flatten(1) for half in (numbers[:, :2], numbers[:, 2:])]
    halves = [half / (half.norm(dim=1, keepdim=True) + 1e-6) for half in halves]
    return torch.cat((halves[0], FOURFOLD_WEIGHT * halves[1]), 1) / (1 + FOURFOLD_WEIGHT**2) ** 0.5


def covariances(pool_path, config):
    views = Views(pool_path, 0)
    generator = torch.Generator().manual_seed(config["seed"])
    palms, kinds = views.poses.shape[:2]
    seen = []
    for view in range(kinds):
        parts = []
        for part in torch.arange(palms).split(200):
            where = seen_from(views.poses[part, view], config["residual"], generator)
            parts.append(coded_vector(lattice(views.fields[part, view].float(), where)))
        seen.append(torch.cat(parts))
    seen = torch.stack(seen, 1)
    middle = seen.mean(1)
    apart = (seen - middle[:, None]).flatten(0, 1)
    within = apart.T @ apart / (palms * (kinds - 1))
    between = (middle - middle.mean(0)).T @ (middle - middle.mean(0)) / palms - within / kinds
    return within, between


def power(covariance, share, exponent):
    """A power of a covariance to which a share of its mean variance was added everywhere."""
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=0) + share * covariance.trace() / len(covariance)
    return (vectors * values**exponent) @ vectors.T


def steps(within, between):
    """By name, the matrices that vectors are multiplied with before they are compared."""
    reliable = between.diagonal().clamp(min=1e-9)
    yield "coded", torch.eye(LENGTH)
    yield "weighted by reliability", torch.diag((reliable / (reliable + within.diagonal())).sqrt())
    yield "within-palm whitening, share 1", power(within, 1.0, -0.5)
    yield "within-palm whitening, share 0.2", power(within, 0.2, -0.5)
    yield "within-palm whitening, share 0.05", power(within, 0.05, -0.5)
    yield "total whitening, share 1", power(within + between, 1.0, -0.5)
