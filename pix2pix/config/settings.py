"""Settings of runs, with their defaults, ranges and descriptions, as strict models.

The models are the source of the JSON schema in workflow/schemas/, the programs' flags and the error
messages for config.yaml. A run's settings are split by stage, so that a change reruns only the
stages it affects.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from pix2pix.config.values import (
    KEEP_ASPECT,
    Addresses,
    Channels,
    Direction,
    InitialWeights,
    NotNegative,
    Palette,
    Positive,
    Seed,
    Sha256,
    Size,
    SizeOrNative,
    Split,
    Strict,
    height_and_width,
    size_text,
)

TARGET_PALETTE = (
    "palette of a target that is a label map, which is then resized by nearest neighbour and scored by class; "
    "null: taken from the dataset's palettes"
)
SSIM_WINDOW = 11  # pixels


class GeneratorSettings(Strict):
    """The U-Net generator; a checkpoint fits only a network with the same settings."""

    g_in_planes: Channels = Field(3, description="input channels of the generator: 3, or 1 for greyscale")
    g_out_planes: Channels = Field(3, description="output channels of the generator: 3, or 1 for greyscale")
    g_ngf: Positive = Field(64, description="filters in the generator's first convolution")
    g_layers: Annotated[int, Field(ge=2, le=10)] = Field(
        8, description="downsampling (and upsampling) layers of the U-Net; image sizes are multiples of 2^g_layers"
    )
    alpha: NotNegative = Field(0.2, description="negative slope of LeakyReLU")
    norm: Literal["batch", "instance"] = Field("batch", description="normalisation in both networks")
    pad_mode: Literal["CONSTANT", "REFLECT", "SYMMETRIC"] = Field(
        "CONSTANT", description="padding of the (not transposed) convolutions: zeros or mirrored pixels"
    )
    dropout: bool = Field(
        False, description="dropout of 0.5 in the decoder, also at prediction (the noise of the paper)"
    )
    skip_connections: bool = Field(True, description="true: U-Net; false: the encoder-decoder of the paper")


class TrainSettings(GeneratorSettings):
    """Settings that affect the trained networks."""

    epoch_num: Positive = Field(200, description="epochs to train")
    n_epochs: Annotated[int, Field(ge=0)] = Field(100, description="epochs at the full learning rate")
    n_epochs_decay: Annotated[int, Field(ge=0)] = Field(
        100, description="epochs after that, over which the learning rate decays linearly to 0"
    )
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(0.0002, description="learning rate of Adam")
    beta1: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="decay rate of Adam's first moment")
    beta2: Annotated[float, Field(ge=0, lt=1)] = Field(0.999, description="decay rate of Adam's second moment")
    batch_size: Positive = Field(1, description="pairs per step on each worker")
    load_size: Size = Field(286, description="training images are resized to this before the random crop")
    train_pic_size: Size = Field(256, description="size of training images, in pixels: one number, or [height, width]")
    lambda_gan: NotNegative = Field(0.5, description="weight of the generator's adversarial loss (the paper: 1)")
    lambda_dis: NotNegative = Field(0.5, description="weight of the discriminator's loss")
    lambda_l1: NotNegative = Field(100.0, description="weight of the generator's L1 loss")
    d_in_planes: Positive | None = Field(
        None,
        description="input channels of the discriminator; null: the number needed, 6 for RGB or 3 if unconditional",
    )
    d_ndf: Positive = Field(64, description="filters in the discriminator's first convolution")
    d_layers: Annotated[int, Field(ge=0, le=6)] = Field(
        3, description="inner layers of the PatchGAN: 0, 1, 3, 5 classify patches of 1, 16, 70, 286 pixels"
    )
    conditional: bool = Field(True, description="the discriminator also sees the input; false: only the output")
    init_type: Literal["normal", "xavier", "constant"] = Field("normal", description="weight initialisation")
    init_ckpt: InitialWeights | None = Field(
        None,
        description="fine-tuning: the generator starts from this checkpoint instead of random weights: the name of a "
        "run, a path, or an address; with the name of a run that is trained here, its architecture is the default",
    )
    init_d_ckpt: InitialWeights | None = Field(None, description="the same for the discriminator")
    init_gain: NotNegative = Field(0.02, description="scale of the initial weights")
    update_order: Literal["simultaneous", "alternating"] = Field(
        "simultaneous",
        description="simultaneous: both gradients at the same weights (reference); alternating: the discriminator "
        "first (paper)",
    )
    precision: Literal["float32", "bf16"] = Field(
        "float32",
        description="numbers that training multiplies in convolutions; bf16 (bfloat16): faster on processors with "
        "avx512_bf16, needs `make bf16`",
    )
    direction: Direction = Field("AtoB", description="the input half: left for AtoB, right for BtoA")
    keep_aspect: bool = Field(True, description=KEEP_ASPECT)
    jitter: bool = Field(True, description="resize to load_size and take a random crop of train_pic_size")
    flip: bool = Field(True, description="flip pairs horizontally with probability 0.5")
    target_palette: Palette | None = Field(None, description=TARGET_PALETTE)
    seed: Seed = Field(0, description="random seed of weights, order, crops, flips and dropout")
    eval_epoch_freq: Annotated[int, Field(ge=0)] = Field(
        0, description="epochs between evaluations on val/ during training, to keep the best generator; 0: never"
    )
    eval_metric: Literal["l1", "psnr", "ssim"] = Field("l1", description="metric that selects the best generator")

    @property
    def d_channels(self) -> int:
        """Input channels of the discriminator: those of the output, plus those of the input if conditional."""
        return self.g_in_planes * self.conditional + self.g_out_planes

    @model_validator(mode="after")
    def _fits(self) -> "TrainSettings":
        _check_size("train_pic_size", self.train_pic_size, self.g_layers)
        if self.eval_epoch_freq:
            _check_measurable("train_pic_size", self.train_pic_size)
        sides, load_sides = height_and_width(self.train_pic_size), height_and_width(self.load_size)
        if self.jitter and any(load < side for load, side in zip(load_sides, sides, strict=True)):
            raise ValueError(
                f"load_size ({size_text(self.load_size)}) is smaller than train_pic_size "
                f"({size_text(self.train_pic_size)}): raise it, or set jitter: false"
            )
        # each strided layer halves the image, and each of the last two layers removes a pixel
        if self.d_layers and min(sides) // 2**self.d_layers < 3:
            raise ValueError(
                f"d_layers ({self.d_layers}) is too deep for train_pic_size ({size_text(self.train_pic_size)}): "
                f"images need at least {3 * 2**self.d_layers} pixels"
            )
        if self.d_in_planes is None:
            # store the number, as saved states always have; the model is frozen
            object.__setattr__(self, "d_in_planes", self.d_channels)
        if self.d_in_planes != self.d_channels:
            raise ValueError(
                f"d_in_planes ({self.d_in_planes}) must be {self.d_channels}, since conditional is {self.conditional}"
            )
        if self.epoch_num > self.n_epochs + self.n_epochs_decay:
            raise ValueError(
                f"epoch_num ({self.epoch_num}) is more than n_epochs + n_epochs_decay "
                f"({self.n_epochs} + {self.n_epochs_decay}): the learning rate is 0 after that"
            )
        return self


class PredictSettings(GeneratorSettings):
    """Settings that affect the predictions of a trained generator."""

    val_pic_size: SizeOrNative = Field(
        256,
        description="size of predictions, in pixels: one number, or [height, width]; native: the size of each image "
        "itself, padded for the generator by reflection",
    )
    tile_size: Positive = Field(
        1024,
        description="with val_pic_size: native, larger images are predicted in overlapping tiles of this height and "
        "width, in pixels",
    )
    keep_aspect: bool = Field(True, description=KEEP_ASPECT)
    predict_split: Split = Field("val", description="the split to predict")
    direction: Direction = Field("AtoB", description="the input half: left for AtoB, right for BtoA")
    target_palette: Palette | None = Field(None, description=TARGET_PALETTE)
    seed: Seed = Field(0, description="random seed of dropout, if used")

    @model_validator(mode="after")
    def _fits(self) -> "PredictSettings":
        if isinstance(self.val_pic_size, str):
            _check_size("tile_size", self.tile_size, self.g_layers)
        else:
            _check_size("val_pic_size", self.val_pic_size, self.g_layers)
            _check_measurable("val_pic_size", self.val_pic_size)
        return self

    @property
    def pass_size(self) -> tuple[int, int]:
        """Height and width that the generator processes at once; images of their own size may need less."""
        return height_and_width(self.tile_size if isinstance(self.val_pic_size, str) else self.val_pic_size)


class WhereSettings(Strict):
    """Devices and execution; a change affects no finished result and triggers no rerun."""

    device_target: Literal["CPU", "GPU", "Ascend"] = Field("CPU", description="device for training and prediction")
    device_num: Positive = Field(1, description="parallel training workers, each with batch_size pairs per step")
    nodes: Positive = Field(1, description="machines that the workers are evenly distributed over")
    hosts: Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*(,\w[\w.-]*)*$")] | None = Field(
        None, description="host names (a,b,c), reached by ssh; null: this machine, or those of the Slurm allocation"
    )
    train_threads: Positive | None = Field(
        None,
        description="cores of a training on each machine, shared by its workers; null: all of --cores, or on a "
        "cluster two, or one per worker",
    )
    save_minutes: Annotated[float, Field(gt=0)] = Field(
        5.0, description="minutes between saved states, from which training resumes"
    )
    log_steps: Positive = Field(50, description="steps between the rows of history_steps.csv, the losses within epochs")
    tensorboard: bool = Field(
        False,
        description="write event files for TensorBoard to results/{run}/tensorboard/; needs the extra tensorboard",
    )
    save_epoch_freq: Positive = Field(50, description="epochs between the checkpoints kept in snapshots/")
    stop_seconds: Annotated[float, Field(gt=0)] = Field(
        100.0, description="seconds after a signal in which multiple workers must save and exit before they are killed"
    )

    @model_validator(mode="after")
    def _fits(self) -> "WhereSettings":
        if self.device_num % self.nodes:
            raise ValueError(f"device_num ({self.device_num}) must be a multiple of nodes ({self.nodes})")
        if self.hosts and len(self.hosts.split(",")) != self.nodes:
            raise ValueError(f"hosts lists {len(self.hosts.split(','))} machines but nodes is {self.nodes}")
        return self


class ThreadSettings(Strict):
    """The cores of a program other than training."""

    threads: Positive | None = Field(
        None, description="cores to run on, which no other job uses; null: all that the program may use"
    )


class FidelitySettings(Strict):
    """FID and KID, which need an optional package (torch-fidelity) and the weights of an Inception network."""

    enabled: bool = Field(
        False, description="measure every run; false: only if results/{run}/fidelity.json is requested"
    )
    weights: Addresses = Field(
        ["https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"],
        description="addresses of the weights, tried in order: http(s):// or file://",
    )
    sha256: Sha256 = Field(
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        description="checksum of the weights; weights with another checksum are rejected",
    )


def _check_size(key: str, size: int | tuple[int, int], g_layers: int) -> None:
    if any(side % 2**g_layers for side in height_and_width(size)):
        raise ValueError(
            f"{key} ({size_text(size)}) is not a multiple of 2^g_layers ({2**g_layers}): "
            f"the U-Net halves an image g_layers ({g_layers}) times"
        )


def _check_measurable(key: str, size: int | tuple[int, int]) -> None:
    if min(height_and_width(size)) < SSIM_WINDOW:
        raise ValueError(
            f"{key} ({size_text(size)}) is smaller than the SSIM window ({SSIM_WINDOW} pixels): increase it"
        )
