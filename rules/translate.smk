rule translate:
    input:
        ckpt=checkpoint_of,
    output:
        directory("results/{run}/translate/{inputs}"),
    log:
        "logs/translate/{run}_{inputs}.log",
    benchmark:
        "logs/translate/{run}_{inputs}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
        inputs=one_of(CONFIG.inputs),
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: all_cores
    resources:
        mem_mb=4000,
        runtime=60,
        device=predict_device,
        device_target=predict_target,
    params:
        folder=translate_folder,
        settings=translate_flags,
        listing=translate_listing,
    shell:
        f"{SCRIPTS}/translate.py "
        "{params.folder} --ckpt={input.ckpt:q} --out {output:q} --gallery {params.settings}"
        " --device_target {resources.device_target} --threads {threads} "
        f"{LOGGED}"
