"""The U-Net, in the Keras functional API. Made to be edited.

Source: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015
(arXiv 1505.04597). Where this network departs from the paper's:

- convolutions are padded ("same"), so a mask has the size of its image; the paper's lose a border;
- batch normalisation follows the second convolution of each level, which keeps a short training from collapsing to a
  constant grey answer (after both it was slower, and no better);
- one sigmoid channel, on the full width, answers a question of two classes; the paper uses a softmax over two;
- dropout of 0.5 follows both the last level before the bottom and the bottom itself, as in zhixuhao/unet; the paper
  says only that it is at the end of the contracting path.

And where the training in main.py does, by what benchmarks/LOG.md found:

- width 12 in place of 64; Adam along a cosine in place of SGD with a momentum of 0.99; four crops a step in place of
  one tile as large as fits;
- all pixels weigh the same (`--border-weight 10 --border-sigma 5` is the paper's map, without its balance of classes);
  segmentation/prediction/watershed.py keeps neighbours apart instead;
- no dropout with more than two classes, which in so short a training need all features;
- no elastic deformation (`--elastic 10` is the paper's); affine transforms, the eight flips and rotations, and noise;
- an image is predicted whole or in tiles that overlap as far as the network looks, padded by reflection, and averaged
  over its eight flips and rotations; the paper's average is over seven rotations.

Your own network is one more function here with the arguments of `unet`; `python main.py --model NAME` trains it.
"""

import keras
from keras import layers


def unet(input_shape=(None, None, 1), classes=1, width=64, depth=4, dropout=0.5):
    """Build a U-Net, uncompiled; the defaults give the paper's network.

    Parameters
    ----------
    input_shape : tuple (height, width, channels)
        Height and width may be None: then any multiples of 2**depth will do.
    classes : int
        1 for a yes-or-no question (sigmoid), the number of classes otherwise (softmax).
    width : int
        Channels at full resolution; each level down doubles them.
    depth : int
        How many times the image is halved.
    dropout : float in [0, 1)
        Share of the features dropped, in training, at the end of the contracting path.

    Returns
    -------
    keras.Model
        From float32 images (batch, height, width, channels) in [0, 1] to float32 probabilities
        (batch, height, width, classes).
    """
    inputs = layers.Input(input_shape, name="image")
    x = inputs
    skips = []
    for level in range(1, depth + 1):
        x = _convolve_twice(x, width * 2 ** (level - 1), f"down{level}")
        if level == depth:
            x = layers.Dropout(dropout, name=f"down{level}_dropout")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down{level}_pool")(x)

    x = _convolve_twice(x, width * 2**depth, "bottom")
    x = layers.Dropout(dropout, name="bottom_dropout")(x)

    for level in range(depth, 0, -1):
        channels = width * 2 ** (level - 1)
        x = layers.Conv2DTranspose(channels, 2, strides=2, kernel_initializer="he_normal", name=f"up{level}_conv0")(x)
        x = layers.Concatenate(name=f"up{level}_concatenate")([skips.pop(), x])
        x = _convolve_twice(x, channels, f"up{level}")

    activation = "sigmoid" if classes == 1 else "softmax"
    outputs = layers.Conv2D(classes, 1, activation=activation, dtype="float32", name="probability")(x)
    return keras.Model(inputs, outputs, name="unet")


def _convolve_twice(x, channels, name):
    """Two 3x3 convolutions with ReLU, the second normalised: one level of the U."""
    options = {"padding": "same", "kernel_initializer": "he_normal"}
    x = layers.Conv2D(channels, 3, **options, activation="relu", name=f"{name}_conv1")(x)
    x = layers.Conv2D(channels, 3, **options, use_bias=False, name=f"{name}_conv2")(x)
    # The moving statistics follow within tens of steps, since an epoch may be that short.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
