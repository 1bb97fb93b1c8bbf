def shards(dataset, split):
    """The MindRecord files of a split: one, or several if it is large."""
    pairs = CONFIG.datasets[dataset].counts[split] or 0
    number = -(-pairs // PAIRS_IN_A_SHARD)
    if number <= 1:
        return [f"data/{dataset}/{split}.mindrecord"]
    return [f"data/{dataset}/{split}-{shard}-of-{number}.mindrecord" for shard in range(1, number + 1)]


def mirror_flags(wildcards):
    mirrors = CONFIG.datasets[DOWNLOADED[wildcards.archive]].mirrors or CONFIG.mirrors
    return shlex.join(f"--mirror={mirror}" for mirror in mirrors)


def checksum_flag(wildcards):
    sha256 = CONFIG.datasets[wildcards.dataset].sha256
    return f"--sha256 {sha256}" if sha256 else ""


def room_flags(wildcards):
    """What will follow the download on disk: images, records, and the smallest training on the dataset."""
    name = DOWNLOADED[wildcards.archive]
    dataset = CONFIG.datasets[name]
    factor, more = largest_data(dataset, CONFIG.keep)
    runs = [run for run in RUNS.values() if run.dataset == name and not run.ckpt]
    results = min((training_bytes(run.train, run.where.save_epoch_freq) for run in runs), default=0)
    flags = [f"--data_factor={factor}", f"--data_more={more}", f"--results={results}"]
    return " ".join(flags + ([f"--published={PUBLISHED[name]}"] if name in PUBLISHED else []))


def extract_flags(wildcards):
    """The archive's checksum, and what stays on disk; a resource, so that a change does not trigger a rerun."""
    flags = ["--packed"] * (not CONFIG.keep.pairs) + ["--drop_archive"] * (not CONFIG.keep.archive)
    return " ".join([checksum_flag(wildcards), *flags]).strip()


def download_checksum_flag(wildcards):
    sha256 = CONFIG.datasets[DOWNLOADED[wildcards.archive]].sha256
    return f"--sha256 {sha256}" if sha256 else ""


def token_flag(wildcards):
    """The name of the variable with the token; the token itself is read by the program."""
    name = CONFIG.datasets[DOWNLOADED[wildcards.archive]].token_env
    return f"--token_env {name}" if name else ""


def weights_flags(wildcards):
    download = WEIGHTS[f"data/weights/{wildcards.file}"]
    flags = [f"--address={address}" for address in download.addresses]
    return shlex.join(flags + ([f"--sha256={download.sha256}"] if download.sha256 else []))


def drawn_flags(wildcards):
    splits = CONFIG.datasets[wildcards.dataset].splits
    return " ".join(f"--{split} {pairs}" for split, pairs in splits.items())


def split_flags(wildcards):
    dataset = CONFIG.datasets[wildcards.dataset]
    words = [split if pairs is None else f"{split}={pairs}" for split, pairs in dataset.counts.items()]
    # defaults are not passed, so that the param is the same as without these settings
    words += as_flags(dataset.tolerate) * (dataset.tolerate != Tolerance())
    words += ["--split_file", shlex.quote(dataset.split_file)] * (dataset.split_file is not None)
    return " ".join(words + ["--parquet"] * (dataset.parquet is not None))


def pair_flags(wildcards):
    """Where the images A and B are, and how they are split; paths may have any name."""
    dataset = CONFIG.datasets[wildcards.dataset]
    flags = [f"--{key}={path}" for key in ("folder_a", "folder_b", "pairs") if (path := getattr(dataset, key))]
    flags += ["--labels_b"] * ("right" in dataset.palettes) + ["--splits"]
    for split, part in dataset.splits.items():
        value = f"=@{part}" if isinstance(part, str) else f"={part}" if isinstance(part, float) else ""
        flags.append(f"{split}{value}")
    return shlex.join(flags)


@functools.cache
def listing_of_pairs(dataset):
    try:
        return files_digest(CONFIG.datasets[dataset])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def separate_images_listing(wildcards):
    """Changes of the images and the lists are detected by this, since they are not inputs."""
    return listing_of_pairs(wildcards.dataset)


def images_source(wildcards):
    """The archive; changes in a folder are detected by its listing, a param, since its time does not show them."""
    return [] if CONFIG.datasets[wildcards.dataset].on_disk else f"data/{ARCHIVES[wildcards.dataset]}"


def images_listing(wildcards):
    dataset = CONFIG.datasets[wildcards.dataset]
    if dataset.on_disk and (dataset.parquet or dataset.split_file):
        return listing_of_all(dataset.on_disk, dataset.split_file)
    return listing_of(dataset.folder, tuple(dataset.splits)) if dataset.folder else None


def source_argument(wildcards):
    return path_argument(CONFIG.datasets[wildcards.dataset].on_disk or f"data/{ARCHIVES[wildcards.dataset]}")


def shard_flags(wildcards):
    split, *shard = wildcards.part.replace("-of", "").split("-")
    return f"--split {split}" + (f" --shard {shard[0]} --shards {shard[1]}" if shard else "")
