"""Pairs of views of palms that do not exist, made on the device they are trained on.

What is read is the raw file of `cargo run --release -p handfast-palm-eval --example training_palms`.
A palm of a batch is one of its palms in one of eight orientations, most often with the lines of a
second one drawn through it and with a net of lines of its own, so that the number of palms is not
bounded by the file. Its two views differ in sample, pose, bend, light, focus and noise.
"""

import math

import numpy
import torch
import torch.nn.functional as F

CROP = 160
CORE = 128
# Distance of a point of the core from its centre, root mean square.
ARM = 52.0


class Palms:
    def __init__(self, path, samples, device, first=0, count=None):
        raw = numpy.memmap(path, numpy.uint8, "r").reshape(-1, samples, CROP, CROP)
        raw = raw[first:] if count is None else raw[first : first + count]
        self.crops = torch.from_numpy(numpy.array(raw)).to(device)
        self.device = device

    def __len__(self):
        return self.crops.shape[0]

    def views(self, batch, config, generator, count=2):
        """Views of each of `batch` palms, and the poses in which they were seen."""
        palms, samples = self.crops.shape[:2]
        uniform = lambda *shape: torch.rand(shape, device=self.device, generator=generator)
        index = lambda top, *shape: (uniform(*shape) * top).long().clamp_(max=top - 1)
        first, second = index(palms, batch), index(palms, batch)
        turn, other_turn = index(8, batch), index(8, batch)
        mixed = (uniform(batch) < config["mixed"]).float() * uniform(batch)
        net = self.nets(batch, uniform, generator) if config["nets"] > 0 else None
        net_depth = (uniform(batch) < config["nets"]).float() * uniform(batch) * 0.18
        grain = self.grain(batch, uniform, generator) * (uniform(batch) * config["grain"])[:, None, None]
        views, poses = [], []
        # Never the same sample twice.
        picks = uniform(2, batch, samples).argsort(2)
        for view in range(count):
            grey = oriented(self.crops[first, picks[0, :, view]].float() + 8.0, turn)
            grey = grey / grey.mean((1, 2), keepdim=True)
            more = oriented(self.crops[second, picks[1, :, view]].float() + 8.0, other_turn)
            more = more / blurred(more, 6.0)
            grey = grey * more.clamp(0.5, 1.5) ** mixed[:, None, None]
            grey = grey * torch.exp(grain * (0.8 + 0.4 * uniform(batch))[:, None, None])
            if net is not None:
                shown = 0.4 + 0.6 * uniform(batch)
                grey = grey * (1.0 - net * (net_depth * shown)[:, None, None])
            seen, pose = self.posed(grey, config, uniform, generator)
            views.append(self.lit(seen, config, uniform, generator))
            poses.append(pose)
        return views, poses

    def nets(self, batch, uniform, generator):
        """Nets of fine lines: where smooth noise crosses zero."""
        lines = torch.zeros(batch, CROP, CROP, device=self.device)
        for cells in (10, 20):
            noise = torch.randn(batch, 1, cells, cells, device=self.device, generator=generator)
            noise = F.interpolate(noise, (CROP, CROP), mode="bicubic", align_corners=False)[:, 0]
            slope = cells / CROP * 1.5
            width = (0.7 + 1.5 * uniform(batch))[:, None, None] * slope
            lines = torch.maximum(lines, torch.exp(-((noise / width) ** 2)))
        return lines

    def grain(self, batch, uniform, generator):
        """A palm's own texture, everywhere, along the palm, across it and neither."""
        texture = torch.zeros(batch, CROP, CROP, device=self.device)
        for cells in ((14, 42), (42, 14), (28, 28), (56, 56)):
            noise = torch.randn(batch, 1, *cells, device=self.device, generator=generator)
            noise = F.interpolate(noise, (CROP, CROP), mode="bicubic", align_corners=False)[:, 0]
            texture += noise * uniform(batch)[:, None, None]
        return texture

    def posed(self, grey, config, uniform, generator):
        """The core, shifted, turned, scaled and bent."""
        batch = grey.shape[0]
        normal = lambda *shape: torch.randn(shape, device=self.device, generator=generator)
        shift = normal(batch, 2) * config["shift"]
        angle = normal(batch) * math.radians(config["turn"])
        scale = torch.exp(normal(batch) * config["scale"])
        ramp = (torch.arange(CORE, device=self.device) + 0.5 - CORE / 2).float()
        y, x = torch.meshgrid(ramp, ramp, indexing="ij")
        cosine, sine = (torch.cos(angle) * scale)[:, None, None], (torch.sin(angle) * scale)[:, None, None]
        at_x = cosine * x - sine * y + shift[:, 0, None, None]
        at_y = sine * x + cosine * y + shift[:, 1, None, None]
        bend = normal(batch, 2, 5, 5) * (config["bend"] * 2 * uniform(batch))[:, None, None, None]
        bend = F.interpolate(bend, (CORE, CORE), mode="bicubic", align_corners=True)
        grid = torch.stack((at_x + bend[:, 0], at_y + bend[:, 1]), -1) / (CROP / 2)
        seen = F.grid_sample(grey[:, None], grid, mode="bilinear", padding_mode="border", align_corners=False)
        pose = torch.stack((shift[:, 0], shift[:, 1], angle * ARM, torch.log(scale) * ARM), 1)
        return seen[:, 0], pose

    def lit(self, seen, config, uniform, generator):
        """Other light, focus, noise and skin of the day."""
        batch = seen.shape[0]
        normal = lambda *shape: torch.randn(shape, device=self.device, generator=generator)
        spread = lambda low, high: (low + (high - low) * uniform(batch))[:, None, None]
        light = normal(batch, 1, 4, 4) * spread(0.0, config["light"])[:, None]
        light = F.interpolate(light, (CORE, CORE), mode="bicubic", align_corners=True)[:, 0]
        seen = seen * torch.exp(light)
        skin = normal(batch, 1, 48, 48) * spread(0.0, config["skin"])[:, None]
        seen = seen * torch.exp(F.interpolate(skin, (CORE, CORE), mode="bicubic", align_corners=True)[:, 0])
        # Some out of focus, some sharpened as a camera does.
        soft = blurred(seen, 1.6)
        sharpness = spread(-config["soft"], 0.8)
        seen = torch.where(sharpness < 0, seen - sharpness * (soft - seen), seen + sharpness * (seen - soft))
        # A spot that shines, or a shadow.
        ramp = (torch.arange(CORE, device=self.device).float() + 0.5) / CORE
        spot = torch.exp(
            -(
                (ramp[None, None] - uniform(batch)[:, None, None]) ** 2
                + (ramp[None, :, None] - uniform(batch)[:, None, None]) ** 2
            )
            / (2 * spread(0.05, 0.2) ** 2)
        )
        seen = seen + spot * spread(-0.5, 0.8) * (uniform(batch) < 0.3).float()[:, None, None]
        grey = 128.0 * seen * spread(0.5, 1.5)
        grey = grey + normal(*grey.shape) * spread(0.0, config["noise"])
        return grey.clamp(0, 255)


def oriented(grey, turn):
    """Each picture in one of the eight orientations of a square."""
    out = torch.where((turn & 1).bool()[:, None, None], grey.flip(2), grey)
    out = torch.where((turn & 2).bool()[:, None, None], out.flip(1), out)
    return torch.where((turn & 4).bool()[:, None, None], out.transpose(1, 2), out)


def blurred(grey, sigma):
    reach = int(3 * sigma)
    ramp = torch.arange(-reach, reach + 1, device=grey.device).float()
    weights = torch.exp(-(ramp**2) / (2 * sigma * sigma))
    weights = weights / weights.sum()
    out = F.pad(grey[:, None], (reach,) * 4, mode="replicate")
    out = F.conv2d(out, weights[None, None, None])
    return F.conv2d(out, weights[None, None, :, None])[:, 0]
