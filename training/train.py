"""Trains the stage on views that `pool.py` drew and writes it as ONNX: `python train.py CONFIG.json POOL.pt OUT`.

The same seed gives the same weights on the same machine; `OUT.log` has a line of JSON for every few steps."""

import json
import math
import sys
import time

import torch
import torch.nn.functional as F

from nets import Stage, lattice, vector

# Distance of a point of the core from its centre, root mean square.
ARM = 52.0


def seen_from(poses, residual, generator):
    """For views that were made in `poses` (shifts, turn and scale in pixels), where the palm's own lattice
    lies in them, and a little beside it: what is left when a probe's poses were tried."""
    shift, angle, log_scale = poses[:, :2], poses[:, 2] / ARM, poses[:, 3] / ARM
    jitter = torch.randn(poses.shape, generator=generator) * residual
    angle = angle + jitter[:, 2] / ARM
    scale = torch.exp(-log_scale + jitter[:, 3] / ARM)
    sine, cosine = -torch.sin(angle) * scale, torch.cos(angle) * scale
    x = -(cosine * shift[:, 0] - sine * shift[:, 1]) + jitter[:, 0]
    y = -(sine * shift[:, 0] + cosine * shift[:, 1]) + jitter[:, 1]
    return torch.stack((x, y, sine, cosine), 1)


class Views:
    def __init__(self, path, held_out):
        pool = torch.load(path, mmap=True)
        self.answers, self.fields, self.poses = pool["answers"], pool["fields"], pool["poses"]
        self.held_out = held_out

    def pair(self, palms, views, config, generator):
        both = []
        for view in views:
            answers = self.answers[palms, view].float().contiguous(memory_format=torch.channels_last)
            where = seen_from(self.poses[palms, view], config["residual"], generator)
            both.append((answers, self.fields[palms, view].float(), where))
        return [torch.cat(parts) for parts in zip(*both)]


def contrast(first, second, scale):
    """Each view has to find the other one of its palm among all palms of the batch."""
    logits = scale * first @ second.T
    target = torch.arange(len(first))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


@torch.no_grad()
def checked(net, views, config):
    """Held-out palms, one view against another, one pose: TAR at two rates, coded and with the stage."""
    net.eval()
    generator = torch.Generator().manual_seed(7)
    outs = {"coded": ([], []), "stage": ([], [])}
    for palms in torch.arange(views.held_out).split(100):
        for pair in ((0, 1), (1, 2)):
            answers, fields, where = views.pair(palms, pair, config, generator)
            for name, field in (("coded", fields), ("stage", net(answers, fields))):
                for out, half in zip(outs[name], vector(lattice(field, where)).chunk(2)):
                    out.append(half)
    net.train()
    labels = torch.cat([palms for palms in torch.arange(views.held_out).split(100) for _ in range(2)])
    found = {}
    for name, (first, second) in outs.items():
        scores = torch.cat(first) @ torch.cat(second).T
        same = labels[:, None] == labels[None]
        genuine, others = scores[same], scores[~same]
        for rate in (1e-3, 1e-4):
            threshold = others.topk(int(rate * len(others))).values[-1]
            found[f"{name}_{rate:g}"] = round((genuine > threshold).float().mean().item(), 4)
    return found


def main():
    config_path, pool_path, out = sys.argv[1:4]
    config = json.load(open(config_path))
    torch.manual_seed(config["seed"])
    views = Views(pool_path, config["held_out"])
    net = Stage(**config["net"]).to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(config["seed"])
    optimiser = torch.optim.AdamW(net.parameters(), lr=config["rate"], weight_decay=config["decay"])
    count, kinds = views.poses.shape[:2]
    begun = time.process_time()
    log = open(f"{out}.log", "w")
    for step in range(config["steps"]):
        warm = min(1.0, (step + 1) / 50)
        for group in optimiser.param_groups:
            group["lr"] = config["rate"] * warm * 0.5 * (1 + math.cos(math.pi * step / config["steps"]))
        palms = views.held_out + torch.randperm(count - views.held_out, generator=generator)[: config["batch"]]
        pair = torch.randperm(kinds, generator=generator)[:2].tolist()
        answers, fields, where = views.pair(palms, pair, config, generator)
        first, second = vector(lattice(net(answers, fields), where)).chunk(2)
        loss = contrast(first, second, config["loss_scale"])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        last = step + 1 == config["steps"]
        if (step + 1) % config["log_every"] == 0 or last or step == 0:
            line = {"step": step + 1, "cpu_seconds": round(time.process_time() - begun), "loss": round(loss.item(), 4)}
            if (step + 1) % config["check_every"] == 0 or last or step == 0:
                line |= checked(net, views, config)
                torch.save(net.state_dict(), f"{out}.pt")
            print(json.dumps(line), file=log, flush=True)
    net.eval()
    torch.onnx.export(
        net, (torch.zeros(1, 12, 64, 64), torch.zeros(1, 4, 64, 64)), f"{out}.onnx",
        input_names=["answers", "field"], output_names=["numbers"], opset_version=17, dynamo=False,
        dynamic_axes={name: {0: "n"} for name in ("answers", "field", "numbers")},
    )


if __name__ == "__main__":
    main()
