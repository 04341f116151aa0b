"""Draws the views that are trained on, once: `python pool.py CONFIG.json PALMS.raw OUT.pt`."""

import json
import sys

import torch

from palms import Palms
from responses import coded, responses


def main():
    config_path, palms_path, out = sys.argv[1:4]
    config = json.load(open(config_path))
    palms = Palms(palms_path, config["samples"], "cpu")
    generator = torch.Generator().manual_seed(config["seed"])
    answers, fields, poses, greys = [], [], [], []
    for chunk in range(config["pool_palms"] // config["pool_chunk"]):
        views, seen = palms.views(config["pool_chunk"], config, generator, config["pool_views"])
        answers.append(torch.stack([responses(view).half() for view in views], 1))
        fields.append(torch.stack([coded(view).half() for view in views], 1))
        poses.append(torch.stack(seen, 1))
        print(chunk, flush=True)
    torch.save({"answers": torch.cat(answers), "fields": torch.cat(fields), "poses": torch.cat(poses)}, out)


if __name__ == "__main__":
    main()
