"""The U-Net of model.py written in plain PyTorch, to be measured beside it."""

import itertools

import torch
from torch import nn
from torch.nn import functional


class UNet(nn.Module):
    """From images (batch, 1, height, width) to logits of the same shape; `width`, `depth` as for `model.unet`.

    `each`: whether to normalise after each convolution, or once a level.
    """

    def __init__(self, width=64, depth=4, dropout=0.5, each=False):
        super().__init__()
        channels = [width * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(convolve_twice(a, b, each) for a, b in itertools.pairwise([1, *channels]))
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in itertools.pairwise(channels))
        self.up = nn.ModuleList(convolve_twice(2 * a, a, each) for a in channels[:-1])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        depth, skips = len(self.up), []
        for level, convolutions in enumerate(self.down):
            x = convolutions(x)
            if level >= depth - 1:
                x = self.dropout(x)
            if level < depth:
                skips.append(x)
                x = functional.max_pool2d(x, 2)
        for level in reversed(range(depth)):
            x = self.up[level](torch.cat([skips[level], self.enlarge[level](x)], dim=1))
        return self.head(x)


def convolve_twice(given, channels, each):
    return nn.Sequential(
        nn.Conv2d(given, channels, 3, padding=1, bias=not each),
        *[nn.BatchNorm2d(channels)] * each,
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )
