wildcard_constraints:
    dataset=one_of(CONFIG.datasets),
    part=r"(train|val|test)(-\d+-of-\d+)?",


PAIRS = directory("data/{dataset}/pairs")


# on a cluster, these run on the submitting machine, which has network access
localrules:
    download,
    download_weights,


rule draw_demo:
    output:
        "data/{dataset}.tar.gz",
    log:
        "logs/draw_demo/{dataset}.log",
    benchmark:
        "logs/draw_demo/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(DRAWN),
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        counts=drawn_flags,
    shell:
        f"{SCRIPTS}/draw_demo.py " "{output:q} {params.counts} " f"{LOGGED}"


rule download:
    output:
        # kept when the job starts: an archive that the user put there is verified and not downloaded again
        update("data/{archive}"),
    log:
        "logs/download/{archive}.log",
    benchmark:
        "logs/download/{archive}.tsv"
    wildcard_constraints:
        archive=one_of(DOWNLOADED),
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=720,
        mirrors=mirror_flags,
        sha256=download_checksum_flag,
        dataset=lambda wildcards: DOWNLOADED[wildcards.archive],
        token=token_flag,
        room=room_flags,
    shell:
        f"{SCRIPTS}/download.py "
        "--dataset {resources.dataset} {resources.mirrors} {resources.sha256} {resources.token}"
        " {resources.room} {output:q} "
        f"{LOGGED}"


rule download_weights:
    output:
        "data/weights/{file}",
    log:
        "logs/download_weights/{file}.log",
    benchmark:
        "logs/download_weights/{file}.tsv"
    wildcard_constraints:
        file=one_of(path.removeprefix("data/weights/") for path in WEIGHTS),
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=120,
        addresses=weights_flags,
    shell:
        f"{SCRIPTS}/download_weights.py " "{resources.addresses} {output:q} " f"{LOGGED}"


rule pair:
    output:
        archive="data/{dataset}.tar.gz",
        left_out="data/{dataset}/unpaired.csv",
    log:
        "logs/pair/{dataset}.log",
    benchmark:
        "logs/pair/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(PAIRED),
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: all_cores
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        images=pair_flags,
        listing=separate_images_listing,
    shell:
        f"{SCRIPTS}/pair.py "
        "{output.archive:q} --left_out {output.left_out:q} {params.images} --threads {threads} "
        f"{LOGGED}"


rule extract:
    input:
        images_source,
    output:
        PAIRS if CONFIG.keep.pairs else temp(PAIRS),
    log:
        "logs/extract/{dataset}.log",
    benchmark:
        "logs/extract/{dataset}.tsv"
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: all_cores
    resources:
        mem_mb=1000,
        runtime=240,
        how=extract_flags,
    params:
        source=source_argument,
        splits=split_flags,
        listing=images_listing,
    shell:
        f"{SCRIPTS}/extract.py "
        "{params.source} {output:q} --splits {params.splits} --threads {threads} {resources.how} "
        f"{LOGGED}"


rule mindrecord:
    input:
        "data/{dataset}/pairs",
    output:
        records="data/{dataset}/{part}.mindrecord",
        index="data/{dataset}/{part}.mindrecord.db",
    log:
        "logs/mindrecord/{dataset}_{part}.log",
    benchmark:
        "logs/mindrecord/{dataset}_{part}.tsv"
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        part=shard_flags,
    shell:
        f"{SCRIPTS}/mindrecord.py " "{input:q} {output.records:q} {params.part} --threads {threads} " f"{LOGGED}"
