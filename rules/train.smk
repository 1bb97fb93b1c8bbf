rule train:
    input:
        records=train_records,
        held_out=held_out_records,
        initial=initial_weights,
    output:
        generator="results/{run}/ckpt/Generator_{epoch}.ckpt",
        discriminator="results/{run}/ckpt/Discriminator_{epoch}.ckpt",
    log:
        "logs/train/{run}_{epoch}.log",
    benchmark:
        "logs/train/{run}_{epoch}.tsv"
    wildcard_constraints:
        run=one_of(name for name, run in RUNS.items() if run.ckpt is None),
        epoch=r"[1-9]\d*",
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: train_threads
    resources:
        mem_mb=train_memory,
        runtime=2880,
        gpu=train_gpu,
        device=train_device,
        gres=train_gres,
        nodes=train_nodes,
        tasks=train_nodes,
        tasks_per_gpu=0,
        mpi=train_mpi,
        where=where_flags,
    params:
        settings=train_flags,
    shell:
        f"{OUTLIVE_SIGNALS} {SCRIPTS}/train.py "
        "{input.records:q} --ckpt_dir results/{wildcards.run:q}/ckpt"
        " --train_fakeimg_dir results/{wildcards.run:q}/fake_img --loss_show_dir results/{wildcards.run:q}/loss_show"
        " --state_dir results/{wildcards.run:q}/state {params.settings} {resources.where} --train_threads {threads} "
        f"{LOGGED}"


rule keep_best:
    input:
        "results/{run}/ckpt/Generator_{epoch}.ckpt",
    output:
        "results/{run}/best/Generator_{epoch}.ckpt",
    log:
        "logs/keep_best/{run}_{epoch}.log",
    benchmark:
        "logs/keep_best/{run}_{epoch}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
        epoch=r"[1-9]\d*",
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    shell:
        f"{SCRIPTS}/keep_best.py "
        "results/{wildcards.run:q}/snapshots/Generator_best.ckpt {output:q}"
        " --apart results/{wildcards.run:q}/epochs/{wildcards.epoch:q}/snapshots/Generator_best.ckpt "
        f"{LOGGED}"
