"""A network that says in what pose a palm lies, learned on drawn palms:

    python canonical.py pool CONFIG.json PALMS.raw OUT.pt
    python canonical.py train CONFIG.json POOL.pt OUT DIR...

PALMS.raw is of `training_palms` with the config's crop. No pose is right of itself: what is learned is that all
views of one palm, in any of the eight orientations of a square, get the same frame. `OUT.log` says after every
few minutes how far apart the frames of held-out drawn palms are, and those of the real palms in DIR, which are
measured and not learned from: with none, a quarter, half, three quarters and all of the network's answer."""

import json
import math
import pathlib
import sys
import time

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F

import palms as drawn
from geometry import composed, inverse, seen
from measure import read
from oracle import registered
from responses import DIRECTIONS, SCALES, coded, filters

SIDE = 32
SMOOTH_SIGMA = 1.4


def channels(grey):
    """The fine field at unit length and a coarse one by strength, half a picture's size."""
    half = F.avg_pool2d(grey[:, None], 2)
    angles = torch.arange(DIRECTIONS) * math.pi / DIRECTIONS
    parts = []
    for rank, scale in enumerate(SCALES):
        padded = F.pad(half, (scale[0],) * 4, mode="replicate")
        darkness = (-F.conv2d(padded, filters(*scale))).clamp(min=0)
        for times in (2, 4):
            weights = torch.stack((torch.cos(times * angles), torch.sin(times * angles)))
            vector = torch.einsum("ndhw,kd->nkhw", darkness, weights)
            length = vector.norm(dim=1, keepdim=True)
            near = F.avg_pool2d(length, 31, 1, 15, count_include_pad=False)
            parts.append(vector / (length + 0.1) if rank == 0 else 2 * vector / (length + near + 0.1))
    reach = math.ceil(3 * SMOOTH_SIGMA)
    weights = torch.exp(-(torch.arange(-reach, reach + 1).float() ** 2) / (2 * SMOOTH_SIGMA**2))
    weights = (weights / weights.sum()).expand(8, 1, 1, -1)
    field = F.conv2d(torch.cat(parts, 1), weights, padding=(0, reach), groups=8)
    return F.conv2d(field, weights.transpose(2, 3), padding=(reach, 0), groups=8)


class Frame(nn.Module):
    """Where some features are on the whole, and from that the pose in pixels of the core."""

    def __init__(self, width=24, features=24, hidden=64):
        super().__init__()
        inner = width * 3 // 2
        self.first = nn.Conv2d(8, width, 3, padding=1)
        self.second = nn.Conv2d(width, inner, 3, padding=1, stride=2)
        self.further = nn.ModuleList([nn.Conv2d(inner, inner, 3, padding=d, dilation=d) for d in (1, 2, 4, 1)])
        self.heat = nn.Conv2d(inner, features, 1)
        self.joined, self.pose = nn.Linear(4 * features, hidden), nn.Linear(hidden, 4)
        ramp = (torch.arange(SIDE // 2) + 0.5 - SIDE / 4) / (SIDE / 4)
        grid_y, grid_x = torch.meshgrid(ramp, ramp, indexing="ij")
        self.register_buffer("x", grid_x.reshape(-1))
        self.register_buffer("y", grid_y.reshape(-1))
        nn.init.zeros_(self.pose.bias)
        self.pose.weight.data *= 0.1

    def forward(self, view):
        out = F.relu(self.second(F.relu(self.first(view))))
        for layer in self.further:
            out = out + F.relu(layer(out))
        heat = self.heat(out).flatten(2)
        share = torch.softmax(heat, 2)
        x, y = (share * self.x).sum(2), (share * self.y).sum(2)
        spread = (share * (self.x**2 + self.y**2)).sum(2) - x * x - y * y
        strength = torch.tanh((torch.logsumexp(heat, 2) - math.log(len(self.x))) / 4)
        return 16 * self.pose(F.relu(self.joined(torch.cat((2 * x, 2 * y, spread, strength), 1))))


def oriented(field, turn):
    """Fields in one of the eight orientations of a square; their vectors turn with them."""
    if turn & 1:
        field = field.flip(-1) * torch.tensor([1, -1] * 4).view(8, 1, 1)
    if turn & 2:
        field = field.flip((-1, -2))
    if turn & 4:
        field = field.transpose(-1, -2) * torch.tensor([-1, 1, 1, -1] * 2).view(8, 1, 1)
    return field


def estimated(net, fields, poses, passes):
    """The frame in each view, looked at again from where it seems to be."""
    frames = torch.zeros_like(poses)
    for _ in range(passes):
        parts = zip(fields.split(200), composed(poses, frames).split(200))
        frames = composed(frames, torch.cat([net(seen(field, pose, SIDE)) for field, pose in parts]))
    return frames


def apart(frames):
    """The root mean square distance of frames (palms, views, 4) from the mean of their palm."""
    return (frames - frames.mean(1, keepdim=True)).square().sum(2).mean().sqrt().item()


class Real:
    """Two samples a session of a folder of crops, and how they lie against their palm's mean."""

    def __init__(self, folder):
        crops, palms, _ = read(folder, 2)
        self.name, self.palms = folder.name, torch.as_tensor(palms)
        fields = torch.cat([coded(part) for part in crops.split(100)])
        self.against_mean = inverse(registered(fields, palms))
        self.fields = torch.cat([channels(part) for part in crops.split(100)])

    def checked(self, net):
        found = estimated(net, self.fields, torch.zeros(len(self.fields), 4), 2)
        out = []
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            frames = composed(self.against_mean, share * found)
            sums = torch.zeros(self.palms.max() + 1, 4).index_add_(0, self.palms, frames)
            off = frames - (sums / torch.bincount(self.palms)[:, None])[self.palms]
            out.append(round(off.square().sum(1).mean().sqrt().item(), 2))
        return out


@torch.no_grad()
def pool(config, raw, out):
    drawn.CROP = drawn.CORE = config["crop"]
    shape = (-1, config["samples"], config["crop"], config["crop"])
    source = drawn.Palms.__new__(drawn.Palms)
    source.crops = torch.from_numpy(numpy.fromfile(raw, numpy.uint8)).view(shape)
    source.device = "cpu"
    generator = torch.Generator().manual_seed(config["seed"])
    fields = []
    for _ in range(config["palms"] // 32):
        views, _ = source.views(32, config["drawing"], generator, config["views"])
        fields.append(torch.stack([channels(view).half() for view in views], 1))
    torch.save(torch.cat(fields), out)


@torch.no_grad()
def checked(net, fields, config, real):
    held, views = fields[: config["held_out"]].float(), config["views"]
    generator = torch.Generator().manual_seed(5)
    poses = torch.randn(len(held) * views, 4, generator=generator) * torch.tensor(config["cloud"])
    frames = [composed(poses, estimated(net, held.flatten(0, 1), poses, passes)) for passes in (1, 2)]
    once, twice = (round(apart(it.view(-1, views, 4)), 2) for it in frames)
    return {"held_out": once, "held_out_twice": twice} | {it.name: it.checked(net) for it in real}


def train(config, pool_path, out, real):
    fields = torch.load(pool_path, mmap=True)
    torch.manual_seed(config["seed"])
    generator = torch.Generator().manual_seed(config["seed"])
    net = Frame()
    optimiser = torch.optim.AdamW(net.parameters(), lr=config["rate"], weight_decay=config["decay"])
    held, views, batch = config["held_out"], config["views"], config["batch"]
    cloud, begun, minutes, checked_at, step = torch.tensor(config["cloud"]), time.process_time(), 0.0, 0.0, 0
    log = open(f"{out}.log", "w")
    while minutes < config["minutes"]:
        rate = config["rate"] * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * minutes / config["minutes"]))
        for group in optimiser.param_groups:
            group["lr"] = max(rate, 1e-5)
        chosen = held + torch.randperm(len(fields) - held, generator=generator)[:batch]
        turn = int(torch.randint(8, (1,), generator=generator))
        # A third of the palms lie twice as far off.
        wide = 1.0 + (torch.rand(batch, 1, 1, generator=generator) < 0.3).float()
        poses = torch.randn(batch * views, 4, generator=generator) * cloud * wide.expand(batch, views, 1).reshape(-1, 1)
        found = net(seen(oriented(fields[chosen].float(), turn).flatten(0, 1), poses, SIDE))
        frames = composed(poses, found).view(batch, views, 4)
        off = (frames - frames.mean(1, keepdim=True)).square().sum(2)
        loss = torch.sqrt(off + 1).mean() + 0.0005 * frames.mean(1).square().sum(1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        step, minutes = step + 1, (time.process_time() - begun) / 60
        if minutes - checked_at > 1.0:
            checked_at = minutes
            line = {"step": step, "minutes": round(minutes, 1), "loss": round(loss.item(), 3)}
            print(json.dumps(line | checked(net, fields, config, real)), file=log, flush=True)
            torch.save(net.state_dict(), f"{out}.pt")


def main():
    torch.set_num_threads(1)
    what, config_path, *rest = sys.argv[1:]
    config = json.load(open(config_path))
    if what == "pool":
        pool(config, *rest)
    else:
        train(config, rest[0], rest[1], [Real(pathlib.Path(folder)) for folder in rest[2:]])


if __name__ == "__main__":
    main()
