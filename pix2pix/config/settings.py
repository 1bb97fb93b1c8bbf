"""All settings, their defaults, ranges and meanings, as one set of strict models.

The models are the source of the JSON schema in workflow/schemas/, of the programs' flags and of
the messages for a mistaken config.yaml. A run's settings are split by the stage they matter to,
so that a change reruns that stage and no other.
"""

from typing import Annotated, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pix2pix.config.values import (
    Addresses,
    Channels,
    Direction,
    NotNegative,
    Pairs,
    Palette,
    PathName,
    Positive,
    Seed,
    Sha256,
    Split,
)

TARGET_PALETTE = (
    "colours of a target that is a label map: it is resized by nearest neighbour and its classes are scored; "
    "null: that of the dataset's palettes"
)
SSIM_WINDOW = 11  # pixels


def _types_in(annotation: object) -> set[object]:
    """The types that an annotation is made of: those of `dict[str, int | None]` are str, int and None's."""
    return {annotation}.union(*map(_types_in, get_args(annotation))) if not isinstance(annotation, str) else set()


class Strict(BaseModel):
    """A model that knows all of its keys: an unknown one is an error, not silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        # Python takes true for 1
        types = _types_in(cls.model_fields[info.field_name or ""].annotation)
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        for each in values:
            if isinstance(each, bool) and types & {int, float} and bool not in types:
                raise ValueError(f"must be a number, not {str(each).lower()}")
        return value


class DatasetSettings(Strict):
    """Where paired images come from and how they are to be read."""

    mirrors: Addresses | None = Field(
        None,
        description="addresses of the archive, tried in order: http(s):// or file://, {dataset} is filled in; "
        "one that names no .tar archive is a folder that holds {dataset}.tar.gz; null: the top-level mirrors",
    )
    folder: PathName | None = Field(
        None, description="a folder on disk with train/ and val/ inside, in place of an archive"
    )
    drawn: bool = Field(False, description="drawn by the built-in program, in place of an archive (the demo)")
    sha256: Sha256 | None = Field(
        None, description="checksum of the archive; null: that of the first download is kept and compared"
    )
    splits: dict[Split, Pairs | None] = Field(
        {"train": None, "val": None},
        description="the splits and how many pairs each has; null: at least one",
    )
    left: str = Field("A", description="what the left half (A) shows")
    right: str = Field("B", description="what the right half (B) shows")
    palettes: dict[Literal["left", "right"], Palette] = Field(
        {}, description="the halves that are label maps, and the palette whose colours tell their classes"
    )
    direction: Direction = Field("AtoB", description="which half is the input: AtoB the left, BtoA the right")
    jitter: bool = Field(True, description="training enlarges to load_size and crops train_pic_size at random")
    flip: bool = Field(True, description="training mirrors every other pair, left to right, at random")

    @model_validator(mode="after")
    def _one_source(self) -> "DatasetSettings":
        if sum([self.mirrors is not None, self.folder is not None, self.drawn]) > 1:
            raise ValueError("mirrors, folder and drawn exclude one another: keep one")
        if "train" not in self.splits or "val" not in self.splits:
            raise ValueError("splits needs both train and val")
        if self.drawn and (self.splits.keys() != {"train", "val"} or None in self.splits.values()):
            raise ValueError("drawn needs splits of train and val alone, with the number of pairs of each")
        if self.folder is not None and self.sha256 is not None:
            raise ValueError("sha256 is the checksum of an archive, and a folder has none: leave it out")
        return self


class GeneratorSettings(Strict):
    """The U-Net generator; a checkpoint fits only networks of the same settings."""

    g_in_planes: Channels = Field(3, description="channels of the generator's input: 3, or 1 for grey")
    g_out_planes: Channels = Field(3, description="channels of the generator's output: 3, or 1 for grey")
    g_ngf: Positive = Field(64, description="filters of the generator's first convolution")
    g_layers: Annotated[int, Field(ge=2, le=10)] = Field(
        8, description="down- (and up-) convolutions of the U-Net; images are multiples of 2^g_layers wide"
    )
    alpha: NotNegative = Field(0.2, description="slope of LeakyReLU for negative input")
    norm: Literal["batch", "instance"] = Field("batch", description="normalisation in both networks")
    pad_mode: Literal["CONSTANT", "REFLECT", "SYMMETRIC"] = Field(
        "CONSTANT", description="what surrounds an image in the (not transposed) convolutions: zeros or a mirror"
    )
    dropout: bool = Field(False, description="dropout of 0.5 in the decoder, at prediction too (the paper's noise)")
    skip_connections: bool = Field(True, description="U-Net; false: the paper's encoder-decoder")


class TrainSettings(GeneratorSettings):
    """All that changes what training learns."""

    epoch_num: Positive = Field(200, description="epochs to train")
    n_epochs: Annotated[int, Field(ge=0)] = Field(100, description="epochs at the full learning rate")
    n_epochs_decay: Annotated[int, Field(ge=0)] = Field(
        100, description="further epochs over which the rate falls linearly to 0"
    )
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(0.0002, description="Adam's learning rate")
    beta1: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="Adam's decay of the first moment")
    beta2: Annotated[float, Field(ge=0, lt=1)] = Field(0.999, description="Adam's decay of the second moment")
    batch_size: Positive = Field(1, description="pairs a step on each worker")
    load_size: Positive = Field(286, description="training images are enlarged to this before the random crop")
    train_pic_size: Positive = Field(256, description="width and height that training sees, in pixels")
    lambda_gan: NotNegative = Field(0.5, description="weight of the generator's adversarial loss (the paper: 1)")
    lambda_dis: NotNegative = Field(0.5, description="weight of the discriminator's loss")
    lambda_l1: NotNegative = Field(100.0, description="weight of the generator's L1 loss")
    d_in_planes: Positive | None = Field(
        None, description="channels of the discriminator's input; null: as many as it sees, 6 or, unconditional, 3"
    )
    d_ndf: Positive = Field(64, description="filters of the discriminator's first convolution")
    d_layers: Annotated[int, Field(ge=0, le=6)] = Field(
        3, description="PatchGAN's inner layers: 0, 1, 3, 5 classify patches of 1, 16, 70, 286 pixels"
    )
    conditional: bool = Field(True, description="the discriminator sees the input too; false: only the output")
    init_type: Literal["normal", "xavier", "constant"] = Field("normal", description="how weights start")
    init_gain: NotNegative = Field(0.02, description="scale of the starting weights")
    update_order: Literal["simultaneous", "alternating"] = Field(
        "simultaneous",
        description="both gradients at the same weights (reference), or the discriminator first (paper)",
    )
    direction: Direction = Field("AtoB", description="which half is the input: AtoB the left, BtoA the right")
    jitter: bool = Field(True, description="enlarge to load_size and crop train_pic_size at random")
    flip: bool = Field(True, description="mirror every other pair, left to right, at random")
    target_palette: Palette | None = Field(None, description=TARGET_PALETTE)
    seed: Seed = Field(0, description="of weights, order, crops, flips, dropout")
    eval_epoch_freq: Annotated[int, Field(ge=0)] = Field(
        0, description="epochs between evaluations on val/ during training, which keep the best generator; 0: none"
    )
    eval_metric: Literal["l1", "psnr", "ssim"] = Field("l1", description="what the best generator is best at")

    @property
    def d_channels(self) -> int:
        """Channels that the discriminator sees: the output's, and the input's where it is conditional."""
        return self.g_in_planes * self.conditional + self.g_out_planes

    @model_validator(mode="after")
    def _fits(self) -> "TrainSettings":
        _check_size("train_pic_size", self.train_pic_size, self.g_layers)
        if self.eval_epoch_freq:
            _check_measurable("train_pic_size", self.train_pic_size)
        if self.jitter and self.load_size < self.train_pic_size:
            raise ValueError(
                f"load_size ({self.load_size}) is smaller than train_pic_size ({self.train_pic_size}): "
                "raise it, or set jitter: false"
            )
        # each strided layer halves the image, each of the last two takes a pixel from it
        if self.d_layers and self.train_pic_size // 2**self.d_layers < 3:
            raise ValueError(
                f"d_layers ({self.d_layers}) is too deep for train_pic_size ({self.train_pic_size}): "
                f"nothing is left of images below {3 * 2**self.d_layers} pixels"
            )
        if self.d_in_planes is None:
            # written out, as it always was in saved states; frozen for all others
            object.__setattr__(self, "d_in_planes", self.d_channels)
        if self.d_in_planes != self.d_channels:
            raise ValueError(
                f"d_in_planes ({self.d_in_planes}) must be {self.d_channels}, as conditional is {self.conditional}"
            )
        if self.epoch_num > self.n_epochs + self.n_epochs_decay:
            raise ValueError(
                f"epoch_num ({self.epoch_num}) is more than n_epochs + n_epochs_decay "
                f"({self.n_epochs} + {self.n_epochs_decay}): the learning rate is 0 from there on"
            )
        return self


class PredictSettings(GeneratorSettings):
    """All that changes what a trained generator predicts."""

    val_pic_size: Positive = Field(256, description="width and height of predictions, in pixels")
    predict_split: Split = Field("val", description="the split whose inputs are predicted")
    direction: Direction = Field("AtoB", description="which half is the input: AtoB the left, BtoA the right")
    target_palette: Palette | None = Field(None, description=TARGET_PALETTE)
    seed: Seed = Field(0, description="of dropout, where there is any")

    @model_validator(mode="after")
    def _fits(self) -> "PredictSettings":
        _check_size("val_pic_size", self.val_pic_size, self.g_layers)
        _check_measurable("val_pic_size", self.val_pic_size)
        return self


class WhereSettings(Strict):
    """Where and how work is done; none of these changes a finished result or reruns a job."""

    device_target: Literal["CPU", "GPU", "Ascend"] = Field("CPU", description="what trains and predicts")
    device_num: Positive = Field(1, description="workers that train side by side, each on batch_size pairs a step")
    nodes: Positive = Field(1, description="machines that the workers are spread over, evenly")
    hosts: Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*(,\w[\w.-]*)*$")] | None = Field(
        None, description="names of these machines, a,b,c, reached by ssh; null: this one, or the Slurm allocation's"
    )
    save_minutes: Annotated[float, Field(gt=0)] = Field(
        5.0, description="minutes between saved states within an epoch, from which training resumes"
    )
    save_epoch_freq: Positive = Field(50, description="epochs between the networks kept in snapshots/")
    stop_seconds: Annotated[float, Field(gt=0)] = Field(
        100.0, description="seconds in which several workers must save and end after a signal; then they are killed"
    )

    @model_validator(mode="after")
    def _fits(self) -> "WhereSettings":
        if self.device_num % self.nodes:
            raise ValueError(f"device_num ({self.device_num}) must be a multiple of nodes ({self.nodes})")
        if self.hosts and len(self.hosts.split(",")) != self.nodes:
            raise ValueError(f"hosts names {len(self.hosts.split(','))} machines but nodes is {self.nodes}")
        return self


class FidelitySettings(Strict):
    """FID and KID, which need an extra (torch-fidelity) and the weights of an Inception network."""

    enabled: bool = Field(
        False, description="measure every run; false: only where results/{run}/fidelity.json is asked for"
    )
    weights: Addresses = Field(
        ["https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"],
        description="addresses of the weights, tried in order: http(s):// or file://",
    )
    sha256: Sha256 = Field(
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        description="their checksum; weights that have another one are not used",
    )


def _check_size(key: str, size: int, g_layers: int) -> None:
    if size % 2**g_layers:
        raise ValueError(
            f"{key} ({size}) is no multiple of 2^g_layers ({2**g_layers}): "
            f"the U-Net halves an image g_layers ({g_layers}) times"
        )


def _check_measurable(key: str, size: int) -> None:
    if size < SSIM_WINDOW:
        raise ValueError(f"{key} ({size}) is smaller than the window of SSIM ({SSIM_WINDOW} pixels): raise it")
